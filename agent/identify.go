package agent

import (
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
	"github.com/oathd/oathd/oath"
)

// proofLife is how long a proof of a whole key is believed when the key's listing has not changed.
const proofLife = 30 * 24 * time.Hour

// credential is what a look at a key told of one credential.
type credential struct {
	ykoath.Entry
	// digits is 0 and touch unknown where only a LIST was asked for.
	digits     int
	touch      bool
	touchKnown bool
	prints     prints
}

// account returns the public half, with the digits where the key told them.
func (c credential) account() oath.Account {
	acc := oath.ParseID(c.Type, c.ID)
	acc.Algorithm, acc.Digits = c.Algorithm, c.digits
	return acc
}

// look is what one unit of work found on a key.
type look struct {
	state       keyState
	credentials []credential
}

// identify looks at a key that was plugged in, or that turned out to be changed: serial, SELECT,
// LIST, and proofs if it is adopted and its listing is new. Whatever fails is kept as the key's trouble.
func (a *Agent) identify(w *worker, force bool) job {
	var found look
	return job{
		work: func(card hw.Card) (err error) {
			found, err = a.lookAt(w, card, force)
			return err
		},
		done: func(err error) {
			if errors.Is(err, hw.ErrRemoved) {
				return
			}
			found.state.known, found.state.trouble = true, err
			if errors.Is(err, ykoath.ErrLocked) {
				found.state.locked, found.state.trouble = true, nil
			}
			a.learn(w, found)
		},
	}
}

// lookAt is identify's unit of work. With force it probes although nothing seems to have changed.
func (a *Agent) lookAt(w *worker, card hw.Card, force bool) (look, error) {
	var l look
	info, err := mgmt.Read(card)
	if err != nil && !errors.Is(err, mgmt.ErrAbsent) {
		return l, err
	}
	l.state.serial, l.state.form = info.Serial, info.FormFactor
	s, err := ykoath.Select(card)
	if err != nil {
		return l, err
	}
	l.state.info, l.state.firmware = s.Info(), s.Info().Version.String()
	if info.Version != "" {
		l.state.firmware = info.Version
	}
	key := a.password(s.Info().DeviceID())
	defer key.Wipe()
	if err := a.validate(s, key); err != nil {
		return l, err
	}
	if l.state.listing, err = s.List(); err != nil {
		return l, err
	}
	l.credentials = listed(l.state.listing)
	if y, due := a.proofDue(w, l.state); due || force {
		return l, l.probe(s, y)
	}
	return l, nil
}

func listed(entries []ykoath.Entry) []credential {
	list := make([]credential, len(entries))
	for i, e := range entries {
		list[i] = credential{Entry: e}
	}
	return list
}

// probe asks all credentials for the fingerprint step with one CALCULATE ALL. Keys that have no such
// command, or refuse it for one credential's sake, are left listed but unproven: a CALCULATE
// by itself could make a key blink that nobody asked anything of.
func (l *look) probe(s *ykoath.Session, y yardstick) error {
	answers, err := s.CalculateAll(y.challenge(0))
	if errors.Is(err, ykoath.ErrNotSupported) || errors.Is(err, ykoath.ErrTouchTimeout) || errors.Is(err, ykoath.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	l.state.probed = true
	for _, answer := range answers {
		i := slices.IndexFunc(l.credentials, func(c credential) bool { return c.ID == answer.ID })
		if i < 0 {
			continue
		}
		c := &l.credentials[i]
		c.digits, c.touch, c.touchKnown = answer.Digits, answer.Touch, true
		if c.Type == oath.TOTP && !answer.Touch {
			c.prints = y.ofAnswer(c.account(), answer.Response)
		}
	}
	return nil
}

// password returns a copy of the derived key for a device, empty if none is known.
func (a *Agent) password(deviceID string) *oath.Secret {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.passwords[deviceID].Clone()
}

// proofDue reports whether an adopted key's listing is new, or its last proof old.
func (a *Agent) proofDue(w *worker, state keyState) (yardstick, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, adopted := a.recognise(w, state)
	if !adopted {
		return a.book.yardstick(), false
	}
	unchanged := k.Listing == digestOf(state.listing) && time.Since(k.ProvedAt) < proofLife
	return a.book.yardstick(), !unchanged
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

// recognise finds the adopted key that is in front of us, by serial or by the applet's id. Two keys with
// one serial are never both taken for it. Callers hold a.mu.
func (a *Agent) recognise(w *worker, state keyState) (ledger.Key, bool) {
	for _, k := range a.book.keys {
		sameSerial := k.Serial != 0 && k.Serial == state.serial
		sameDevice := state.serial == 0 && slices.Contains(k.DeviceIDs, state.info.DeviceID())
		if (sameSerial || sameDevice) && k.Soft == state.info.Soft && k.State == string(api.KeyAdopted) {
			if other := a.workerOf(k.ID); other == nil || other == w {
				return k, true
			}
		}
	}
	return ledger.Key{}, false
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

// learn takes a look's findings into memory and, for an adopted key, into the ledger.
func (a *Agent) learn(w *worker, found look) {
	a.mu.Lock()
	k, adopted := a.recognise(w, found.state)
	if adopted {
		found.state.key = k.ID
	}
	w.state = found.state
	if !adopted {
		a.publish()
	}
	a.mu.Unlock()
	if adopted {
		a.record(w, k.ID, found)
	}
	a.events.publish(a.view.Load().keyEvent(api.EventKeyIn, w))
	a.arrived()
}

// record writes what was seen of an adopted key. What can't be written is shown as the key's trouble.
func (a *Agent) record(w *worker, key string, found look) {
	var stopped []ledger.Copy
	err := a.observe(a.ctx, func(d *draft) (err error) {
		stopped, err = d.reconcile(key, found)
		return err
	})
	if err != nil {
		a.setTrouble(w, err)
		return
	}
	a.reportStopped(stopped)
}

func (a *Agent) setTrouble(w *worker, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.state.trouble = err
	a.publish()
	a.log.Error("cannot record what was seen of a key", "reader", w.slot.Reader, "error", err)
}

// reportStopped tells about copies that answered with another seed than before.
func (a *Agent) reportStopped(copies []ledger.Copy) {
	v := a.view.Load()
	for _, c := range copies {
		e := api.Event{Kind: api.EventMismatch, Key: c.Key, Account: c.Account, Label: c.CredID}
		if k := v.keys[c.Key]; k != nil {
			e.KeyLabel = k.Label
		}
		a.events.publish(e)
		a.log.Warn("a copy answers with another seed than before", "key", e.KeyLabel, "credential", c.CredID)
	}
}

// inspect looks at the key again and waits until it is recorded: after a change, or because somebody asks.
func (a *Agent) inspect(ctx context.Context, w *worker, force bool) error {
	result := make(chan error, 1)
	j := a.identify(w, force)
	learn := j.done
	j.done = func(err error) {
		learn(err)
		result <- err
	}
	w.submit(j)
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
