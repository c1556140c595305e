package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/vpcd"
)

// softkeyFlags are the flags of "oathd softkey".
type softkeyFlags struct {
	vpcd, personality, state, touch, profile string
	serial                                   uint32
}

// softkeyCommand returns "oathd softkey", which plugs one soft key into a virtual reader of pcscd.
func softkeyCommand() *cobra.Command {
	var f softkeyFlags
	cmd := &cobra.Command{
		Use:   "softkey --vpcd ADDR",
		Short: "Plug a soft key into a virtual reader of pcscd (insecure: for tests)",
		Long: `Plug a soft key, a security key that is a program, into a virtual reader of pcscd (vsmartcard's vpcd), and
answer for it until SIGTERM pulls it out. SIGUSR1 touches a key that waits with --touch manual.

A soft key protects nothing: its accounts are lost when it ends, unless --insecure-state names a file
to keep them in, seeds in clear.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVar(&f.vpcd, "vpcd", "localhost:35963", "where the virtual reader listens, `HOST:PORT`")
	cmd.Flags().StringVar(&f.personality, "personality", "", "the `KIND` of key: "+strings.Join(softkey.Personalities(), ", "))
	cmd.Flags().Uint32Var(&f.serial, "serial", 1, "the serial `NUMBER`; 0 for a key that has none")
	cmd.Flags().StringVar(&f.state, "insecure-state", "", "keep the accounts in `FILE`, seeds in clear")
	cmd.Flags().StringVar(&f.touch, "touch", softkey.TouchInstant.String(), "when a blinking key is touched: instant, manual (by SIGUSR1), never, or after a `DURATION`")
	cmd.Flags().StringVar(&f.profile, "profile", "none", "how slow the key is: "+strings.Join(softkey.Profiles(), ", "))
	return cmd
}

func (f softkeyFlags) run(ctx context.Context, out io.Writer) error {
	key, err := f.key()
	if err != nil {
		return err
	}
	defer touchOnSignal(key)()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", f.vpcd)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return hw.WithHint(fmt.Errorf("cannot reach the virtual reader: %w", err),
			"is pcscd running, with the driver of the package vsmartcard-vpcd?")
	}
	fmt.Fprintf(out, "soft key %d (%s) is plugged in at %s\n", key.Serial(), key.Personality(), f.vpcd)
	return vpcd.ServeConn(ctx, conn, key)
}

// key makes the key, or reads it from its state file.
func (f softkeyFlags) key() (*softkey.Key, error) {
	touch, err := softkey.ParseTouchMode(f.touch)
	if err != nil {
		return nil, err
	}
	options := softkey.Options{Personality: f.personality, Serial: f.serial, Touch: touch, Profile: f.profile}
	if f.state == "" {
		return softkey.New(options)
	}
	store, err := softkey.OpenStore(f.state)
	if err != nil {
		return nil, err
	}
	return store.Key(options)
}

// touchOnSignal lets each SIGUSR1 touch the key, until the function that it returns is called.
func touchOnSignal(key *softkey.Key) (stop func()) {
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer close(done)
		for range signals {
			key.Touch()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}
