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
	if err != nil {
		return api.Key{}, err
	}
	if k.State == api.KeyAdopted {
		return api.Key{}, refuse(api.CodeConflict, "\"oathctl key label\" gives it another name", "cannot adopt %s: it is adopted already", k.Label)
	}
	if !k.Present {
		return api.Key{}, a.absent(k.ID)
	}
	if k.Trouble != "" {
		return api.Key{}, refuse(api.CodeCardError, k.Hint, "cannot adopt %s: %s", k.Label, k.Trouble)
	}
	label := cmp.Or(r.Label, k.Label)
	if err := a.checkLabels(k.ID, label, r.Site, r.Holder); err != nil {
		return api.Key{}, err
	}
	id, err := a.enter(ctx, who, k, label, r)
	if err != nil {
		return api.Key{}, err
	}
	if err := a.inspect(ctx, k.w, true); err != nil && !k.Locked {
		return api.Key{}, cardError(err, "cannot look at %s after it was adopted", label)
	}
	return a.Key(id)
}

// enter writes the key into the ledger. A key that was lost and found again keeps its id.
func (a *Agent) enter(ctx context.Context, who Caller, k *keyView, label string, r api.AdoptRequest) (string, error) {
	row := ledger.Key{ID: ledger.NewID(), FirstSeen: now()}
	what := fmt.Sprintf("adopt %s %s (serial %s, firmware %s)", k.Vendor, label, cmp.Or(strconv.FormatUint(uint64(k.Serial), 10), "unknown"), k.Firmware)
	err := a.change(ctx, who, what, func(d *draft) error {
		for _, old := range d.keys {
			if old.Soft != k.Soft || k.Serial == 0 || old.Serial != k.Serial {
				continue
			}
			if old.State == string(api.KeyAdopted) {
				return refuse(api.CodeConflict, "unplug one of them; a key's serial cannot be trusted to tell a copy of it", "cannot adopt %s: another key with its serial is adopted as %s", label, old.Label)
			}
			row = old
		}
		row.Vendor, row.Serial, row.Label, row.Site, row.Holder = k.Vendor, k.Serial, label, r.Site, r.Holder
		row.Firmware, row.Soft, row.State, row.LastSeen = k.Firmware, k.Soft, string(api.KeyAdopted), now()
		if !slices.Contains(row.DeviceIDs, k.DeviceID) {
			row.DeviceIDs = append(slices.Clone(row.DeviceIDs), k.DeviceID)
		}
		row.Capacity, row.PasswordSet = k.Capacity, k.PasswordSet
		return d.putKey(row)
	})
	return row.ID, err
}

// checkLabels makes sure that a label is one, and tells one key from another.
func (a *Agent) checkLabels(id, label, site, holder string) error {
	if label == "" {
		return refuse(api.CodeBadRequest, "", "cannot give a key an empty label")
	}
	if _, err := strconv.ParseUint(label, 10, 32); err == nil {
		return refuse(api.CodeBadRequest, "choose a word", "cannot label a key %q: it would read as a serial number", label)
	}
	for _, s := range []string{label, site, holder} {
		bad := func(r rune) bool { return !unicode.IsPrint(r) }
		if len(s) > maxLabel || !utf8.ValidString(s) || slices.ContainsFunc([]rune(s), bad) {
			return refuse(api.CodeBadRequest, fmt.Sprintf("use at most %d bytes of printable text", maxLabel), "cannot use %q", s)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.book.keys {
		if k.ID != id && k.Label == label {
			return refuse(api.CodeExists, "choose another label", "cannot label a key %q: another one is called so", label)
		}
	}
	return nil
}

// SetLabel changes what people call a key.
func (a *Agent) SetLabel(ctx context.Context, who Caller, key, value string) (api.Key, error) {
	return a.setKey(ctx, who, key, "label", value, func(k *ledger.Key) { k.Label = value })
}

// SetSite says where a key is kept.
func (a *Agent) SetSite(ctx context.Context, who Caller, key, value string) (api.Key, error) {
	return a.setKey(ctx, who, key, "site", value, func(k *ledger.Key) { k.Site = value })
}

// SetHolder says who has a key.
func (a *Agent) SetHolder(ctx context.Context, who Caller, key, value string) (api.Key, error) {
	return a.setKey(ctx, who, key, "holder", value, func(k *ledger.Key) { k.Holder = value })
}

func (a *Agent) setKey(ctx context.Context, who Caller, key, what, value string, set func(*ledger.Key)) (api.Key, error) {
	k, err := a.findAdopted(key)
	if err != nil {
		return api.Key{}, err
	}
	a.mu.Lock()
	row := a.book.keys[k.ID]
	a.mu.Unlock()
	set(&row)
	if err := a.checkLabels(k.ID, row.Label, row.Site, row.Holder); err != nil {
		return api.Key{}, err
	}
	err = a.change(ctx, who, fmt.Sprintf("set the %s of %s to %q", what, k.Label, value), func(d *draft) error {
		row := d.keys[k.ID]
		set(&row)
		return d.putKey(row)
	})
	if err != nil {
		return api.Key{}, err
	}
	a.events.publish(api.Event{Kind: api.EventKeyChanged, Key: k.ID, KeyLabel: k.Label})
	return a.Key(k.ID)
}

// findAdopted finds a key that may be written to.
func (a *Agent) findAdopted(selector string) (*keyView, error) {
	k, err := a.view.Load().findKey(selector)
	if err != nil {
		return nil, err
	}
	if k.State != api.KeyAdopted {
		return nil, refuse(api.CodeNotAdopted, fmt.Sprintf("run \"oathctl key adopt %s\"", k.Label), "cannot change %s: it is not adopted", k.Label)
	}
	return k, nil
}
