package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oathd/oathd/config"
	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/pcsc"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ledger"
)

// pcscPatience is how long pcscd may take to say which readers there are.
const pcscPatience = 5 * time.Second

// errFaults is the error of a check that has said all there is to say.
var errFaults = errors.New("")

// checkCommand returns "oathd check", which "oathctl doctor" asks for what the daemon alone can know.
func checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether the daemon could start, and start nothing",
		Long: `Reads the settings, and looks at the ledger and at pcscd as the daemon would. Nothing is changed, no key is touched, and
a daemon may run meanwhile. The exit status is 1 if anything is wrong. "oathctl doctor" looks at more.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return report(c.OutOrStdout(), asJSON, selfCheck(c.Context(), c.Flags()))
		},
	}
	config.AddFlags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func selfCheck(ctx context.Context, flags *pflag.FlagSet) kin.SelfCheck {
	found := kin.SelfCheck{Version: programVersion(), Built: buildTime(), SettingsFile: config.File()}
	settings, err := config.Load(flags)
	if err != nil {
		found.Settings = fault(err)
		return found
	}
	found.Ledger, found.Socket = settings.Ledger, settings.Socket
	checkLedger(ctx, &found)
	if settings.SoftKeys > 0 {
		found.Bay, found.Readers = "soft", settings.SoftKeys
		return found
	}
	found.Bay = "pcsc"
	checkReaders(&found, lookOnce(ctx))
	return found
}

func checkReaders(found *kin.SelfCheck, seen hw.Inventory) {
	found.Readers, found.PCSC, found.Refused = seen.Readers, fault(seen.Trouble), errors.Is(seen.Trouble, hw.ErrRefused)
	for _, slot := range seen.Slots {
		if slot.Exclusive {
			found.Held = append(found.Held, slot.Reader)
		}
	}
	if found.Held != nil {
		found.HeldHint = pcsc.HolderHint()
	}
}

func checkLedger(ctx context.Context, found *kin.SelfCheck) {
	if found.Ledger == ledger.Memory {
		return
	}
	is, err := ledger.Examine(ctx, found.Ledger)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		found.NoLedger = true
		return
	case err != nil:
		found.LedgerFault = fault(err)
		return
	}
	found.OldLedger, found.Tampered = is.Old, !is.Old && !is.Intact
	if is.Vault == nil {
		return
	}
	if _, err := escrow.ParseVault(is.Vault); err != nil {
		found.EscrowFault = fault(hw.WithHint(fmt.Errorf("cannot use the escrow: %w", err), "put a backup of the ledger in its place: %s", found.Ledger))
	}
}

// lookOnce returns what pcscd shows at the first look. No card is opened. A pcscd that never answers is left to itself: a call
// to it cannot be cancelled, and the program is about to end.
func lookOnce(ctx context.Context) hw.Inventory {
	ctx, cancel := context.WithTimeout(ctx, pcscPatience)
	defer cancel()
	first := make(chan hw.Inventory, 1)
	offer := func(inventory hw.Inventory) {
		select {
		case first <- inventory:
		default: // not the first
		}
		cancel()
	}
	go func() {
		if err := pcsc.New(slog.New(slog.DiscardHandler)).Watch(ctx, offer); err != nil {
			offer(hw.Inventory{Trouble: err})
		}
	}()
	silent := time.After(pcscPatience)
	select {
	case inventory := <-first:
		return inventory
	case <-silent:
		return hw.Inventory{Trouble: hw.WithHint(errors.New("cannot reach the readers: pcscd does not answer"), "restart it: sudo systemctl restart pcscd")}
	}
}

func fault(err error) *kin.Fault {
	if err == nil {
		return nil
	}
	return &kin.Fault{Message: err.Error(), Hint: hw.Hint(err)}
}

// report prints what was found. The error is errFaults where something is wrong.
func report(out io.Writer, asJSON bool, found kin.SelfCheck) error {
	faults := []*kin.Fault{found.Settings, found.PCSC, found.LedgerFault, found.EscrowFault}
	if found.Tampered {
		faults = append(faults, &kin.Fault{Message: "cannot vouch for the audit log: its chain is broken", Hint: "compare it with a backup of the ledger"})
	}
	wrong := false
	for _, f := range faults {
		if f == nil {
			continue
		}
		wrong = true
		if !asJSON {
			complain(out, hw.WithHint(errors.New(f.Message), "%s", f.Hint))
		}
	}
	if asJSON {
		if err := json.NewEncoder(out).Encode(found); err != nil {
			return err
		}
	}
	if wrong {
		return errFaults
	}
	if !asJSON {
		fmt.Fprintf(out, "oathd %s can start: ledger %s, keys by %s\n", found.Version, found.Ledger, found.Bay)
	}
	return nil
}
