package agent

import (
	"slices"
	"strconv"

	"github.com/oathd/oathd/agent/place"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// homes asks the planner which keys are to have each item: those that are plugged in, if with them alone every copy is in another
// place, else others too. Where the wish cannot be fulfilled, or not so, the list is filled up in the user's order: what is in the
// way is found, and said, by the checks. Without an adopted key the lists are empty.
func (a *Agent) homes(items []*item) [][]string {
	a.mu.Lock() // what the workers found out is read too
	defer a.mu.Unlock()
	v := a.view.Load()
	plan := place.Make(v.newcomers(a.book, items, true))
	if !plan.Complete() {
		plan = place.Make(v.newcomers(a.book, items, false))
	}
	keys := make([][]string, len(items))
	for _, s := range plan.Steps {
		if i, err := strconv.Atoi(s.Account); err == nil && s.Kind != place.Remove {
			keys[i] = append(keys[i], s.Key)
		}
	}
	for i, it := range items {
		keys[i] = v.best(it, keys[i])
	}
	return keys
}

// newcomers is what the planner is asked about items that are to be added: nothing else moves. An item's account is its index. With
// here they go to keys that are plugged in only.
func (v *view) newcomers(b *book, items []*item, here bool) place.Problem {
	var p place.Problem
	known := map[string]int{}
	for i, it := range items {
		account := place.Account{
			ID: strconv.Itoa(i), Wanted: it.wanted, SHA512: it.account.Algorithm == oath.SHA512, Touch: it.touch, HOTP: it.account.Type == oath.HOTP,
		}
		for _, k := range v.keyList {
			_, holds := it.have[k.ID]
			c, named := b.copies[copyRef{k.ID, it.account.ID()}]
			switch {
			case holds || b.claims(k.ID, it):
				account.Copies = append(account.Copies, place.Copy{Key: k.ID, Proved: holds})
				known[k.ID]++
			case named && c.State != string(api.CopyMissing), here && !k.Present:
				account.Barred = append(account.Barred, k.ID)
			}
		}
		p.Accounts = append(p.Accounts, account)
	}
	p.Keys = v.placedKeys(known)
	return p
}

// lacking asks the planner what would go to some keys so that every account whose seed is in the escrow had its copies, if no
// other key could take any. What finds no room there, or cannot be there, is sent to all of them, for the checks to say why.
func (a *Agent) lacking(targets []string) map[string][]string {
	v, p, err := a.problem(api.PlanRequest{Sites: api.ApartPrefer, Holders: api.ApartPrefer})
	if err != nil {
		return nil // the request has nothing in it that could be refused
	}
	var others []string
	for _, k := range v.keyList {
		if !slices.Contains(targets, k.ID) {
			others = append(others, k.ID)
		}
	}
	for i := range p.Accounts {
		p.Accounts[i].Barred = slices.Concat(p.Accounts[i].Barred, others)
	}
	plan, homes := place.Make(p), map[string][]string{}
	send := func(account, key string) {
		if !slices.Contains(homes[account], key) && !v.accounts[account].onAll([]string{key}) {
			homes[account] = append(homes[account], key)
		}
	}
	for _, s := range plan.Steps {
		if s.Kind == place.Put {
			send(s.Account, s.Key)
		}
	}
	for _, u := range plan.Unmet {
		for _, key := range targets {
			if u.Reason != place.LacksSeed {
				send(u.Account, key)
			}
		}
	}
	return homes
}

// best lists as many adopted keys as there are to be copies: those that have the account already, then those that were planned, then
// keys that are plugged in, in the user's order. Soft keys are for where there are no real ones.
func (v *view) best(it *item, planned []string) []string {
	var have, here, away []string
	for _, k := range v.keyList {
		_, holds := it.have[k.ID]
		switch {
		case !v.takesCopies(k) || slices.Contains(planned, k.ID):
		case holds:
			have = append(have, k.ID)
		case k.Present:
			here = append(here, k.ID)
		default:
			away = append(away, k.ID)
		}
	}
	all := slices.Concat(have, planned, here, away)
	return all[:min(len(all), it.wanted)]
}

// takesCopies reports whether a copy on the key would count.
func (v *view) takesCopies(k *keyView) bool {
	return k.State == api.KeyAdopted && !(v.anyReal && k.Soft)
}
