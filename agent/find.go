package agent

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/oathd/oathd/ipc/api"
)

// Keys lists the keys, plugged in or adopted, in the order in which they are asked for codes.
func (a *Agent) Keys() []api.Key {
	v := a.view.Load()
	list := make([]api.Key, len(v.keyList))
	for i, k := range v.keyList {
		list[i] = k.Key
		list[i].Waiting = a.touches.waiting(k.ID)
	}
	return list
}

// Key finds one key by id, label or serial.
func (a *Agent) Key(selector string) (api.Key, error) {
	k, err := a.view.Load().findKey(selector)
	if err != nil {
		return api.Key{}, err
	}
	key := k.Key
	key.Waiting = a.touches.waiting(k.ID)
	return key, nil
}

// findKey selects by exact id, label or serial, then by a unique part of the label in any case.
func (v *view) findKey(selector string) (*keyView, error) {
	if k := v.keys[selector]; k != nil {
		return k, nil
	}
	exact := v.keysWith(func(k *keyView) bool {
		return k.Label == selector || k.Serial != 0 && strconv.FormatUint(uint64(k.Serial), 10) == selector
	})
	if len(exact) == 0 && selector != "" {
		part := strings.ToLower(selector)
		exact = v.keysWith(func(k *keyView) bool { return strings.Contains(strings.ToLower(k.Label), part) })
	}
	switch len(exact) {
	case 1:
		return exact[0], nil
	case 0:
		e := refuse(api.CodeNotFound, "\"oathctl keys\" lists the keys that are known", "cannot find a key named %q", selector)
		e.Candidates = keyCandidates(v.keyList)
		return nil, e
	}
	e := refuse(api.CodeAmbiguous, "name one of them by its id or serial", "cannot tell which key %q means: %d match", selector, len(exact))
	e.Candidates = keyCandidates(exact)
	return nil, e
}

func (v *view) keysWith(match func(*keyView) bool) []*keyView {
	var list []*keyView
	for _, k := range v.keyList {
		if match(k) {
			list = append(list, k)
		}
	}
	return list
}

func keyCandidates(keys []*keyView) []api.Candidate {
	list := make([]api.Candidate, len(keys))
	for i, k := range keys {
		list[i] = api.Candidate{ID: k.ID, Label: k.Label, Note: k.note()}
	}
	return list
}

// note says where a key is, for those who look for it.
func (k *keyView) note() string {
	var parts []string
	switch {
	case k.State == api.KeyLost:
		parts = append(parts, "lost")
	case k.Present:
		parts = append(parts, "plugged in")
	case !k.LastSeen.IsZero():
		parts = append(parts, "last seen "+k.LastSeen.Local().Format("2 January 2006"))
	}
	if k.Site != "" {
		parts = append(parts, "site: "+k.Site)
	}
	if k.Holder != "" {
		parts = append(parts, "with "+k.Holder)
	}
	if k.Soft {
		parts = append(parts, "soft key")
	}
	return strings.Join(parts, ", ")
}

// parenthesis is the note in brackets, behind a space, or nothing.
func (k *keyView) parenthesis() string {
	note := k.note()
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}

// Accounts lists the accounts whose label contains query in any case; all for "".
func (a *Agent) Accounts(query string) []api.Account {
	v := a.view.Load()
	return page(v.accountList, query, len(v.accountList))
}

// AccountsPage lists at most limit of the accounts that Accounts lists, those behind the account with the id after; from
// the first on for "". Fewer than limit are the last. An account that is no longer there is api.CodeNotFound.
func (a *Agent) AccountsPage(query, after string, limit int) ([]api.Account, error) {
	v := a.view.Load()
	if after == "" {
		return page(v.accountList, query, limit), nil
	}
	last := v.accounts[after]
	if last == nil {
		return nil, refuse(api.CodeNotFound, "begin with the first page again", "cannot go on behind account %q: it is no longer there", after)
	}
	i, _ := slices.BinarySearchFunc(v.accountList, last, byNameAndID)
	return page(v.accountList[i+1:], query, limit), nil
}

// page lists the first accounts whose label contains query.
func page(accounts []*accountView, query string, limit int) []api.Account {
	list := make([]api.Account, 0, min(limit, len(accounts)))
	query = strings.ToLower(query)
	for _, acc := range accounts {
		if len(list) == limit {
			break
		}
		if strings.Contains(acc.folded, query) {
			list = append(list, acc.Account)
		}
	}
	return list
}

// Account finds exactly one account.
func (a *Agent) Account(selector string) (api.Account, error) {
	acc, err := a.view.Load().findAccount(selector)
	if err != nil {
		return api.Account{}, err
	}
	return acc.Account, nil
}

// findAccount selects by id, alias, exact issuer:name, exact name, then a unique part in any case.
func (v *view) findAccount(selector string) (*accountView, error) {
	if acc := v.accounts[selector]; acc != nil {
		return acc, nil
	}
	return one(selector, v.matching(selector))
}

// findOn is findAccount for one of several accounts, of which a key holds only one.
func (v *view) findOn(selector, key string) (*accountView, error) {
	k, err := v.findKey(key)
	if err != nil {
		return nil, err
	}
	return one(selector, rather(v.matching(selector), func(acc *accountView) bool {
		return slices.ContainsFunc(acc.sources, func(s source) bool { return s.Key == k.ID && s.State != api.CopyMissing })
	}))
}

// matching lists the accounts that a name may mean.
func (v *view) matching(selector string) []*accountView {
	if selector == "" {
		return nil
	}
	if hits := v.exactly(selector); len(hits) > 0 {
		return hits
	}
	part := strings.ToLower(selector)
	return those(v.accountList, func(acc *accountView) bool { return strings.Contains(acc.folded, part) })
}

// those lists the accounts that match.
func those(accounts []*accountView, match func(*accountView) bool) []*accountView {
	var list []*accountView
	for _, acc := range accounts {
		if match(acc) {
			list = append(list, acc)
		}
	}
	return list
}

// exactly lists the accounts that have a name as their alias, else as their label, else as their name.
func (v *view) exactly(name string) []*accountView {
	for _, index := range v.names() {
		if hits := index[name]; len(hits) > 0 {
			return hits
		}
	}
	return nil
}

// one returns the only hit. Superseded accounts give way to the one that was declared current, and accounts that no key
// holds any more to those that one does.
func one(selector string, hits []*accountView) (*accountView, error) {
	hits = rather(hits, func(acc *accountView) bool { return !acc.Superseded })
	hits = rather(hits, func(acc *accountView) bool { return acc.live })
	switch len(hits) {
	case 1:
		return hits[0], nil
	case 0:
		return nil, refuse(api.CodeNotFound, "\"oathctl accounts\" lists the accounts", "cannot find an account named %q", selector)
	}
	e := refuse(api.CodeAmbiguous, "name one of them by its id", "cannot tell which account %q means: %d match", selector, len(hits))
	for _, acc := range hits {
		e.Candidates = append(e.Candidates, api.Candidate{ID: acc.ID, Label: acc.Label(), Note: acc.note()})
	}
	return nil, e
}

// rather keeps those that are preferred, if there are any.
func rather(hits []*accountView, preferred func(*accountView) bool) []*accountView {
	if best := those(hits, preferred); len(best) > 0 {
		return best
	}
	return hits
}

// note says on which keys an account is.
func (acc *accountView) note() string {
	labels := make([]string, len(acc.sources))
	for i, s := range acc.sources {
		labels[i] = fmt.Sprintf("%s (%s)", s.KeyLabel, s.State)
	}
	if len(labels) == 0 {
		return "on no key"
	}
	return "on " + strings.Join(labels, ", ")
}

// findFresh is findAccount, with a look at the keys that are plugged in where the name is unknown: another
// program may just have written it.
func (a *Agent) findFresh(ctx context.Context, selector string) (*accountView, error) {
	acc, err := a.view.Load().findAccount(selector)
	if api.CodeOf(err) != api.CodeNotFound || selector == "" {
		return acc, err
	}
	a.recalled(ctx)
	a.Refresh(ctx)
	return a.view.Load().findAccount(selector)
}

// findRecorded finds an account that is in the ledger, so that it can be changed; what says what is to be done.
func (a *Agent) findRecorded(ctx context.Context, selector, what string) (*accountView, error) {
	acc, err := a.findFresh(ctx, selector)
	if err != nil {
		return nil, err
	}
	if !acc.recorded {
		return nil, notAdopted(acc.sources[0].KeyLabel, "cannot %s %s: its key is not adopted", what, acc.Label())
	}
	return acc, nil
}

// findAdopted finds a key that may be written to; what says what is to be done.
func (v *view) findAdopted(selector, what string) (*keyView, error) {
	k, err := v.findKey(selector)
	if err != nil {
		return nil, err
	}
	if k.State != api.KeyAdopted {
		return nil, notAdopted(k.Label, "cannot %s %s: it is not adopted", what, k.Label)
	}
	return k, nil
}
