package agent

import (
	"slices"
	"time"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

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

func listed(entries []ykoath.Entry) []credential {
	list := make([]credential, len(entries))
	for i, e := range entries {
		list[i] = credential{Entry: e}
	}
	return list
}

// examination says what an adopted key is to be asked for the sake of proofs.
type examination struct {
	due bool
	// quiet are the credentials that are known to need no touch.
	quiet map[string]bool
	// thorough asks for both kinds of fingerprints, as there are seeds that are known by the second kind only: one of
	// them may be on this key.
	thorough bool
}

// examination looks up whether an adopted key's listing is new, or its last proof old.
func (a *Agent) examination(w *worker, state keyState) examination {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, adopted := a.recognise(w, state)
	if !adopted {
		return examination{}
	}
	x := examination{quiet: map[string]bool{}}
	_, x.thorough = a.book.halves()
	x.due = k.Listing != digestOf(state.listing) || time.Since(k.ProvedAt) >= proofLife
	for _, c := range a.book.copiesOn(k.ID) {
		x.quiet[c.CredID] = c.State == string(api.CopyProved) && !c.Touch
	}
	return x
}

// halves reports whether there are seeds that are known by their full fingerprint only, and such that are known by the
// other only.
func (b *book) halves() (full, t4 bool) {
	for _, s := range b.seeds {
		full = full || s.T4 == nil
		t4 = t4 || s.Full == nil
	}
	return full, t4
}

// examine asks all credentials for the fingerprint step with one CALCULATE ALL (and three more for the other
// kind of fingerprint). Where the key has no such command, or refuses it for one credential's sake, those are asked
// one by one that need no touch; the others are left alone, for a key must not blink that nobody asked anything of.
func (l *look) examine(s *ykoath.Session, y yardstick, x examination) error {
	l.examined = true
	steps := 1
	if x.thorough {
		steps = truncatedSteps
	}
	answers := make([][]ykoath.Answer, steps)
	for n := range answers {
		var err error
		if answers[n], err = s.CalculateAll(y.challenge(n)); err != nil {
			if silent(err) {
				return err
			}
			return l.examineSingly(s, y, x)
		}
	}
	for _, answer := range answers[0] {
		if c := l.credential(answer.ID); c != nil {
			c.take(y, answer, answers[1:])
		}
	}
	return nil
}

func (l *look) credential(id string) *credential {
	i := slices.IndexFunc(l.credentials, func(c credential) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &l.credentials[i]
}

// take learns from a credential's part in CALCULATE ALL. more are the answers to the steps that follow, if they
// were asked for.
func (c *credential) take(y yardstick, answer ykoath.Answer, more [][]ykoath.Answer) {
	c.digits, c.touch, c.touchKnown = answer.Digits, answer.Touch, true
	if c.Type != oath.TOTP || answer.Touch || answer.HOTP {
		return
	}
	c.prints = y.ofAnswer(c.account(), answer.Response)
	truncated := [truncatedSteps]uint32{answer.Truncated}
	for n, answers := range more {
		i := slices.IndexFunc(answers, func(next ykoath.Answer) bool { return next.ID == answer.ID })
		if i < 0 {
			return
		}
		truncated[n+1] = answers[i].Truncated
	}
	if len(more) > 0 {
		c.prints.t4 = y.t4(c.account(), truncated)
	}
}

// examineSingly asks the credentials one by one that surely need no touch. One that refuses, as one that only takes
// ever higher challenges does, stays unproven.
func (l *look) examineSingly(s *ykoath.Session, y yardstick, x examination) error {
	for i := range l.credentials {
		c := &l.credentials[i]
		if c.Type != oath.TOTP || s.Info().Features().Touch && !x.quiet[c.ID] {
			continue
		}
		got, digits, err := y.ask(s, c.ID, c.account())
		if silent(err) {
			return err
		}
		if err == nil {
			c.prints, c.digits, c.touchKnown = got, digits, true
		}
	}
	return nil
}
