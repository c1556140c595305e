package agent

import (
	"context"
	"fmt"
	"slices"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// book is the ledger in memory. It is guarded by Agent.mu and changes only through a draft.
type book struct {
	salt     []byte
	step     uint64
	keys     map[string]ledger.Key
	seeds    map[string]ledger.Seed
	accounts map[string]ledger.Account
	copies   map[copyRef]ledger.Copy
	intents  map[string]ledger.Intent
	// wanted is how many copies an account gets when nothing else is said.
	wanted int
}

// copyRef is the identity of a copy: a key's id and the credential id on it.
type copyRef struct{ key, cred string }

func newBook(b *ledger.Book) *book {
	k := &book{
		salt:     b.Salt,
		step:     b.Step,
		keys:     make(map[string]ledger.Key, len(b.Keys)),
		seeds:    make(map[string]ledger.Seed, len(b.Seeds)),
		accounts: make(map[string]ledger.Account, len(b.Accounts)),
		copies:   make(map[copyRef]ledger.Copy, len(b.Copies)),
		intents:  make(map[string]ledger.Intent, len(b.Intents)),
	}
	for _, r := range b.Keys {
		k.keys[r.ID] = r
	}
	for _, r := range b.Seeds {
		k.seeds[r.ID] = r
	}
	for _, r := range b.Accounts {
		k.accounts[r.ID] = r
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
	var list []ledger.Copy
	for ref, c := range b.copies {
		if ref.key == key {
			list = append(list, c)
		}
	}
	return list
}

// copiesOf returns an account's copies.
func (b *book) copiesOf(account string) []ledger.Copy {
	var list []ledger.Copy
	for _, c := range b.copies {
		if c.Account == account {
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

// accountOfSeed returns the account that has the seed.
func (b *book) accountOfSeed(seed string) (ledger.Account, bool) {
	for _, a := range b.accounts {
		if a.Seed == seed {
			return a, true
		}
	}
	return ledger.Account{}, false
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
	return d.tx.PutSeed(s)
}

func (d *draft) putAccount(a ledger.Account) error {
	put(d, d.accounts, a.ID, a)
	return d.tx.PutAccount(a)
}

func (d *draft) putCopy(c ledger.Copy) error {
	put(d, d.copies, copyRef{c.Key, c.CredID}, c)
	return d.tx.PutCopy(c)
}

func (d *draft) dropCopy(c ledger.Copy) error {
	drop(d, d.copies, copyRef{c.Key, c.CredID})
	return d.tx.DeleteCopy(c.Key, c.CredID)
}

func (d *draft) putIntent(i ledger.Intent) error {
	put(d, d.intents, i.ID, i)
	return d.tx.PutIntent(i)
}

func (d *draft) dropIntent(id string) error {
	drop(d, d.intents, id)
	return d.tx.DeleteIntent(id)
}

// dropIfEmpty removes an account that has neither a copy nor an open intent, and its seed with it.
func (d *draft) dropIfEmpty(account string) error {
	a, ok := d.accounts[account]
	if !ok || len(d.copiesOf(account)) > 0 || len(d.intentsOf(account)) > 0 {
		return nil
	}
	drop(d, d.accounts, account)
	if err := d.tx.DeleteAccount(account); err != nil {
		return err
	}
	if _, used := d.accountOfSeed(a.Seed); a.Seed == "" || used {
		return nil
	}
	drop(d, d.seeds, a.Seed)
	return d.tx.DeleteSeed(a.Seed)
}

// change makes an audited change of the ledger and shows it to everybody. A commit is brief and is not
// broken off when the caller goes: what was done to a card has to be written down.
func (a *Agent) change(ctx context.Context, who Caller, what string, f func(*draft) error) error {
	return a.commit(f, func(g func(*ledger.Tx) error) error {
		return a.ledger.Change(context.WithoutCancel(ctx), who.String(), what, g)
	})
}

// observe records what was seen of a key; nobody decided it, so it is not audited.
func (a *Agent) observe(ctx context.Context, f func(*draft) error) error {
	return a.commit(f, func(g func(*ledger.Tx) error) error { return a.ledger.Observe(context.WithoutCancel(ctx), g) })
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

// String is how the audit log names a caller.
func (c Caller) String() string {
	if c.Name == "" {
		return fmt.Sprintf("uid %d, pid %d", c.UID, c.PID)
	}
	return fmt.Sprintf("%s (uid %d, pid %d)", c.Name, c.UID, c.PID)
}

// ledgerError keeps an error that already speaks the API's language and explains any other as the ledger's.
func ledgerError(err error) error {
	if api.CodeOf(err) != api.CodeInternal {
		return err
	}
	return wrap(api.CodeLedger, err, "cannot record the change")
}
