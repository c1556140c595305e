// Command oathctl-doctor looks at everything that oathd needs, and prints what is wrong and what would mend it, as the JSON of a
// kin.Diagnosis. "oathctl doctor" starts it.
//
// It changes nothing and opens no card: selecting an application can cost another program its PIN, so what keys say is asked of
// the daemon, and what pcscd shows of "oathd check". Each look at something is bounded, so it ends whatever hangs.
//
// It is a program of its own because speaking D-Bus would cost every start of oathctl a part of its millisecond.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/oathd/oathd/internal/kin"
)

// version is set when a release is built (-ldflags -X).
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run prints the diagnosis. The exit status is 1 if anything is broken.
func run(ctx context.Context, args []string, out, complaints io.Writer) int {
	flags := flag.NewFlagSet("oathctl-doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	socket := flags.String("socket", os.Getenv("OATHD_SOCKET"), "the daemon's socket")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		fmt.Fprintln(complaints, "usage: oathctl-doctor [-socket PATH]")
		return 2
	}
	d := kin.Diagnose(examine(place{socket: *socket, root: "/"}.look(ctx)))
	if err := json.NewEncoder(out).Encode(d); err != nil {
		fmt.Fprintln(complaints, "cannot write what was found:", err)
		return 1
	}
	if !d.Healthy {
		return 1
	}
	return 0
}
