package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// The kinds of intents.
const (
	intentPut    = "put"
	intentDelete = "delete"
	intentRename = "rename"
)

// provision writes some accounts to some keys.
type provision struct {
	a     *Agent
	who   Caller
	items []*item
	steps teller
	// verb is what the audit log calls it, "add" if it is empty.
	verb string
	// also, if set, belongs into the commit with the intents.
	also func(*draft) error

	// mu guards the items' claims and outcomes.
	mu sync.Mutex
}

// attempt is what was done with one item on one key.
type attempt struct {
	it *item
	// state is what the copy is now, "" if nothing of it is on the key.
	state api.CopyState
	// open says that the outcome is not known: the intent stays.
	open bool
	err  error
}

// intend writes down what is about to be done, in one commit: the seeds' fingerprints, the accounts, an intent for each copy.
func (p *provision) intend() error {
	names := make([]string, len(p.items))
	for i, it := range p.items {
		names[i] = it.account.Label()
	}
	where := cmp.Or(p.a.view.Load().labels(p.keys()), "the escrow")
	what := fmt.Sprintf("%s %s to %s", cmp.Or(p.verb, "add"), strings.Join(names, ", "), where)
	return p.a.change(p.who, what, func(d *draft) error {
		for _, it := range p.items {
			if err := p.intendItem(d, it); err != nil {
				return err
			}
		}
		if p.also == nil {
			return nil
		}
		return p.also(d)
	})
}

func (p *provision) intendItem(d *draft, it *item) error {
	seed, err := d.learnSeed(it.prints)
	if err != nil {
		return err
	}
	it.seedID = seed.ID
	if it.id, err = p.account(d, it); err != nil {
		return err
	}
	if err := d.escrowItem(it); err != nil {
		return err
	}
	for _, i := range d.landed(it) {
		if err := d.dropIntent(i.ID); err != nil {
			return err
		}
	}
	for _, key := range it.missing() {
		it.claims[key] = d.claims(key, it)
		i, ok := d.openPut(copyRef{key, it.account.ID()})
		if !ok || i.Seed != seed.ID {
			i = ledger.Intent{ID: ledger.NewID(), Kind: intentPut, Key: key, CredID: it.account.ID(), Seed: seed.ID}
		}
		i.Account, i.Touch, i.CreatedAt = it.id, it.touch, now()
		if err := d.putIntent(i); err != nil {
			return err
		}
	}
	return nil
}

// account finds or makes the account that the item's copies belong to.
func (p *provision) account(d *draft, it *item) (string, error) {
	if row, ok := d.accountOfSeed(it.seedID); ok {
		if row.Alias != "" || it.alias == "" {
			return row.ID, nil
		}
		row.Alias = it.alias
		return row.ID, d.putAccount(row)
	}
	row := ledger.Account{
		ID: ledger.NewID(), Seed: it.seedID, Issuer: it.account.Issuer, Name: it.account.Name, Type: it.account.Type,
		Algorithm: it.account.Algorithm, Digits: it.account.Digits, Period: it.account.Period,
		WantCopies: it.wanted, Alias: it.alias, CreatedAt: now(),
	}
	return row.ID, d.putAccount(row)
}

// missing lists the targets that do not have the item yet.
func (it *item) missing() []string {
	return slices.DeleteFunc(slices.Clone(it.targets), func(key string) bool {
		_, holds := it.have[key]
		return holds
	})
}

// keys lists the keys that are to be written to.
func (p *provision) keys() []string {
	var keys []string
	for _, it := range p.items {
		for _, key := range it.missing() {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// write serves all keys in parallel, and waits for those that are not plugged in.
func (p *provision) write(ctx context.Context, waitSeconds int) {
	wait, cancel := patience(ctx, waitSeconds)
	defer cancel()
	var keys sync.WaitGroup
	for _, key := range p.keys() {
		keys.Go(func() {
			if err := p.serve(ctx, wait, key); err != nil {
				p.fail(key, err)
			}
		})
	}
	keys.Wait()
}

// patience ends after so many seconds, or with ctx if they are negative.
func patience(ctx context.Context, seconds int) (context.Context, context.CancelFunc) {
	if seconds < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
}

// await waits for a key to be plugged in, and asks for it.
func (p *provision) await(ctx context.Context, key string, waitSeconds int) {
	wait, cancel := patience(ctx, waitSeconds)
	defer cancel()
	for asked := false; ; asked = true {
		arrival := p.a.nextArrival()
		if p.a.presentWorker(key) != nil || wait.Err() != nil {
			return
		}
		if !asked {
			p.say(api.StepWaitKey, key, nil)
		}
		select {
		case <-arrival:
		case <-wait.Done():
		}
	}
}

// maxResets is how often a key that another program reset is tried again.
const maxResets = 3

// serve writes all of a key's items, once it is plugged in. A key that leaves in the middle is waited for again;
// what it has by then is found and proved, not written twice.
func (p *provision) serve(ctx, wait context.Context, key string) error {
	for resets, asked := 0, false; ; {
		arrival := p.a.nextArrival()
		err := p.a.absent(key)
		if w := p.a.presentWorker(key); w != nil {
			asked = false
			err = p.writeKey(ctx, w, key)
		}
		switch {
		case err == nil, !gone(err) && api.CodeOf(err) != api.CodeKeyAbsent:
			return err
		case (errors.Is(err, hw.ErrReset) || errors.Is(err, errSwapped)) && resets < maxResets:
			resets++
			continue
		case wait.Err() != nil:
			return err
		case !asked:
			p.say(api.StepWaitKey, key, nil)
			asked = true
		}
		select {
		case <-arrival:
		case <-wait.Done():
		}
	}
}

// absent says that a key is needed which is not plugged in.
func (a *Agent) absent(key string) error { return a.absentThen(key, "run the command again") }

// absentThen is absent where something else is to be done once the key is there.
func (a *Agent) absentThen(key, next string) error {
	k := a.view.Load().keys[key]
	if k == nil {
		return refuse(api.CodeKeyAbsent, "\"oathctl keys\" lists the keys that are known", "cannot reach the key: it is not known any more")
	}
	return refuse(api.CodeKeyAbsent, fmt.Sprintf("plug %s in, or hold it to the reader, and %s", k.Label, next),
		"cannot reach %s: it is not plugged in%s", k.Label, k.parenthesis())
}

// writeKey writes a key's items in one transaction, and writes down what came of it before anybody
// else uses the key.
func (p *provision) writeKey(ctx context.Context, w *worker, key string) error {
	var done []attempt
	return p.a.visit(ctx, w, key, func(v *visit) error {
		for _, it := range p.unwritten(key) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			t := p.writeItem(v, it)
			done = append(done, t)
			if fatal(t.err) {
				return t.err
			}
		}
		return nil
	}, func(v *visit, err error) error {
		if failed := p.record(v, done); failed != nil {
			return failed
		}
		return err
	})
}

// unwritten lists the items that are still to be written to the key.
func (p *provision) unwritten(key string) []*item {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*item
	for _, it := range p.items {
		if _, done := it.outcomes[key]; !done && slices.Contains(it.missing(), key) {
			list = append(list, it)
		}
	}
	return list
}

// writeItem puts one credential and proves it. What an earlier, broken attempt left is proved only.
func (p *provision) writeItem(v *visit, it *item) attempt {
	if _, there := v.find(it.account.ID()); there && p.claimed(v.key, it) {
		state, err := p.prove(v, it)
		return attempt{it: it, state: state, open: state == api.CopyPending, err: err}
	}
	features, label := v.Info().Features(), p.a.keyLabel(v.key)
	if err := cmp.Or(suits(features, it, label), takes(features, v.now, it, label)); err != nil {
		return attempt{it: it, err: err}
	}
	p.claim(v.key, it)
	if err := v.Put(ykoath.Put{Account: it.account, Seed: it.seed, Touch: it.touch, Counter: it.counter}); err != nil {
		return attempt{it: it, open: fatal(err), err: err}
	}
	v.added(it.entry())
	if err := p.keepsTouch(v, it); err != nil {
		return p.takeBack(v, it, err)
	}
	p.say(api.StepWritten, v.key, it)
	state, err := p.prove(v, it)
	if api.CodeOf(err) == api.CodeProofFailed {
		return p.takeBack(v, it, err)
	}
	return attempt{it: it, state: state, open: state == api.CopyPending, err: err}
}

func (it *item) entry() ykoath.Entry {
	return ykoath.Entry{ID: it.account.ID(), Type: it.account.Type, Algorithm: it.account.Algorithm}
}

// keepsTouch sees that a credential that is to want a touch does: there are applets that take that word and forget it,
// as pico-fido. CALCULATE ALL shows it; a key that has no such command, or refuses it, is believed.
func (p *provision) keepsTouch(v *visit, it *item) error {
	if !it.touch || it.account.Type == oath.HOTP {
		return nil
	}
	answers, err := v.CalculateAllTruncated(p.a.yardstick().challenge(0))
	if err != nil {
		return nil // if it is more than that, the proof will say so
	}
	for _, answer := range answers {
		if answer.ID == it.account.ID() && !answer.Touch {
			return refuse(api.CodeNotSupported, "add it without --touch, or name another key with --to",
				"cannot write %s to %s: the key took the account, but will not want a touch for its codes", it.account.Label(), p.a.keyLabel(v.key))
		}
	}
	return nil
}

// takeBack deletes what this transaction itself wrote to a free name and what then answered wrong.
func (p *provision) takeBack(v *visit, it *item, cause error) attempt {
	if err := v.Delete(it.account.ID()); err != nil {
		return attempt{it: it, state: api.CopyPending, open: true, err: err}
	}
	v.removed(it.account.ID())
	return attempt{it: it, err: cause}
}

// prove has the key answer the fingerprint step. The state is CopyPending where it did not answer, or not as the
// seed does.
func (p *provision) prove(v *visit, it *item) (api.CopyState, error) {
	if it.account.Type == oath.HOTP {
		return api.CopyWritten, nil
	}
	about := api.Event{Key: v.key, Account: it.id, Label: it.account.Label()}
	t := p.a.expectTouch(v.w, it.touch, about, only(p.who), func() { p.say(api.StepWaitTouch, v.key, it) })
	got, _, err := p.a.yardstick().ask(v.Session, it.account.ID(), it.account)
	t.end()
	if err != nil {
		return api.CopyPending, err
	}
	if got.compare(it.prints) != same {
		return api.CopyPending, refuse(api.CodeProofFailed, "\"oathctl resume\" looks at it again; another program may have written it, or the key is broken",
			"cannot prove %s on %s: the key answers with another seed", it.account.Label(), p.a.keyLabel(v.key))
	}
	p.say(api.StepProved, v.key, it)
	return api.CopyProved, nil
}

// claimed reports whether a credential of the item's name on the key may be the item: an earlier attempt, or this one
// before the key was pulled, may have put it there.
func (p *provision) claimed(key string, it *item) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return it.claims[key]
}

func (p *provision) claim(key string, it *item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	it.claims[key] = true
}

// say reports a step, filling in what people call key and account.
func (p *provision) say(kind api.StepKind, key string, it *item) {
	s := api.Step{Kind: kind, Key: key, KeyLabel: p.a.keyLabel(key)}
	if it != nil {
		s.Account, s.Label = it.id, it.account.Label()
	}
	if kind == api.StepWaitKey {
		s.Candidates = []string{s.KeyLabel}
	}
	p.steps.tell(s)
}
