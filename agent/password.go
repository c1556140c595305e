package agent

import (
	"context"
	"fmt"

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
	return a.alter(ctx, who, key, "set the password of", func(s *ykoath.Session) error {
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
	return a.alter(ctx, who, key, "clear the password of", func(s *ykoath.Session) error {
		if err := s.ClearCode(); err != nil {
			return err
		}
		a.forget(s.Info().DeviceID())
		return nil
	})
}

// alter changes an adopted key that is plugged in and unlocked. The audit line comes first: what can't be
// written down is not done.
func (a *Agent) alter(ctx context.Context, who Caller, key, what string, work func(*ykoath.Session) error) (api.Key, error) {
	k, err := a.findAdopted(key)
	if err != nil {
		return api.Key{}, err
	}
	if !k.Present {
		return api.Key{}, a.absent(k.ID)
	}
	if k.Locked {
		return api.Key{}, refuse(api.CodeLocked, fmt.Sprintf("run \"oathctl password unlock %s\"", k.Label), "cannot %s %s: it is locked", what, k.Label)
	}
	if err := a.audit(ctx, who, what+" "+k.Label); err != nil {
		return api.Key{}, err
	}
	err = k.w.doAll(ctx, func(card hw.Card) error {
		s, err := a.open(k.w, card)
		if err != nil {
			return err
		}
		return work(s)
	})
	if err != nil {
		a.noticed(k.w, err)
		return api.Key{}, cardError(err, "cannot %s %s", what, k.Label)
	}
	return a.lookAgain(ctx, k)
}

func (a *Agent) lookAgain(ctx context.Context, k *keyView) (api.Key, error) {
	if err := a.inspect(ctx, k.w, false); err != nil {
		return api.Key{}, cardError(err, "cannot look at %s again", k.Label)
	}
	a.events.publish(api.Event{Kind: api.EventKeyChanged, Key: k.ID, KeyLabel: k.Label})
	return a.Key(k.ID)
}

// audit writes a line about something that changes nothing in the ledger.
func (a *Agent) audit(ctx context.Context, who Caller, what string) error {
	return a.change(ctx, who, what, func(*draft) error { return nil })
}

// Unlock tries the password and keeps what it derives from it until the daemon ends; the password is wiped.
func (a *Agent) Unlock(ctx context.Context, who Caller, key string, password *oath.Secret) (api.Key, error) {
	defer password.Wipe()
	k, err := a.view.Load().findKey(key)
	if err != nil {
		return api.Key{}, err
	}
	if !k.Present {
		return api.Key{}, a.absent(k.ID)
	}
	if !k.PasswordSet {
		return api.Key{}, refuse(api.CodeBadRequest, "", "cannot unlock %s: it has no password", k.Label)
	}
	if err := a.audit(ctx, who, "unlock "+k.Label); err != nil {
		return api.Key{}, err
	}
	err = k.w.doAll(ctx, func(card hw.Card) error {
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
	})
	if err != nil {
		return api.Key{}, cardError(err, "cannot unlock %s", k.Label)
	}
	return a.lookAgain(ctx, k)
}

// Reset empties a key's OATH applet, passwords included. Without force it refuses while accounts would be lost
// that no other key has.
func (a *Agent) Reset(ctx context.Context, who Caller, key string, r api.ResetRequest) (api.Key, error) {
	k, err := a.findAdopted(key)
	if err != nil {
		return api.Key{}, err
	}
	if !k.Present {
		return api.Key{}, a.absent(k.ID)
	}
	if lost := a.view.Load().onlyOn(k.ID); len(lost) > 0 && !r.Force {
		e := refuse(api.CodeLastCopy, "use --force if they are closed, or their seeds are kept elsewhere",
			"cannot reset %s: %d accounts are on no other key", k.Label, len(lost))
		e.Candidates = lost
		return api.Key{}, e
	}
	if err := a.audit(ctx, who, "reset the OATH application of "+k.Label); err != nil {
		return api.Key{}, err
	}
	if err := a.wipeKey(ctx, k); err != nil {
		return api.Key{}, cardError(err, "cannot reset %s", k.Label)
	}
	return a.lookAgain(ctx, k)
}

// wipeKey resets the applet and, before anybody else uses the key, forgets what was on it.
func (a *Agent) wipeKey(ctx context.Context, k *keyView) error {
	result := make(chan error, 1)
	k.w.submit(job{
		work: func(card hw.Card) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s, err := ykoath.Select(card)
			if err != nil {
				return err
			}
			a.forget(s.Info().DeviceID())
			return s.Reset()
		},
		done: func(err error) {
			if err == nil {
				err = a.observe(ctx, func(d *draft) error {
					k.w.state.known = false
					return d.emptyKey(k.ID)
				})
			}
			result <- err
		},
	})
	return <-result
}

// emptyKey forgets a key's copies and open intents.
func (d *draft) emptyKey(key string) error {
	touched := map[string]bool{}
	for _, c := range d.copiesOn(key) {
		touched[c.Account] = true
		if err := d.dropCopy(c); err != nil {
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
