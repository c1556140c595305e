package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// withFlag is the flag --with: what is to open the escrow.
type withFlag struct{ value string }

func (w *withFlag) add(c *cobra.Command) {
	c.Flags().StringVar(&w.value, "with", "", "what opens the escrow: piv:KEY, recovery or passphrase")
	completes(c, map[string]completion{"with": completeWords("piv:", "recovery", "passphrase")})
}

// parse reads what was given; "piv" alone is the one key that is plugged in.
func (w *withFlag) parse() (api.Opener, error) {
	kind, key, named := strings.Cut(w.value, ":")
	o := api.Opener{By: api.OpenerKind(kind), Key: key}
	switch {
	case o.By == api.OpenPIV && (!named || key != ""):
		return o, nil
	case (o.By == api.OpenRecovery || o.By == api.OpenPassphrase) && !named:
		return o, nil
	}
	return api.Opener{}, usagef("--with piv:KEY, --with recovery or --with passphrase", "cannot open the escrow with %q", w.value)
}

// prompts has a command's secrets: what is typed at a terminal, else the lines of standard input in the order in
// which they are needed. It is closed when the command ends.
type prompts struct {
	a *app
	// text is all of standard input, rest what is left of it.
	text *oath.Secret
	rest []byte
}

// secret returns the next secret, the caller's to wipe.
func (p *prompts) secret(ctx context.Context, what string) (*oath.Secret, error) {
	if p.a.term.asks {
		return p.filled(p.a.term.askSecret(ctx, what+" (not shown):"))
	}
	if p.text == nil {
		text, err := readAll(p.a.term.in, maxInput)
		if err != nil {
			return nil, badInput("", "cannot read standard input: %w", err)
		}
		p.text, p.rest = text, text.Bytes()
	}
	line, rest, _ := bytes.Cut(p.rest, []byte("\n"))
	p.rest = rest
	return p.filled(oath.CopySecret(trimLineEnd(line)), nil)
}

func (p *prompts) filled(s *oath.Secret, err error) (*oath.Secret, error) {
	if err == nil && s.Len() == 0 {
		s.Wipe()
		return nil, badInput("type it at a terminal, or give it on standard input, a line for each secret", "cannot go on: a secret is missing")
	}
	return s, err
}

// newPassphrase asks for a passphrase that is to be set.
func (p *prompts) newPassphrase(ctx context.Context) (*oath.Secret, error) {
	return p.newSecret(ctx, "New passphrase", "the passphrase")
}

// newSecret asks twice at a terminal: nobody sees what is typed.
func (p *prompts) newSecret(ctx context.Context, what, name string) (*oath.Secret, error) {
	pass, err := p.secret(ctx, what)
	if err != nil || !p.a.term.asks {
		return pass, err
	}
	again, err := p.secret(ctx, "Once more")
	if err != nil {
		pass.Wipe()
		return nil, err
	}
	defer again.Wipe()
	if !pass.Equal(again) {
		pass.Wipe()
		return nil, badInput("", "cannot use %s: the two are not the same", name)
	}
	return pass, nil
}

func (p *prompts) close() { p.text.Wipe() }

// opener is what opens the escrow, with its secret.
type opener struct {
	api.Opener
	secret *oath.Secret
}

func (o *opener) wipe() { o.secret.Wipe() }

// openers are some whose secrets are known.
type openers []opener

// secret returns the secret of one, which stays theirs; nil if it is not among them.
func (list openers) secret(o api.Opener) *oath.Secret {
	for _, known := range list {
		if known.Opener == o {
			return known.secret
		}
	}
	return nil
}

func (list openers) wipe() {
	for _, o := range list {
		o.wipe()
	}
}

// opener finds out what is to open the escrow, and asks for its secret, once per command: nobody is asked where there is no escrow.
func (a *app) opener(ctx context.Context, w withFlag, p *prompts) (*opener, error) {
	if a.term.asks {
		if _, err := a.escrowThere(ctx); err != nil {
			return nil, err
		}
	}
	return a.backupOpener(ctx, w, p)
}

// escrowThere finds out before anything is asked whether there is an escrow.
func (a *app) escrowThere(ctx context.Context) (api.Escrow, error) {
	e, err := a.client.Escrow(ctx)
	if err == nil && !e.Exists {
		err = &api.Error{Code: api.CodeNoEscrow, Message: "cannot use the escrow: there is none yet", Hint: "run \"oathctl escrow init\""}
	}
	return e, err
}

// backupOpener is opener where there need be no escrow yet.
func (a *app) backupOpener(ctx context.Context, w withFlag, p *prompts) (*opener, error) {
	chosen, err := a.chooseOpener(ctx, w)
	if err != nil {
		return nil, err
	}
	secret, err := p.secret(ctx, a.openerPrompt(ctx, chosen))
	if err != nil {
		return nil, err
	}
	return &opener{chosen, secret}, nil
}

// openerPrompt names a key as people know it: a PIN that is typed for another one costs a try.
func (a *app) openerPrompt(ctx context.Context, o api.Opener) string {
	switch {
	case o.By == api.OpenRecovery:
		return "Recovery key"
	case o.By == api.OpenPassphrase:
		return "Passphrase"
	case o.Key != "" && a.term.asks:
		if key, err := a.client.Key(ctx, o.Key); err == nil {
			return "PIV PIN of " + key.Label
		}
		return "PIV PIN of " + o.Key
	}
	return "PIV PIN"
}

func (a *app) chooseOpener(ctx context.Context, w withFlag) (api.Opener, error) {
	if w.value != "" {
		return w.parse()
	}
	if !a.term.asks {
		return api.Opener{}, usagef("--with piv:KEY, --with recovery or --with passphrase says it; the secret is read from standard input",
			"cannot tell what is to open the escrow")
	}
	openers, words, err := a.possibleOpeners(ctx)
	if err != nil {
		return api.Opener{}, err
	}
	if len(openers) == 1 {
		return openers[0], nil
	}
	i, err := a.term.chooseOne(ctx, "Open the escrow with which?", words)
	if err != nil {
		return api.Opener{}, err
	}
	return openers[i], nil
}

// possibleOpeners lists what can open the escrow; where there is none yet, what could open a backup.
func (a *app) possibleOpeners(ctx context.Context) ([]api.Opener, []string, error) {
	e, err := a.client.Escrow(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(e.Recipients) > 0 {
		openers, words := openersOf(e)
		return openers, words, nil
	}
	keys, err := a.client.Keys(ctx)
	openers, words := openersOfAny(keys)
	return openers, words, err
}

// openersOfAny names each key that is plugged in, for a PIN that is typed for another one costs a try.
func openersOfAny(keys []api.Key) (openers []api.Opener, words []string) {
	openers, words = []api.Opener{{By: api.OpenRecovery}, {By: api.OpenPassphrase}}, []string{"the recovery key", "the passphrase"}
	for _, key := range keys {
		if key.Present {
			openers, words = append(openers, api.Opener{By: api.OpenPIV, Key: key.ID}), append(words, keyName(key.Label, key.Soft))
		}
	}
	if len(openers) == 2 {
		return append(openers, api.Opener{By: api.OpenPIV}), append(words, "a security key")
	}
	return openers, words
}

func openersOf(e api.Escrow) (openers []api.Opener, words []string) {
	recovery := false
	for _, r := range e.Recipients {
		if r.By == api.OpenRecovery && recovery {
			continue // the typed key says by itself which paper it is from
		}
		recovery = recovery || r.By == api.OpenRecovery
		openers = append(openers, openerOf(r))
		words = append(words, recipientWords(r))
	}
	return openers, words
}

func openerOf(r api.Recipient) api.Opener {
	o := api.Opener{By: r.By}
	if r.By == api.OpenPIV {
		if o.Key = r.Key; o.Key == "" {
			o.Key = strconv.FormatUint(uint64(r.Serial), 10)
		}
	}
	return o
}

// keptPassphrase returns the passphrase of the escrow, without which its key can't be changed; nil if it has none or if
// it is among those that go.
func (a *app) keptPassphrase(ctx context.Context, o *opener, p *prompts, gone ...string) (*oath.Secret, error) {
	e, err := a.client.Escrow(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range e.Recipients {
		switch {
		case r.By != api.OpenPassphrase || names(r, gone):
		case o.By == api.OpenPassphrase:
			return o.secret.Clone(), nil
		default:
			return p.secret(ctx, "Passphrase of the escrow, which stays")
		}
	}
	return nil, nil
}

// names reports whether one of the selectors names the recipient.
func names(r api.Recipient, selectors []string) bool {
	for _, s := range selectors {
		if s == r.Public || strings.EqualFold(s, r.Name) {
			return true
		}
	}
	return false
}

// opened does something for which the escrow has to be open, and says what it waits for.
func (a *app) opened(ctx context.Context, f func(context.Context) error) error {
	return a.untilKey(ctx, a.explaining(f, nil))
}

// chooseOne lists things and asks which one is meant; it returns its index.
func (t *terminal) chooseOne(ctx context.Context, question string, things []string) (int, error) {
	for i, thing := range things {
		t.tell(fmt.Sprintf("%3d  %s", i+1, thing))
	}
	for {
		answer, err := t.ask(ctx, question+" [number]")
		if err != nil {
			return 0, err
		}
		if i, err := strconv.Atoi(answer); err == nil && i >= 1 && i <= len(things) {
			return i - 1, nil
		}
		t.tell(fmt.Sprintf("cannot read %q: it is a number from 1 to %d", answer, len(things)))
	}
}
