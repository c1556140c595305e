package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/mgmt"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// proofLife is how long a proof of a whole key is believed when the key's listing has not changed.
const proofLife = 30 * 24 * time.Hour

// identity is what a key says of itself outside of the OATH applet.
type identity struct {
	read bool
	// managed: it has a Management application, as a YubiKey and what takes after it.
	managed  bool
	serial   uint32
	firmware string
	form     string
}

// look is what one unit of work found on a key.
type look struct {
	state       keyState
	credentials []credential
	// examined says that the key was asked for proofs, as far as it can give any.
	examined bool
}

// sighting is a look at a key that is queued or under way, with everybody who waits for it.
type sighting struct {
	// force asks for proofs although nothing seems to have changed.
	force bool
	err   error
	// proved are the credentials that answered the fingerprint step.
	proved map[string]bool
	ended  chan struct{}
}

// proved lists the credentials that answered the fingerprint step.
func (l *look) proved() map[string]bool {
	proved := map[string]bool{}
	for _, c := range l.credentials {
		proved[c.ID] = c.prints.known()
	}
	return proved
}

// look queues a look at a key that was plugged in, or that turned out to be changed. Who asks while one is
// queued joins it.
func (a *Agent) look(w *worker, force bool) *sighting {
	a.mu.Lock()
	if s := w.next; s != nil {
		s.force = s.force || force
		a.mu.Unlock()
		return s
	}
	s := &sighting{force: force, ended: make(chan struct{})}
	w.next = s
	a.mu.Unlock()
	w.submit(a.identify(w, s))
	return s
}

// inspect looks at a key and waits until what was seen is recorded.
func (a *Agent) inspect(ctx context.Context, w *worker, force bool) error {
	return a.look(w, force).wait(ctx)
}

// wait returns what went wrong with the look, once what was seen is recorded.
func (s *sighting) wait(ctx context.Context) error {
	select {
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inspectAll looks at several keys at once. What goes wrong is shown as the key's trouble.
func (a *Agent) inspectAll(ctx context.Context, workers []*worker) {
	var looks []*sighting
	for _, w := range workers {
		looks = append(looks, a.look(w, false))
	}
	for _, s := range looks {
		select {
		case <-s.ended:
		case <-ctx.Done():
			return
		}
	}
}

// Refresh looks again at every key that is plugged in. It costs a SELECT and a LIST for each, and
// what other applets on these keys had verified, so it happens only when somebody asks.
func (a *Agent) Refresh(ctx context.Context) {
	a.inspectAll(ctx, a.workersWhere(func(*worker) bool { return true }))
}

// recheck looks at the keys that were just plugged in, and again at those that could not be used when they were last looked at:
// whoever held them may be gone, or a keyring may know their passwords.
func (a *Agent) recheck(ctx context.Context) {
	a.recalled(ctx)
	a.inspectAll(ctx, a.workersWhere(func(w *worker) bool { return !w.state.known || w.state.trouble != nil }))
}

// recheckLocked looks again at the keys that are locked: another program may have cleared their passwords.
func (a *Agent) recheckLocked(ctx context.Context) {
	a.inspectAll(ctx, a.workersWhere(func(w *worker) bool { return w.state.locked }))
}

// workersWhere lists the workers that match; match is called with a.mu held.
func (a *Agent) workersWhere(match func(*worker) bool) []*worker {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.workers), func(w *worker) bool { return !match(w) })
}

// identify is the job of a look: serial, SELECT, LIST, and proofs if the key is adopted and its listing is new.
func (a *Agent) identify(w *worker, s *sighting) job {
	var found look
	begun := false
	return job{
		work: func(card hw.Card) error {
			begun, found.state = true, a.beginLook(w, s)
			return a.lookAt(w, card, s.force, &found)
		},
		done: func(err error) {
			defer close(s.ended)
			s.proved = found.proved()
			if s.err = err; !begun {
				found.state = a.beginLook(w, s)
			}
			if errors.Is(err, ykoath.ErrLocked) {
				found.state.locked, found.state.listing = true, nil
			} else {
				found.state.trouble = err
			}
			if unrecorded := a.learn(w, found); unrecorded != nil {
				s.err = unrecorded
			}
		},
	}
}

// beginLook takes a look off the queue, so that nobody joins it any more. What was known of the key holds until
// something else is seen.
func (a *Agent) beginLook(w *worker, s *sighting) keyState {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.next == s {
		w.next = nil
	}
	state := w.state
	state.trouble, state.locked = nil, false
	return state
}

// lookAt is a look's unit of work. With force it asks for proofs although nothing seems to have changed.
func (a *Agent) lookAt(w *worker, card hw.Card, force bool, l *look) error {
	if err := l.state.identity.ask(card); err != nil {
		return err
	}
	s, err := ykoath.Select(card)
	if errors.Is(err, ykoath.ErrNoApplet) && !l.state.identity.managed {
		err = hw.WithHint(err, "if it is a security key, switch its OATH application on with its maker's program; any other card oathd leaves alone")
	}
	if err != nil {
		return err
	}
	l.state.info, l.state.selected = s.Info(), true
	if err := a.validate(s); err != nil {
		return err
	}
	if l.state.listing, err = s.List(); err != nil {
		return err
	}
	l.credentials = listed(l.state.listing)
	if x := a.examination(w, l.state); x.due || force {
		return l.examine(s, a.yardstick(), x)
	}
	return nil
}

// ask reads the key's serial number and form, once.
func (i *identity) ask(card hw.Card) error {
	if i.read {
		return nil
	}
	info, err := mgmt.Read(card)
	if err != nil && !errors.Is(err, mgmt.ErrAbsent) {
		return err
	}
	*i = identity{read: true, managed: err == nil, serial: info.Serial, firmware: info.Version, form: info.FormFactor}
	return nil
}

// serial returns the serial number: that of the Management applet or, on a Nitrokey, of the OATH applet.
func (s keyState) serial() uint32 { return cmp.Or(s.identity.serial, s.info.Serial) }

// firmware returns the version, "" while it isn't known.
func (s keyState) firmware() string {
	if s.identity.firmware != "" || !s.selected {
		return s.identity.firmware
	}
	return s.info.Version.String()
}

// learn takes a look's findings into memory and, for an adopted key, into the ledger. What a look found on a key
// that has left meanwhile is of no use. The error is the ledger's.
func (a *Agent) learn(w *worker, found look) (err error) {
	a.mu.Lock()
	if !slices.Contains(a.workers, w) || errors.Is(found.state.trouble, hw.ErrRemoved) {
		w.state.trouble = found.state.trouble
		a.mu.Unlock()
		return nil
	}
	first := !w.state.known
	k, adopted := a.recognise(w, found.state)
	found.state.known, found.state.key = true, k.ID
	a.forgetStale(w.state, found.state, k)
	reset := resetFrom(w.state, found.state, k)
	w.state = found.state
	recall, life := a.beginRecall(w), a.life
	if !adopted {
		a.publish()
	}
	a.mu.Unlock()
	if adopted {
		err = a.record(w, k.ID, found)
	}
	kind := api.EventKeyChanged
	if first {
		kind = api.EventKeyIn
	}
	a.events.publish(a.view.Load().keyEvent(kind, w))
	a.arrived()
	if reset != "" {
		a.running.Go(func() { a.dropKept(life, reset) })
	}
	if recall != nil {
		a.running.Go(func() { recall(life) })
	}
	return err
}

// resetFrom returns the device id that a key had before its applet was reset, "" if it was not.
func resetFrom(before, now keyState, k ledger.Key) string {
	old := before.info.DeviceID()
	if n := len(k.DeviceIDs); old == "" && n > 0 {
		old = k.DeviceIDs[n-1]
	}
	if !now.selected || old == now.info.DeviceID() {
		return ""
	}
	return old
}

// forgetStale drops the passwords that a reset made void: of device ids that the key no longer has, and of a key
// that asks for none any more. Callers hold a.mu.
func (a *Agent) forgetStale(before, now keyState, k ledger.Key) {
	if !now.selected {
		return
	}
	id := now.info.DeviceID()
	for _, old := range append([]string{before.info.DeviceID()}, k.DeviceIDs...) {
		if old != id || !now.info.PasswordSet() {
			a.forgetLocked(old)
		}
	}
}

// recognise finds the adopted key that is in front of us, by serial or, where one is missing, by the applet's id. What it
// was found to be it stays while it is plugged in, even if its applet is reset. Two keys with one serial are never both
// taken for it. Callers hold a.mu.
func (a *Agent) recognise(w *worker, state keyState) (ledger.Key, bool) {
	if w.state.selected {
		k, ok := a.book.keys[w.state.key]
		return k, ok
	}
	for _, k := range a.book.keys {
		if k.State != string(api.KeyAdopted) || !sameKey(k, state) {
			continue
		}
		if other := a.workerOf(k.ID); other == nil || other == w {
			return k, true
		}
	}
	return ledger.Key{}, false
}

// sameKey reports whether a key in the ledger is the one that is in front of us, as far as it tells.
func sameKey(k ledger.Key, s keyState) bool {
	if s.selected && k.Soft != s.info.Soft {
		return false
	}
	if k.Serial != 0 && s.serial() != 0 {
		return k.Serial == s.serial()
	}
	id := s.info.DeviceID()
	return id != "" && slices.Contains(k.DeviceIDs, id)
}

// workerOf returns the worker of an adopted key that is plugged in. Callers hold a.mu.
func (a *Agent) workerOf(key string) *worker {
	for _, w := range a.workers {
		if key != "" && w.state.key == key {
			return w
		}
	}
	return nil
}

// presentWorker is workerOf for who does not hold a.mu.
func (a *Agent) presentWorker(key string) *worker {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.workerOf(key)
}

// keyOf returns the ledger's id of the key that a worker works on, "" if it is not adopted.
func (a *Agent) keyOf(w *worker) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return w.state.key
}

// record writes what was seen of an adopted key. What can't be written is shown as the key's trouble.
func (a *Agent) record(w *worker, key string, found look) error {
	var stopped []ledger.Copy
	err := a.observe(func(d *draft) (err error) {
		stopped, err = d.reconcile(key, found)
		return err
	})
	if err != nil {
		a.log.Error("cannot record what was seen of a key", "reader", w.slot.Reader, "error", err)
		a.mu.Lock()
		defer a.mu.Unlock()
		w.state.trouble = err
		a.publish()
		return err
	}
	a.reportStopped(stopped)
	return nil
}

// reportStopped tells about copies that answered with another seed than before.
func (a *Agent) reportStopped(copies []ledger.Copy) {
	for _, c := range copies {
		e := api.Event{Kind: api.EventMismatch, Key: c.Key, KeyLabel: a.keyLabel(c.Key), Account: c.Account, Label: c.CredID}
		a.events.publish(e)
		a.log.Warn("a copy answers with another seed than before", "key", e.KeyLabel, "credential", c.CredID)
	}
}

// digestOf tells one listing of a key from another, whatever the order.
func digestOf(entries []ykoath.Entry) string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = string([]byte{byte(e.Type) | byte(e.Algorithm)}) + e.ID
	}
	slices.Sort(ids)
	h := sha256.New()
	for _, id := range ids {
		h.Write([]byte{byte(len(id))})
		h.Write([]byte(id))
	}
	return hex.EncodeToString(h.Sum(nil))
}
