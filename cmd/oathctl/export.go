package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// exportOptions are the flags of export.
type exportOptions struct {
	qr, uri, pskc bool
	out           string
	password, yes bool
	with          withFlag
}

func (a *app) exportCommand() *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:   "export NAME",
		Short: "Take a seed out of the escrow, for a device enrolled by hand",
		Long: `Takes an account's seed out of the escrow, for a device that can only be enrolled by hand: as a QR code,
an otpauth URI or PSKC (RFC 6030). Without --out it is shown here. The escrow has to be opened for it,
and the audit log says that it was.

Whoever sees what is exported has the account's codes for good, without any key. Only another seed
ends that: oathctl rotate NAME. To give an account to another key there is oathctl restore.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE:              func(c *cobra.Command, args []string) error { return a.export(c.Context(), o, args[0]) },
	}
	f := c.Flags()
	f.BoolVar(&o.qr, "qr", false, "as a QR code: drawn here, or a PNG picture in a file")
	f.BoolVar(&o.uri, "uri", false, "as an otpauth URI")
	f.BoolVar(&o.pskc, "pskc", false, "as a Portable Symmetric Key Container")
	f.StringVar(&o.out, "out", "", "write it to FILE, which must not be there yet; only you can read it")
	f.BoolVar(&o.password, "password", false, "encrypt the PSKC with a password, which is asked for")
	f.BoolVarP(&o.yes, "yes", "y", false, "ask only for what opens the escrow")
	o.with.add(c)
	completes(c, map[string]completion{"out": completeFiles})
	return c
}

// form returns what it is exported as, and what oathctl-export calls that; "" is for a URI, which needs no program.
func (o *exportOptions) form(t *terminal) (form, program string) {
	switch {
	case o.uri:
		return "uri", ""
	case o.pskc:
		return "pskc", "pskc"
	case o.out != "":
		return "qr", "png"
	case t.outLook.Colour:
		return "qr", "colours"
	}
	return "qr", "blocks"
}

func (o *exportOptions) check(t *terminal) error {
	forms := 0
	for _, given := range []bool{o.qr, o.uri, o.pskc} {
		if given {
			forms++
		}
	}
	switch {
	case forms != 1:
		return usagef("", "cannot export: give one of --qr, --uri and --pskc")
	case o.password && !o.pskc:
		return usagef("", "cannot encrypt anything but PSKC with --password")
	case t.json && o.out == "":
		return usagef("--out FILE", "cannot export into a JSON document: a seed does not belong there")
	case !o.yes && !t.asks:
		return usagef("--yes says that you are sure", "cannot export: there is no terminal to ask whether you are sure")
	}
	return nil
}

func (a *app) export(ctx context.Context, o exportOptions, name string) error {
	if err := o.check(a.term); err != nil {
		return err
	}
	if _, err := a.escrowThere(ctx); err != nil {
		return err
	}
	account, err := a.client.Account(ctx, name)
	if err != nil {
		return err
	}
	if err := a.confirmExport(ctx, o, account); err != nil {
		return err
	}
	if o.out == "" {
		return a.exportHere(ctx, o, account)
	}
	return a.exportToFile(ctx, o, account)
}

// confirmExport says what it means, and asks.
func (a *app) confirmExport(ctx context.Context, o exportOptions, account api.Account) error {
	if o.yes {
		return nil
	}
	where := "and shows it here"
	if o.out != "" {
		where = "and writes it to " + o.out
	}
	if o.password {
		where += ", encrypted"
	} else {
		where += ", in clear"
	}
	a.term.tell(
		fmt.Sprintf("This takes the seed of %s out of the escrow %s.", account.Label(), where),
		"Whoever gets to see it has the account's codes for good, without any key; only another seed ends that (oathctl rotate).",
	)
	sure, err := a.term.confirm(ctx, "Do it?")
	if err == nil && !sure {
		err = &api.Error{Code: api.CodeCanceled, Message: "cannot export " + account.Label() + ": you said no"}
	}
	return err
}

// exportHere prints it.
func (a *app) exportHere(ctx context.Context, o exportOptions, account api.Account) error {
	text, err := a.exported(ctx, o, account)
	if err != nil {
		return err
	}
	defer text.Wipe()
	if _, err := a.term.out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	return nil
}

// exportToFile makes the file before the escrow is opened, so that nothing is taken out for nothing.
func (a *app) exportToFile(ctx context.Context, o exportOptions, account api.Account) error {
	path, err := filepath.Abs(o.out)
	if err != nil {
		return fmt.Errorf("cannot write the export: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return badInput("name a file that is not there yet", "cannot write the export: %w", err)
	}
	text, err := a.exported(ctx, o, account)
	if err == nil {
		defer text.Wipe()
		_, err = file.Write(text.Bytes())
		err = errors.Join(err, file.Sync())
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	form, _ := o.form(a.term)
	document := exportFile{Account: account.ID, Label: account.Label(), Form: form, Encrypted: o.password, File: path}
	return a.term.answer(document, []string{fmt.Sprintf("the seed of %s is in %s: delete the file when it has been used", account.Label(), path)})
}

// exported opens the escrow and returns the seed in the form that was asked for, the caller's to wipe.
func (a *app) exported(ctx context.Context, o exportOptions, account api.Account) (*oath.Secret, error) {
	p := &prompts{a: a}
	defer p.close()
	open, err := a.backupOpener(ctx, o.with, p)
	if err != nil {
		return nil, err
	}
	defer open.wipe()
	password := oath.NewSecret(0)
	if o.password {
		if password, err = p.newPassphrase(ctx); err != nil {
			return nil, err
		}
	}
	defer password.Wipe()
	var found api.Exported
	var seed *oath.Secret
	err = a.opened(ctx, func(ctx context.Context) (err error) {
		found, seed, err = a.client.Export(ctx, api.ExportRequest{Account: account.ID, Opener: open.Opener}, open.secret)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer seed.Wipe()
	uri, err := exportURI(found, seed)
	if err != nil {
		return nil, err
	}
	defer uri.Wipe()
	_, program := o.form(a.term)
	if program == "" {
		return uri.Clone(), nil
	}
	return a.rewrite(ctx, program, uri, password)
}

// exportURI writes the URI and a line's end.
func exportURI(e api.Exported, seed *oath.Secret) (*oath.Secret, error) {
	kind, err := oath.ParseType(e.Account.Type)
	if err != nil {
		return nil, fmt.Errorf("cannot use what the daemon says: %w", err)
	}
	algorithm, err := oath.ParseAlgorithm(e.Account.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("cannot use what the daemon says: %w", err)
	}
	account := oath.Account{Issuer: e.Account.Issuer, Name: e.Account.Name, Type: kind, Algorithm: algorithm, Digits: e.Account.Digits, Period: e.Account.Period}
	uri := otpauth.Format(otpauth.Entry{Account: account, Seed: seed, Counter: e.Account.Counter})
	defer uri.Wipe()
	line := oath.NewSecret(uri.Len() + 1)
	copy(line.Bytes(), uri.Bytes())
	line.Bytes()[uri.Len()] = '\n'
	return line, nil
}

// rewrite has oathctl-export write a URI in another form. Both fit into the pipe, so that nothing else holds them.
func (a *app) rewrite(ctx context.Context, form string, uri, password *oath.Secret) (*oath.Secret, error) {
	path, err := kin.Find("oathctl-export")
	if err != nil {
		return nil, err
	}
	in, feed, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer in.Close()
	for _, part := range []*oath.Secret{uri, password} {
		if _, err := feed.Write(part.Bytes()); err != nil {
			feed.Close()
			return nil, fmt.Errorf("cannot hand over the URI: %w", err)
		}
	}
	feed.Close()
	c := exec.CommandContext(ctx, path, form)
	var complaint strings.Builder
	c.Stdin, c.Stderr = in, &complaint
	text, err := output(c)
	if said := strings.TrimSpace(complaint.String()); err != nil && said != "" {
		err = badInput("", "%s", said)
	}
	if err != nil {
		text.Wipe()
		return nil, err
	}
	return text, nil
}
