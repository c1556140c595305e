package kin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Diagnosis is what "oathctl doctor" found.
type Diagnosis struct {
	// Healthy says that nothing is broken.
	Healthy bool `json:"healthy"`
	// Findings come in the order of the checks. A check that met several things has a finding for each.
	Findings []Finding `json:"findings"`
}

// Finding is what one check found.
type Finding struct {
	// Check names what was looked at, e.g. "pcscd", "clock", "ledger".
	Check string  `json:"check"`
	State Verdict `json:"state"`
	// Found says in words what is there, Means what follows from it, Mend which command, or what else, sets it right.
	Found string `json:"found"`
	Means string `json:"means,omitempty"`
	Mend  string `json:"mend,omitempty"`
}

// Verdict says how bad a finding is.
type Verdict string

// The verdicts.
const (
	VerdictOK      Verdict = "ok"             // all is well
	VerdictWarning Verdict = "warning"        // it works, and something is to be done
	VerdictBroken  Verdict = "broken"         // something does not work
	VerdictNone    Verdict = "not_applicable" // there is nothing to look at here, or nobody to ask
)

// Diagnose makes a diagnosis of the findings.
func Diagnose(findings []Finding) Diagnosis {
	broken := slices.ContainsFunc(findings, func(f Finding) bool { return f.State == VerdictBroken })
	return Diagnosis{Healthy: !broken, Findings: findings}
}

// Doctor has oathctl-doctor look at everything. socket is the daemon's, "" for the usual one.
func Doctor(ctx context.Context, socket string) (d Diagnosis, err error) {
	return d, tell(ctx, &d, "oathctl-doctor", "-socket", socket)
}

// SelfCheck is what "oathd check --json" prints: what a daemon that started now would meet. It is not told what could not be
// looked at: without settings nothing.
type SelfCheck struct {
	Version string `json:"version"`
	// Built is before every moment at which a right clock lets it run; zero where nobody knows.
	Built    time.Time `json:"built,omitzero"`
	Settings *Fault    `json:"settings,omitempty"`
	// SettingsFile and Socket are where the settings are, if anywhere, and where the daemon listens.
	SettingsFile string `json:"settings_file,omitempty"`
	Socket       string `json:"socket,omitempty"`
	// Bay is "pcsc" or "soft", and Ledger a path, as in the daemon's status.
	Bay    string `json:"bay,omitempty"`
	Ledger string `json:"ledger,omitempty"`
	// Readers counts the readers, if pcscd lets us look; else PCSC says why not, and Refused that polkit is the reason.
	Readers int    `json:"readers"`
	PCSC    *Fault `json:"pcsc,omitempty"`
	Refused bool   `json:"refused,omitempty"`
	// Held are the readers with a key that another program has for itself; HeldHint says what to do about it.
	Held     []string `json:"held,omitempty"`
	HeldHint string   `json:"held_hint,omitempty"`
	// NoLedger says that there is none yet, which is no fault. OldLedger, that it will be brought up to date.
	NoLedger    bool   `json:"no_ledger,omitempty"`
	OldLedger   bool   `json:"old_ledger,omitempty"`
	LedgerFault *Fault `json:"ledger_fault,omitempty"`
	EscrowFault *Fault `json:"escrow_fault,omitempty"`
	// Tampered says that the chain of the audit log is broken.
	Tampered bool `json:"tampered,omitempty"`
}

// Fault is an error, and what can be done about it.
type Fault struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Check has oathd look at its settings, its ledger and pcscd. args are flags of the daemon's.
func Check(ctx context.Context, args ...string) (c SelfCheck, err error) {
	return c, tell(ctx, &c, "oathd", append([]string{"check", "--json"}, args...)...)
}

// tell runs a program that tells one JSON document. Its exit status counts only where it tells none.
func tell(ctx context.Context, document any, program string, args ...string) error {
	path, err := Find(program)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, path, args...)
	c.WaitDelay = time.Second // if what it has started keeps its output open
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.Output()
	if ctx.Err() != nil {
		return fmt.Errorf("cannot wait for %s: %w", path, ctx.Err())
	}
	broken := json.Unmarshal(out, document)
	switch {
	case broken == nil:
		return nil
	case strings.TrimSpace(complaint.String()) != "":
		return errors.New(strings.TrimSpace(complaint.String()))
	case err != nil:
		return fmt.Errorf("cannot use %s: %w", path, err)
	}
	return fmt.Errorf("cannot use what %s says: %w", path, broken)
}
