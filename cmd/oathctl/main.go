// Command oathctl asks oathd for codes and tells it what to do with keys and accounts.
//
// It is pure Go and knows the daemon only by its socket, so that it starts in milliseconds and runs
// where no smart card library is. Each verb has a file of its own; everything that is printed or asked
// goes through term.go; the exit statuses are in exit.go.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/oathd/oathd/ipc/client"
)

// streams are the program's standard streams, terminals if they are *os.File on one.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first Ctrl-C breaks off in good order, a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run does what the arguments say and returns the exit status.
func run(ctx context.Context, args []string, std streams) int {
	a := &app{term: newTerminal(std), client: new(client.Client)}
	err := refuseSecrets(args)
	if err == nil {
		err = a.execute(ctx, args)
	}
	if err != nil {
		a.term.fail(err)
	}
	return exitStatus(err)
}
