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
	seed   string
	folded string
	cell   cell
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
	// rank is the key's place in the user's order.
	rank int
}

// publish makes a new view from the book and the workers. Callers hold a.mu.
func (a *Agent) publish() {
	v := &view{keys: map[string]*keyView{}, accounts: make(map[string]*accountView, len(a.book.accounts))}
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
	copies := make(map[string][]ledger.Copy, len(a.book.accounts))
	for _, c := range a.book.copies {
		copies[c.Account] = append(copies[c.Account], c)
	}
	for _, i := range a.book.intents {
		// An open put is a copy that may or may not be there, unless one was seen.
		if _, seen := a.book.copies[copyRef{i.Key, i.CredID}]; i.Kind == intentPut && !seen {
			c := ledger.Copy{Key: i.Key, CredID: i.CredID, State: string(api.CopyPending), Touch: i.Touch}
			copies[i.Account] = append(copies[i.Account], c)
		}
	}
	for _, row := range a.book.accounts {
		v.addAccount(row, copies[row.ID], true)
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
		v.addAccount(row, []ledger.Copy{{Key: k.ID, CredID: e.ID, State: string(api.CopyUnproven)}}, false)
	}
}

// addAccount shows an account with its copies. recorded says that it is in the ledger.
func (v *view) addAccount(row ledger.Account, copies []ledger.Copy, recorded bool) {
	acc := &accountView{
		Account: api.Account{
			ID: row.ID, Issuer: row.Issuer, Name: row.Name, Alias: row.Alias, Type: row.Type.String(), Algorithm: row.Algorithm.String(),
			Digits: row.Digits, Period: row.Period, Wanted: row.WantCopies, Superseded: row.Superseded, Copies: []api.Copy{},
		},
		oath:     oath.Account{Issuer: row.Issuer, Name: row.Name, Type: row.Type, Algorithm: row.Algorithm, Digits: row.Digits, Period: row.Period},
		recorded: recorded,
		seed:     cmp.Or(row.Seed, row.ID),
	}
	acc.Steam = acc.oath.Steam()
	acc.folded = strings.ToLower(acc.Label())
	for _, c := range copies {
		acc.sources = append(acc.sources, v.source(c))
	}
	acc.sum(v)
	v.accounts[acc.ID] = acc
	v.accountList = append(v.accountList, acc)
}

func (v *view) source(c ledger.Copy) source {
	s := source{
		Copy:   api.Copy{Key: c.Key, State: api.CopyState(c.State), CredentialID: c.CredID, Touch: c.Touch, ProvedAt: c.ProvedAt},
		proved: c.State == string(api.CopyProved),
		rank:   len(v.keyList),
	}
	if k := v.keys[c.Key]; k != nil {
		s.KeyLabel, s.Soft, s.Present, s.Locked, s.w, s.rank = k.Label, k.Soft, k.Present, k.Locked, k.w, k.rank
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
func (s source) there() bool { return s.State != api.CopyMissing && s.State != api.CopyPending }

// sure reports whether the copy is known to hold the account's seed.
func (s source) sure() bool { return s.proved || s.State == api.CopyWritten }

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

func (v *view) sortAccounts() {
	slices.SortFunc(v.accountList, func(x, y *accountView) int {
		return cmp.Or(cmp.Compare(x.folded, y.folded), cmp.Compare(x.ID, y.ID))
	})
	for i := range v.names {
		v.names[i] = make(map[string][]*accountView, len(v.accountList))
	}
	for _, acc := range v.accountList {
		for i, name := range [...]string{byAlias: acc.Alias, byLabel: acc.Label(), byName: acc.Name} {
			if name != "" {
				v.names[i][name] = append(v.names[i][name], acc)
			}
		}
	}
	for _, named := range v.names[byLabel] {
		markConflicts(named)
	}
}

// markConflicts finds accounts of one name and kind with different seeds. Unproven ones are not called a conflict: they
// may be copies of the same.
func markConflicts(named []*accountView) {
	for _, x := range named {
		for _, y := range named {
			x.Conflict = x.Conflict || x.rivals(y)
		}
	}
}

// rivals reports whether two accounts of one name differ in their seeds only.
func (acc *accountView) rivals(other *accountView) bool {
	known := acc.seed != acc.ID && other.seed != other.ID && acc.seed != other.seed
	return known && acc.oath.ID() == other.oath.ID() && acc.oath.Type == other.oath.Type && !acc.Superseded && !other.Superseded
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
