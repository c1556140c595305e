package main

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// pile is all that was found in the files that are imported together.
type pile struct {
	o     importOptions
	files []importedFile
	found []*found
	parts []kin.ImportedBatch
	helps []api.PlanChange
}

// found is one account in a file.
type found struct {
	kin.ImportedEntry
	file   string
	number int
	// issuer and name are what it is to be called, which may be another name than the file's; proposed says that nobody agreed to
	// that yet.
	issuer, name string
	proposed     bool
	fate         fate
	reason, hint string
	report       api.AccountReport
}

// take adds what a file holds.
func (p *pile) take(name string, got kin.Imported) {
	p.files = append(p.files, importedFile{File: name, Format: got.Format, Program: got.Program, Accounts: len(got.Entries)})
	for i, e := range got.Entries {
		f := &found{ImportedEntry: e, file: name, number: i + 1, issuer: e.Issuer, name: e.Name}
		switch {
		case e.Problem == "":
		case e.Rename && f.propose():
		default:
			f.fate, f.reason = fateImpossible, e.Problem
		}
		p.found = append(p.found, f)
	}
	for _, b := range got.Batches {
		p.join(b)
	}
}

// join adds the parts of a divided export to those of it that came from other files.
func (p *pile) join(b kin.ImportedBatch) {
	i := slices.IndexFunc(p.parts, func(other kin.ImportedBatch) bool { return other.ID == b.ID && other.Size == b.Size })
	if i < 0 {
		p.parts = append(p.parts, b)
		return
	}
	p.parts[i].Indexes = append(p.parts[i].Indexes, b.Indexes...)
}

// missing lists the parts of divided exports that no file had.
func (p *pile) missing() (list []missingParts) {
	for _, b := range p.parts {
		m := missingParts{Of: b.Size}
		for i := range b.Size {
			if !slices.Contains(b.Indexes, i) {
				m.Parts = append(m.Parts, i+1)
			}
		}
		if m.Parts != nil {
			list = append(list, m)
		}
	}
	return list
}

func (p *pile) wipe() {
	for _, f := range p.found {
		f.Seed.Wipe()
	}
}

// account is what f is to be.
func (f *found) account() oath.Account {
	a := oath.Account{Issuer: f.issuer, Name: f.name, Digits: f.Digits, Period: f.Period}
	a.Type, _ = oath.ParseType(f.Type) // what is unknown is not valid
	a.Algorithm, _ = oath.ParseAlgorithm(f.Algorithm)
	return a
}

// renamed is the name in the file, where f is to have another.
func (f *found) renamed() string {
	if was := (oath.Account{Issuer: f.Issuer, Name: f.Name}).Label(); was != f.account().Label() {
		return was
	}
	return ""
}

// judge asks the daemon what would become of everything.
func (a *app) judge(ctx context.Context, p *pile) error {
	for {
		if err := a.judgeOnce(ctx, p); err != nil {
			return err
		}
		// What is known under another name keeps it: it is one account.
		if renamed, err := a.recognise(ctx, p); err != nil || !renamed {
			return err
		}
	}
}

func (a *app) judgeOnce(ctx context.Context, p *pile) error {
	p.helps = nil
	open := slices.DeleteFunc(slices.Clone(p.found), func(f *found) bool { return f.fate == fateImpossible && f.report.Label == "" || f.fate == fateLeftOut })
	batches := p.batches(open)
	for _, batch := range batches {
		request, seeds := p.request(batch)
		request.DryRun = true
		report, err := a.client.Add(ctx, request, seeds, nil)
		if err != nil {
			return err
		}
		p.helps = append(p.helps, report.Helps...)
		for i, r := range report.Accounts {
			batch[i].judged(r)
		}
	}
	if len(batches) < 2 {
		return nil
	}
	keys, err := a.client.Keys(ctx)
	p.crowd(keys)
	return err
}

// crowd finds no room for what several batches together would fill the keys with: the daemon was asked about each alone. What would
// help each alone helps little.
func (p *pile) crowd(keys []api.Key) {
	p.helps = nil
	room := map[string]int{}
	for _, k := range keys {
		room[k.ID] = math.MaxInt
		if k.Capacity > 0 {
			room[k.ID] = k.Capacity - k.Accounts
		}
	}
	for _, f := range p.found {
		coming := slices.DeleteFunc(slices.Clone(f.report.Outcomes), func(o api.Outcome) bool { return o.Existed })
		if f.fate != fateNew {
			continue
		}
		if i := slices.IndexFunc(coming, func(o api.Outcome) bool { return room[o.Key] <= 0 }); i >= 0 {
			f.fate, f.reason = fateFull, keyName(coming[i].KeyLabel, coming[i].Soft)+" is full with what comes before"
			continue
		}
		for _, o := range coming {
			room[o.Key]--
		}
	}
}

// recognise gives accounts whose seed is known the name under which it is, and says whether there were any.
func (a *app) recognise(ctx context.Context, p *pile) (renamed bool, err error) {
	var known []api.Account
	for _, f := range p.found {
		if f.report.Account == "" {
			continue
		}
		if known == nil {
			if known, err = a.client.Accounts(ctx, ""); err != nil {
				return false, err
			}
		}
		i := slices.IndexFunc(known, func(acc api.Account) bool { return acc.ID == f.report.Account })
		if i < 0 || known[i].Issuer == f.issuer && known[i].Name == f.name {
			continue
		}
		f.issuer, f.name, f.proposed, renamed = known[i].Issuer, known[i].Name, false, true
	}
	return renamed, nil
}

// judged takes the daemon's word for what would become of f.
func (f *found) judged(r api.AccountReport) {
	f.report, f.reason, f.hint = r, "", ""
	first := r.Error
	there := first == nil
	for _, o := range r.Outcomes {
		there = there && o.Existed
		first = cmp.Or(first, o.Error)
	}
	switch {
	case first != nil:
		f.fate, f.reason, f.hint = fates[first.Code], strings.TrimPrefix(first.Message, "cannot add "+r.Label+": "), first.Hint
		f.fate = cmp.Or(f.fate, fateBlocked)
	case there:
		f.fate = fateThere
	default:
		f.fate = fateNew
	}
	if f.proposed && f.fate == fateNew {
		f.reason = "no key holds that name"
	}
}

// unjudged leaves open what would become of the accounts if err says that there is no daemon to ask, and reports whether it does:
// what is in the files can be shown without one.
func (p *pile) unjudged(err error) bool {
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != api.CodeNoDaemon {
		return false
	}
	for _, f := range p.found {
		if f.fate == "" {
			f.fate, f.reason, f.hint = fateUnknown, "oathd is not there to say what is on the keys", e.Hint
		}
	}
	return true
}

// fates say what the daemon's errors make of an account; any other is in the way of it.
var fates = map[api.ErrorCode]fate{
	api.CodeExistsSame: fateDuplicate, api.CodeExists: fateConflict, api.CodeFull: fateFull, api.CodeBadRequest: fateImpossible, api.CodeNotSupported: fateImpossible,
}

// writable are those that the daemon has something to do with, if only for the escrow, or to put an end to an attempt.
func (p *pile) writable() []*found {
	return slices.DeleteFunc(slices.Clone(p.found), func(f *found) bool {
		return f.fate != fateNew && !(f.fate == fateThere && (f.report.Escrow || f.report.Unsettled))
	})
}

// where names what would be written to.
func (p *pile) where() string {
	var names []string
	for _, f := range p.writable() {
		for _, o := range f.report.Outcomes {
			if name := keyName(o.KeyLabel, o.Soft); !o.Existed && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return cmp.Or(strings.Join(names, ", "), "ledger and escrow")
}

// status is what is left to say when err, what the writing came to, is all that went wrong: not everything could be brought along.
func (p *pile) status(err error) error {
	if err != nil {
		return err
	}
	whole := len(p.missing()) == 0 && !slices.ContainsFunc(p.files, func(f importedFile) bool { return f.Error != nil })
	for _, f := range p.found {
		whole = whole && (f.fate == fateNew || f.fate == fateThere || f.fate == fateDuplicate || f.fate == fateLeftOut)
	}
	if !whole {
		return ended(exitPartly)
	}
	return nil
}

// document is the pile as JSON.
func (p *pile) document() imports {
	d := imports{Files: p.files, Accounts: []importedAccount{}, Missing: p.missing(), Helps: p.helps}
	for _, f := range p.found {
		d.Accounts = append(d.Accounts, f.document(p.o.showURI))
	}
	return d
}

func (f *found) document(showURI bool) importedAccount {
	d := importedAccount{
		File: f.file, Number: f.number, Issuer: f.issuer, Name: f.name, Renamed: f.renamed(), Type: f.Type, Algorithm: f.Algorithm, Digits: f.Digits,
		Period: f.Period, Counter: f.Counter, Fate: f.fate, Reason: f.reason, Hint: f.hint, Account: f.report.Account,
		Fingerprint: f.report.Fingerprint, Keys: f.report.Outcomes,
	}
	if showURI {
		d.URI = f.uri()
	}
	return d
}

// uri is the otpauth URI of what the file says, "" where there is no seed. It is shown, so it is no secret any more.
func (f *found) uri() string {
	if f.Seed.Len() == 0 {
		return ""
	}
	a := f.account()
	a.Issuer, a.Name = f.Issuer, f.Name
	text := otpauth.Format(otpauth.Entry{Account: a, Seed: f.Seed, Counter: f.Counter})
	defer text.Wipe()
	return string(text.Bytes())
}
