package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/oathd/oathd/oath"
)

// model is what a ledger should hold, kept in maps.
type model struct {
	keys     map[string]Key
	seeds    map[string]Seed
	accounts map[string]Account
	copies   map[[2]string]Copy
	intents  map[string]Intent
}

func (m model) clone() model {
	return model{maps.Clone(m.keys), maps.Clone(m.seeds), maps.Clone(m.accounts), maps.Clone(m.copies), maps.Clone(m.intents)}
}

// whole says whether each reference leads somewhere.
func (m model) whole() bool {
	seed := func(id string) bool { _, ok := m.seeds[id]; return ok || id == "" }
	for _, a := range m.accounts {
		if !seed(a.Seed) {
			return false
		}
	}
	for _, c := range m.copies {
		_, key := m.keys[c.Key]
		_, account := m.accounts[c.Account]
		if !key || !account || !seed(c.Seed) {
			return false
		}
	}
	return true
}

// book lists the model in the order of Load.
func (m model) book() Book {
	sorted := func(a, b string, at, bt time.Time) int { return cmp.Or(at.Compare(bt), cmp.Compare(a, b)) }
	return Book{
		Keys:     slices.SortedFunc(maps.Values(m.keys), func(a, b Key) int { return sorted(a.ID, b.ID, a.FirstSeen, b.FirstSeen) }),
		Seeds:    slices.SortedFunc(maps.Values(m.seeds), func(a, b Seed) int { return cmp.Compare(a.ID, b.ID) }),
		Accounts: slices.SortedFunc(maps.Values(m.accounts), func(a, b Account) int { return cmp.Compare(a.ID, b.ID) }),
		Copies: slices.SortedFunc(maps.Values(m.copies), func(a, b Copy) int {
			return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.CredID, b.CredID))
		}),
		Intents: slices.SortedFunc(maps.Values(m.intents), func(a, b Intent) int { return sorted(a.ID, b.ID, a.CreatedAt, b.CreatedAt) }),
	}
}

// dice draws what happens next. There are few ids, so that things meet.
type dice struct{ *rand.Rand }

func (d dice) id(kind string) string { return fmt.Sprint(kind, d.IntN(4)) }
func (d dice) flag() bool            { return d.IntN(2) == 0 }

func (d dice) maybe(id string) string {
	if d.flag() {
		return ""
	}
	return id
}

func (d dice) when() time.Time {
	if d.IntN(3) == 0 {
		return time.Time{}
	}
	return day(1 + d.IntN(30))
}

// step does the same to the model and to the ledger.
func (d dice) step(m model, tx *Tx) error {
	switch d.IntN(10) {
	case 0, 1:
		k := Key{ID: d.id("k"), Serial: d.Uint32N(3), Label: d.id("label"), Soft: d.flag(), State: "adopted", FirstSeen: d.when(), PasswordSet: d.flag()}
		for range d.IntN(3) {
			if id := d.id("device"); !slices.Contains(k.DeviceIDs, id) {
				k.DeviceIDs = append(k.DeviceIDs, id)
			}
		}
		m.keys[k.ID] = k
		return tx.PutKey(k)
	case 2:
		s := Seed{ID: d.id("s"), T4: []byte(d.id("t4"))}
		m.seeds[s.ID] = s
		return tx.PutSeed(s)
	case 3:
		a := Account{ID: d.id("a"), Seed: d.maybe(d.id("s")), Name: d.id("name"), Type: oath.TOTP, Algorithm: oath.SHA256, Digits: 6 + d.IntN(3), Superseded: d.flag(), CreatedAt: d.when()}
		m.accounts[a.ID] = a
		return tx.PutAccount(a)
	case 4, 5:
		c := Copy{Key: d.id("k"), CredID: d.id("c"), Account: d.id("a"), Type: oath.HOTP, Algorithm: oath.SHA1, Seed: d.maybe(d.id("s")), Touch: d.flag(), ProvedAt: d.when()}
		m.copies[[2]string{c.Key, c.CredID}] = c
		return tx.PutCopy(c)
	case 6:
		i := Intent{ID: d.id("i"), Kind: "put", Key: d.id("k"), CredID: d.id("c"), Account: d.maybe(d.id("a")), CreatedAt: d.when()}
		m.intents[i.ID] = i
		return tx.PutIntent(i)
	}
	return d.remove(m, tx)
}

func (d dice) remove(m model, tx *Tx) error {
	switch d.IntN(5) {
	case 0:
		id := d.id("k")
		delete(m.keys, id)
		maps.DeleteFunc(m.copies, func(at [2]string, _ Copy) bool { return at[0] == id })
		return tx.DeleteKey(id)
	case 1:
		id := d.id("s")
		delete(m.seeds, id)
		return tx.DeleteSeed(id)
	case 2:
		id := d.id("a")
		delete(m.accounts, id)
		return tx.DeleteAccount(id)
	case 3:
		at := [2]string{d.id("k"), d.id("c")}
		delete(m.copies, at)
		return tx.DeleteCopy(at[0], at[1])
	}
	id := d.id("i")
	delete(m.intents, id)
	return tx.DeleteIntent(id)
}

// TestAgainstModel does at random what the ledger can do, and compares it with maps after each commit; now and then
// it is closed and opened, or a change breaks off.
func TestAgainstModel(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	l, path := fresh(t)
	now := model{map[string]Key{}, map[string]Seed{}, map[string]Account{}, map[[2]string]Copy{}, map[string]Intent{}}
	mistake := errors.New("mistake")
	kept, refused := 0, 0
	for range 400 {
		next := now.clone()
		breaks := d.IntN(10) == 0
		err := l.Change(t.Context(), "test", "change", func(tx *Tx) error {
			for range 1 + d.IntN(5) {
				if err := d.step(next, tx); err != nil {
					return err
				}
			}
			if breaks {
				return mistake
			}
			return nil
		})
		if allowed := next.whole() && !breaks; (err == nil) != allowed {
			t.Fatalf("allowed: %t, got %v: %+v", allowed, err, next)
		}
		if err == nil {
			now = next
			kept++
		} else {
			refused++
		}
		if d.IntN(20) == 0 {
			l.Close()
			l = reopen(t, path)
		}
		if same(t, load(t, l), now.book()); t.Failed() {
			return
		}
	}
	entries, intact, err := l.Audit(t.Context())
	if len(entries) != kept || !intact || err != nil || kept < 50 || refused < 50 {
		t.Errorf("%d audit lines, intact %t, %v; %d changes were kept, %d refused", len(entries), intact, err, kept, refused)
	}
}
