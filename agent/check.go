package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// check refuses what can be known to fail before anything is written.
func (p *provision) check() error {
	v := p.a.view.Load()
	for _, it := range p.items {
		if err := p.a.checkName(v, it); err != nil {
			return err
		}
		for _, id := range it.missing() {
			if err := p.a.checkKey(v.keys[id], it); err != nil {
				return err
			}
		}
	}
	if len(p.keys()) == 0 && !p.a.escrowLacks(p.items) && !p.a.unsettled(p.items) {
		it := p.items[0]
		return refuse(api.CodeExistsSame, "name another key with --to to make one more copy",
			"cannot add %s: it is there already, with the same seed, as %s", it.account.Label(), p.a.whereabouts(v, it))
	}
	return p.checkRoom(v)
}

// whereabouts says under which name a seed is on which of the item's keys.
func (a *Agent) whereabouts(v *view, it *item) string {
	c := it.have[it.targets[0]]
	return fmt.Sprintf("%s on %s", v.accounts[c.Account].Label(), v.labels(it.targets))
}

// checkName makes sure that the name does not belong to another seed, anywhere.
func (a *Agent) checkName(v *view, it *item) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	ours := a.book.seedsOf(it.prints)
	for _, acc := range v.namesakes(it.account) {
		switch row := a.book.accounts[acc.ID]; {
		case row.Seed == "":
			return refuse(api.CodeExists, "\"oathctl verify --touch\" tells whether its seed is the same",
				"cannot add %s: an account of this name is there, and its seed is not known", it.account.Label())
		case !slices.Contains(ours, row.Seed):
			return refuse(api.CodeExists, "choose another name, or remove the old one first",
				"cannot add %s: an account of this name is there, with another seed", it.account.Label())
		}
	}
	return a.book.checkAlias(it.account.Label(), it.alias, func(row ledger.Account) bool { return slices.Contains(ours, row.Seed) })
}

// namesakes lists the accounts in the ledger that have, or had, copies under the name and kind of acc, but for those that
// were declared superseded.
func (v *view) namesakes(acc oath.Account) []*accountView {
	return those(v.names()[byLabel][acc.Label()], func(other *accountView) bool {
		begun := slices.ContainsFunc(other.sources, func(s source) bool { return s.State != api.CopyPending })
		return other.alike(acc) && begun && !other.Superseded
	})
}

// checkKey refuses what the key, as far as it is known, can't take.
func (a *Agent) checkKey(k *keyView, it *item) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !k.Present {
		return a.book.checkAbsent(k, it)
	}
	state := k.w.state
	if state.locked {
		return lockedKey(k.Label, "cannot write to %s: it is locked", k.Label)
	}
	if state.trouble != nil {
		return cardError(state.trouble, "cannot write to %s", k.Label)
	}
	if err := suits(state.info.Features(), it, k.Label); err != nil {
		return err
	}
	if a.book.claims(k.ID, it) {
		return nil
	}
	return takes(state.info.Features(), state.listing, it, k.Label)
}

// checkAbsent refuses a name that a key which is not plugged in is known to have.
func (b *book) checkAbsent(k *keyView, it *item) error {
	c, ok := b.copies[copyRef{k.ID, it.account.ID()}]
	if !ok || c.State == string(api.CopyMissing) || b.claims(k.ID, it) {
		return nil
	}
	return nameTaken(it.account.ID(), k.Label)
}

// claims reports whether what the key may have under the item's name is the item: an attempt to write the same
// seed was broken off, or a copy with this seed was there that is not proved now.
func (b *book) claims(key string, it *item) bool {
	ours := b.seedsOf(it.prints)
	ref := copyRef{key, it.account.ID()}
	i, open := b.openPut(ref)
	c, there := b.copies[ref]
	return open && slices.Contains(ours, i.Seed) || there && slices.Contains(ours, c.Seed)
}

// landed lists the attempts to write an item that succeeded without anybody noting it: the copies are there, and known to be.
func (b *book) landed(it *item) []ledger.Intent {
	var list []ledger.Intent
	for _, c := range it.have {
		if i, open := b.openPut(copyRef{c.Key, c.CredID}); open && i.Seed == c.Seed {
			list = append(list, i)
		}
	}
	return list
}

// unsettled reports whether such an attempt at one of the items is still open.
func (a *Agent) unsettled(items []*item) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(items, func(it *item) bool { return len(a.book.landed(it)) > 0 })
}

// suits says what the firmware lacks for the item.
func suits(f ykoath.Features, it *item, label string) error {
	const hint = "name keys with newer firmware with --to"
	switch {
	case it.touch && !f.Touch:
		return refuse(api.CodeNotSupported, hint, "cannot write %s to %s: its firmware knows no touch", it.account.Label(), label)
	case it.account.Algorithm == oath.SHA512 && !f.SHA512:
		return refuse(api.CodeNotSupported, hint, "cannot write %s to %s: its firmware does not know SHA-512", it.account.Label(), label)
	}
	return nil
}

// takes says whether the name is free among the credentials that are on the key.
func takes(f ykoath.Features, listing []ykoath.Entry, it *item, label string) error {
	id := it.account.ID()
	for _, e := range listing {
		if e.ID == id {
			return nameTaken(id, label)
		}
		// Firmware 4.0.0 to 4.3.4 overwrites a credential whose name begins with the new one (yubikey-manager, ykman/_cli/oath.py).
		if f.PrefixOverwrites && strings.HasPrefix(e.ID, id) {
			return refuse(api.CodeExists, "choose a name that no other name begins with",
				"cannot write %s to %s: its old firmware would overwrite %s", id, label, e.ID)
		}
	}
	return nil
}

func nameTaken(id, label string) error {
	return refuse(api.CodeExists, "choose another name, or remove what is there first", "cannot write %s to %s: the key has a credential of this name", id, label)
}

// checkRoom counts what is to come against what each key still holds.
func (p *provision) checkRoom(v *view) error {
	for _, id := range p.keys() {
		k, coming := v.keys[id], 0
		for _, it := range p.items {
			if slices.Contains(it.missing(), id) && !p.a.occupies(id, it) {
				coming++
			}
		}
		if k.Capacity > 0 && k.Accounts+coming > k.Capacity {
			return refuse(api.CodeFull, "remove accounts from it, or name another key with --to",
				"cannot write %d more to %s: it holds %d of at most %d", coming, k.Label, k.Accounts, k.Capacity)
		}
	}
	return nil
}

// occupies reports whether the item's place on the key is taken by the item itself: an earlier attempt landed.
func (a *Agent) occupies(key string, it *item) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.workerOf(key)
	if w == nil || !a.book.claims(key, it) {
		return false
	}
	_, there := entryOf(w.state.listing, it.account.ID())
	return there
}

func (v *view) labels(keys []string) string {
	labels := make([]string, len(keys))
	for i, id := range keys {
		labels[i] = v.keys[id].Label
	}
	return strings.Join(labels, ", ")
}
