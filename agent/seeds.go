package agent

import (
	"cmp"

	"github.com/oathd/oathd/ledger"
)

// learnSeed finds or makes the seed with these fingerprints, and keeps what they add to it. Two seeds that were
// known by one kind of fingerprint each, and turn out to be one, become one.
func (d *draft) learnSeed(p prints) (ledger.Seed, error) {
	full, t4 := d.prints[string(p.full)], d.prints[string(p.t4)]
	s, ok := d.seeds[cmp.Or(full, t4)]
	if !ok {
		s = ledger.Seed{ID: ledger.NewID()}
	}
	if full != "" && t4 != "" && full != t4 {
		if err := d.unite(d.seeds[t4], s.ID); err != nil {
			return s, err
		}
	}
	if ok && (s.Full != nil || p.full == nil) && (s.T4 != nil || p.t4 == nil) {
		return s, nil
	}
	if s.Full == nil {
		s.Full = p.full
	}
	if s.T4 == nil {
		s.T4 = p.t4
	}
	return s, d.putSeed(s)
}

// unite replaces a seed by another that it turned out to be, and their accounts by one.
func (d *draft) unite(old ledger.Seed, seed string) error {
	from, has := d.accountOfSeed(old.ID)
	into, both := d.accountOfSeed(seed)
	if has && !both {
		into = from
		into.Seed = seed
		if err := d.putAccount(into); err != nil {
			return err
		}
	}
	for _, c := range d.copiesWhere(func(c ledger.Copy) bool { return c.Seed == old.ID || has && c.Account == from.ID }) {
		c.Account, c.Seed = into.ID, seed
		if err := d.putCopy(c); err != nil {
			return err
		}
	}
	for _, i := range d.intents {
		if i.Seed != old.ID {
			continue
		}
		i.Account, i.Seed = into.ID, seed
		if err := d.putIntent(i); err != nil {
			return err
		}
	}
	if has && both {
		if err := d.moveEscrow(from.ID, into.ID); err != nil {
			return err
		}
		if err := d.dropAccount(from); err != nil {
			return err
		}
	}
	return d.dropSeed(old)
}
