package agent

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/oathd/oathd/agent/place"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// rehearsal is an Add that nothing comes of: what would refuse the whole there stands here in the account's report.
type rehearsal struct {
	provision
	v *view
	// reports are in the order of the request; of[i] is the item of the i-th, nil for one that cannot be added.
	reports []api.AccountReport
	of      []*item
	// coming counts what each key would get, crowded says that one found no room.
	coming  map[string]int
	crowded bool
}

// rehearse says what Add would do. No card is written to, and neither is the ledger; a key that is in trouble is looked at again.
func (a *Agent) rehearse(ctx context.Context, r api.AddRequest, seeds []*oath.Secret) (api.Report, error) {
	if err := matching(r.Accounts, seeds); err != nil {
		return api.Report{}, err
	}
	a.recheck(ctx)
	h := &rehearsal{provision: provision{a: a}, v: a.view.Load(), coming: map[string]int{}}
	for i, n := range r.Accounts {
		h.cast(n, seeds[i], len(r.To) > 1)
	}
	err := h.choose(r)
	if err != nil && api.CodeOf(err) != api.CodeNotAdopted {
		return api.Report{}, err
	}
	report := api.Report{Complete: true}
	for i, it := range h.of {
		switch {
		case it != nil && err != nil:
			h.reports[i].Error = cardError(err, "cannot add %s", h.reports[i].Label)
		case it != nil:
			h.outcomes(it, &h.reports[i])
		}
		report.Complete = report.Complete && it != nil && h.reports[i].Proved >= h.reports[i].Wanted
	}
	report.Accounts, report.Helps = h.reports, h.helps()
	return report, nil
}

// cast begins an account's report, and makes an item of what could be added. several says that more than one key was named.
func (h *rehearsal) cast(n api.NewAccount, seed *oath.Secret, several bool) {
	r := api.AccountReport{Label: oath.Account{Issuer: n.Issuer, Name: n.Name}.Label(), Outcomes: []api.Outcome{}}
	it, err := h.a.newItem(n, seed)
	if err == nil {
		r.Fingerprint, r.Account = hex.EncodeToString(it.prints.full), h.a.accountWith(it.prints)
		err = cmp.Or(h.differs(it), h.a.checkName(h.v, it))
	}
	if err == nil && several && it.account.Type == oath.HOTP {
		err = refuse(api.CodeBadRequest, "name one key", "cannot put the HOTP account %s on several keys: their counters would drift apart", r.Label)
	}
	if err != nil {
		r.Error, it = cardError(err, "cannot add %s", r.Label), nil
	} else {
		h.items = append(h.items, it)
	}
	h.reports, h.of = append(h.reports, r), append(h.of, it)
}

// differs says which of the accounts before it an item repeats, or takes the name of.
func (h *rehearsal) differs(it *item) error {
	for _, other := range h.items {
		if it.prints.compare(other.prints) == same {
			return refuse(api.CodeExistsSame, "leave one of them out", "cannot add %s: %s has the same seed", it.account.Label(), other.account.Label())
		}
		if other.account.ID() == it.account.ID() {
			return refuse(api.CodeExists, "give one of them another name, or leave it out", "cannot add %s: there is another account of this name, and the two are not the same", it.account.Label())
		}
	}
	return nil
}

// outcomes says what each key has of an item, or would get.
func (h *rehearsal) outcomes(it *item, r *api.AccountReport) {
	r.Wanted, r.Escrow, r.Unsettled = it.wanted, h.a.escrowLacks([]*item{it}), h.a.unsettled([]*item{it})
	for _, key := range it.targets {
		k := h.v.keys[key]
		o := api.Outcome{Key: key, KeyLabel: k.Label, Soft: k.Soft, State: api.CopyMissing}
		if c, existed := it.have[key]; existed {
			o.State, o.Existed = api.CopyState(c.State), true
			r.Proved++
		} else if err := h.fits(k, it); err != nil {
			o.Error = cardError(err, "cannot write %s to %s", r.Label, k.Label)
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	if acc := h.v.accounts[r.Account]; acc != nil {
		r.LostWith = h.v.lostWith(acc)
		if acc.label != r.Label {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the same seed is known as %s; it is one account", acc.label))
		}
	}
}

// accountWith returns the id of the account that is known to have a seed, "" for none.
func (a *Agent) accountWith(p prints) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, seed := range a.book.seedsOf(p) {
		if row, known := a.book.accountOfSeed(seed); known {
			return row.ID
		}
	}
	return ""
}

// fits says why a key cannot take an item beside those that came before it, and counts those that it can.
func (h *rehearsal) fits(k *keyView, it *item) error {
	if err := h.a.checkKey(k, it); err != nil || h.a.occupies(k.ID, it) {
		return err
	}
	if k.Capacity > 0 && k.Accounts+h.coming[k.ID] >= k.Capacity {
		h.crowded = true
		return refuse(api.CodeFull, "\"oathctl plan\" tells how to make room; --to names another key",
			"cannot write %s to %s: it is full with %d accounts", it.account.Label(), k.Label, k.Capacity)
	}
	h.coming[k.ID]++
	return nil
}

// helps asks the planner what would make room for all.
func (h *rehearsal) helps() (changes []api.PlanChange) {
	if !h.crowded {
		return nil
	}
	h.a.mu.Lock() // what the workers found out is read too
	p := h.v.newcomers(h.a.book, h.items, false)
	h.a.mu.Unlock()
	for _, c := range place.Changes(p, place.Make(p).Unmet) {
		change := api.PlanChange{Kind: string(c.Kind), N: c.N, Words: c.String()}
		for _, number := range c.Accounts {
			if i, err := strconv.Atoi(number); err == nil {
				change.Accounts = append(change.Accounts, h.items[i].account.Label())
			}
		}
		changes = append(changes, change)
	}
	return changes
}
