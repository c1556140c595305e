package agent

import (
	"fmt"
	"strings"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// record writes down what was done on a key: copies that are there, intents that are settled.
func (p *provision) record(v *visit, done []attempt) error {
	if len(done) == 0 {
		return nil
	}
	err := p.a.change(p.who, p.summary(v.key, done), func(d *draft) error {
		for _, t := range done {
			if err := d.settle(v.key, t); err != nil {
				return err
			}
		}
		return d.relist(v)
	})
	if err != nil {
		return err
	}
	for _, t := range done {
		if !fatal(t.err) {
			p.conclude(v.key, t)
		}
	}
	p.a.events.publish(api.Event{Kind: api.EventAccounts, Key: v.key, KeyLabel: p.a.keyLabel(v.key)})
	return nil
}

func (p *provision) summary(key string, done []attempt) string {
	parts := make([]string, len(done))
	for i, t := range done {
		state := string(t.state)
		if state == "" {
			state = "not written"
		}
		parts[i] = fmt.Sprintf("%s: %s", t.it.account.Label(), state)
	}
	return fmt.Sprintf("on %s: %s", p.a.keyLabel(key), strings.Join(parts, ", "))
}

// settle closes the intent of one attempt, and keeps the copy if there is one.
func (d *draft) settle(key string, t attempt) error {
	if t.open {
		return nil
	}
	ref := copyRef{key, t.it.account.ID()}
	if i, ok := d.openPut(ref); ok && i.Seed == t.it.seedID {
		if err := d.dropIntent(i.ID); err != nil {
			return err
		}
	}
	if t.state == "" {
		return d.dropIfEmpty(t.it.id)
	}
	acc := t.it.account
	return d.keepCopy(ledger.Copy{
		Key: key, CredID: ref.cred, Account: t.it.id, Type: acc.Type, Algorithm: acc.Algorithm,
		Digits: acc.Digits, Period: acc.Period, Touch: t.it.touch, Seed: t.it.seedID, State: string(t.state),
	})
}

// keepCopy puts a copy that is there now, dates its proof, and drops the account that it seemed to be before.
func (d *draft) keepCopy(c ledger.Copy) error {
	if c.State == string(api.CopyProved) {
		c.ProvedAt = now()
	}
	old, had := d.copies[copyRef{c.Key, c.CredID}]
	if err := d.putCopy(c); err != nil || !had || old.Account == c.Account {
		return err
	}
	return d.dropIfEmpty(old.Account)
}

// fail notes why nothing, or nothing more, could be done on a key.
func (p *provision) fail(key string, err error) {
	for _, it := range p.unwritten(key) {
		p.conclude(key, attempt{it: it, state: api.CopyPending, open: true, err: err})
	}
}

// conclude notes what became of an item on a key.
func (p *provision) conclude(key string, t attempt) {
	o := p.outcome(key, t)
	p.mu.Lock()
	t.it.outcomes[key] = o
	p.mu.Unlock()
	if o.Error != nil {
		p.steps.tell(api.Step{Kind: api.StepFailed, Key: key, KeyLabel: o.KeyLabel, Account: t.it.id, Label: t.it.account.Label(), Error: o.Error})
	}
}

// outcome is an attempt as the caller sees it.
func (p *provision) outcome(key string, t attempt) api.Outcome {
	o := api.Outcome{Key: key, State: t.state}
	if k := p.a.view.Load().keys[key]; k != nil {
		o.KeyLabel, o.Soft = k.Label, k.Soft
	}
	if o.State == "" {
		o.State = api.CopyMissing
	}
	if t.err != nil {
		o.Error = cardError(t.err, "cannot write %s to %s", t.it.account.Label(), o.KeyLabel)
	}
	return o
}

// noEscrow is what it means to have none.
const noEscrow = "there is no escrow yet: nobody can make a further copy of these accounts later, and if all keys that hold one are lost, so is the account. Keep the service's recovery codes, or make an escrow: \"oathctl escrow init\""

// report says what became of everything.
func (p *provision) report() api.Report {
	v := p.a.view.Load()
	r := api.Report{Complete: true, Warnings: p.a.escrowWarnings()}
	for _, it := range p.items {
		account := p.reportItem(v, it)
		r.Complete = r.Complete && account.Proved >= account.Wanted
		r.Accounts = append(r.Accounts, account)
	}
	return r
}

func (p *provision) reportItem(v *view, it *item) api.AccountReport {
	r := api.AccountReport{Account: it.id, Label: it.account.Label(), Wanted: it.wanted}
	soft := false
	for _, key := range it.targets {
		o := it.outcomes[key]
		if c, existed := it.have[key]; existed {
			o = p.outcome(key, attempt{it: it, state: api.CopyState(c.State)})
			o.Existed = true
		}
		r.Outcomes = append(r.Outcomes, o)
		sure := o.State == api.CopyProved || o.State == api.CopyWritten
		if idle := v.anyReal && o.Soft; sure && !idle {
			r.Proved++
		} else if sure {
			soft = true
		}
	}
	if acc := v.accounts[it.id]; acc != nil {
		r.LostWith = v.lostWith(acc)
		if acc.label != r.Label {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the same seed is known as %s; it is one account", acc.label))
		}
	}
	if r.Proved < r.Wanted {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %d copies", r.Proved, r.Wanted))
	}
	if soft {
		r.Warnings = append(r.Warnings, "a copy on a soft key does not count beside real keys")
	}
	return r
}
