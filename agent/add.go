package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// The kinds of intents.
const (
	intentPut    = "put"
	intentDelete = "delete"
	intentRename = "rename"
)

// item is one account that is to be written.
type item struct {
	account oath.Account
	seed    *oath.Secret
	counter uint32
	touch   bool
	prints  prints
	// id and seedID are the ledger's, once the intents are written; targets are the keys that get a copy.
	id      string
	seedID  string
	targets []string
	// have holds the copies that were there before, by key; outcomes what became of the item on each target.
	have     map[string]ledger.Copy
	outcomes map[string]api.Outcome
}

// Add writes accounts to keys. seeds[i] belongs to r.Accounts[i]; Add wipes them all before it returns.
// step is called from one goroutine at a time.
//
// Everything is checked on every key that is plugged in before the first one is written to; the intents are
// in the ledger before a card changes. What could not be done is in the report, with its reason.
func (a *Agent) Add(ctx context.Context, who Caller, r api.AddRequest, seeds []*oath.Secret, step func(api.Step)) (api.Report, error) {
	defer func() {
		for _, s := range seeds {
			s.Wipe()
		}
	}()
	items, err := a.newItems(r.Accounts, seeds)
	if err != nil {
		return api.Report{}, err
	}
	p := &provision{a: a, who: who, items: items, step: step, wanted: a.wantedCopies(r)}
	if err := p.choose(r); err != nil {
		return api.Report{}, err
	}
	if err := p.check(); err != nil {
		return api.Report{}, err
	}
	if err := p.intend(ctx); err != nil {
		return api.Report{}, err
	}
	p.write(ctx, r.WaitSeconds)
	return p.report(), nil
}

func (a *Agent) wantedCopies(r api.AddRequest) int {
	switch {
	case len(r.To) > 0:
		return len(r.To)
	case r.Copies > 0:
		return r.Copies
	}
	return a.Copies
}

// newItems checks what was asked for by itself, before any key comes into it.
func (a *Agent) newItems(accounts []api.NewAccount, seeds []*oath.Secret) ([]*item, error) {
	if len(accounts) == 0 || len(accounts) != len(seeds) {
		return nil, refuse(api.CodeBadRequest, "", "cannot add %d accounts with %d seeds", len(accounts), len(seeds))
	}
	a.mu.Lock()
	y := a.book.yardstick()
	a.mu.Unlock()
	items := make([]*item, len(accounts))
	for i, n := range accounts {
		it, err := newItem(n, seeds[i])
		if err != nil {
			return nil, err
		}
		it.prints = y.ofSeed(it.account, seeds[i].Bytes())
		for _, other := range items[:i] {
			if other.account.ID() == it.account.ID() {
				return nil, refuse(api.CodeBadRequest, "give one of them another name", "cannot add %s twice", it.account.Label())
			}
		}
		items[i] = it
	}
	return items, nil
}

func newItem(n api.NewAccount, seed *oath.Secret) (*item, error) {
	bad := func(err error) error { return wrap(api.CodeBadRequest, err, "cannot add %q", n.Name) }
	it := &item{seed: seed, counter: n.Counter, touch: n.Touch, outcomes: map[string]api.Outcome{}}
	it.account = oath.Account{Issuer: n.Issuer, Name: n.Name, Digits: n.Digits, Period: n.Period}
	var err error
	if it.account.Type, err = oath.ParseType(n.Type); err != nil {
		return nil, bad(err)
	}
	if it.account.Algorithm, err = oath.ParseAlgorithm(n.Algorithm); err != nil {
		return nil, bad(err)
	}
	if err := it.account.Validate(); err != nil {
		return nil, bad(err)
	}
	if seed.Len() == 0 {
		return nil, bad(fmt.Errorf("its seed is empty"))
	}
	return it, nil
}

// choose settles which keys get which item: those that were named, or the best adopted ones.
func (p *provision) choose(r api.AddRequest) error {
	v := p.a.view.Load()
	var named []string
	for _, selector := range r.To {
		k, err := v.findKey(selector)
		if err != nil {
			return err
		}
		if k.State != api.KeyAdopted {
			return notAdopted(k)
		}
		if !slices.Contains(named, k.ID) {
			named = append(named, k.ID)
		}
	}
	for _, it := range p.items {
		it.have = p.a.copiesWith(it.prints)
		it.targets = named
		if len(named) == 0 {
			it.targets = v.best(it, p.wanted)
		}
		if len(it.targets) == 0 {
			return noneAdopted(v)
		}
		if it.account.Type == oath.HOTP {
			if len(named) > 1 {
				return refuse(api.CodeBadRequest, "name one key", "cannot put the HOTP account %s on %d keys: their counters would drift apart", it.account.Label(), len(named))
			}
			it.targets = it.targets[:1]
		}
	}
	return nil
}

// best picks n adopted keys: those that have the account already, then keys that are plugged in, in
// the user's order. Soft keys are for where there are no real ones.
func (v *view) best(it *item, n int) []string {
	real := v.anyReal()
	var have, here, away []string
	for _, k := range v.keyList {
		_, holds := it.have[k.ID]
		switch {
		case k.State != api.KeyAdopted || real && k.Soft:
		case holds:
			have = append(have, k.ID)
		case k.Present:
			here = append(here, k.ID)
		default:
			away = append(away, k.ID)
		}
	}
	all := slices.Concat(have, here, away)
	return all[:min(len(all), n)]
}

// copiesWith finds the copies that the ledger knows of a seed, by key.
func (a *Agent) copiesWith(p prints) map[string]ledger.Copy {
	a.mu.Lock()
	defer a.mu.Unlock()
	have := map[string]ledger.Copy{}
	seed, ok := a.book.seedOf(p)
	for _, c := range a.book.copies {
		if ok && c.Seed == seed.ID && c.State != string(api.CopyMissing) {
			have[c.Key] = c
		}
	}
	return have
}

func notAdopted(k *keyView) error {
	return refuse(api.CodeNotAdopted, fmt.Sprintf("run \"oathctl key adopt %s\"", k.Label), "cannot write to %s: it is not adopted", k.Label)
}

func noneAdopted(v *view) error {
	e := refuse(api.CodeNotAdopted, "plug a key in and run \"oathctl key adopt KEY\"", "cannot add an account: no key is adopted")
	e.Candidates = keyCandidates(v.keysWith(func(k *keyView) bool { return k.Present }))
	return e
}

// check refuses what can be known to fail before anything is written.
func (p *provision) check() error {
	v := p.a.view.Load()
	nothing := true
	for _, it := range p.items {
		if err := p.checkName(v, it); err != nil {
			return err
		}
		for _, id := range it.targets {
			if _, holds := it.have[id]; holds {
				continue
			}
			nothing = false
			if err := p.checkKey(v.keys[id], it); err != nil {
				return err
			}
		}
	}
	if nothing {
		it := p.items[0]
		return refuse(api.CodeExistsSame, "name another key with --to to make one more copy",
			"cannot add %s: it is there already, with the same seed, on %s", it.account.Label(), p.labels(v, it.targets))
	}
	return p.checkRoom(v)
}

// checkName makes sure that the name does not belong to another seed, anywhere.
func (p *provision) checkName(v *view, it *item) error {
	a := p.a
	a.mu.Lock()
	defer a.mu.Unlock()
	seed, known := a.book.seedOf(it.prints)
	for _, acc := range v.names[1][it.account.Label()] {
		row, ok := a.book.accounts[acc.ID]
		if !ok || len(a.book.copiesOf(acc.ID)) == 0 || row.Superseded || row.Period != it.account.Period || row.Type != it.account.Type {
			continue
		}
		switch {
		case row.Seed == "":
			return refuse(api.CodeExists, "\"oathctl verify --touch\" tells whether its seed is the same",
				"cannot add %s: an account of this name is there, and its seed is not known", it.account.Label())
		case !known || row.Seed != seed.ID:
			return refuse(api.CodeExists, "choose another name, or remove the old one first",
				"cannot add %s: an account of this name is there, with another seed", it.account.Label())
		}
	}
	return nil
}

// checkKey refuses what the key, as far as it is known, can't take.
func (p *provision) checkKey(k *keyView, it *item) error {
	if !k.Present {
		return nil
	}
	if k.Locked {
		return refuse(api.CodeLocked, fmt.Sprintf("run \"oathctl password unlock %s\"", k.Label), "cannot write to %s: it is locked", k.Label)
	}
	if k.Trouble != "" {
		return refuse(api.CodeCardError, k.Hint, "cannot write to %s: %s", k.Label, k.Trouble)
	}
	p.a.mu.Lock()
	state := k.w.state
	p.a.mu.Unlock()
	if err := suits(state.info.Features(), it); err != nil {
		return wrap(api.CodeNotSupported, err, "cannot write %s to %s", it.account.Label(), k.Label)
	}
	if p.a.intended(k.ID, it) {
		return nil
	}
	return takes(state.info.Features(), state.listing, it, k.Label)
}

// intended reports whether an earlier attempt to write the same seed there was broken off: what it left may be on the key.
func (a *Agent) intended(key string, it *item) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.book.openPut(key, it)
	return ok
}

func (b *book) openPut(key string, it *item) (ledger.Intent, bool) {
	seed, known := b.seedOf(it.prints)
	for _, i := range b.intents {
		if known && i.Kind == intentPut && i.Key == key && i.CredID == it.account.ID() && i.Seed == seed.ID {
			return i, true
		}
	}
	return ledger.Intent{}, false
}

// suits says what the firmware lacks for the item.
func suits(f ykoath.Features, it *item) error {
	switch {
	case it.touch && !f.Touch:
		return fmt.Errorf("its firmware cannot ask for a touch")
	case it.account.Algorithm == oath.SHA512 && !f.SHA512:
		return fmt.Errorf("its firmware does not know SHA-512")
	}
	return nil
}

// takes says whether the name is free among the credentials that are on the key.
func takes(f ykoath.Features, listing []ykoath.Entry, it *item, label string) error {
	id := it.account.ID()
	for _, e := range listing {
		if e.ID == id {
			return refuse(api.CodeExists, "choose another name", "cannot write %s to %s: the key has a credential of this name", id, label)
		}
		// Firmware 4.0.0 to 4.3.4 overwrites a credential whose name begins with the new one (yubikey-manager, ykman/_cli/oath.py).
		if f.PrefixOverwrites && strings.HasPrefix(e.ID, id) {
			return refuse(api.CodeExists, "choose a name that no other name begins with",
				"cannot write %s to %s: its old firmware would overwrite %s", id, label, e.ID)
		}
	}
	return nil
}

// checkRoom counts what is to come against what each key still holds.
func (p *provision) checkRoom(v *view) error {
	coming := map[string]int{}
	for _, it := range p.items {
		for _, id := range it.targets {
			if _, holds := it.have[id]; !holds {
				coming[id]++
			}
		}
	}
	for id, n := range coming {
		k := v.keys[id]
		if k.Capacity > 0 && k.Accounts+n > k.Capacity {
			return refuse(api.CodeFull, "remove accounts from it, or name another key with --to",
				"cannot write %d more to %s: it holds %d of at most %d", n, k.Label, k.Accounts, k.Capacity)
		}
	}
	return nil
}

func (p *provision) labels(v *view, keys []string) string {
	labels := make([]string, len(keys))
	for i, id := range keys {
		labels[i] = v.keys[id].Label
	}
	return strings.Join(labels, ", ")
}
