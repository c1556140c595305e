package agent

import (
	"context"
	"fmt"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// KeyLost declares a key lost: its copies count no longer, what was to be done on it is dropped, and, with an opener, it
// opens the escrow no longer. The secrets are the opener's and the escrow's passphrase, if there is one, or none without
// an opener; they are wiped. May be repeated, with an opener, if the first time it could not be taken out of the escrow.
func (a *Agent) KeyLost(ctx context.Context, who Caller, key string, r api.LostRequest, secrets []*oath.Secret) (api.LostReport, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, len(r.Lengths())); err != nil {
		return api.LostReport{}, err
	}
	k, err := a.view.Load().findKey(key)
	if err == nil {
		err = mayBeLost(k)
	}
	if err != nil {
		return api.LostReport{}, err
	}
	if err := a.declareLost(who, k); err != nil {
		return api.LostReport{}, err
	}
	report := a.lossOf(k)
	recipient, is := a.opensEscrow(k)
	if is && r.Opener != nil {
		o := opening{a: a, who: who, opener: *r.Opener, secret: secrets[0]}
		if err := a.removeRecipients(ctx, o, []escrow.Recipient{recipient}, secrets[1]); err != nil {
			report.Warnings = append(report.Warnings, fmt.Sprintf("%s still opens the escrow: %v", k.Label, err))
		}
	}
	a.revoke(k, is, &report)
	return report, nil
}

func mayBeLost(k *keyView) error {
	switch {
	case k.State == api.KeySeen:
		return notAdopted(k.Label, "cannot declare %s lost: it is not adopted", k.Label)
	case k.Present:
		return refuse(api.CodeConflict, "\"oathctl keys\" shows which one is plugged in", "cannot declare %s lost: it is plugged in", k.Label)
	}
	return nil
}

// declareLost writes it down. What was to be done on the key cannot be done any more.
func (a *Agent) declareLost(who Caller, k *keyView) error {
	if k.State == api.KeyLost {
		return nil
	}
	err := a.change(who, fmt.Sprintf("declare %s lost", k.Label), func(d *draft) error {
		row := d.keys[k.ID]
		row.State = string(api.KeyLost)
		if err := d.putKey(row); err != nil {
			return err
		}
		var open []ledger.Intent
		for _, i := range d.intents {
			if i.Key == k.ID {
				open = append(open, i)
			}
		}
		for _, i := range open {
			if err := d.giveUp(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		a.events.publish(api.Event{Kind: api.EventKeyChanged, Key: k.ID, KeyLabel: k.Label})
		a.events.publish(api.Event{Kind: api.EventAccounts})
	}
	return err
}

// giveUp drops an intent on a key that is gone, and with it what was to be deleted.
func (d *draft) giveUp(i ledger.Intent) error {
	if err := d.dropIntent(i.ID); err != nil {
		return err
	}
	if i.Kind == intentDelete {
		if err := d.dropCopy(copyRef{i.Key, i.CredID}); err != nil {
			return err
		}
	}
	return d.dropIfEmpty(i.Account)
}

// lossOf says for each account that the key had how it fares now.
func (a *Agent) lossOf(k *keyView) api.LostReport {
	v := a.view.Load()
	report := api.LostReport{Key: v.keys[k.ID].Key, Accounts: []api.LostAccount{}}
	for _, acc := range v.accountList {
		if !acc.on(k.ID) || acc.Superseded {
			continue
		}
		risk := v.risk(acc)
		report.Accounts = append(report.Accounts, api.LostAccount{Account: acc.ID, Label: acc.Label(), Risk: risk, Advice: v.advice(acc, risk)})
	}
	return report
}

// on reports whether the account had a copy on the key.
func (acc *accountView) on(key string) bool {
	for _, s := range acc.sources {
		if s.Key == key && s.State != api.CopyMissing && s.State != api.CopyPending {
			return true
		}
	}
	return false
}

// opensEscrow finds the recipient that the key is.
func (a *Agent) opensEscrow(k *keyView) (escrow.Recipient, bool) {
	vault, err := a.currentVault()
	if err != nil {
		return escrow.Recipient{}, false
	}
	return recipientOf(vault, k)
}

// revoke lists what the finder of a key has, and what to do about it. opened says that the key opened the escrow.
func (a *Agent) revoke(k *keyView, opened bool, report *api.LostReport) {
	if n := len(report.Accounts); n > 0 && !k.PasswordSet {
		report.Revoke = append(report.Revoke, fmt.Sprintf("whoever has %s gets the codes of what is on it (%s), for it has no password: give each a new seed at its service, the most important first", k.Label, accounts(n)))
	} else if n > 0 {
		report.Revoke = append(report.Revoke, fmt.Sprintf("the codes of what is on %s (%s) are behind its password: if others know it, give each a new seed at its service", k.Label, accounts(n)))
	}
	if _, report.Recipient = a.opensEscrow(k); report.Recipient {
		report.Warnings = append(report.Warnings, fmt.Sprintf("%s still opens the escrow, with its PIN: run \"oathctl key lost %s\" again, with another key or the recovery key", k.Label, k.Label))
	}
	if opened {
		report.Revoke = append(report.Revoke, fmt.Sprintf("with its PIN and a backup of the escrow from before today, %s opens every seed in that backup: destroy those backups, and make a new one", k.Label))
	}
	report.Revoke = append(report.Revoke, fmt.Sprintf("oathd does not know what else is on %s: take it off the services where it is registered as a security key or passkey, and revoke its certificates, SSH and OpenPGP keys", k.Label))
}

func accounts(n int) string {
	if n == 1 {
		return "1 account"
	}
	return fmt.Sprintf("%d accounts", n)
}
