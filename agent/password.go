package agent

import (
	"cmp"
	"context"
	"errors"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// SetPassword sets the applet's password; the password is wiped.
func (a *Agent) SetPassword(ctx context.Context, who Caller, key string, password *oath.Secret) (api.Key, error) {
	defer password.Wipe()
	if password.Len() == 0 {
		return api.Key{}, refuse(api.CodeBadRequest, "\"oathctl password clear\" removes a password", "cannot set an empty password")
	}
	return a.alterPassword(ctx, who, key, "set the password of", func(s *ykoath.Session) error {
		derived := ykoath.DeriveKey(password.Bytes(), s.Info().Salt)
		if err := s.SetCode(derived); err != nil {
			derived.Wipe()
			return err
		}
		a.remember(s.Info().DeviceID(), derived)
		return nil
	})
}

// ClearPassword removes the applet's password; the key must be unlocked.
func (a *Agent) ClearPassword(ctx context.Context, who Caller, key string) (api.Key, error) {
	return a.alterPassword(ctx, who, key, "clear the password of", func(s *ykoath.Session) error {
		if err := s.ClearCode(); err != nil {
			return err
		}
		a.forget(s.Info().DeviceID())
		return nil
	})
}

// alterPassword is alter for a password: the one that is remembered, if any is, no longer fits.
func (a *Agent) alterPassword(ctx context.Context, who Caller, key, what string, work func(*ykoath.Session) error) (api.Key, error) {
	k, err := a.alter(ctx, who, key, what, work)
	if err == nil {
		a.dropKept(ctx, k.DeviceID)
	}
	return k, err
}

// alter changes an adopted key that is plugged in and unlocked. The audit line comes first: what can't be
// written down is not done.
func (a *Agent) alter(ctx context.Context, who Caller, key, what string, work func(*ykoath.Session) error) (api.Key, error) {
	k, err := a.findPresent(ctx, key, what)
	if err != nil {
		return api.Key{}, err
	}
	if k.State != api.KeyAdopted {
		return api.Key{}, notAdopted(k.Label, "cannot %s %s: it is not adopted", what, k.Label)
	}
	if k.Locked {
		return api.Key{}, lockedKey(k.Label, "cannot %s %s: it is locked", what, k.Label)
	}
	if err := a.audit(who, what+" "+k.Label); err != nil {
		return api.Key{}, err
	}
	err = k.w.do(ctx, func(card hw.Card) error {
		s, err := a.open(k.w, card)
		if err != nil {
			return err
		}
		return work(s)
	}, asIs)
	if err != nil {
		a.noticed(k.w, err)
		return api.Key{}, cardError(err, "cannot %s %s", what, k.Label)
	}
	return a.lookAgain(ctx, k)
}

// findPresent finds a key that is plugged in and can be used; what says what is to be done.
func (a *Agent) findPresent(ctx context.Context, selector, what string) (*keyView, error) {
	a.recheck(ctx)
	k, err := a.view.Load().findKey(selector)
	if err != nil {
		return nil, err
	}
	if !k.Present {
		return nil, a.absent(k.ID)
	}
	if k.Trouble != "" {
		a.mu.Lock()
		defer a.mu.Unlock()
		return nil, cardError(k.w.state.trouble, "cannot %s %s", what, k.Label)
	}
	return k, nil
}

// lookAgain sees what a change of the key's own made of it.
func (a *Agent) lookAgain(ctx context.Context, k *keyView) (api.Key, error) {
	if err := a.inspect(ctx, k.w, false); err != nil {
		return api.Key{}, cardError(err, "cannot look at %s again", k.Label)
	}
	if id := a.keyOf(k.w); id != "" {
		return a.Key(id)
	}
	return a.Key(k.ID)
}

// audit writes a line about something that changes nothing in the ledger.
func (a *Agent) audit(who Caller, what string) error { return a.change(who, what, asItIs) }

// Unlock tries the password and keeps what it derives from it until the daemon ends; the password is wiped.
func (a *Agent) Unlock(ctx context.Context, who Caller, key string, password *oath.Secret) (api.Key, error) {
	defer password.Wipe()
	k, err := a.findLocked(ctx, key)
	if err != nil {
		return api.Key{}, err
	}
	if err := a.audit(who, "unlock "+k.Label); err != nil {
		return api.Key{}, err
	}
	err = k.w.do(ctx, func(card hw.Card) error {
		s, err := ykoath.Select(card)
		if err != nil {
			return err
		}
		derived := ykoath.DeriveKey(password.Bytes(), s.Info().Salt)
		if err := s.Validate(derived); err != nil {
			derived.Wipe()
			return err
		}
		a.remember(s.Info().DeviceID(), derived)
		return nil
	}, asIs)
	if err != nil {
		return api.Key{}, cardError(err, "cannot unlock %s", k.Label)
	}
	return a.lookAgain(ctx, k)
}

// findLocked finds a key that has a password. One that had none is looked at again: another program may have set one since.
func (a *Agent) findLocked(ctx context.Context, selector string) (*keyView, error) {
	k, err := a.findPresent(ctx, selector, "unlock")
	if err != nil || k.PasswordSet {
		return k, err
	}
	if err := a.inspect(ctx, k.w, false); err != nil && !errors.Is(err, ykoath.ErrLocked) {
		return nil, cardError(err, "cannot unlock %s", k.Label)
	}
	if k, err = a.view.Load().findKey(cmp.Or(a.keyOf(k.w), k.ID)); err == nil && !k.PasswordSet {
		err = noPassword(k)
	}
	return k, err
}

// noPassword says why a key cannot be unlocked that asks for no password. A Nitrokey may have a PIN instead.
func noPassword(k *keyView) error {
	if k.Locked {
		return refuse(api.CodeNotSupported, "clear the PIN with the maker's own program",
			"cannot unlock %s: it has a PIN in place of a password, and oathd does not know how to enter it", k.Label)
	}
	return refuse(api.CodeBadRequest, "nothing is to be done", "cannot unlock %s: it has no password", k.Label)
}

// Reset empties a key's OATH applet, passwords included. Without force it refuses while accounts would be lost
// that no other key has.
func (a *Agent) Reset(ctx context.Context, who Caller, key string, r api.ResetRequest) (api.Key, error) {
	k, err := a.findPresent(ctx, key, "reset")
	if err != nil {
		return api.Key{}, err
	}
	if k.State != api.KeyAdopted {
		return api.Key{}, notAdopted(k.Label, "cannot reset %s: it is not adopted", k.Label)
	}
	if lost := a.view.Load().onlyOn(k.ID); len(lost) > 0 && !r.Force {
		e := refuse(api.CodeLastCopy, "use --force if they are closed, or their seeds are kept elsewhere",
			"cannot reset %s: %s would be lost, on no other key", k.Label, accounts(len(lost)))
		e.Candidates = lost
		return api.Key{}, e
	}
	if err := a.audit(who, "reset the OATH application of "+k.Label); err != nil {
		return api.Key{}, err
	}
	if err := a.empty(ctx, who, k); err != nil {
		return api.Key{}, cardError(err, "cannot reset %s", k.Label)
	}
	a.dropKept(ctx, k.DeviceID)
	return a.lookAgain(ctx, k)
}

// empty resets the applet, which may wait for a touch, and, before anybody else uses the key, forgets what was on it.
func (a *Agent) empty(ctx context.Context, who Caller, k *keyView) error {
	return k.w.do(ctx, func(card hw.Card) error {
		s, err := ykoath.Select(card)
		if err != nil {
			return err
		}
		old := s.Info().DeviceID()
		t := a.expectTouch(k.w, false, api.Event{Key: k.ID}, only(who), nil)
		if err = s.Reset(); errors.Is(err, ykoath.ErrLocked) {
			err = a.resetUnlocked(s)
		}
		if t.end(); err != nil {
			return err
		}
		a.forget(old)
		a.mu.Lock()
		defer a.mu.Unlock()
		k.w.state.info, k.w.state.listing = s.Info(), nil
		return nil
	}, func(err error) error {
		if err != nil {
			a.noticed(k.w, err)
			return err
		}
		return a.observe(func(d *draft) error { return d.emptyKey(k.ID) })
	})
}

// resetUnlocked resets an applet that wants its password even for that, as VivoKey's does.
func (a *Agent) resetUnlocked(s *ykoath.Session) error {
	if err := a.validate(s); err != nil {
		return err
	}
	return s.Reset()
}

// emptyKey forgets a key's copies and open intents.
func (d *draft) emptyKey(key string) error {
	touched := map[string]bool{}
	for _, c := range d.copiesOn(key) {
		touched[c.Account] = true
		if err := d.dropCopy(copyRef{c.Key, c.CredID}); err != nil {
			return err
		}
	}
	for id, i := range d.intents {
		if i.Key != key {
			continue
		}
		touched[i.Account] = true
		if err := d.dropIntent(id); err != nil {
			return err
		}
	}
	for account := range touched {
		if err := d.dropIfEmpty(account); err != nil {
			return err
		}
	}
	return nil
}

// onlyOn lists the accounts that no other key has.
func (v *view) onlyOn(key string) []api.Candidate {
	var list []api.Candidate
	for _, acc := range v.accountList {
		if acc.recorded && lastCopies(acc, func(s source) bool { return s.Key == key }) {
			list = append(list, api.Candidate{ID: acc.ID, Label: acc.Label()})
		}
	}
	return list
}
