package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
	if err != nil {
		return api.Code{}, err
	}
	if r.MinValidity < 0 || acc.Period > 0 && r.MinValidity > acc.Period {
		return api.Code{}, refuse(api.CodeBadRequest, "", "cannot give a code that lives %d s: the account's step is %d s", r.MinValidity, acc.Period)
	}
	if r.Key == "" && !r.Fresh && !r.Pair {
		if code, ok := acc.cell.load(now, time.Duration(r.MinValidity)*time.Second); ok {
			return code, nil
		}
	}
	return a.compute(ctx, who, r, acc)
}

// checkClock refuses to compute codes while the clock is surely wrong, and forgets those from before a jump.
func (a *Agent) checkClock(now time.Time) error {
	if now.Before(a.BuildTime) {
		return refuse(api.CodeClock, "set the clock, e.g. with \"timedatectl set-ntp true\"",
			"cannot compute codes: the clock says %s, which is before this program was built", now.Format(time.DateTime))
	}
	if a.clock.jumped(now) {
		a.emptyAllCells()
	}
	return nil
}

// compute asks the keys. acc is what the view showed when the request came.
func (a *Agent) compute(ctx context.Context, who Caller, r api.CodeRequest, acc *accountView) (api.Code, error) {
	sources, err := a.sourcesFor(acc, r.Key)
	if err != nil {
		return api.Code{}, err
	}
	if acc.oath.Type == oath.HOTP {
		return a.fly(ctx, who, &flight{acc: acc, sources: sources})
	}
	step, err := a.chooseStep(ctx, r, acc, sources[0].Touch)
	if err != nil {
		return api.Code{}, err
	}
	id := fmt.Sprintf("%s %s %d %t", acc.ID, r.Key, step, r.Pair)
	return a.fly(ctx, who, &flight{id: id, acc: acc, sources: sources, step: step, pair: r.Pair})
}

// sourcesFor lists the copies that can be asked now, best first, or says why there is none.
func (a *Agent) sourcesFor(acc *accountView, selector string) ([]source, error) {
	sources := acc.sources
	if selector != "" {
		k, err := a.view.Load().findKey(selector)
		if err != nil {
			return nil, err
		}
		sources = slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return s.Key != k.ID })
		if len(sources) == 0 {
			return nil, refuse(api.CodeNotFound, "it is "+acc.note(), "cannot give a code of %s from %s: it is not on that key", acc.Label(), k.Label)
		}
	}
	ready := slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return !s.ready() })
	if len(ready) == 0 {
		return nil, a.unavailable(acc, sources)
	}
	return ready, nil
}

// unavailable says where the account's copies are and what to do.
func (a *Agent) unavailable(acc *accountView, sources []source) error {
	v := a.view.Load()
	var where []string
	e := refuse(api.CodeKeyAbsent, "", "")
	for _, s := range sources {
		k := v.keys[s.Key]
		if k == nil {
			continue
		}
		if s.Present && s.Locked {
			return refuse(api.CodeLocked, fmt.Sprintf("run \"oathctl password unlock %s\"", k.Label), "cannot give a code of %s: %s is locked", acc.Label(), k.Label)
		}
		if s.State == api.CopyMissing {
			continue
		}
		where = append(where, strings.TrimSuffix(fmt.Sprintf("%s (%s)", k.Label, k.note()), " ()"))
		e.Candidates = append(e.Candidates, api.Candidate{ID: k.ID, Label: k.Label, Note: k.note()})
	}
	if len(where) == 0 {
		return refuse(api.CodeKeyAbsent, "enrol it anew at the service, or add the seed from where it is kept", "cannot give a code of %s: no key holds it any more", acc.Label())
	}
	e.Message = fmt.Sprintf("cannot give a code: %s is on %s", acc.Label(), strings.Join(where, " and "))
	e.Hint = "plug the key in, or hold it to the reader"
	if t := a.Status(); t.Trouble != "" {
		e.Message += "; and no key can be seen: " + t.Trouble
		e.Hint = cmp.Or(t.Hint, e.Hint)
	}
	return e
}

// chooseStep picks the time step to compute and marks what is to be fresh. It waits for the next step where a
// fresh code is asked for and this step's was handed out.
func (a *Agent) chooseStep(ctx context.Context, r api.CodeRequest, acc *accountView, touch bool) (uint64, error) {
	margin := time.Duration(r.MinValidity) * time.Second
	if touch {
		margin = max(margin, min(touchMargin, time.Duration(acc.Period)*time.Second/3))
	}
	now := time.Now()
	step := oath.Step(now.Add(margin), acc.Period)
	n := uint64(1)
	if r.Pair {
		n = 2
	}
	if !r.Fresh {
		return step, a.used.mark(ctx, acc.seed, step, n)
	}
	step, err := a.used.reserve(ctx, acc.seed, step, n)
	if err != nil {
		return 0, err
	}
	return step, waitUntil(ctx, oath.StepStart(step, acc.Period))
}

// waitUntil returns at the moment, or when ctx ends.
func waitUntil(ctx context.Context, moment time.Time) error {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return cardError(ctx.Err(), "cannot wait for the next time step")
	}
}

// calculate is the unit of work that yields the flight's code.
func (f *flight) calculate(s *ykoath.Session, from source) error {
	if f.acc.oath.Type == oath.HOTP {
		value, err := f.one(s, from, nil)
		f.code.Code = value
		return err
	}
	value, err := f.one(s, from, oath.Challenge(f.step))
	if err != nil {
		return err
	}
	f.code.Code = value
	f.code.ValidFrom = oath.StepStart(f.step, f.acc.Period).UTC()
	f.code.ValidUntil = oath.StepStart(f.step+1, f.acc.Period).UTC()
	if f.pair {
		f.code.Next, err = f.one(s, from, oath.Challenge(f.step+1))
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
