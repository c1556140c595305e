package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
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
	err = a.change(who, fmt.Sprintf("set the alias of %s to %q", acc.Label(), alias), func(d *draft) error {
		if err := d.checkAlias(acc.Label(), alias, func(row ledger.Account) bool { return row.ID == acc.ID }); err != nil {
			return err
		}
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

// checkAlias makes sure that no account but ours is called so: an alias is asked for before a name is, and would hide it. label is the
// account's that is to have it.
func (b *book) checkAlias(label, alias string, ours func(ledger.Account) bool) error {
	if alias == "" {
		return nil
	}
	for _, row := range b.accounts {
		name := oath.Account{Issuer: row.Issuer, Name: row.Name}.Label()
		if !ours(row) && slices.Contains([]string{row.ID, row.Alias, name, row.Name}, alias) {
			return refuse(api.CodeExists, "choose another alias, or remove the old one first", "cannot give %s one more name: %s is called %s already", label, name, alias)
		}
	}
	return nil
}
