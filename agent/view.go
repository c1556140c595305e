package agent

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strconv"
	"strings"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// view is all that can be read, at one moment. It never changes once it is published.
type view struct {
	// keys holds the keys by id, keyList in the order in which people see them.
	keys    map[string]*keyView
	keyList []*keyView
	// accounts holds the accounts by id, accountList by label; names finds them by alias, label and name.
	accounts    map[string]*accountView
	accountList []*accountView
	names       [3]map[string][]*accountView
}

type keyView struct {
	api.Key
	// w is nil while the key is not plugged in.
	w    *worker
	rank int
}

type accountView struct {
	api.Account
	oath oath.Account
	// recorded says that the account is in the ledger, not only on a key that is plugged in.
	recorded bool
	// seed is what used steps are counted by; an unproven account's id stands in for it.
	seed   string
	folded string
	cell   *cell
	// sources are the copies in the order in which a code is asked of them.
	sources []source
}

type source struct {
	api.Copy
	w      *worker
	proved bool
}

// publish makes a new view from the book and the workers. Callers hold a.mu.
func (a *Agent) publish() {
	v := &view{keys: map[string]*keyView{}, accounts: map[string]*accountView{}}
	a.viewKeys(v)
	a.viewLedger(v)
	for _, w := range a.workers {
		if w.state.key == "" {
			a.viewSeen(v, w)
		}
	}
	v.finish()
	a.dropCells(v)
	a.view.Store(v)
}

func (a *Agent) viewKeys(v *view) {
	for _, k := range a.book.keys {
		v.addKey(&keyView{Key: ledgerKey(k), rank: a.rank(k)})
	}
	for _, w := range a.workers {
		if !w.state.known {
			continue
		}
		k := v.keys[w.state.key]
		if k == nil {
			k = &keyView{Key: api.Key{ID: seenID(w), State: api.KeySeen}, rank: len(a.KeyOrder)}
			v.addKey(k)
		}
		k.w = w
		present(&k.Key, w)
	}
	for ref, c := range a.book.copies {
		if k := v.keys[ref.key]; k != nil && !k.Present && c.State != string(api.CopyMissing) {
			k.Accounts++
		}
	}
}

func (v *view) addKey(k *keyView) {
	v.keys[k.ID] = k
	v.keyList = append(v.keyList, k)
}

func ledgerKey(k ledger.Key) api.Key {
	key := api.Key{
		ID: k.ID, State: api.KeyState(k.State), Label: k.Label, Site: k.Site, Holder: k.Holder, Vendor: k.Vendor, Serial: k.Serial,
		Firmware: k.Firmware, Soft: k.Soft, PasswordSet: k.PasswordSet, Capacity: k.Capacity, FirstSeen: k.FirstSeen, LastSeen: k.LastSeen,
	}
	if n := len(k.DeviceIDs); n > 0 {
		key.DeviceID = k.DeviceIDs[n-1]
	}
	return key
}

// present fills in what the key that is plugged in tells of itself.
func present(k *api.Key, w *worker) {
	s := w.state
	k.Present, k.Reader, k.Contactless = true, w.slot.Reader, w.slot.Contactless()
	k.Serial, k.Firmware, k.FormFactor, k.Locked = s.serial, s.firmware, s.form, s.locked
	k.DeviceID, k.Vendor, k.Soft = s.info.DeviceID(), s.info.Vendor(), s.info.Soft
	k.PasswordSet, k.Accounts, k.Capacity = s.info.PasswordSet(), len(s.listing), s.info.Features().Capacity
	if s.trouble != nil {
		e := cardError(s.trouble, "cannot use the key")
		k.Trouble, k.Hint = e.Message, e.Hint
	}
	if k.Label == "" {
		k.Label = defaultLabel(s)
	}
}

// defaultLabel names a key that nobody has named yet.
func defaultLabel(s keyState) string {
	name := strings.ToLower(strings.ReplaceAll(s.info.Vendor(), " ", "-"))
	if s.serial != 0 {
		return name + "-" + strconv.FormatUint(uint64(s.serial), 10)
	}
	return name + "-" + derivedID("", s.info.DeviceID())[:4]
}

// seenID is a key's id before it is adopted: it stays the same as long as key and applet do.
func seenID(w *worker) string {
	if w.state.info.Salt == nil {
		return derivedID("reader", w.slot.Reader)
	}
	return derivedID("key", strconv.FormatUint(uint64(w.state.serial), 10), w.state.info.DeviceID())
}

// derivedID makes an id of ten characters for what the ledger does not know.
func derivedID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:10]
}

func (a *Agent) viewLedger(v *view) {
	copies := make(map[string][]ledger.Copy, len(a.book.accounts))
	for _, c := range a.book.copies {
		copies[c.Account] = append(copies[c.Account], c)
	}
	intents := map[string][]ledger.Intent{}
	for _, i := range a.book.intents {
		intents[i.Account] = append(intents[i.Account], i)
	}
	for _, row := range a.book.accounts {
		acc := a.newAccountView(row)
		acc.recorded = true
		for _, c := range copies[row.ID] {
			acc.addSource(v, c)
		}
		for _, i := range intents[row.ID] {
			acc.addPending(v, i)
		}
		v.addAccount(acc)
	}
}

func (a *Agent) newAccountView(row ledger.Account) *accountView {
	acc := &accountView{
		Account: api.Account{
			ID: row.ID, Issuer: row.Issuer, Name: row.Name, Alias: row.Alias, Type: row.Type.String(), Algorithm: row.Algorithm.String(),
			Digits: row.Digits, Period: row.Period, Wanted: row.WantCopies, Superseded: row.Superseded,
		},
		oath: oath.Account{Issuer: row.Issuer, Name: row.Name, Type: row.Type, Algorithm: row.Algorithm, Digits: row.Digits, Period: row.Period},
		seed: cmp.Or(row.Seed, row.ID),
		cell: a.cellOf(row.ID),
	}
	acc.Steam = acc.oath.Steam()
	return acc
}

func (acc *accountView) addSource(v *view, c ledger.Copy) {
	s := source{
		Copy:   api.Copy{Key: c.Key, State: api.CopyState(c.State), CredentialID: c.CredID, Touch: c.Touch, ProvedAt: c.ProvedAt},
		proved: c.State == string(api.CopyProved),
	}
	if k := v.keys[c.Key]; k != nil {
		s.KeyLabel, s.Soft, s.Present, s.Locked, s.w = k.Label, k.Soft, k.Present, k.Locked, k.w
	}
	acc.sources = append(acc.sources, s)
}

// addPending shows an open put as a copy that may or may not be there.
func (acc *accountView) addPending(v *view, i ledger.Intent) {
	if i.Kind != intentPut {
		return
	}
	c := ledger.Copy{Key: i.Key, CredID: i.CredID, State: string(api.CopyPending), Touch: i.Touch}
	acc.addSource(v, c)
}

// viewSeen shows the credentials of a key that is not adopted: each is an account of its own.
func (a *Agent) viewSeen(v *view, w *worker) {
	key := v.keys[seenID(w)]
	if key == nil {
		return
	}
	for _, e := range w.state.listing {
		acc := oath.ParseID(e.Type, e.ID)
		acc.Algorithm = e.Algorithm
		row := ledger.Account{
			ID: derivedID("account", key.ID, e.ID), Issuer: acc.Issuer, Name: acc.Name,
			Type: acc.Type, Algorithm: acc.Algorithm, Period: acc.Period,
		}
		view := a.newAccountView(row)
		view.addSource(v, ledger.Copy{Key: key.ID, CredID: e.ID, State: string(api.CopyUnproven)})
		v.addAccount(view)
	}
}

func (v *view) addAccount(acc *accountView) {
	v.accounts[acc.ID] = acc
	v.accountList = append(v.accountList, acc)
}

// finish derives what depends on the whole.
func (v *view) finish() {
	slices.SortFunc(v.keyList, func(x, y *keyView) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), x.FirstSeen.Compare(y.FirstSeen), cmp.Compare(x.Label, y.Label), cmp.Compare(x.ID, y.ID))
	})
	for i, k := range v.keyList {
		k.rank = i
	}
	slices.SortFunc(v.accountList, func(x, y *accountView) int {
		return cmp.Or(cmp.Compare(strings.ToLower(x.Label()), strings.ToLower(y.Label())), cmp.Compare(x.ID, y.ID))
	})
	for i := range v.names {
		v.names[i] = map[string][]*accountView{}
	}
	for _, acc := range v.accountList {
		acc.finish(v)
		v.index(acc)
	}
	v.markConflicts()
}

func (acc *accountView) finish(v *view) {
	rank := func(s source) int {
		if k := v.keys[s.Key]; k != nil {
			return k.rank
		}
		return len(v.keyList)
	}
	// A code is asked first of the key that has it ready: plugged in, unlocked, no touch; then by the
	// user's order.
	slices.SortFunc(acc.sources, func(x, y source) int {
		return cmp.Or(-boolCompare(x.ready(), y.ready()), -boolCompare(x.State != api.CopyPending, y.State != api.CopyPending),
			boolCompare(x.Touch, y.Touch), cmp.Compare(rank(x), rank(y)))
	})
	acc.folded = strings.ToLower(acc.Label())
	acc.Touch = len(acc.sources) > 0
	for _, s := range acc.sources {
		acc.Copies = append(acc.Copies, s.Copy)
		acc.Available = acc.Available || s.ready()
		acc.Touch = acc.Touch && (s.Touch || !s.ready())
	}
	acc.Touch = acc.Touch && acc.Available
	acc.Proved = v.counting(acc)
}

// ready reports whether a code can be asked of the copy now.
func (s source) ready() bool {
	return s.Present && !s.Locked && s.State != api.CopyMissing && s.State != api.CopyPending
}

// counting counts the copies that count: proved ones, written ones for HOTP, and soft ones only where no
// real key was adopted.
func (v *view) counting(acc *accountView) int {
	n := 0
	for _, s := range acc.sources {
		if (s.proved || s.State == api.CopyWritten) && (!s.Soft || !v.anyReal()) {
			n++
		}
	}
	return n
}

// anyReal reports whether a real key is adopted.
func (v *view) anyReal() bool {
	return slices.ContainsFunc(v.keyList, func(k *keyView) bool { return k.State == api.KeyAdopted && !k.Soft })
}

func (v *view) index(acc *accountView) {
	for i, name := range []string{acc.Alias, acc.Label(), acc.Name} {
		if name != "" {
			v.names[i][name] = append(v.names[i][name], acc)
		}
	}
}

// markConflicts finds accounts of one name with different seeds. Unproven ones are not called a conflict: they may be
// copies of the same.
func (v *view) markConflicts() {
	for _, same := range v.names[1] {
		seeds := map[string]bool{}
		for _, acc := range same {
			if acc.seed != acc.ID && !acc.Superseded {
				seeds[acc.seed] = true
			}
		}
		for _, acc := range same {
			acc.Conflict = len(seeds) > 1 && !acc.Superseded
		}
	}
}

func boolCompare(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// rank is a key's place in the user's order.
func (a *Agent) rank(k ledger.Key) int {
	i := slices.IndexFunc(a.KeyOrder, func(s string) bool {
		return s == k.Label || k.Serial != 0 && s == strconv.FormatUint(uint64(k.Serial), 10)
	})
	if i < 0 {
		return len(a.KeyOrder)
	}
	return i
}

// keyEvent tells about the key that the view shows for w.
func (v *view) keyEvent(kind api.EventKind, w *worker) api.Event {
	for _, k := range v.keyList {
		if k.w == w {
			return api.Event{Kind: kind, Key: k.ID, KeyLabel: k.Label, Message: k.Trouble}
		}
	}
	return api.Event{Kind: kind, KeyLabel: w.slot.Reader}
}
