package agent

import (
	"fmt"
	"slices"

	"github.com/oathd/oathd/ipc/api"
)

// declareCurrent marks the account that a key holds as the valid one of its name, and the others as superseded.
func (a *Agent) declareCurrent(who Caller, r api.VerifyRequest) (api.Report, error) {
	if r.Account == "" {
		return api.Report{}, refuse(api.CodeBadRequest, "run \"oathctl verify NAME --current KEY\"", "cannot declare which account is valid: none is named")
	}
	v := a.view.Load()
	k, err := v.findKey(r.Current)
	if err != nil {
		return api.Report{}, err
	}
	same, err := v.sameName(r.Account)
	if err != nil {
		return api.Report{}, err
	}
	current, err := one(r.Account, slices.DeleteFunc(slices.Clone(same), func(acc *accountView) bool { return !acc.provedOn(k.ID) }))
	if api.CodeOf(err) == api.CodeNotFound {
		return api.Report{}, refuse(api.CodeNotFound, "run \"oathctl verify\" with the key plugged in",
			"cannot declare which %q is valid: %s has no proved copy of that name", r.Account, k.Label)
	}
	if err != nil {
		return api.Report{}, err
	}
	err = a.change(who, fmt.Sprintf("declare %s on %s the valid one", current.Label(), k.Label), func(d *draft) error {
		for _, acc := range same {
			row := d.accounts[acc.ID]
			row.Superseded = acc != current
			if err := d.putAccount(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return api.Report{}, err
	}
	a.events.publish(api.Event{Kind: api.EventAccounts, Account: current.ID, Label: current.Label()})
	return a.view.Load().declared(same), nil
}

// declared tells which accounts are superseded now.
func (v *view) declared(same []*accountView) api.Report {
	r := api.Report{Complete: true}
	for _, old := range same {
		acc := v.accounts[old.ID]
		if acc == nil {
			continue
		}
		account := api.AccountReport{Account: acc.ID, Label: acc.Label(), Wanted: acc.Wanted, Proved: acc.Proved, LostWith: v.lostWith(acc)}
		if acc.Superseded {
			account.Warnings = []string{"superseded"}
		}
		r.Accounts = append(r.Accounts, account)
	}
	return r
}

func (acc *accountView) provedOn(key string) bool {
	return slices.ContainsFunc(acc.sources, func(s source) bool { return s.Key == key && s.proved })
}

// sameName lists the accounts in the ledger that have one name and kind: that of the one with the id, or the name itself.
func (v *view) sameName(selector string) ([]*accountView, error) {
	acc := v.accounts[selector]
	if hits := v.exactly(selector); acc == nil && len(hits) > 0 {
		acc = hits[0]
	}
	if acc == nil {
		return nil, refuse(api.CodeNotFound, "\"oathctl accounts\" lists the accounts", "cannot find an account named %q", selector)
	}
	return those(v.names()[byLabel][acc.label], func(other *accountView) bool { return other.alike(acc.oath) }), nil
}
