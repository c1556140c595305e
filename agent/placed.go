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
	for _, i := range a.book.intents {
		if i.Kind == intentDelete {
			names[copyRef{i.Key, i.CredID}] = "" // it takes room, and a name, as long as it is there
		}
	}
	for _, acc := range v.accountList {
		if !acc.recorded || acc.Superseded || acc.Rotating != "" {
			continue
		}
		p.Accounts = append(p.Accounts, v.placedAccount(acc, cmp.Or(r.Copies, acc.Wanted), names, known))
	}
	p.Keys = v.placedKeys(known)
	for i := range p.Keys {
		p.Keys[i].Lost = p.Keys[i].Lost || slices.Contains(without, p.Keys[i].ID)
	}
	return v, p, nil
}

// placedKeys are the keys for the planner; known counts the credentials on each that are copies that the planner knows.
func (v *view) placedKeys(known map[string]int) []place.Key {
	var keys []place.Key
	for _, k := range v.keyList {
		if k.State != api.KeySeen {
			keys = append(keys, k.placed(known[k.ID]))
		}
	}
	return keys
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

// placedAccount is the account for the planner; names says whose each credential is, and known counts those that are its copies.
func (v *view) placedAccount(acc *accountView, wanted int, names map[copyRef]string, known map[string]int) place.Account {
	account := place.Account{
		ID: acc.ID, Wanted: wanted, SHA512: acc.oath.Algorithm == oath.SHA512, HOTP: acc.oath.Type == oath.HOTP, NoSeed: acc.Escrow == "",
	}
	for _, s := range acc.sources {
		account.Touch = account.Touch || s.Touch
		i := slices.IndexFunc(account.Copies, func(c place.Copy) bool { return c.Key == s.Key })
		switch {
		case names[copyRef{s.Key, s.CredentialID}] != acc.ID:
		case i < 0:
			account.Copies = append(account.Copies, place.Copy{Key: s.Key, Proved: s.sure()})
			known[s.Key]++
		default:
			account.Copies[i].Proved = account.Copies[i].Proved || s.sure()
		}
	}
	begun := acc.begun()
	for _, k := range v.keyList {
		holds := slices.ContainsFunc(account.Copies, func(c place.Copy) bool { return c.Key == k.ID })
		elsewhere := len(begun)+len(account.Copies) >= wanted && len(begun) > 0 && !slices.Contains(begun, k.ID)
		owner, taken := names[copyRef{k.ID, acc.oath.ID()}]
		if taken && owner != acc.ID || elsewhere && !holds {
			account.Barred = append(account.Barred, k.ID)
		}
	}
	return account
}

// begun lists the keys to which copies were to be written when it was broken off: they go nowhere else, if they are enough.
func (acc *accountView) begun() []string {
	var keys []string
	for _, s := range acc.sources {
		if s.State == api.CopyPending && !s.lost {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// credentials says whose each credential on a key is, "" where it answers with a seed that nobody knows.
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
