package agent

import (
	"context"
	"maps"
	"slices"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Restore writes accounts from the escrow to keys, proves each copy, and may be repeated: what is there already is left. The one
// secret is the opener's; it is wiped. With names each of these goes to every key. Without names it is all that the keys should hold:
// what lacks copies, as the planner spreads it over them; and if nothing does, one more copy of all that can have one.
func (a *Agent) Restore(ctx context.Context, who Caller, r api.RestoreRequest, secrets []*oath.Secret, step func(api.Step)) (api.Report, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 1); err != nil {
		return api.Report{}, err
	}
	if _, err := a.currentVault(); err != nil {
		return api.Report{}, err
	}
	a.recheck(ctx)
	p := &provision{a: a, who: who, verb: "restore", steps: teller{step: step}}
	targets, err := a.view.Load().named(r.To)
	if err == nil && len(targets) == 0 {
		err = refuse(api.CodeBadRequest, "name a key with --to", "cannot restore to no key")
	}
	if err != nil {
		return api.Report{}, err
	}
	homes, err := a.restorable(ctx, r.Accounts, targets)
	if err != nil {
		return api.Report{}, err
	}
	if err := p.checkTargets(targets); err != nil {
		return api.Report{}, err
	}
	if err := a.foresee(ctx, homes); err != nil {
		return api.Report{}, err
	}
	o := opening{a: a, who: who, purpose: "restore to " + a.view.Load().labels(targets), opener: r.Opener, secret: secrets[0], steps: &p.steps}
	return p.fromEscrow(ctx, o, homes, r.WaitSeconds)
}

// checkTargets finds out before anybody is asked for a PIN that a key could not be written to.
func (p *provision) checkTargets(targets []string) error {
	v := p.a.view.Load()
	for _, key := range targets {
		if k := v.keys[key]; k.Present && k.Locked {
			return lockedKey(k.Label, "cannot restore to %s: it is locked", k.Label)
		}
	}
	return nil
}

// foresee finds out before anybody is asked for a PIN that a key could not take what is meant for it. The escrow says what its seeds are
// for without being opened, the ledger what keys have answered for them.
func (a *Agent) foresee(ctx context.Context, homes map[string][]string) error {
	_, rows, err := a.payloads(ctx, slices.Sorted(maps.Keys(homes))...)
	if err != nil {
		return err
	}
	p := &provision{a: a}
	for _, row := range rows {
		if row.Entry.Kind != escrow.Seed {
			continue
		}
		if err := p.take(row, nil, a.printsOfAccount(row.account), homes[row.account]); err != nil {
			return err
		}
	}
	if err := p.checkTaken(homes); err != nil {
		return err
	}
	return p.check()
}

func (a *Agent) printsOfAccount(account string) prints {
	a.mu.Lock()
	defer a.mu.Unlock()
	return printsOf(a.book.seeds[a.book.accounts[account].Seed])
}

// restorable chooses the accounts, and to which of the keys each goes: to all, if they were named.
func (a *Agent) restorable(ctx context.Context, names, targets []string) (map[string][]string, error) {
	if len(names) > 0 {
		accounts, err := a.namedInEscrow(ctx, names)
		return toAll(accounts, targets), err
	}
	if lacking := a.lacking(targets); len(lacking) > 0 {
		return lacking, nil
	}
	v := a.view.Load()
	var all []string
	for _, acc := range v.accountList {
		if acc.Escrow != "" && !acc.Superseded && !(acc.oath.Type == oath.HOTP && acc.Proved > 0) && !acc.onAll(targets) {
			all = append(all, acc.ID)
		}
	}
	if len(all) == 0 {
		return nil, refuse(api.CodeExistsSame, "\"oathctl escrow status\" tells what is in the escrow", "cannot restore: %s holds all that the escrow has", v.labels(targets))
	}
	return toAll(all, targets), nil
}

// toAll sends each account to all keys.
func toAll(accounts, keys []string) map[string][]string {
	homes := make(map[string][]string, len(accounts))
	for _, account := range accounts {
		homes[account] = keys
	}
	return homes
}

// onAll reports whether each of the keys is known to hold the account.
func (acc *accountView) onAll(keys []string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool {
		return !slices.ContainsFunc(acc.sources, func(s source) bool { return s.Key == key && s.sure() })
	})
}

func (a *Agent) namedInEscrow(ctx context.Context, names []string) ([]string, error) {
	var ids []string
	for _, name := range names {
		acc, err := a.findEscrowed(ctx, name, "restore")
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, acc.ID) {
			ids = append(ids, acc.ID)
		}
	}
	return ids, nil
}

// fromEscrow writes accounts whose seeds the escrow has; homes says to which keys. The escrow is locked again before the
// first key is written to.
func (p *provision) fromEscrow(ctx context.Context, o opening, homes map[string][]string, waitSeconds int) (api.Report, error) {
	defer p.wipe()
	defer p.steps.finish()
	if err := p.fetch(ctx, o, homes); err != nil {
		return api.Report{}, err
	}
	if err := p.check(); err != nil {
		return api.Report{}, err
	}
	if err := p.intend(); err != nil {
		return api.Report{}, err
	}
	p.write(ctx, waitSeconds)
	return p.report(), nil
}

// wipe forgets the seeds.
func (p *provision) wipe() {
	for _, it := range p.items {
		it.seed.Wipe()
	}
}

// fetch opens the escrow and makes items of what is in it, each seed compared with what the keys have answered; homes says to which
// keys each account is to go.
func (p *provision) fetch(ctx context.Context, o opening, homes map[string][]string) error {
	open, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer open.Close()
	_, rows, err := p.a.payloads(ctx, slices.Sorted(maps.Keys(homes))...)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Entry.Kind != escrow.Seed {
			continue
		}
		seed, prints, _, err := p.a.seedOf(open, row)
		if err != nil {
			return err
		}
		if err := p.take(row, seed, prints, homes[row.account]); err != nil {
			return err
		}
	}
	return p.checkTaken(homes)
}

// take makes an item of what the escrow has, for some keys.
func (p *provision) take(row payload, seed *oath.Secret, prints prints, keys []string) error {
	it := p.a.itemOf(row, seed, prints)
	it.have, it.targets, it.wanted = p.a.copiesWith(prints), keys, len(keys)
	p.items = append(p.items, it)
	if hotp := it.account.Type == oath.HOTP; hotp && len(it.targets)+len(it.have) > 1 {
		return refuse(api.CodeBadRequest, "leave it out, or remove it from where it is and name one key",
			"cannot restore the HOTP account %s: its counter would be on several keys, and drift apart", it.account.Label())
	}
	return nil
}

// checkTaken refuses to leave an account out without a word, because its row in the escrow is gone.
func (p *provision) checkTaken(homes map[string][]string) error {
	for _, account := range slices.Sorted(maps.Keys(homes)) {
		if slices.ContainsFunc(p.items, func(it *item) bool { return it.id == account }) {
			continue
		}
		label := account
		if acc := p.a.view.Load().accounts[account]; acc != nil {
			label = acc.Label()
		}
		return refuse(api.CodeEscrow, "somebody changed the ledger's file: go back to a backup", "cannot restore %s: its seed is no longer in the escrow", label)
	}
	return nil
}

// itemOf makes an item of what the escrow has. An account that was renamed since has its new name.
func (a *Agent) itemOf(row payload, seed *oath.Secret, prints prints) *item {
	it := &item{
		account: row.Entry.Account, seed: seed, counter: row.Entry.Counter, touch: row.Entry.Touch, prints: prints, fromEscrow: true,
		id: row.account, claims: map[string]bool{}, outcomes: map[string]api.Outcome{},
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if acc, ok := a.book.accounts[row.account]; ok {
		it.account.Issuer, it.account.Name = acc.Issuer, acc.Name
	}
	return it
}

// ResumeWith is Resume, which then writes from the escrow what is absent. The one secret is the opener's; it is wiped.
func (a *Agent) ResumeWith(ctx context.Context, who Caller, r api.ResumeRequest, secrets []*oath.Secret, step func(api.Step)) (api.Report, error) {
	defer wipeAll(secrets)
	if r.Opener == nil {
		return a.Resume(ctx, who, r, step)
	}
	if err := brought(secrets, 1); err != nil {
		return api.Report{}, err
	}
	first, err := a.resume(ctx, &finishing{a: a, who: who, opens: true, steps: teller{step: step}})
	absent := a.absentCopies()
	if err != nil || len(absent) == 0 {
		return first, err
	}
	p := &provision{a: a, who: who, verb: "restore", steps: teller{step: step}}
	o := opening{a: a, who: who, purpose: "finish what was broken off", opener: *r.Opener, secret: secrets[0], steps: &p.steps}
	second, err := p.fromEscrow(ctx, o, absent, 0)
	if err != nil {
		return api.Report{}, err
	}
	return merge(first, second), nil
}

// absentCopies lists by account the keys to which a copy was to be written and is not there, as far as is known; and the
// seed is in the escrow.
func (a *Agent) absentCopies() map[string][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	absent := map[string][]string{}
	for _, i := range a.book.intents {
		if _, there := a.book.escrow[escrowRef{i.Account, escrow.Seed}]; i.Kind == intentPut && there && a.book.keys[i.Key].State == string(api.KeyAdopted) {
			absent[i.Account] = append(absent[i.Account], i.Key)
		}
	}
	for _, keys := range absent {
		slices.Sort(keys)
	}
	return absent
}

// merge replaces what the first report says of accounts by what the second says.
func merge(first, second api.Report) api.Report {
	report := api.Report{Complete: second.Complete, Warnings: append(first.Warnings, second.Warnings...)}
	for _, acc := range first.Accounts {
		again := slices.ContainsFunc(second.Accounts, func(other api.AccountReport) bool { return other.Account == acc.Account })
		if again {
			continue
		}
		report.Accounts = append(report.Accounts, acc)
		for _, o := range acc.Outcomes {
			report.Complete = report.Complete && o.Error == nil
		}
	}
	report.Accounts = append(report.Accounts, second.Accounts...)
	return report
}
