package agent

import (
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

// provision writes some accounts to some keys.
type provision struct {
	a      *Agent
	who    Caller
	items  []*item
	wanted int

	// mu guards the items' outcomes and lets one goroutine at a time call step.
	mu   sync.Mutex
	step func(api.Step)
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
func (p *provision) intend(ctx context.Context) error {
	names := make([]string, len(p.items))
	for i, it := range p.items {
		names[i] = it.account.Label()
	}
	v := p.a.view.Load()
	what := fmt.Sprintf("add %s to %s", strings.Join(names, ", "), p.labels(v, p.keys()))
	return p.a.change(ctx, p.who, what, func(d *draft) error {
		for _, it := range p.items {
			if err := p.intendItem(d, it); err != nil {
				return err
			}
		}
		return nil
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
	for _, key := range p.missing(it) {
		i, ok := d.openPut(key, it)
		if !ok {
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
		return row.ID, nil
	}
	row := ledger.Account{
		ID: ledger.NewID(), Seed: it.seedID, Issuer: it.account.Issuer, Name: it.account.Name, Type: it.account.Type,
		Algorithm: it.account.Algorithm, Digits: it.account.Digits, Period: it.account.Period,
		WantCopies: wantCopies(it.account.Type, p.wanted), CreatedAt: now(),
	}
	return row.ID, d.putAccount(row)
}

// wantCopies is one for HOTP: the counters of two copies would drift apart.
func wantCopies(t oath.Type, n int) int {
	if t == oath.HOTP {
		return 1
	}
	return n
}

// missing lists the targets that do not have the item yet.
func (p *provision) missing(it *item) []string {
	return slices.DeleteFunc(slices.Clone(it.targets), func(key string) bool {
		_, holds := it.have[key]
		return holds
	})
}

// keys lists the keys that are to be written to.
func (p *provision) keys() []string {
	var keys []string
	for _, it := range p.items {
		for _, key := range p.missing(it) {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// write serves all keys in parallel, and waits for those that are not plugged in.
func (p *provision) write(ctx context.Context, waitSeconds int) {
	wait, cancel := context.WithCancel(ctx)
	if waitSeconds >= 0 {
		wait, cancel = context.WithTimeout(ctx, time.Duration(waitSeconds)*time.Second)
	}
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

// serve writes all of a key's items, once it is plugged in. A key that leaves in the middle is waited for again;
// what it has by then is found and proved, not written twice.
func (p *provision) serve(ctx, wait context.Context, key string) error {
	for asked := false; ; {
		arrival := p.a.nextArrival()
		w := p.a.presentWorker(key)
		if w == nil {
			if wait.Err() != nil {
				return p.a.absent(key)
			}
			if !asked {
				p.tell(api.Step{Kind: api.StepWaitKey}, key, nil)
			}
			asked = true
			select {
			case <-arrival:
			case <-wait.Done():
			}
			continue
		}
		asked = false
		err := p.writeKey(ctx, w, key)
		if !gone(err) || wait.Err() != nil {
			return err
		}
	}
}

// presentWorker returns the worker of an adopted key that is plugged in.
func (a *Agent) presentWorker(key string) *worker {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.workerOf(key)
}

// absent says that a key is needed which is not plugged in.
func (a *Agent) absent(key string) error {
	k := a.view.Load().keys[key]
	if k == nil {
		return refuse(api.CodeKeyAbsent, "", "cannot reach the key: it is not known any more")
	}
	return refuse(api.CodeKeyAbsent, fmt.Sprintf("plug %s in, or hold it to the reader, and run the command again", k.Label),
		"cannot reach %s: it is not plugged in (%s)", k.Label, k.note())
}

// writeKey writes a key's items in one transaction, and writes down what came of it before anybody
// else uses the key.
func (p *provision) writeKey(ctx context.Context, w *worker, key string) error {
	var done []attempt
	var listing []ykoath.Entry
	result := make(chan error, 1)
	w.submit(job{
		work: func(card hw.Card) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s, err := p.a.open(w, card)
			if err != nil {
				return err
			}
			if listing, err = s.List(); err != nil {
				return err
			}
			for _, it := range p.itemsFor(key) {
				attempt := p.writeItem(s, listing, it, key)
				done = append(done, attempt)
				if fatal(attempt.err) {
					return attempt.err
				}
			}
			return nil
		},
		done: func(err error) {
			p.a.noticed(w, err)
			if recorded := p.record(ctx, w, key, listing, done); recorded != nil {
				err = recorded
			}
			result <- err
		},
	})
	return <-result
}

// fatal reports whether an error ends the work on the key, not only on one item: the key did not answer at
// all, so that nobody knows what it did last.
func fatal(err error) bool {
	if err == nil {
		return false
	}
	if _, refused := errors.AsType[hw.Status](err); refused {
		return false
	}
	switch cardError(err, "").Code {
	case api.CodeKeyRemoved, api.CodeKeyHeld, api.CodeRefused, api.CodeNoPCSC, api.CodeCardError, api.CodeCanceled:
		return true
	}
	return false
}

// itemsFor lists the items that are still to be written to the key.
func (p *provision) itemsFor(key string) []*item {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*item
	for _, it := range p.items {
		if _, done := it.outcomes[key]; !done && slices.Contains(p.missing(it), key) {
			list = append(list, it)
		}
	}
	return list
}

// writeItem puts one credential and proves it. What an earlier, broken attempt left is proved only.
func (p *provision) writeItem(s *ykoath.Session, listing []ykoath.Entry, it *item, key string) attempt {
	id := it.account.ID()
	features := s.Info().Features()
	there := slices.ContainsFunc(listing, func(e ykoath.Entry) bool { return e.ID == id })
	if there && p.a.intended(key, it) {
		state, err := p.prove(s, it, key)
		return attempt{it: it, state: state, open: state == "" || state == api.CopyPending, err: err}
	}
	if err := suits(features, it); err != nil {
		return attempt{it: it, err: wrap(api.CodeNotSupported, err, "cannot write %s", id)}
	}
	if err := takes(features, listing, it, p.label(key)); err != nil {
		return attempt{it: it, err: err}
	}
	err := s.Put(ykoath.Put{Account: it.account, Seed: it.seed, Touch: it.touch, Counter: it.counter})
	if err != nil {
		return attempt{it: it, open: fatal(err), err: err}
	}
	p.tell(api.Step{Kind: api.StepWritten}, key, it)
	state, err := p.prove(s, it, key)
	if api.CodeOf(err) == api.CodeProofFailed {
		return p.takeBack(s, it, id, err)
	}
	return attempt{it: it, state: state, open: state == api.CopyPending, err: err}
}

// takeBack deletes what this transaction itself wrote to a free name and what then answered wrong.
func (p *provision) takeBack(s *ykoath.Session, it *item, id string, cause error) attempt {
	if err := s.Delete(id); err != nil {
		return attempt{it: it, state: api.CopyPending, open: true, err: err}
	}
	return attempt{it: it, err: cause}
}

// prove has the key answer the fingerprint step. The state is CopyPending where it did not answer.
func (p *provision) prove(s *ykoath.Session, it *item, key string) (api.CopyState, error) {
	if it.account.Type == oath.HOTP {
		return api.CopyWritten, nil
	}
	a := p.a
	y := a.yardstick()
	var got prints
	err := a.touching(p.who, key, it.id, it.account.Label(), it.touch, p.waitTouch(key, it), func() (err error) {
		got, _, err = y.ask(s, it.account.ID(), it.account)
		return err
	})
	if err != nil {
		return api.CopyPending, err
	}
	if same, _ := got.matches(ledger.Seed{Full: it.prints.full, T4: it.prints.t4}); !same {
		return "", refuse(api.CodeProofFailed, "try again; if it fails again, the key is broken",
			"cannot prove %s on %s: the key answers with another seed", it.account.Label(), p.label(key))
	}
	p.tell(api.Step{Kind: api.StepProved}, key, it)
	return api.CopyProved, nil
}

func (p *provision) waitTouch(key string, it *item) func() {
	return func() { p.tell(api.Step{Kind: api.StepWaitTouch}, key, it) }
}

func (a *Agent) yardstick() yardstick {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.book.yardstick()
}

func (p *provision) label(key string) string {
	if k := p.a.view.Load().keys[key]; k != nil {
		return k.Label
	}
	return key
}

// tell reports a step, filling in what people call key and account.
func (p *provision) tell(s api.Step, key string, it *item) {
	s.Key, s.KeyLabel = key, p.label(key)
	if it != nil {
		s.Account, s.Label = it.id, it.account.Label()
	}
	if s.Kind == api.StepWaitKey {
		s.Candidates = []string{s.KeyLabel}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step(s)
}
