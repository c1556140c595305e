package agent

import (
	"context"
	"fmt"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Enroller sets up escrow slots; piv.Enroller is one. It takes the card for itself meanwhile.
type Enroller interface {
	Enroll(ctx context.Context, e piv.Enrollment, progress func(piv.Step)) (piv.Slot, error)
}

// Enroll sets up the slot of an adopted key with which the escrow can be opened, or says what that would do. A slot that is there is
// taken as it is. The one secret is the PIV PIN, empty where nothing is to be written; it is wiped.
func (a *Agent) Enroll(ctx context.Context, who Caller, key string, r api.EnrollRequest, secrets []*oath.Secret) (api.Enrollment, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 1); err != nil {
		return api.Enrollment{}, err
	}
	k, err := a.view.Load().findAdopted(key, "enroll")
	if err != nil {
		return api.Enrollment{}, err
	}
	if k.w == nil {
		return api.Enrollment{}, a.absent(k.ID)
	}
	state, plan, err := planEnrollment(ctx, k)
	if err != nil {
		return api.Enrollment{}, vaultError(err, "cannot enroll %s", k.Label)
	}
	e := api.Enrollment{Key: k.Key, Slot: int(plan.Slot), Reuse: plan.Reuse != nil, Steps: plan.Steps, Warnings: plan.Warnings}
	slot := plan.Reuse
	if slot == nil && !r.Plan {
		if slot, err = a.setUp(ctx, who, k, piv.Enrollment{Reader: k.w.slot.Reader, Serial: state.Serial, Slot: plan.Slot, PIN: secrets[0]}); err != nil {
			return api.Enrollment{}, err
		}
	}
	if slot != nil {
		e.Recipient, err = escrow.PIVRecipient(slot.Point)
	}
	if err != nil {
		return api.Enrollment{}, vaultError(err, "cannot enroll %s", k.Label)
	}
	return e, nil
}

// planEnrollment looks at the key and plans.
func planEnrollment(ctx context.Context, k *keyView) (state piv.State, plan piv.Plan, err error) {
	err = k.w.do(ctx, func(card hw.Card) error {
		state, err = piv.Look(card)
		return err
	}, asIs)
	if err == nil {
		plan, err = state.Plan()
	}
	return state, plan, err
}

// setUp makes the slot. Nobody else here uses the key meanwhile.
func (a *Agent) setUp(ctx context.Context, who Caller, k *keyView, in piv.Enrollment) (*piv.Slot, error) {
	if a.options.Enroller == nil {
		return nil, refuse(api.CodeNotSupported, "it takes a key behind pcscd", "cannot enroll %s: it is one of the daemon's own soft keys", k.Label)
	}
	about := api.Event{Key: k.ID, Label: "escrow", Message: "set up the escrow slot"}
	touch := a.newTouch(about, only(who), nil)
	defer touch.end()
	var slot piv.Slot
	err := k.w.alone(ctx, func() (err error) {
		slot, err = a.options.Enroller.Enroll(ctx, in, func(step piv.Step) {
			if step == piv.StepTouch {
				touch.expect(true)
			}
		})
		return err
	})
	if err != nil {
		return nil, vaultError(err, "cannot enroll %s", k.Label)
	}
	what := fmt.Sprintf("set up slot %02x of %s for the escrow", slot.ID, k.Label)
	return &slot, a.change(who, what, func(*draft) error { return nil })
}
