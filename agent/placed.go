package agent

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/oathd/oathd/agent/place"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// planRules are the planner's words for the API's.
var planRules = map[api.Apart]place.Rule{
	"": place.Apart, api.ApartAlways: place.Apart, api.ApartSpread: place.Spread, api.ApartPrefer: place.Prefer, api.ApartIgnore: place.Ignore,
}

// problem puts what is known into the planner's words.
func (a *Agent) problem(r api.PlanRequest) (*view, place.Problem, error) {
	a.mu.Lock() // what the workers found out is read too
	defer a.mu.Unlock()
	v := a.view.Load()
	without, err := v.planWish(r)
	if err != nil {
		return nil, place.Problem{}, err
	}
	p := place.Problem{Sites: planRules[r.Sites], Holders: planRules[r.Holders]}
	names, known := v.credentials(), map[string]int{}
	for _, acc := range v.accountList {
		if !acc.recorded || acc.Superseded || acc.Rotating != "" {
			continue
		}
		account := v.placedAccount(acc, names)
		account.Wanted = cmp.Or(r.Copies, account.Wanted)
		for _, c := range account.Copies {
			known[c.Key]++
		}
		p.Accounts = append(p.Accounts, account)
	}
	for _, k := range v.keyList {
		if k.State != api.KeySeen {
			key := k.placed(known[k.ID])
			key.Lost = key.Lost || slices.Contains(without, k.ID)
			p.Keys = append(p.Keys, key)
		}
	}
	return v, p, nil
}

// planWish checks what is wished for, and finds the keys to do without.
func (v *view) planWish(r api.PlanRequest) (without []string, err error) {
	for _, rule := range []api.Apart{r.Sites, r.Holders} {
		if _, known := planRules[rule]; !known {
			return nil, refuse(api.CodeBadRequest, "it is apart, spread, prefer or ignore", "cannot plan with the rule %q", rule)
		}
	}
	if r.Copies < 0 {
		return nil, refuse(api.CodeBadRequest, "ask for one copy or more", "cannot plan %d copies", r.Copies)
	}
	for _, selector := range r.Without {
		k, err := v.findKey(selector)
		if err != nil {
			return nil, err
		}
		without = append(without, k.ID)
	}
	return without, nil
}

// placed is the key for the planner; known is how many of the credentials on it are copies that the planner knows.
func (k *keyView) placed(known int) place.Key {
	f := k.features()
	return place.Key{
		ID: k.ID, Capacity: k.Capacity, Used: max(0, k.Accounts-known), SHA512: f.SHA512, Touch: f.Touch,
		Site: k.Site, Holder: k.Holder, Present: k.Present, Soft: k.Soft, Lost: k.State == api.KeyLost,
	}
}

// features is what the key can do: as it tells itself or, when it is away, as its version tells. Of a key of which nothing is
// known the best is hoped: it has the last word when it is written to.
func (k *keyView) features() ykoath.Features {
	if k.w != nil && k.w.state.selected {
		return k.w.state.info.Features()
	}
	version, known := parseVersion(k.Firmware)
	if !known || strings.HasPrefix(k.Vendor, "Nitrokey") {
		return ykoath.Features{Touch: true, SHA512: !known}
	}
	return ykoath.Info{Version: version}.Features()
}

// parseVersion reads "5.4.3".
func parseVersion(s string) (ykoath.Version, bool) {
	var numbers [3]byte
	parts := strings.Split(s, ".")
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || len(parts) != len(numbers) {
			return ykoath.Version{}, false
		}
		numbers[i] = byte(n)
	}
	return ykoath.Version{Major: numbers[0], Minor: numbers[1], Patch: numbers[2]}, true
}

// placedAccount is the account for the planner; names are what credentials are called.
func (v *view) placedAccount(acc *accountView, names map[copyRef]string) place.Account {
	account := place.Account{
		ID: acc.ID, Wanted: acc.Wanted, SHA512: acc.oath.Algorithm == oath.SHA512, HOTP: acc.oath.Type == oath.HOTP, NoSeed: acc.Escrow == "",
	}
	for _, s := range acc.sources {
		account.Touch = account.Touch || s.Touch
		i := slices.IndexFunc(account.Copies, func(c place.Copy) bool { return c.Key == s.Key })
		switch {
		case !s.there() || s.State == api.CopyMismatch:
		case i < 0:
			account.Copies = append(account.Copies, place.Copy{Key: s.Key, Proved: s.sure()})
		default:
			account.Copies[i].Proved = account.Copies[i].Proved || s.sure()
		}
	}
	for _, k := range v.keyList {
		if owner, taken := names[copyRef{k.ID, acc.oath.ID()}]; taken && owner != acc.ID {
			account.Barred = append(account.Barred, k.ID)
		}
	}
	return account
}

// credentials says whose each name on a key is, "" where it answers with a seed that nobody knows.
func (v *view) credentials() map[copyRef]string {
	names := map[copyRef]string{}
	for _, acc := range v.accountList {
		for _, s := range acc.sources {
			switch {
			case s.State == api.CopyMismatch:
				names[copyRef{s.Key, s.CredentialID}] = ""
			case s.there():
				names[copyRef{s.Key, s.CredentialID}] = acc.ID
			}
		}
	}
	return names
}
