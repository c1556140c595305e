package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/oath"
)

// enrollOptions are the flags of key enroll.
type enrollOptions struct {
	plan, yes               bool
	newPIN, newPUK, protect bool
	givenKey                bool
}

// changes reports whether anything but the slot is to be changed.
func (o enrollOptions) changes() bool { return o.newPIN || o.newPUK || o.protect }

func (a *app) enrollCommand() *cobra.Command {
	var o enrollOptions
	c := &cobra.Command{
		Use:   "enroll KEY",
		Short: "Give a key the slot with which it can open the escrow",
		Long: `Makes a key in a free retired PIV slot that asks for PIN and touch at each use, or takes the one that is
there. It says what it will do and asks; PIN, PUK, management key and all other slots stay as they
are, unless a flag says otherwise. "oathctl escrow recipients add --key KEY" then lets it open the
escrow. What was broken off is finished by the same command.

It takes the PIV PIN, then what the flags need, in this order: the management key in hexadecimal, the
new PIN, the PUK, the new PUK. They are asked for, or read from standard input, a line each.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeKeys,
		RunE:              func(c *cobra.Command, args []string) error { return a.enroll(c.Context(), args[0], o) },
	}
	f := c.Flags()
	f.BoolVar(&o.plan, "plan", false, "only say what it would do")
	f.BoolVarP(&o.yes, "yes", "y", false, "ask nothing but for the secrets")
	f.BoolVar(&o.newPIN, "new-pin", false, "replace the PIN, e.g. the factory's")
	f.BoolVar(&o.newPUK, "new-puk", false, "replace the PUK, which unblocks the PIN")
	f.BoolVar(&o.protect, "protect", false, "replace the management key by a random one, kept on the key behind the PIN")
	f.BoolVar(&o.givenKey, "management-key", false, "ask for the management key, which is neither the factory's nor behind the PIN")
	return c
}

func (a *app) enroll(ctx context.Context, key string, o enrollOptions) error {
	e, err := a.enrollPlan(ctx, key, o)
	if err != nil {
		return err
	}
	if o.plan || e.Reuse && !o.changes() {
		return a.term.answer(e, planWords(e))
	}
	p := &prompts{a: a}
	defer p.close()
	if e, err = a.carryOut(ctx, p, e, o); err != nil {
		return err
	}
	lines := append([]string{enrolledWords(e)}, attestationWords(e.Key)...)
	return a.term.answer(e, append(lines, "next: oathctl escrow recipients add --key "+e.Key.Label+"   (or oathctl escrow init)"))
}

func enrolledWords(e api.Enrollment) string {
	return fmt.Sprintf("%s: slot %x can open an escrow", keyName(e.Key.Label, e.Key.Soft), e.Slot)
}

// enrollPlan asks what a set-up would do.
func (a *app) enrollPlan(ctx context.Context, key string, o enrollOptions) (e api.Enrollment, err error) {
	r := o.request()
	r.Plan = true
	err = a.opened(ctx, func(ctx context.Context) (err error) {
		e, err = a.client.Enroll(ctx, key, r, client.EnrollSecrets{})
		return err
	})
	return e, err
}

func (o enrollOptions) request() api.EnrollRequest {
	return api.EnrollRequest{ChangePIN: o.newPIN, ChangePUK: o.newPUK, Protect: o.protect}
}

// carryOut says what was planned, makes sure that it is wanted, and has it done.
func (a *app) carryOut(ctx context.Context, p *prompts, e api.Enrollment, o enrollOptions) (api.Enrollment, error) {
	a.term.say(planWords(e)...)
	if !o.yes {
		if err := a.confirmEnroll(ctx, keyName(e.Key.Label, e.Key.Soft)); err != nil {
			return e, err
		}
	}
	secrets, err := p.enrollSecrets(ctx, o, e.Key.Label)
	defer secrets.Wipe()
	if err != nil {
		return e, err
	}
	return a.enrollOne(ctx, e, o, secrets)
}

// enrollOne has done what was planned.
func (a *app) enrollOne(ctx context.Context, e api.Enrollment, o enrollOptions, secrets client.EnrollSecrets) (api.Enrollment, error) {
	err := a.opened(ctx, func(ctx context.Context) (err error) {
		e, err = a.client.Enroll(ctx, e.Key.ID, o.request(), secrets)
		return err
	})
	return e, err
}

// enrollSecrets asks for what a set-up needs; what it has got before an error is the caller's to wipe too.
func (p *prompts) enrollSecrets(ctx context.Context, o enrollOptions, key string) (s client.EnrollSecrets, err error) {
	for _, field := range []struct {
		needed bool
		secret **oath.Secret
		ask    func() (*oath.Secret, error)
	}{
		{true, &s.PIN, func() (*oath.Secret, error) { return p.secret(ctx, "PIV PIN of "+key) }},
		{o.givenKey, &s.ManagementKey, func() (*oath.Secret, error) { return p.hexSecret(ctx, "Management key, in hexadecimal") }},
		{o.newPIN, &s.NewPIN, func() (*oath.Secret, error) { return p.newSecret(ctx, "New PIN, 6 to 8 characters", "the new PIN") }},
		{o.newPUK, &s.PUK, func() (*oath.Secret, error) { return p.secret(ctx, "PUK") }},
		{o.newPUK, &s.NewPUK, func() (*oath.Secret, error) { return p.newSecret(ctx, "New PUK, 6 to 8 characters", "the new PUK") }},
	} {
		if !field.needed {
			continue
		}
		if *field.secret, err = field.ask(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// hexSecret is secret for bytes.
func (p *prompts) hexSecret(ctx context.Context, what string) (*oath.Secret, error) {
	text, err := p.secret(ctx, what)
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	b := oath.NewSecret(hex.DecodedLen(text.Len()))
	if _, err := hex.Decode(b.Bytes(), text.Bytes()); err != nil {
		b.Wipe()
		return nil, badInput("it has 32, 48 or 64 digits, 0 to 9 and a to f", "cannot use the management key: it is not hexadecimal")
	}
	return b, nil
}

func (a *app) confirmEnroll(ctx context.Context, name string) error {
	if !a.term.asks {
		return usagef("--yes says that you are sure", "cannot enroll %s: there is no terminal to ask whether you are sure", name)
	}
	sure, err := a.term.confirm(ctx, "Do it?")
	if err == nil && !sure {
		err = &api.Error{Code: api.CodeCanceled, Message: "cannot enroll " + name + ": you said no"}
	}
	return err
}

// enrollMissing gives those of the keys a slot that have none yet, one after the other, after asking once or with yes. It returns those, with
// their PINs, for the caller to wipe even if there is an error.
func (a *app) enrollMissing(ctx context.Context, p *prompts, keys []string, yes bool) (openers, error) {
	if !a.term.asks && !yes {
		return nil, nil // the daemon says what is missing
	}
	var missing []api.Enrollment
	for _, key := range keys {
		e, err := a.enrollPlan(ctx, key, enrollOptions{})
		if err != nil {
			return nil, err
		}
		switch twice := slices.ContainsFunc(missing, func(other api.Enrollment) bool { return other.Key.ID == e.Key.ID }); {
		case e.Reuse:
			a.term.say(enrolledWords(e))
		case !twice:
			missing = append(missing, e)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	return a.enrollAll(ctx, p, missing, yes)
}

// enrollAll says what is planned for some keys, makes sure that it is wanted, and has it done.
func (a *app) enrollAll(ctx context.Context, p *prompts, plans []api.Enrollment, yes bool) (done openers, err error) {
	a.term.say(plansWords(plans)...)
	if !yes {
		var names []string
		for _, e := range plans {
			names = append(names, keyName(e.Key.Label, e.Key.Soft))
		}
		if err := a.confirmEnroll(ctx, strings.Join(names, ", ")); err != nil {
			return nil, err
		}
	}
	for _, e := range plans {
		secrets, err := p.enrollSecrets(ctx, enrollOptions{}, e.Key.Label)
		done = append(done, opener{api.Opener{By: api.OpenPIV, Key: e.Key.ID}, secrets.PIN})
		if err == nil {
			e, err = a.enrollOne(ctx, e, enrollOptions{}, secrets)
		}
		if err != nil {
			return done, err
		}
		a.term.say(enrolledWords(e))
	}
	return done, nil
}

// plansWords says once what is the same for keys that follow each other.
func plansWords(plans []api.Enrollment) (lines []string) {
	for len(plans) > 0 {
		n := 1
		name := keyName(plans[0].Key.Label, plans[0].Key.Soft)
		for n < len(plans) && samePlan(plans[0], plans[n]) {
			name += ", " + keyName(plans[n].Key.Label, plans[n].Key.Soft)
			n++
		}
		lines = append(lines, slotWords(name, plans[0])...)
		plans = plans[n:]
	}
	return lines
}

func samePlan(a, b api.Enrollment) bool {
	return slices.Equal(a.Steps, b.Steps) && slices.Equal(a.Warnings, b.Warnings)
}

func planWords(e api.Enrollment) []string { return slotWords(keyName(e.Key.Label, e.Key.Soft), e) }

func slotWords(name string, e api.Enrollment) []string {
	lines := []string{name + ", to open the escrow:"}
	for _, step := range e.Steps {
		lines = append(lines, "  "+step)
	}
	return append(lines, warningWords(e.Warnings)...)
}
