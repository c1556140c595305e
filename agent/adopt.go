package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// maxLabel bounds labels, sites and holders, in bytes; they have to fit a line of a terminal.
const maxLabel = 64

// Adopt takes a key into the ledger: from now on it may be written to, and its copies are proved.
func (a *Agent) Adopt(ctx context.Context, who Caller, key string, r api.AdoptRequest) (api.Key, error) {
	k, err := a.view.Load().findKey(key)
	if err == nil && k.Trouble != "" {
		a.recheck(ctx)
		k, err = a.view.Load().findKey(key)
	}
	if err != nil {
		return api.Key{}, err
	}
	if err := a.adoptable(k); err != nil {
		return api.Key{}, err
	}
	attested, err := a.attest(ctx, k, nil)
	if err != nil {
		return api.Key{}, err
	}
	row, err := a.enter(who, k, cmp.Or(r.Label, k.Label), r)
	if err != nil {
		return api.Key{}, err
	}
	if err := a.inspect(ctx, k.w, true); err != nil && !k.Locked {
		return api.Key{}, cardError(err, "cannot look at %s after it was adopted", row.Label)
	}
	adopted, err := a.Key(row.ID)
	adopted.Attestation = attested
	return adopted, err
}

func (a *Agent) adoptable(k *keyView) error {
	switch {
	case k.State == api.KeyAdopted:
		return refuse(api.CodeConflict, "\"oathctl key label\" gives it another name", "cannot adopt %s: it is adopted already", k.Label)
	case !k.Present:
		return a.absent(k.ID)
	case k.Trouble != "":
		a.mu.Lock()
		defer a.mu.Unlock()
		return cardError(k.w.state.trouble, "cannot adopt %s", k.Label)
	case k.Serial == 0 && k.DeviceID == "":
		return refuse(api.CodeNotSupported, "let it show its serial number, or clear its PIN, with its maker's own program",
			"cannot adopt %s: it shows neither a serial number nor a device id, so nothing would tell it from another key", k.Label)
	}
	return nil
}

// enter writes the key into the ledger. A key that was lost and found again keeps its id.
func (a *Agent) enter(who Caller, k *keyView, label string, r api.AdoptRequest) (ledger.Key, error) {
	serial := "unknown"
	if k.Serial != 0 {
		serial = strconv.FormatUint(uint64(k.Serial), 10)
	}
	row := ledger.Key{ID: ledger.NewID(), FirstSeen: now()}
	err := a.change(who, fmt.Sprintf("adopt %s %s (serial %s, firmware %s)", k.Vendor, label, serial, k.Firmware), func(d *draft) error {
		for _, old := range d.keys {
			if err := checkDouble(old, k, label); err != nil {
				return err
			}
			if old.Soft != k.Soft || k.Serial == 0 || old.Serial != k.Serial {
				continue
			}
			if old.State == string(api.KeyAdopted) {
				return refuse(api.CodeConflict, "a serial number alone does not tell a key from a copy of it: find out which one is yours, and adopt only that",
					"cannot adopt %s: another key with its serial number is adopted as %s", label, old.Label)
			}
			row = old
		}
		row.Vendor, row.Serial, row.Label, row.Site, row.Holder = k.Vendor, k.Serial, label, r.Site, r.Holder
		row.Firmware, row.Soft, row.State, row.LastSeen = k.Firmware, k.Soft, string(api.KeyAdopted), now()
		row.DeviceIDs = withDeviceID(row.DeviceIDs, k.DeviceID)
		row.Capacity, row.PasswordSet = k.Capacity, k.PasswordSet
		if err := d.checkLabels(row); err != nil {
			return err
		}
		d.undo = append(d.undo, func() { k.w.state.key = "" })
		k.w.state.key = row.ID
		return d.putKey(row)
	})
	return row, err
}

// checkDouble refuses a key that could not be told from an adopted one: neither shows a serial number, and their applets
// call themselves the same.
func checkDouble(old ledger.Key, k *keyView, label string) error {
	if old.Soft != k.Soft || old.Serial != 0 || k.Serial != 0 || old.State != string(api.KeyAdopted) || !slices.Contains(old.DeviceIDs, k.DeviceID) {
		return nil
	}
	return refuse(api.CodeConflict, "reset the OATH application of one of them, which gives it another device id",
		"cannot adopt %s: nothing tells it from %s, which has the same device id and shows no serial number either", label, old.Label)
}

// checkLabels makes sure that a label is one, and tells one key from another.
func (b *book) checkLabels(row ledger.Key) error {
	if row.Label == "" {
		return refuse(api.CodeBadRequest, "choose a word", "cannot give a key an empty label")
	}
	if _, err := strconv.ParseUint(row.Label, 10, 32); err == nil {
		return refuse(api.CodeBadRequest, "choose a word", "cannot label a key %q: it would read as a serial number", row.Label)
	}
	for _, s := range []string{row.Label, row.Site, row.Holder} {
		bad := func(r rune) bool { return !unicode.IsPrint(r) }
		if len(s) > maxLabel || !utf8.ValidString(s) || slices.ContainsFunc([]rune(s), bad) {
			return refuse(api.CodeBadRequest, fmt.Sprintf("use at most %d bytes of printable text", maxLabel), "cannot use %q", s)
		}
	}
	for _, k := range b.keys {
		if k.ID != row.ID && k.Label == row.Label {
			return refuse(api.CodeExists, "choose another label", "cannot label a key %q: another one is called so", row.Label)
		}
	}
	return nil
}

// SetLabel changes what people call a key.
func (a *Agent) SetLabel(_ context.Context, who Caller, key, value string) (api.Key, error) {
	return a.setKey(who, key, "label", value, func(k *ledger.Key) { k.Label = value })
}

// SetSite says where a key is kept.
func (a *Agent) SetSite(_ context.Context, who Caller, key, value string) (api.Key, error) {
	return a.setKey(who, key, "site", value, func(k *ledger.Key) { k.Site = value })
}

// SetHolder says who has a key.
func (a *Agent) SetHolder(_ context.Context, who Caller, key, value string) (api.Key, error) {
	return a.setKey(who, key, "holder", value, func(k *ledger.Key) { k.Holder = value })
}

func (a *Agent) setKey(who Caller, key, what, value string, set func(*ledger.Key)) (api.Key, error) {
	k, err := a.view.Load().findAdopted(key, "change")
	if err != nil {
		return api.Key{}, err
	}
	err = a.change(who, fmt.Sprintf("set the %s of %s to %q", what, k.Label, value), func(d *draft) error {
		row := d.keys[k.ID]
		set(&row)
		if err := d.checkLabels(row); err != nil {
			return err
		}
		return d.putKey(row)
	})
	if err != nil {
		return api.Key{}, err
	}
	a.events.publish(api.Event{Kind: api.EventKeyChanged, Key: k.ID, KeyLabel: a.keyLabel(k.ID)})
	return a.Key(k.ID)
}
