package agent

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// view is all that can be read, at one moment. It never changes once it is published.
type view struct {
	// keys holds the keys by id, keyList in the order in which people see them.
	keys    map[string]*keyView
	keyList []*keyView
	// accounts holds the accounts by id, accountList in the order of their labels, whatever their case.
	accounts    map[string]*accountView
	accountList []*accountView
	// names finds accounts by their alias, label and name. It is made when it is first asked for.
	names func() [3]map[string][]*accountView
	// anyReal says that a real key is adopted: beside it, soft keys do not count.
	anyReal bool
}

// The indexes of view.names.
const (
	byAlias = iota
	byLabel
	byName
)

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
	seed string
	// label is what Label returns, folded the same in lower case.
	label, folded string
	cell          cell
	// live says that a key holds the account, as far as is known.
	live bool
	// sources are the copies in the order in which a code is asked of them.
	sources []source
}

// source is a copy as one of those that a code can be asked of.
type source struct {
	api.Copy
	w      *worker
	proved bool
	// lost says that the key was declared lost, and the copy with it.
	lost bool
	// rank is the key's place in the user's order.
	rank int
}

// publish makes a new view from the book and the workers. Callers hold a.mu.
func (a *Agent) publish() {
	v := &view{
		keys:        map[string]*keyView{},
		accounts:    make(map[string]*accountView, len(a.book.accounts)),
		accountList: make([]*accountView, 0, len(a.book.accounts)),
	}
	v.names = sync.OnceValue(v.index)
	a.viewKeys(v)
	v.sortKeys()
	a.viewLedger(v)
	for _, k := range v.keyList {
		if k.State == api.KeySeen {
			v.addSeen(k)
		}
	}
	v.sortAccounts()
	a.view.Store(v)
}

func (a *Agent) viewKeys(v *view) {
	for _, k := range a.book.keys {
		v.addKey(&keyView{Key: ledgerKey(k), rank: a.rank(k)})
	}
	for ref, c := range a.book.copies {
		if k := v.keys[ref.key]; k != nil && c.State != string(api.CopyMissing) {
			k.Accounts++
		}
	}
	for _, w := range a.workers {
		if !w.state.known {
			continue
		}
		k := v.keys[w.state.key]
		if k == nil {
			k = &keyView{Key: api.Key{ID: v.seenID(w), State: api.KeySeen}, rank: len(a.options.KeyOrder)}
			v.addKey(k)
		}
		k.w = w
		present(&k.Key, w)
	}
	for _, k := range v.keyList {
		if k.Accounts > k.Capacity {
			k.Capacity = 0 // it is of another maker, who gave it a YubiKey's version
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
	k.FormFactor, k.Locked = s.identity.form, s.locked
	k.Serial = cmp.Or(s.serial(), k.Serial)
	if s.selected {
		k.DeviceID, k.Vendor, k.Soft, k.Firmware = s.info.DeviceID(), s.info.Vendor(), s.info.Soft, s.firmware()
		k.PasswordSet, k.Capacity = s.info.PasswordSet(), s.info.Features().Capacity
	}
	if s.listing != nil {
		k.Accounts = len(s.listing)
	}
	if s.trouble != nil {
		e := cardError(s.trouble, "cannot use the key")
		k.Trouble, k.Hint = e.Message, e.Hint
	}
	if k.Label == "" {
		k.Label = defaultLabel(*k)
	}
}

// defaultLabel names a key that nobody has named yet.
func defaultLabel(k api.Key) string {
	name := cmp.Or(strings.ToLower(strings.ReplaceAll(k.Vendor, " ", "-")), "key")
	if k.Serial != 0 {
		return name + "-" + strconv.FormatUint(uint64(k.Serial), 10)
	}
	return name + "-" + k.ID[:4]
}

// seenID is a key's id before it is adopted: it stays the same as long as key and applet do. What cannot be told from
// another key goes by its reader.
func (v *view) seenID(w *worker) string {
	serial, device := w.state.serial(), w.state.info.DeviceID()
	id := derivedID("key", strconv.FormatUint(uint64(serial), 10), device)
	if serial == 0 && device == "" || v.keys[id] != nil {
		return derivedID("reader", w.slot.Reader)
	}
	return id
}

// derivedID makes an id of ten characters for what the ledger does not know.
func derivedID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:10]
}

func (a *Agent) viewLedger(v *view) {
	for _, row := range a.book.accounts {
		v.addAccount(row).recorded = true
	}
	a.viewEscrow(v)
	for _, c := range a.book.copies {
		v.addCopy(c)
	}
	for _, i := range a.book.intents {
		// An open put is a copy that may or may not be there, unless one was seen.
		if _, seen := a.book.copies[copyRef{i.Key, i.CredID}]; i.Kind == intentPut && !seen {
			v.addCopy(ledger.Copy{Key: i.Key, CredID: i.CredID, Account: i.Account, State: string(api.CopyPending), Touch: i.Touch})
		}
	}
}

// addSeen shows the credentials of a key that is not adopted: each is an account of its own.
func (v *view) addSeen(k *keyView) {
	for _, e := range k.w.state.listing {
		acc := oath.ParseID(e.Type, e.ID)
		row := ledger.Account{
			ID: derivedID("account", k.ID, e.ID), Issuer: acc.Issuer, Name: acc.Name,
			Type: acc.Type, Algorithm: e.Algorithm, Period: acc.Period,
		}
		v.addAccount(row)
		v.addCopy(ledger.Copy{Key: k.ID, CredID: e.ID, Account: row.ID, State: string(api.CopyUnproven)})
	}
}

func (v *view) addAccount(row ledger.Account) *accountView {
	acc := &accountView{
		Account: api.Account{
			ID: row.ID, Issuer: row.Issuer, Name: row.Name, Alias: row.Alias, Type: row.Type.String(), Algorithm: row.Algorithm.String(),
			Digits: row.Digits, Period: row.Period, Wanted: row.WantCopies, Superseded: row.Superseded,
		},
		oath:    oath.Account{Issuer: row.Issuer, Name: row.Name, Type: row.Type, Algorithm: row.Algorithm, Digits: row.Digits, Period: row.Period},
		seed:    cmp.Or(row.Seed, row.ID),
		sources: make([]source, 0, 2),
	}
	acc.Steam = acc.oath.Steam()
	acc.label = acc.Label()
	acc.folded = strings.ToLower(acc.label)
	v.accounts[acc.ID] = acc
	v.accountList = append(v.accountList, acc)
	return acc
}

func (v *view) addCopy(c ledger.Copy) {
	if acc := v.accounts[c.Account]; acc != nil {
		acc.sources = append(acc.sources, v.source(c))
	}
}

func (v *view) source(c ledger.Copy) source {
	s := source{
		Copy:   api.Copy{Key: c.Key, State: api.CopyState(c.State), CredentialID: c.CredID, Touch: c.Touch, ProvedAt: c.ProvedAt},
		proved: c.State == string(api.CopyProved),
		rank:   len(v.keyList),
	}
	if k := v.keys[c.Key]; k != nil {
		s.KeyLabel, s.Soft, s.Present, s.Locked, s.w, s.rank = k.Label, k.Soft, k.Present, k.Locked, k.w, k.rank
		s.lost = k.State == api.KeyLost
	}
	return s
}

// sum derives what depends on all copies.
func (acc *accountView) sum(v *view) {
	// A code is asked first of the key that has it ready: plugged in, unlocked, no touch; then by the
	// user's order.
	slices.SortFunc(acc.sources, func(x, y source) int {
		return cmp.Or(-boolCompare(x.ready(), y.ready()), -boolCompare(x.State != api.CopyPending, y.State != api.CopyPending),
			boolCompare(x.Touch, y.Touch), cmp.Compare(x.rank, y.rank), cmp.Compare(x.CredentialID, y.CredentialID))
	})
	touch := true
	acc.Copies = make([]api.Copy, 0, len(acc.sources))
	for _, s := range acc.sources {
		acc.Copies = append(acc.Copies, s.Copy)
		acc.live = acc.live || s.there()
		acc.Available = acc.Available || s.ready()
		touch = touch && (s.Touch || !s.ready())
	}
	acc.Touch = touch && acc.Available
	acc.Proved = len(v.keysThatCount(acc))
}

// ready reports whether a code can be asked of the copy now.
func (s source) ready() bool { return s.Present && !s.Locked && s.there() }

// there reports whether the key holds the copy, as far as is known.
func (s source) there() bool {
	return !s.lost && s.State != api.CopyMissing && s.State != api.CopyPending
}

// sure reports whether the copy is known to hold the account's seed.
func (s source) sure() bool { return !s.lost && (s.proved || s.State == api.CopyWritten) }

// keysThatCount lists the keys with a copy that counts: a proved one, or one that was written for HOTP, on a soft key only
// where no real one was adopted. Two copies on one key are lost together.
func (v *view) keysThatCount(acc *accountView) []string {
	var keys []string
	for _, s := range acc.sources {
		if s.sure() && !(s.Soft && v.anyReal) && !slices.Contains(keys, s.Key) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

func (v *view) sortKeys() {
	slices.SortFunc(v.keyList, func(x, y *keyView) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), x.FirstSeen.Compare(y.FirstSeen), cmp.Compare(x.Label, y.Label), cmp.Compare(x.ID, y.ID))
	})
	for i, k := range v.keyList {
		k.rank = i
		v.anyReal = v.anyReal || k.State == api.KeyAdopted && !k.Soft
	}
}

// byNameAndID is the order of view.accountList.
func byNameAndID(x, y *accountView) int {
	return cmp.Or(strings.Compare(x.folded, y.folded), strings.Compare(x.ID, y.ID))
}

func (v *view) sortAccounts() {
	slices.SortFunc(v.accountList, byNameAndID)
	for _, acc := range v.accountList {
		acc.sum(v)
	}
	markConflicts(v.accountList)
}

func (v *view) index() (names [3]map[string][]*accountView) {
	for i := range names {
		names[i] = make(map[string][]*accountView, len(v.accountList))
	}
	for _, acc := range v.accountList {
		for i, name := range [...]string{byAlias: acc.Alias, byLabel: acc.label, byName: acc.Name} {
			if name != "" {
				names[i][name] = append(names[i][name], acc)
			}
		}
	}
	return names
}

// markConflicts finds accounts of one name and kind with different seeds; they stand next to each other. Unproven ones are
// not called a conflict: they may be copies of the same.
func markConflicts(sorted []*accountView) {
	for i, x := range sorted {
		for _, y := range sorted[i+1:] {
			if y.folded != x.folded {
				break
			}
			if x.rivals(y) {
				x.Conflict, y.Conflict = true, true
			}
		}
	}
}

// rivals reports whether two accounts differ in their seeds only.
func (acc *accountView) rivals(other *accountView) bool {
	known := other.recorded && acc.seed != acc.ID && other.seed != other.ID && acc.seed != other.seed
	return known && acc.alike(other.oath) && !acc.Superseded && !other.Superseded
}

// alike reports whether the account is in the ledger and has that name and kind.
func (acc *accountView) alike(other oath.Account) bool {
	return acc.recorded && acc.oath.Type == other.Type && acc.oath.Period == other.Period && acc.oath.Issuer == other.Issuer && acc.oath.Name == other.Name
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
	i := slices.IndexFunc(a.options.KeyOrder, func(s string) bool {
		return s == k.Label || k.Serial != 0 && s == strconv.FormatUint(uint64(k.Serial), 10)
	})
	if i < 0 {
		return len(a.options.KeyOrder)
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

// keyLabel is what people call a key.
func (a *Agent) keyLabel(key string) string {
	if k := a.view.Load().keys[key]; k != nil {
		return k.Label
	}
	return key
}
