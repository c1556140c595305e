package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// touchMargin is how much of a step must be left when a touch is asked for; a person needs time to find the key.
const touchMargin = 5 * time.Second

// Code computes a code: from memory if this step's was handed out already, else on the best copy. Everybody
// who asks for the same code meanwhile shares the answer, and the touch.
func (a *Agent) Code(ctx context.Context, who Caller, r api.CodeRequest) (api.Code, error) {
	now := time.Now()
	if err := a.checkClock(now); err != nil {
		return api.Code{}, err
	}
	acc, err := a.findFresh(ctx, r.Account)
	if r.Key != "" && api.CodeOf(err) == api.CodeAmbiguous {
		acc, err = a.view.Load().findOn(r.Account, r.Key)
	}
	if err != nil {
		return api.Code{}, err
	}
	if err := checkRequest(r, acc); err != nil {
		return api.Code{}, err
	}
	if r.Key == "" && !r.Fresh && !r.Pair {
		if code := acc.cell.load(now, time.Duration(r.MinValidity)*time.Second); code != nil {
			return *code, nil
		}
	}
	code, err := a.ask(ctx, who, r, acc)
	if errors.Is(err, hw.ErrRemoved) {
		err = hw.WithHint(err, "plug the key in again and repeat the command")
	}
	if err != nil {
		return api.Code{}, cardError(err, "cannot give a code of %s", acc.Label())
	}
	return code, nil
}

// ask has a key compute a code. Where the key was pulled out meanwhile, it is planned once more: it may be back. So it is where the
// code came too late.
func (a *Agent) ask(ctx context.Context, who Caller, r api.CodeRequest, acc *accountView) (api.Code, error) {
	f, err := a.plan(ctx, r, acc)
	if err != nil {
		return api.Code{}, err
	}
	code, err := a.fly(ctx, who, f)
	if api.CodeOf(err) != api.CodeClock && !f.lost(ctx, err) {
		return code, err
	}
	if now := a.view.Load().accounts[acc.ID]; now != nil {
		acc = now
	}
	again, unplanned := a.plan(ctx, r, acc)
	if unplanned != nil {
		return api.Code{}, err
	}
	return a.fly(ctx, who, again)
}

// checkClock refuses to compute codes while the clock is surely wrong, and forgets those from before a jump.
func (a *Agent) checkClock(now time.Time) error {
	if now.Before(a.options.BuildTime) {
		return refuse(api.CodeClock, "set the clock, e.g. with \"timedatectl set-ntp true\"",
			"cannot compute codes: the clock says %s, which is before this program was built", now.Format(time.DateTime))
	}
	if a.clock.jumped(now) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.publish() // with empty cells
	}
	return nil
}

func checkRequest(r api.CodeRequest, acc *accountView) error {
	switch hotp := acc.oath.Type == oath.HOTP; {
	case hotp && r.Pair:
		return refuse(api.CodeBadRequest, "ask twice: each code of a counter is a new one", "cannot give a pair of codes of %s: it counts, and has no time steps", acc.Label())
	case r.MinValidity < 0 || !hotp && r.MinValidity > acc.Period:
		return refuse(api.CodeBadRequest, fmt.Sprintf("ask for 0 to %d", acc.Period), "cannot give a code that lives %d s: the account's step is %d s", r.MinValidity, acc.Period)
	}
	return nil
}

// plan settles which keys are asked for which step. Where no key seems to have the account, those that could not be used
// so far are looked at again; one may have come in the meantime.
func (a *Agent) plan(ctx context.Context, r api.CodeRequest, acc *accountView) (*flight, error) {
	sources, key, err := a.sourcesFor(acc, r.Key)
	if err != nil {
		a.recheck(ctx)
		a.recheckLocked(ctx)
		if again := a.view.Load().accounts[acc.ID]; again != nil {
			acc = again
		}
		sources, key, err = a.sourcesFor(acc, r.Key)
	}
	if err != nil {
		return nil, err
	}
	f := &flight{acc: acc, sources: sources, fresh: r.Fresh, id: flightID{account: acc.ID, key: key, pair: r.Pair}}
	if f.hotp() {
		return f, nil
	}
	margin := time.Duration(r.MinValidity) * time.Second
	if sources[0].Touch {
		margin = max(margin, min(touchMargin, time.Duration(acc.Period)*time.Second/3))
	}
	f.id.step = oath.Step(time.Now().Add(margin), acc.Period)
	if r.Fresh {
		f.id.step, err = a.reserve(ctx, f)
	}
	return f, err
}

// sourcesFor lists the copies that can be asked now, best first, or says why there is none. It also
// returns the id of the key that the selector names.
func (a *Agent) sourcesFor(acc *accountView, selector string) ([]source, string, error) {
	sources, key := acc.sources, ""
	if selector != "" {
		k, err := a.view.Load().findKey(selector)
		if err != nil {
			return nil, "", err
		}
		key = k.ID
		sources = slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return s.Key != k.ID || s.State == api.CopyMissing })
		if len(sources) == 0 {
			return nil, "", refuse(api.CodeNotFound, "it is "+acc.note(), "cannot give a code of %s from %s: it is not on that key", acc.Label(), k.Label)
		}
	}
	ready := slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return !s.ready() })
	if len(ready) == 0 {
		return nil, "", a.unavailable(acc, sources)
	}
	return ready, key, nil
}

// unavailable says where the account's copies are and what to do.
func (a *Agent) unavailable(acc *accountView, sources []source) error {
	v := a.view.Load()
	var where []string
	var candidates []api.Candidate
	var begun *api.Error
	for _, s := range sources {
		k := v.keys[s.Key]
		if s.State == api.CopyMissing || k == nil {
			continue
		}
		if s.Present && s.Locked {
			return lockedKey(k.Label, "cannot give a code of %s: %s is locked", acc.Label(), k.Label)
		}
		if s.Present && s.State == api.CopyPending {
			begun = refuse(api.CodeConflict, "run \"oathctl resume\"",
				"cannot give a code of %s: what was begun with it on %s was broken off", acc.Label(), k.Label)
			continue
		}
		where = append(where, k.Label+k.parenthesis())
		candidates = append(candidates, api.Candidate{ID: k.ID, Label: k.Label, Note: k.note()})
	}
	switch {
	case len(where) == 0 && begun != nil:
		return begun
	case len(where) == 0:
		return refuse(api.CodeKeyAbsent, "enrol it anew at the service, or add the seed from where it is kept", "cannot give a code of %s: no key holds it any more", acc.Label())
	}
	e := refuse(api.CodeKeyAbsent, "plug the key in, or hold it to the reader", "cannot give a code: %s is on %s", acc.Label(), strings.Join(where, " and "))
	e.Candidates = candidates
	a.blame(v, e)
	return e
}

// blame adds why a key that is plugged in may not have been recognised.
func (a *Agent) blame(v *view, e *api.Error) {
	if s := a.Status(); s.Trouble != "" {
		e.Message += "; and no key can be seen: " + s.Trouble
		e.Hint = cmp.Or(s.Hint, e.Hint)
		return
	}
	for _, k := range v.keyList {
		if k.State == api.KeySeen && k.Trouble != "" {
			e.Message += fmt.Sprintf("; and the key in %s: %s", k.Reader, k.Trouble)
			e.Hint = cmp.Or(k.Hint, e.Hint)
		}
	}
}

// reserve finds the first step that was never handed out, waits until it begins and marks it. Who gives up meanwhile
// has used up nothing.
func (a *Agent) reserve(ctx context.Context, f *flight) (uint64, error) {
	for step := a.used.first(f.id.step, f.acc.Period); ; {
		free, err := a.used.free(f.acc.seed, step, f.steps())
		if err != nil {
			return 0, err
		}
		if err := waitUntil(ctx, oath.StepStart(free, f.acc.Period)); err != nil {
			return 0, cardError(err, "cannot wait for a fresh code of %s", f.acc.Label())
		}
		if ours, err := a.used.claim(f.acc.seed, free, f.steps()); ours || err != nil {
			return free, err
		}
		step = free
	}
}

// waitUntil returns at the moment, or when ctx ends.
func waitUntil(ctx context.Context, moment time.Time) error {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// calculate is the unit of work that yields the flight's code.
func (f *flight) calculate(s *ykoath.Session, from source) (err error) {
	if f.hotp() {
		f.code.Code, err = f.one(s, from, nil)
		return err
	}
	step, period := f.id.step, f.acc.Period
	if f.code.Code, err = f.one(s, from, oath.Challenge(step)); err != nil {
		return err
	}
	f.code.ValidFrom, f.code.ValidUntil = oath.StepStart(step, period).UTC(), oath.StepStart(step+1, period).UTC()
	if f.id.pair {
		f.code.Next, err = f.one(s, from, oath.Challenge(step+1))
	}
	return err
}

// one is a single CALCULATE. Steam's letters need more bits than a truncated answer of six digits has.
func (f *flight) one(s *ykoath.Session, from source, challenge []byte) (string, error) {
	calculate := s.CalculateTruncated
	if f.acc.oath.Steam() {
		calculate = s.Calculate
	}
	r, err := calculate(from.CredentialID, challenge)
	if err != nil {
		return "", err
	}
	acc := f.acc.oath
	acc.Digits = r.Digits
	return acc.Code(r.Truncated), nil
}
