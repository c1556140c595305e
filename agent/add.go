package agent

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// item is one account that is to be written.
type item struct {
	account oath.Account
	seed    *oath.Secret
	counter uint32
	touch   bool
	alias   string
	prints  prints
	// fromEscrow says that the seed was read from there.
	fromEscrow bool
	// id and seedID are the ledger's, once the intents are written; targets are the keys that get a copy, wanted is how many there
	// are to be.
	id      string
	seedID  string
	targets []string
	wanted  int
	// have holds the copies that were there before, by key; claims the keys on which a credential of the item's name may be
	// the item itself; outcomes what became of the item on each target.
	have     map[string]ledger.Copy
	claims   map[string]bool
	outcomes map[string]api.Outcome
}

// Add writes accounts to keys. seeds[i] belongs to r.Accounts[i]; Add wipes them all before it returns.
// step is called from one goroutine at a time.
//
// Everything is checked on every key that is plugged in before the first one is written to; the intents are
// in the ledger before a card changes. What could not be done is in the report, with its reason. With DryRun
// nothing is done, and the report has what would be.
func (a *Agent) Add(ctx context.Context, who Caller, r api.AddRequest, seeds []*oath.Secret, step func(api.Step)) (api.Report, error) {
	defer func() {
		for _, s := range seeds {
			s.Wipe()
		}
	}()
	if r.DryRun {
		return a.rehearse(ctx, r, seeds)
	}
	items, err := a.newItems(r.Accounts, seeds)
	if err != nil {
		return api.Report{}, err
	}
	a.recheck(ctx)
	p := &provision{a: a, who: who, items: items, steps: teller{step: step}}
	if err := p.choose(r); err != nil {
		return api.Report{}, err
	}
	if err := p.check(); err != nil {
		return api.Report{}, err
	}
	if err := p.intend(); err != nil {
		return api.Report{}, err
	}
	p.write(ctx, r.WaitSeconds)
	p.steps.finish()
	return p.report(), nil
}

// newItems checks what was asked for by itself, before any key comes into it.
func (a *Agent) newItems(accounts []api.NewAccount, seeds []*oath.Secret) ([]*item, error) {
	if err := matching(accounts, seeds); err != nil {
		return nil, err
	}
	items := make([]*item, len(accounts))
	for i, n := range accounts {
		it, err := a.newItem(n, seeds[i])
		if err == nil {
			err = it.differs(items[:i])
		}
		if err != nil {
			return nil, err
		}
		items[i] = it
	}
	return items, nil
}

func matching(accounts []api.NewAccount, seeds []*oath.Secret) error {
	if len(accounts) == 0 || len(accounts) != len(seeds) {
		return refuse(api.CodeBadRequest, "give each account one seed", "cannot add %d accounts with %d seeds", len(accounts), len(seeds))
	}
	return nil
}

// newItem makes an item of an account that a key can hold.
func (a *Agent) newItem(n api.NewAccount, seed *oath.Secret) (*item, error) {
	it, err := newItem(n, seed)
	if err != nil {
		e := wrap(api.CodeBadRequest, err, "cannot add %q", n.Name)
		e.Hint = cmp.Or(e.Hint, "look at what the service gave you")
		return nil, e
	}
	it.prints = a.yardstick().ofSeed(it.account, seed.Bytes())
	return it, nil
}

func newItem(n api.NewAccount, seed *oath.Secret) (*item, error) {
	it := &item{seed: seed, counter: n.Counter, touch: n.Touch, alias: n.Alias, claims: map[string]bool{}, outcomes: map[string]api.Outcome{}}
	it.account = oath.Account{Issuer: n.Issuer, Name: n.Name, Digits: n.Digits, Period: n.Period}
	var err error
	if it.account.Type, err = oath.ParseType(n.Type); err != nil {
		return nil, err
	}
	if it.account.Algorithm, err = oath.ParseAlgorithm(n.Algorithm); err != nil {
		return nil, err
	}
	if err := it.account.Validate(); err != nil {
		return nil, err
	}
	if err := validAlias(n.Alias); err != nil {
		return nil, err
	}
	if seed.Len() == 0 {
		return nil, errors.New("its seed is empty")
	}
	if n.Counter != 0 && it.account.Type != oath.HOTP {
		return nil, errors.New("only HOTP has a counter")
	}
	return it, nil
}

// differs refuses a batch that names one credential twice, or gives one seed two names.
func (it *item) differs(others []*item) error {
	for _, other := range others {
		if other.account.ID() == it.account.ID() {
			return refuse(api.CodeBadRequest, "give one of them another name, or leave it out", "cannot add %s twice", it.account.Label())
		}
		if it.prints.compare(other.prints) == same {
			return refuse(api.CodeBadRequest, "leave one of them out", "cannot add both %s and %s: they have the same seed", other.account.Label(), it.account.Label())
		}
	}
	return nil
}

// choose settles which keys get which item: those that were named, or those that the planner takes.
func (p *provision) choose(r api.AddRequest) error {
	v := p.a.view.Load()
	named, err := v.named(r.To)
	if err != nil {
		return err
	}
	if r.Copies < 0 {
		return refuse(api.CodeBadRequest, "ask for one copy or more", "cannot make %d copies", r.Copies)
	}
	wanted := cmp.Or(len(named), r.Copies, p.a.options.Copies)
	for _, it := range p.items {
		hotp := it.account.Type == oath.HOTP
		if hotp && len(named) > 1 {
			return refuse(api.CodeBadRequest, "name one key", "cannot put the HOTP account %s on %d keys: their counters would drift apart", it.account.Label(), len(named))
		}
		it.have, it.targets, it.wanted = p.a.copiesWith(it.prints), named, wantCopies(it.account.Type, wanted)
	}
	if len(named) > 0 {
		return nil
	}
	for i, keys := range p.a.homes(p.items) {
		if len(keys) == 0 {
			return noneAdopted(v)
		}
		p.items[i].targets = keys
	}
	return nil
}

// named finds the keys that were asked for, each once.
func (v *view) named(selectors []string) ([]string, error) {
	var keys []string
	for _, selector := range selectors {
		k, err := v.findAdopted(selector, "write to")
		if err != nil {
			return nil, err
		}
		if !slices.Contains(keys, k.ID) {
			keys = append(keys, k.ID)
		}
	}
	return keys, nil
}

// wantCopies is one for HOTP: the counters of two copies would drift apart.
func wantCopies(t oath.Type, n int) int {
	if t == oath.HOTP {
		return 1
	}
	return n
}

// copiesWith finds the copies that are known to hold a seed, by key.
func (a *Agent) copiesWith(p prints) map[string]ledger.Copy {
	a.mu.Lock()
	defer a.mu.Unlock()
	have := map[string]ledger.Copy{}
	seeds := a.book.seedsOf(p)
	for _, c := range a.book.copies {
		lost := a.book.keys[c.Key].State == string(api.KeyLost)
		if slices.Contains(seeds, c.Seed) && !lost && (c.State == string(api.CopyProved) || c.State == string(api.CopyWritten)) {
			have[c.Key] = c
		}
	}
	return have
}

func noneAdopted(v *view) error {
	e := refuse(api.CodeNotAdopted, "plug a key in and run \"oathctl key adopt KEY\"", "cannot add an account: no key is adopted")
	e.Candidates = keyCandidates(v.keysWith(func(k *keyView) bool { return k.Present }))
	return e
}
