package agent

import (
	"context"
	"fmt"
	"strings"

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

// The secrets of an EnrollRequest, in their order.
const (
	secretPIN = iota
	secretManagement
	secretNewPIN
	secretPUK
	secretNewPUK
	enrollSecrets
)

// Enroll sets up the slot of an adopted key with which the escrow can be opened, and changes PIN, PUK and management key as far
// as that is asked for; or it says what that would do. A slot that is there is taken as it is. The secrets are in the request's order,
// and empty where nothing is to be written; they are wiped.
func (a *Agent) Enroll(ctx context.Context, who Caller, key string, r api.EnrollRequest, secrets []*oath.Secret) (api.Enrollment, error) {
	defer wipeAll(secrets)
	if err := enrollBrought(r, secrets); err != nil {
		return api.Enrollment{}, err
	}
	k, err := a.view.Load().findAdopted(key, "enroll")
	if err != nil {
		return api.Enrollment{}, err
	}
	if k.w == nil {
		return api.Enrollment{}, a.absent(k.ID)
	}
	state, plan, err := planEnrollment(ctx, k, piv.Wish{PIN: r.ChangePIN, PUK: r.ChangePUK, Protect: r.Protect})
	if err != nil {
		return api.Enrollment{}, vaultError(err, "cannot enroll %s", k.Label)
	}
	slot, ours := plan.Reuse, plan.Reuse == nil && a.options.Enroller == nil
	if ours && !r.Plan {
		return api.Enrollment{}, refuse(api.CodeNotSupported, "it takes a key behind pcscd", "cannot enroll %s: it is one of the daemon's own soft keys", k.Label)
	}
	if ours {
		plan.Warnings = append(plan.Warnings, "it cannot be done: this is one of the daemon's own soft keys, and it takes a key behind pcscd")
	}
	if !r.Plan {
		if slot, err = a.enroll(ctx, who, k, state, plan, secrets); err != nil {
			return api.Enrollment{}, err
		}
	}
	e := api.Enrollment{Key: k.Key, Slot: int(plan.Slot), Reuse: plan.Reuse != nil, Steps: plan.Steps, Warnings: plan.Warnings}
	if slot == nil {
		return e, nil
	}
	if e.Recipient, err = escrow.PIVRecipient(slot.Point); err != nil {
		return api.Enrollment{}, vaultError(err, "cannot enroll %s", k.Label)
	}
	e.Key.Attestation, err = a.attest(ctx, k, slot)
	return e, err
}

// enrollBrought finds the secrets to be those that the request needs.
func enrollBrought(r api.EnrollRequest, secrets []*oath.Secret) error {
	if err := brought(secrets, enrollSecrets); err != nil || r.Plan {
		return err
	}
	for _, s := range []struct {
		asked  bool
		secret *oath.Secret
		name   string
	}{
		{r.ChangePIN, secrets[secretNewPIN], "the new PIN"},
		{r.ChangePUK, secrets[secretPUK], "the PUK"},
		{r.ChangePUK, secrets[secretNewPUK], "the new PUK"},
	} {
		if s.asked != (s.secret.Len() > 0) {
			return refuse(api.CodeBadRequest, "send it if it is to be changed, and only then", "cannot read the request: %s is missing, or not asked for", s.name)
		}
	}
	return nil
}

// planEnrollment looks at the key and plans.
func planEnrollment(ctx context.Context, k *keyView, w piv.Wish) (state piv.State, plan piv.Plan, err error) {
	err = k.w.do(ctx, func(card hw.Card) error {
		state, err = piv.Look(card)
		return err
	}, asIs)
	if err == nil {
		plan, err = state.Plan(w)
	}
	return state, plan, err
}

// enroll carries out a plan, each part of it written down before.
func (a *Agent) enroll(ctx context.Context, who Caller, k *keyView, state piv.State, plan piv.Plan, secrets []*oath.Secret) (*piv.Slot, error) {
	slot := plan.Reuse
	if slot == nil {
		if err := a.audit(who, fmt.Sprintf("set up slot %02x of %s for the escrow", plan.Slot, k.Label)); err != nil {
			return nil, err
		}
		var err error
		if slot, err = a.setUp(ctx, who, k, piv.Enrollment{
			Reader: k.w.slot.Reader, Serial: state.Serial, Slot: plan.Slot, PIN: secrets[secretPIN], ManagementKey: orNil(secrets[secretManagement]),
		}); err != nil {
			return nil, err
		}
	}
	if plan.Changes == (piv.Wish{}) {
		return slot, nil
	}
	if err := a.audit(who, "change "+changesOf(plan.Changes)+" of "+k.Label); err != nil {
		return nil, err
	}
	err := k.w.do(ctx, func(card hw.Card) error {
		return piv.Secure(card, piv.Changes{
			PIN: secrets[secretPIN], NewPIN: orNil(secrets[secretNewPIN]), PUK: orNil(secrets[secretPUK]), NewPUK: orNil(secrets[secretNewPUK]),
			Protect: plan.Changes.Protect, ManagementKey: orNil(secrets[secretManagement]),
		})
	}, asIs)
	if err != nil {
		return nil, vaultError(err, "cannot change %s of %s; its escrow slot is set up", changesOf(plan.Changes), k.Label)
	}
	return slot, nil
}

// changesOf names what is changed.
func changesOf(w piv.Wish) string {
	var names []string
	for _, c := range []struct {
		changed bool
		name    string
	}{{w.PUK, "PUK"}, {w.PIN, "PIN"}, {w.Protect, "management key"}} {
		if c.changed {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ", ")
}

// setUp makes the slot. Nobody else here uses the key meanwhile.
func (a *Agent) setUp(ctx context.Context, who Caller, k *keyView, in piv.Enrollment) (*piv.Slot, error) {
	about := api.Event{Key: k.ID, Label: "escrow", Message: "set up the escrow slot"}
	touch := a.newTouch(k.w, about, only(who), nil)
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
	return &slot, nil
}
