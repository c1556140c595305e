// Command oathctl-watch shows the accounts and keys of oathd live, on a screen: codes with the time that is left to them, keys
// as they come and go, and which of them wants to be touched. "oathctl watch" starts it.
//
// It never asks a key for more than somebody looks at: the code of the account that is chosen, or with --all of those on
// the screen, and only for as long as somebody uses the keyboard. A code that needs a touch is asked for by a
// key press alone.
//
// It is a program of its own because linking a user interface would cost every start of oathctl a millisecond.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/client"
)

const usage = `usage: oathctl watch [--all] [--socket PATH] [TEXT]

Shows the accounts whose names contain TEXT, or all, until Ctrl-C.

`

// frames is how often a second the screen may change.
const frames = 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	flags := pflag.NewFlagSet("oathctl-watch", pflag.ContinueOnError)
	all := flags.Bool("all", false, "show the codes of all accounts on the screen, but for those that need a touch")
	socket := flags.String("socket", os.Getenv("OATHD_SOCKET"), "the daemon's socket")
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage, flags.FlagUsages()) }
	err := flags.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		return fail(2, fmt.Errorf("cannot understand the command line: %w", err), "oathctl watch --help")
	case !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())):
		return fail(2, errors.New("cannot watch: this is no terminal"), "for programs there is: oathctl --json events")
	}
	w := watch{client: &client.Client{Socket: *socket}, all: *all, filter: strings.Join(flags.Args(), " "), look: ink.LookAt(true)}
	show := w.onScreen
	if os.Getenv("TERM") == "dumb" {
		show = w.inLines
	}
	if err := show(ctx); err != nil {
		return fail(1, err, "")
	}
	return 0
}

func fail(status int, err error, hint string) int {
	fmt.Fprintln(os.Stderr, "oathctl:", err)
	if hint != "" {
		fmt.Fprintln(os.Stderr, "hint:", hint)
	}
	return status
}

// watch is what the command line asks for.
type watch struct {
	client *client.Client
	all    bool
	filter string
	look   ink.Look
}

// onScreen shows it on the whole screen.
func (w watch) onScreen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	program := tea.NewProgram(newModel(ctx, w), tea.WithContext(ctx), tea.WithFPS(frames), tea.WithoutSignalHandler())
	var feeding sync.WaitGroup
	feeding.Go(func() { feed(ctx, w.client, program.Send) })
	defer feeding.Wait()
	defer cancel()
	if _, err := program.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("cannot show anything: %w", err)
	}
	return nil
}
