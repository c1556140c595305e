package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oathd/oathd/ipc/api"
)

// maxAlias bounds an alias in bytes: an ARN fits.
const maxAlias = 2048

// validAlias reports what is wrong with an alias.
func validAlias(alias string) error {
	if len(alias) > maxAlias || !utf8.ValidString(alias) || strings.ContainsFunc(alias, unicode.IsControl) {
		return fmt.Errorf("its alias is longer than %d bytes, or no text", maxAlias)
	}
	return nil
}

// SetAlias gives an account one more name, in place of the one that it has; "" takes it away. It is in the ledger only: keys know
// nothing of it.
func (a *Agent) SetAlias(ctx context.Context, who Caller, account, alias string) (api.Account, error) {
	acc, err := a.findRecorded(ctx, account, "name")
	if err != nil {
		return api.Account{}, err
	}
	if err := validAlias(alias); err != nil {
		return api.Account{}, refuse(api.CodeBadRequest, "choose a short name, on one line", "cannot give %s another name: %v", acc.Label(), err)
	}
	if err := a.view.Load().checkAlias(acc, alias); err != nil {
		return api.Account{}, err
	}
	err = a.change(who, fmt.Sprintf("set the alias of %s to %q", acc.Label(), alias), func(d *draft) error {
		row := d.accounts[acc.ID]
		row.Alias = alias
		return d.putAccount(row)
	})
	if err != nil {
		return api.Account{}, err
	}
	a.events.publish(api.Event{Kind: api.EventAccounts, Account: acc.ID, Label: acc.Label()})
	return a.Account(acc.ID)
}

// checkAlias makes sure that no other account is called so already: an alias is asked for before a name is, and would hide it.
func (v *view) checkAlias(acc *accountView, alias string) error {
	hits := v.exactly(alias)
	if other := v.accounts[alias]; other != nil {
		hits = append(slices.Clone(hits), other)
	}
	for _, other := range hits {
		if alias != "" && other.ID != acc.ID {
			return refuse(api.CodeExists, "choose another name", "cannot call %s %q: %s is called so", acc.Label(), alias, other.Label())
		}
	}
	return nil
}
