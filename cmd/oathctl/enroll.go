package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) enrollCommand() *cobra.Command {
	var plan, yes bool
	c := &cobra.Command{
		Use:   "enroll KEY",
		Short: "Give a key the slot with which it can open the escrow",
		Long: `Makes a key in a free retired PIV slot that asks for PIN and touch at each use, or takes the one that is
there. It says what it will do and asks; PIN, PUK, management key and all other slots stay as they
are. It takes the PIV PIN. "oathctl escrow recipients add --key KEY" then lets it open the escrow.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeKeys,
		RunE:              func(c *cobra.Command, args []string) error { return a.enroll(c.Context(), args[0], plan, yes) },
	}
	c.Flags().BoolVar(&plan, "plan", false, "only say what it would do")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "ask nothing but the PIN")
	return c
}

func (a *app) enroll(ctx context.Context, key string, plan, sure bool) error {
	e, err := a.askEnroll(ctx, key, api.EnrollRequest{Plan: true})
	if err != nil {
		return err
	}
	if plan || e.Reuse {
		return a.term.answer(e, planWords(e))
	}
	a.term.say(planWords(e)...)
	if !sure {
		if err := a.confirmEnroll(ctx, e.Key); err != nil {
			return err
		}
	}
	if e, err = a.askEnroll(ctx, e.Key.ID, api.EnrollRequest{}); err != nil {
		return err
	}
	return a.term.answer(e, []string{
		fmt.Sprintf("%s: slot %x can open an escrow", keyName(e.Key.Label, e.Key.Soft), e.Slot),
		"next: oathctl escrow recipients add --key " + e.Key.Label + "   (or oathctl escrow init)",
	})
}

// askEnroll asks for the PIN, if something is to be done, and sends the request.
func (a *app) askEnroll(ctx context.Context, key string, r api.EnrollRequest) (e api.Enrollment, err error) {
	p := &prompts{a: a}
	defer p.close()
	if r.Plan {
		err = a.opened(ctx, func(ctx context.Context) (err error) {
			e, err = a.client.Enroll(ctx, key, r, nil)
			return err
		})
		return e, err
	}
	pin, err := p.secret(ctx, "PIV PIN")
	if err != nil {
		return e, err
	}
	defer pin.Wipe()
	err = a.opened(ctx, func(ctx context.Context) (err error) {
		e, err = a.client.Enroll(ctx, key, r, pin)
		return err
	})
	return e, err
}

func (a *app) confirmEnroll(ctx context.Context, key api.Key) error {
	name := keyName(key.Label, key.Soft)
	if !a.term.asks {
		return usagef("--yes says that you are sure", "cannot enroll %s: there is no terminal to ask whether you are sure", name)
	}
	sure, err := a.term.confirm(ctx, "Do it?")
	if err == nil && !sure {
		err = &api.Error{Code: api.CodeCanceled, Message: "cannot enroll " + name + ": you said no"}
	}
	return err
}

func planWords(e api.Enrollment) []string {
	lines := []string{keyName(e.Key.Label, e.Key.Soft) + ", to open the escrow:"}
	for _, step := range e.Steps {
		lines = append(lines, "  "+step)
	}
	return append(lines, warningWords(e.Warnings)...)
}
