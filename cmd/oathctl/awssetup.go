package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// awsSetupOptions are the flags of "aws setup".
type awsSetupOptions struct {
	profile, as, device string
	duration            time.Duration
	yes                 bool
}

func (a *app) awsSetupCommand() *cobra.Command {
	var o awsSetupOptions
	c := &cobra.Command{
		Use:   "setup",
		Short: "Write a profile whose credentials a key opens",
		Long: `Writes a profile into ~/.aws/config that has "oathctl aws credentials" as its credential_process: beside the
profile with the access key, or the role, whose name it has with "-mfa" behind it. The change is shown
first.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.awsSetup(c.Context(), o) },
	}
	profileFlag(c, &o.profile)
	f := c.Flags()
	f.StringVar(&o.as, "as", "", "what the new profile is called")
	f.StringVar(&o.device, "device", "", "the MFA device's ARN, where the profile has no mfa_serial")
	f.DurationVar(&o.duration, "duration", 0, "how long its credentials are to live")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	return c
}

func (a *app) awsSetup(ctx context.Context, o awsSetupOptions) error {
	if o.profile == "" {
		o.profile = "default"
	}
	if o.as == "" {
		o.as = o.profile + "-mfa"
	}
	if o.as == o.profile {
		return usagef("its access key would win over it; leave --as out", "cannot write %s over itself", o.profile)
	}
	if err := o.check(); err != nil {
		return err
	}
	process, err := a.process(o)
	if err != nil {
		return err
	}
	file, before, err := readAWSFile(awsConfigFile())
	if err != nil {
		return badInput("", "cannot read %s: %w", awsConfigFile(), err)
	}
	after, change := withProcess(before, o.as, process)
	document := awsProfile{File: file, Profile: o.as, Change: change}
	if len(change) > 0 {
		if document.Written, err = a.writeProfile(ctx, file, before, after, change, o.yes); err != nil {
			return err
		}
	}
	return a.term.answer(document, []string{setupWords(document)})
}

func setupWords(p awsProfile) string {
	switch {
	case p.Written:
		return "written; try: aws --profile " + p.Profile + " sts get-caller-identity"
	case len(p.Change) == 0:
		return "the profile " + p.Profile + " is there already, as it is to be"
	}
	return "nothing is written"
}

// check finds the profile that is to be used.
func (o awsSetupOptions) check() error {
	known := awsProfiles()
	switch {
	case strings.ContainsAny(o.as+o.profile+o.device, "[]\"'\\\n\r"):
		return usagef("", "cannot use a name with quotes or brackets in it")
	case !slices.Contains(known, o.profile):
		return badInput("\"aws configure --profile "+o.profile+"\" asks for its access key", "cannot find the profile %s in %s or %s", o.profile, awsConfigFile(), awsCredentialsFile())
	}
	return nil
}

// process is the command that gives the credentials. The AWS CLI expands nothing in it, and takes it apart as a shell does.
func (a *app) process(o awsSetupOptions) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot tell where oathctl is: %w", err)
	}
	words := []string{self}
	if a.client.Socket != "" {
		words = append(words, "--socket", a.client.Socket)
	}
	words = append(words, "aws", "credentials", "--profile", o.profile)
	if o.device != "" {
		words = append(words, "--device", o.device)
	}
	if o.duration != 0 {
		words = append(words, "--duration", o.duration.String())
	}
	for i, word := range words {
		if strings.ContainsAny(word, "\"\\\n") {
			return "", badInput("", "cannot write %q into a credential_process", word)
		}
		if strings.ContainsAny(word, " \t'") {
			words[i] = `"` + word + `"`
		}
	}
	return strings.Join(words, " "), nil
}

// writeProfile shows the change, asks, and writes, unless the file was changed meanwhile.
func (a *app) writeProfile(ctx context.Context, file, before, after string, change []string, yes bool) (bool, error) {
	a.term.tell(append([]string{file + ":"}, change...)...)
	if !yes {
		if !a.term.asks {
			return false, badInput("--yes writes it", "cannot write %s: nobody can be asked", file)
		}
		if agreed, err := a.term.confirm(ctx, "Write it?"); err != nil || !agreed {
			return false, err
		}
	}
	_, now, err := readAWSFile(file)
	if err == nil && now != before {
		err = errors.New("it was changed meanwhile")
	}
	if err == nil {
		err = rewrite(file, after)
	}
	if err != nil {
		return false, badInput("", "cannot write %s: %w", file, err)
	}
	return true, nil
}

// readAWSFile reads a file that need not be there. It returns the path of the file itself, if that is a link to it.
func readAWSFile(path string) (file, text string, err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return path, string(b), err
}

// rewrite changes a file of another program's, which is never seen half written and keeps its mode.
func rewrite(path, text string) error {
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".oathctl-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
