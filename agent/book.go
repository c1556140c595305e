package agent

import (
	"context"
	"slices"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// book is the ledger in memory. It is guarded by Agent.mu and changes only through a draft.
type book struct {
	keys     map[string]ledger.Key
	seeds    map[string]ledger.Seed
	accounts map[string]ledger.Account
	copies   map[copyRef]ledger.Copy
	intents  map[string]ledger.Intent
	// prints finds a seed by either fingerprint, owners the account that has a seed.
	prints map[string]string
	owners map[string]string
	vaulted
	// wanted is how many copies an account gets when nothing else is said.
	wanted int
}

// copyRef is the identity of a copy: a key's id and the credential id on it.
type copyRef struct{ key, cred string }

func newBook(b *ledger.Book, wanted int) *book {
	k := &book{
		keys:     make(map[string]ledger.Key, len(b.Keys)),
		seeds:    make(map[string]ledger.Seed, len(b.Seeds)),
		accounts: make(map[string]ledger.Account, len(b.Accounts)),
		copies:   make(map[copyRef]ledger.Copy, len(b.Copies)),
		intents:  make(map[string]ledger.Intent, len(b.Intents)),
		prints:   make(map[string]string, 2*len(b.Seeds)),
		owners:   make(map[string]string, len(b.Accounts)),
		vaulted:  newVaulted(b),
		wanted:   wanted,
	}
	for _, r := range b.Keys {
		k.keys[r.ID] = r
	}
	for _, r := range b.Seeds {
		k.seeds[r.ID] = r
		for _, print := range printsOf(r).each() {
			k.prints[print] = r.ID
		}
	}
	for _, r := range b.Accounts {
		k.accounts[r.ID] = r
		if r.Seed != "" {
			k.owners[r.Seed] = r.ID
		}
	}
	for _, r := range b.Copies {
		k.copies[copyRef{r.Key, r.CredID}] = r
	}
	for _, r := range b.Intents {
		k.intents[r.ID] = r
	}
	return k
}

// copiesOn returns the copies on a key.
func (b *book) copiesOn(key string) []ledger.Copy {
	return b.copiesWhere(func(c ledger.Copy) bool { return c.Key == key })
}

// copiesOf returns an account's copies.
func (b *book) copiesOf(account string) []ledger.Copy {
	return b.copiesWhere(func(c ledger.Copy) bool { return c.Account == account })
}

func (b *book) copiesWhere(match func(ledger.Copy) bool) []ledger.Copy {
	var list []ledger.Copy
	for _, c := range b.copies {
		if match(c) {
			list = append(list, c)
		}
	}
	return list
}

// intentsOf returns the open intents of an account, oldest first.
func (b *book) intentsOf(account string) []ledger.Intent {
	var list []ledger.Intent
	for _, i := range b.intents {
		if i.Account == account {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(x, y ledger.Intent) int { return x.CreatedAt.Compare(y.CreatedAt) })
	return list
}

// openPut returns the open intent to write a credential, if there is one.
func (b *book) openPut(ref copyRef) (ledger.Intent, bool) {
	for _, i := range b.intents {
		if i.Kind == intentPut && i.Key == ref.key && i.CredID == ref.cred {
			return i, true
		}
	}
	return ledger.Intent{}, false
}

// undecided reports whether a credential may be what an open intent was to make.
func (b *book) undecided(ref copyRef) bool {
	for _, i := range b.intents {
		if i.Key == ref.key && (i.Kind == intentPut && i.CredID == ref.cred || i.Kind == intentRename && i.NewCredID == ref.cred) {
			return true
		}
	}
	return false
}

// accountOfSeed returns the account that has the seed.
func (b *book) accountOfSeed(seed string) (ledger.Account, bool) {
	a, ok := b.accounts[b.owners[seed]]
	return a, ok
}

// seedsOf lists the ids of the seeds with one of these fingerprints. There may be two that are known by one kind each.
func (b *book) seedsOf(p prints) []string {
	var ids []string
	for _, print := range p.each() {
		if id, ok := b.prints[print]; ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// draft is a change of book and ledger in one: what the ledger refuses is undone in memory.
type draft struct {
	*book
	tx   *ledger.Tx
	undo []func()
}

func put[K comparable, V any](d *draft, m map[K]V, k K, v V) {
	old, had := m[k]
	d.undo = append(d.undo, func() { restore(m, k, old, had) })
	m[k] = v
}

func drop[K comparable, V any](d *draft, m map[K]V, k K) {
	old, had := m[k]
	d.undo = append(d.undo, func() { restore(m, k, old, had) })
	delete(m, k)
}

func restore[K comparable, V any](m map[K]V, k K, old V, had bool) {
	if had {
		m[k] = old
	} else {
		delete(m, k)
	}
}

func (d *draft) putKey(k ledger.Key) error {
	put(d, d.keys, k.ID, k)
	return d.tx.PutKey(k)
}

func (d *draft) putSeed(s ledger.Seed) error {
	put(d, d.seeds, s.ID, s)
	for _, print := range printsOf(s).each() {
		put(d, d.prints, print, s.ID)
	}
	return d.tx.PutSeed(s)
}

func (d *draft) dropSeed(s ledger.Seed) error {
	drop(d, d.seeds, s.ID)
	for _, print := range printsOf(s).each() {
		if d.prints[print] == s.ID {
			drop(d, d.prints, print)
		}
	}
	return d.tx.DeleteSeed(s.ID)
}

func (d *draft) putAccount(a ledger.Account) error {
	if before := d.accounts[a.ID]; before.Seed != a.Seed && d.owners[before.Seed] == a.ID {
		drop(d, d.owners, before.Seed)
	}
	put(d, d.accounts, a.ID, a)
	if a.Seed != "" {
		put(d, d.owners, a.Seed, a.ID)
	}
	return d.tx.PutAccount(a)
}

func (d *draft) dropAccount(a ledger.Account) error {
	for _, r := range d.rotations {
		if r.Account != a.ID && r.Successor != a.ID {
			continue
		}
		if err := d.dropRotation(r); err != nil {
			return err
		}
	}
	drop(d, d.accounts, a.ID)
	if d.owners[a.Seed] == a.ID {
		drop(d, d.owners, a.Seed)
	}
	return d.tx.DeleteAccount(a.ID)
}

func (d *draft) putCopy(c ledger.Copy) error {
	put(d, d.copies, copyRef{c.Key, c.CredID}, c)
	if err := d.tx.PutCopy(c); err != nil || c.State != string(api.CopyProved) && c.State != string(api.CopyWritten) {
		return err
	}
	return d.enliven(c.Account)
}

func (d *draft) dropCopy(ref copyRef) error {
	drop(d, d.copies, ref)
	return d.tx.DeleteCopy(ref.key, ref.cred)
}

func (d *draft) putIntent(i ledger.Intent) error {
	put(d, d.intents, i.ID, i)
	return d.tx.PutIntent(i)
}

func (d *draft) dropIntent(id string) error {
	drop(d, d.intents, id)
	return d.tx.DeleteIntent(id)
}

// dropIfEmpty removes an account that has neither a copy nor an open intent, and its seed with it. One whose seed is in
// the escrow, and was proved, stays: it can be restored.
func (d *draft) dropIfEmpty(account string) error {
	a, ok := d.accounts[account]
	if !ok || len(d.copiesOf(account)) > 0 || len(d.intentsOf(account)) > 0 || d.keptInEscrow(account) {
		return nil
	}
	if err := d.dropEscrow(account); err != nil {
		return err
	}
	if err := d.dropAccount(a); err != nil {
		return err
	}
	if s, ok := d.seeds[a.Seed]; ok && d.owners[s.ID] == "" {
		return d.dropSeed(s)
	}
	return nil
}

// change makes an audited change of the ledger and shows it to everybody. It is not broken off when the caller
// goes: a commit is brief, and what was done to a card has to be written down.
func (a *Agent) change(who Caller, what string, f func(*draft) error) error {
	return a.commit(f, func(g func(*ledger.Tx) error) error {
		return a.commits.Change(context.Background(), who.String(), what, g)
	})
}

// observe records what was seen of a key; nobody decided it, so it is not audited.
func (a *Agent) observe(f func(*draft) error) error {
	return a.commit(f, func(g func(*ledger.Tx) error) error { return a.commits.Observe(context.Background(), g) })
}

func (a *Agent) commit(f func(*draft) error, save func(func(*ledger.Tx) error) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := &draft{book: a.book}
	err := save(func(tx *ledger.Tx) error {
		d.tx = tx
		return f(d)
	})
	if err != nil {
		for _, undo := range slices.Backward(d.undo) {
			undo()
		}
		return ledgerError(err)
	}
	a.publish()
	return nil
}

// ledgerError keeps an error that already speaks the API's language and explains any other as the ledger's.
func ledgerError(err error) error {
	if api.CodeOf(err) != api.CodeInternal {
		return err
	}
	return wrap(api.CodeLedger, err, "cannot record the change")
}
