package agent

import (
	"context"
	"fmt"
	"slices"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// record writes down what was done on a key: copies that are there, intents that are settled. The listing
// is what the key held before.
func (p *provision) record(ctx context.Context, w *worker, key string, before []ykoath.Entry, done []attempt) error {
	if len(done) == 0 {
		return nil
	}
	after := slices.Clone(before)
	err := p.a.change(ctx, p.who, p.summary(key, done), func(d *draft) error {
		for _, t := range done {
			if err := d.settle(key, t); err != nil {
				return err
			}
			if t.state != "" && t.state != api.CopyPending {
				after = withEntry(after, ykoath.Entry{ID: t.it.account.ID(), Type: t.it.account.Type, Algorithm: t.it.account.Algorithm})
			}
		}
		w.state.listing = after
		return d.relist(key, before, after)
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range done {
		if !fatal(t.err) {
			t.it.outcomes[key] = p.outcome(key, t)
		}
	}
	p.a.events.publish(api.Event{Kind: api.EventAccounts, Key: key})
	return nil
}

func (p *provision) summary(key string, done []attempt) string {
	text := ""
	for i, t := range done {
		state := string(t.state)
		if state == "" {
			state = "not written"
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s: %s", t.it.account.Label(), state)
	}
	return fmt.Sprintf("on %s: %s", p.label(key), text)
}

func withEntry(list []ykoath.Entry, e ykoath.Entry) []ykoath.Entry {
	if slices.Contains(list, e) {
		return list
	}
	return append(list, e)
}

// settle closes the intent of one attempt, and keeps the copy if there is one.
func (d *draft) settle(key string, t attempt) error {
	if t.open {
		return nil
	}
	if i, ok := d.openPut(key, t.it); ok {
		if err := d.dropIntent(i.ID); err != nil {
			return err
		}
	}
	if t.state == "" {
		return d.dropIfEmpty(t.it.id)
	}
	return d.putCopy(ledger.Copy{
		Key: key, CredID: t.it.account.ID(), Account: t.it.id, Type: t.it.account.Type, Algorithm: t.it.account.Algorithm,
		Digits: t.it.account.Digits, Period: t.it.account.Period, Touch: t.it.touch, Seed: t.it.seedID, State: string(t.state), ProvedAt: now(),
	})
}

// relist keeps a key's listing known as proved when all that changed is what was just written and proved, so that it
// is not probed again when it is plugged in next.
func (d *draft) relist(key string, before, after []ykoath.Entry) error {
	k := d.keys[key]
	if k.Listing != digestOf(before) {
		return nil
	}
	k.Listing = digestOf(after)
	return d.putKey(k)
}

// fail notes why nothing, or nothing more, could be done on a key.
func (p *provision) fail(key string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, it := range p.items {
		if _, done := it.outcomes[key]; done || !slices.Contains(p.missing(it), key) {
			continue
		}
		it.outcomes[key] = p.outcome(key, attempt{it: it, state: api.CopyPending, open: true, err: err})
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
const noEscrow = "there is no escrow yet: nobody can make a further copy of these accounts later, and if all keys that hold one are lost, so is the account. Keep the service's recovery codes"

// report says what became of everything.
func (p *provision) report() api.Report {
	v := p.a.view.Load()
	r := api.Report{Complete: true, Warnings: []string{noEscrow}}
	for _, it := range p.items {
		account := p.reportItem(v, it)
		r.Complete = r.Complete && account.Proved >= account.Wanted
		r.Accounts = append(r.Accounts, account)
	}
	return r
}

func (p *provision) reportItem(v *view, it *item) api.AccountReport {
	r := api.AccountReport{Account: it.id, Label: it.account.Label(), Wanted: wantCopies(it.account.Type, p.wanted)}
	real := v.anyReal()
	for _, key := range it.targets {
		o, written := it.outcomes[key]
		if c, existed := it.have[key]; existed && !written {
			o = p.outcome(key, attempt{it: it, state: api.CopyState(c.State)})
			o.Existed = true
		}
		r.Outcomes = append(r.Outcomes, o)
		if (o.State == api.CopyProved || o.State == api.CopyWritten) && !(real && o.Soft) {
			r.Proved++
		}
	}
	r.LostWith = v.lostWith(it.id)
	if r.Proved < r.Wanted {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %d copies", r.Proved, r.Wanted))
	}
	return r
}

// lostWith names the key whose loss would cost the account.
func (v *view) lostWith(account string) []string {
	acc := v.accounts[account]
	if acc == nil {
		return nil
	}
	var labels []string
	for _, s := range acc.sources {
		if s.State == api.CopyProved || s.State == api.CopyWritten {
			labels = append(labels, s.KeyLabel)
		}
	}
	if len(labels) != 1 {
		return nil
	}
	return labels
}
