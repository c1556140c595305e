package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/client"
)

// app is what all verbs share.
type app struct {
	term   *terminal
	client *client.Client
	// wait says how long to wait for a key that is not there.
	wait wait
	// started says that the command line was understood: an error after that is none of usage.
	started bool
}

// execute finds the verb and runs it.
func (a *app) execute(ctx context.Context, args []string) error {
	root := a.commandFor(args)
	root.SetArgs(args)
	root.SetIn(a.term.in)
	root.SetOut(a.term.out)
	root.SetErr(a.term.err)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started {
		return usagef(usageHint(root, args, err), "cannot understand the command line: %w", err)
	}
	return err
}

// usageHint offers the verbs that a misspelled one could have been.
func usageHint(root *cobra.Command, args []string, err error) string {
	if strings.HasPrefix(err.Error(), "unknown command") {
		for _, arg := range args {
			if near := root.SuggestionsFor(arg); len(near) > 0 {
				return "did you mean: " + strings.Join(near, ", ")
			}
		}
	}
	return "oathctl --help lists the verbs, oathctl VERB --help says what one takes"
}

// verb is a word behind oathctl, and what makes a command of it.
type verb struct {
	name    string
	command func(*app) *cobra.Command
}

func vocabulary() []verb {
	return []verb{
		{"accounts", (*app).accountsCommand}, {"code", (*app).codeCommand}, {"add", (*app).addCommand}, {"import", (*app).importCommand},
		{"alias", (*app).aliasCommand}, {"rename", (*app).renameCommand}, {"remove", (*app).removeCommand}, {"verify", (*app).verifyCommand},
		{"coverage", (*app).coverageCommand}, {"plan", (*app).planCommand}, {"resume", (*app).resumeCommand},
		{"keys", (*app).keysCommand}, {"key", (*app).keyCommand}, {"password", (*app).passwordCommand}, {"softkey", (*app).softkeyCommand},
		{"escrow", (*app).escrowCommand}, {"restore", (*app).restoreCommand}, {"export", (*app).exportCommand},
		{"rotate", (*app).rotateCommand}, {"runbook", (*app).runbookCommand},
		{"log", (*app).logCommand}, {"events", (*app).eventsCommand}, {"doctor", (*app).doctorCommand}, {"version", (*app).versionCommand},
		{"completion", (*app).completionCommand}, {"__bash", (*app).bashCommand}, {"watch", (*app).watchCommand}, {"aws", (*app).awsCommand},
	}
}

// commandFor returns oathctl with the verbs that the arguments could mean.
func (a *app) commandFor(args []string) *cobra.Command {
	if len(args) > 1 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		return a.rootFor(args[1 : len(args)-1]) // the last is still being typed
	}
	root := a.rootFor(args)
	addProgram(root, args)
	return root
}

// rootFor is oathctl with the verb that comes first, or with all: together they take longer to set up than the daemon to answer.
func (a *app) rootFor(words []string) *cobra.Command {
	for _, v := range vocabulary() {
		if len(words) > 0 && words[0] == v.name {
			root := a.bareCommand()
			root.AddCommand(v.command(a))
			return root
		}
	}
	return a.rootCommand()
}

// rootCommand is oathctl with all its verbs.
func (a *app) rootCommand() *cobra.Command {
	root := a.bareCommand()
	for _, v := range vocabulary() {
		root.AddCommand(v.command(a))
	}
	return root
}

// bareCommand is oathctl without its verbs.
func (a *app) bareCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "oathctl",
		Short: "One-time codes from security keys, each account on several of them",
		Long: `oathctl asks oathd for one-time codes, and tells it what to do with keys and accounts.

A NAME selects an account by its id, its exact issuer:name, its exact name, or a part of it that no
other account has. A KEY is named by its label, its serial number or its id.

Exit status: 0 done, 1 error, 2 usage, 3 not found or ambiguous, 4 key absent, 5 touch timed out,
6 locked, 7 done in part (fewer copies than asked for), 8 a proof failed.`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		DisableSuggestions:         true, // usageHint makes them
		SuggestionsMinimumDistance: 2,
		PersistentPreRun:           func(*cobra.Command, []string) { a.started = true },
	}
	flags := root.PersistentFlags()
	// The daemon reads the same variable.
	flags.StringVar(&a.client.Socket, "socket", os.Getenv("OATHD_SOCKET"), "the daemon's socket")
	flags.Var(asJSON{&a.term.json}, "json", "print JSON, a line per step where there are several; docs/json.md has the documents")
	flags.Lookup("json").NoOptDefVal = "1"
	flags.BoolVarP(&a.term.quiet, "quiet", "q", false, "print no progress and no explanations")
	flags.Var(&a.wait, "wait", "how long to wait for a key, e.g. 30s; forever at a terminal, else 0")
	completes(root, map[string]completion{"socket": completeFiles})
	root.CompletionOptions.DisableDefaultCmd = true // the scripts are ours
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	return root
}

// group is a verb that is nothing without a second one. Cobra alone would answer a misspelled second
// verb with a help text and success.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			hint := "oathctl " + use + " --help"
			if len(args) == 0 {
				return usagef(hint, "cannot tell what to do: %q needs a verb behind it", use)
			}
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "did you mean: " + strings.Join(near, ", ")
			}
			return usagef(hint, "cannot tell what to do: %q has no verb %q", use, args[0])
		},
	}
	c.SuggestionsMinimumDistance = 2
	c.AddCommand(verbs...)
	return c
}

// refuseSecrets refuses arguments that are or hold an otpauth URI, before anything could repeat them.
func refuseSecrets(args []string) error {
	for _, arg := range args {
		lower := strings.ToLower(arg)
		if strings.Contains(lower, "otpauth://") || strings.Contains(lower, "otpauth-migration:") {
			return usagef("pipe it into: oathctl add -   (and consider its seed known: it may stand in the shell's history too)",
				"cannot take an otpauth URI as an argument: every program on this machine can read it in the process list")
		}
	}
	return nil
}

// first returns the only argument of a verb whose argument may be left out.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
