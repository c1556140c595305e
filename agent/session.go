package agent

import (
	"context"
	"errors"
	"slices"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// open begins a unit of work: SELECT, and VALIDATE where a password is set. It makes sure that the
// key is still the one that this worker has looked at.
func (a *Agent) open(w *worker, card hw.Card) (*ykoath.Session, error) {
	s, err := ykoath.Select(card)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	state := w.state
	a.mu.Unlock()
	if state.selected && state.info.DeviceID() != s.Info().DeviceID() {
		return nil, errSwapped
	}
	return s, a.validate(s)
}

// validate shows the card its password. One that no longer fits is forgotten.
func (a *Agent) validate(s *ykoath.Session) error {
	if !s.Info().PasswordSet() {
		return nil
	}
	key := a.password(s.Info().DeviceID())
	defer key.Wipe()
	if key.Len() == 0 {
		return ykoath.ErrLocked
	}
	err := s.Validate(key)
	if errors.Is(err, ykoath.ErrWrongPassword) {
		a.forget(s.Info().DeviceID())
		return ykoath.ErrLocked
	}
	return err
}

// password returns a copy of the derived key for a device, empty if none is known.
func (a *Agent) password(deviceID string) *oath.Secret {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.passwords[deviceID].Clone()
}

// remember keeps the key derived from a password until the daemon ends or the applet is reset.
func (a *Agent) remember(deviceID string, key *oath.Secret) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgetLocked(deviceID)
	a.passwords[deviceID] = key
}

func (a *Agent) forget(deviceID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgetLocked(deviceID)
}

// forgetLocked is forget for who holds a.mu.
func (a *Agent) forgetLocked(deviceID string) {
	a.passwords[deviceID].Wipe()
	delete(a.passwords, deviceID)
}

// noticed has the key looked at again where an error shows that it is not what it was, or where it works again.
func (a *Agent) noticed(w *worker, err error) {
	a.mu.Lock()
	trouble := w.state.trouble
	a.mu.Unlock()
	_, ofTheLedger := errors.AsType[*api.Error](trouble)
	news := err == nil && trouble != nil && !ofTheLedger
	for _, stale := range []error{errSwapped, hw.ErrReset, ykoath.ErrLocked, ykoath.ErrNoSuchCredential} {
		news = news || errors.Is(err, stale)
	}
	if news {
		a.look(w, false)
	}
}

// visit is a unit of work that changes an adopted key.
type visit struct {
	*ykoath.Session
	a   *Agent
	w   *worker
	key string
	// before is the key's listing as the visit began, now what it has become since.
	before, now []ykoath.Entry
}

// visit runs work with the applet open and listed, and then record, which writes down what came of it before
// anybody else uses the key.
func (a *Agent) visit(ctx context.Context, w *worker, key string, work func(*visit) error, record func(*visit, error) error) error {
	v := &visit{a: a, w: w, key: key}
	if w.slot.Contactless() {
		a.events.publish(api.Event{Kind: api.EventHoldToReader, Key: key, KeyLabel: a.keyLabel(key)})
	}
	return w.do(ctx, func(card hw.Card) (err error) {
		if v.Session, err = a.open(w, card); err != nil {
			return err
		}
		if v.before, err = v.List(); err != nil {
			return err
		}
		v.now = slices.Clone(v.before)
		return work(v)
	}, func(err error) error {
		v.relist()
		a.noticed(w, err)
		return record(v, err)
	})
}

// relist takes over what the key holds now.
func (v *visit) relist() {
	v.a.mu.Lock()
	defer v.a.mu.Unlock()
	if v.now != nil {
		v.w.state.listing = v.now
	}
}

// find looks for a credential on the key, as it is now.
func (v *visit) find(id string) (ykoath.Entry, bool) { return entryOf(v.now, id) }

func entryOf(listing []ykoath.Entry, id string) (ykoath.Entry, bool) {
	n := slices.IndexFunc(listing, func(e ykoath.Entry) bool { return e.ID == id })
	if n < 0 {
		return ykoath.Entry{}, false
	}
	return listing[n], true
}

// added notes a credential that is on the key now, removed one that no longer is.
func (v *visit) added(e ykoath.Entry) {
	v.removed(e.ID)
	v.now = append(v.now, e)
}

func (v *visit) removed(id string) {
	v.now = slices.DeleteFunc(v.now, func(e ykoath.Entry) bool { return e.ID == id })
}

// relist keeps a key's listing known as proved when all that changed is what a visit did, so that the key is
// not probed again when it is plugged in next.
func (d *draft) relist(v *visit) error {
	k := d.keys[v.key]
	if v.now == nil || k.Listing != digestOf(v.before) {
		return nil
	}
	k.Listing = digestOf(v.now)
	return d.putKey(k)
}

// fatal reports whether an error ends the work on a key, not only on one credential: the key did not answer at
// all, so that nobody knows what it did last.
func fatal(err error) bool {
	if err == nil {
		return false
	}
	if _, refused := errors.AsType[hw.Status](err); refused {
		return false
	}
	if _, ours := errors.AsType[*api.Error](err); ours {
		return false
	}
	return !errors.Is(err, ykoath.ErrExists) && !errors.Is(err, ykoath.ErrNotSupported)
}

// silent is fatal for questions, which change nothing: an answer without sense concerns only the credential that gave it.
func silent(err error) bool { return fatal(err) && !errors.Is(err, hw.ErrMalformed) }
