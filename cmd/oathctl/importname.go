package main

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/oath"
)

// This file is about names that a key cannot hold, or that another account has: for the first there is a proposal, for both a
// question.

// propose gives f a name that a key can hold, and reports whether there is one. Nobody has agreed to it yet.
func (f *found) propose() bool {
	f.issuer, f.name = printable(strings.ReplaceAll(f.Issuer, ":", " ")), printable(f.Name)
	if f.name == "" {
		f.issuer, f.name = "", f.issuer
	}
	// The issuer is cut too where it is most of the name; the name gets what is left.
	if over := f.over(); over > 0 && len(f.issuer) > oath.MaxIDLen/2 {
		f.issuer = cut(f.issuer, max(len(f.issuer)-over, oath.MaxIDLen/2))
	}
	if over := f.over(); over > 0 {
		f.name = cut(f.name, len(f.name)-over)
	}
	f.proposed = true
	return f.account().Validate() == nil
}

// over is by how many bytes the name is longer than a key's names are.
func (f *found) over() int { return len(f.account().ID()) - oath.MaxIDLen }

// cut shortens s to at most n bytes, between two characters.
func cut(s string, n int) string {
	if n >= len(s) {
		return s
	}
	for n = max(n, 0); n > 0 && !utf8.RuneStart(s[n]); n-- {
	}
	return strings.TrimSpace(s[:n])
}

// printable leaves out what no name may have in it.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
}

// settle asks about each account whose name cannot stay, until the daemon has no more to say against the answers. It reports
// whether anything is changed.
func (a *app) settle(ctx context.Context, p *pile) (changed bool, err error) {
	for {
		asked := false
		for _, f := range p.found {
			if !f.unsettled() {
				continue
			}
			asked = true
			if err := a.settleOne(ctx, f); err != nil {
				return changed, err
			}
		}
		if !asked {
			return changed, nil
		}
		changed = true
		if err := a.judge(ctx, p); err != nil {
			return changed, err
		}
	}
}

// unsettled holds for what an answer could change.
func (f *found) unsettled() bool {
	return f.fate == fateConflict || f.fate == fateNew && f.proposed || f.fate == fateImpossible && f.Rename
}

// settleOne asks what an account is to be called.
func (a *app) settleOne(ctx context.Context, f *found) error {
	why, question := f.reason, "Another name for it, or nothing to leave it out:"
	if f.proposed {
		why = f.Problem
		question = fmt.Sprintf("Its name [%s], another one, or - to leave it out:", f.account().Label())
	}
	a.term.tell(ink.Paint(ink.Bold, (oath.Account{Issuer: f.Issuer, Name: f.Name}).Label())+" in "+f.file, "  "+why)
	answer, err := a.term.ask(ctx, question)
	if err != nil {
		return err
	}
	switch {
	case answer == "" && f.proposed:
		f.proposed = false
	case answer == "", answer == "-":
		f.fate, f.reason, f.hint = fateLeftOut, "you said so", ""
	default:
		f.issuer, f.name = "", answer
		if issuer, name, found := strings.Cut(answer, ":"); found {
			f.issuer, f.name = strings.TrimSpace(issuer), strings.TrimSpace(name)
		}
		f.proposed = false
	}
	return nil
}
