// Command oathd is the daemon: it watches security keys, keeps the ledger of what is on which, and answers
// on a Unix socket.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/config"
	"github.com/oathd/oathd/hw"
)

// The exit statuses: as oathctl's, as far as they mean anything here.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 2
)

// streams are where the program writes.
type streams struct{ out, err io.Writer }

func main() {
	if err := errors.Join(settle(), harden()); err != nil {
		fmt.Fprintln(os.Stderr, "oathd:", err)
		os.Exit(exitError)
	}
	tune()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the daemon in good order, a second one at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdout, os.Stderr}))
}

// run does what the arguments say, until ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, std streams) int {
	started := false
	root := rootCommand(std)
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	root.SetOut(std.out)
	root.SetErr(std.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if !errors.Is(err, errFaults) {
		complain(std.err, err)
	}
	if !started {
		return exitUsage
	}
	return exitError
}

// complain prints what is wrong and what to do about it.
func complain(w io.Writer, err error) {
	fmt.Fprintln(w, "oathd:", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n  "))
	if hint := hw.Hint(err); hint != "" {
		fmt.Fprintln(w, "  "+hint)
	}
}

func rootCommand(std streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "oathd",
		Short: "Watches security keys and hands out their one-time codes",
		Long: `oathd watches security keys, keeps the ledger of which account is on which key, and answers
on a Unix socket; oathctl talks to it. It runs until it gets SIGTERM or SIGINT.

Settings come from $XDG_CONFIG_HOME/oathd/config.toml, from OATHD_* and from the flags; the last wins.`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := config.Load(c.Flags())
			if err != nil {
				return err
			}
			return serve(c.Context(), settings, logger(std.err, settings.LogLevel))
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	config.AddFlags(root.Flags())
	root.AddCommand(softkeyCommand(), enrollCommand(), checkCommand(), versionCommand())
	return root
}

// logger writes lines of text; the level is one that config allows.
func logger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		panic("config allows a log level that slog does not know: " + err.Error())
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}

// serve is the daemon, until ctx ends.
func serve(ctx context.Context, c config.Config, log *slog.Logger) (err error) {
	d, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return d.run(ctx)
}
