package main

import (
	"bytes"
	"testing"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Scrypt is meant to be slow.
func init() { escrow.WorkFactor = 2 }

var byPassphrase = api.Opener{By: api.OpenPassphrase}

// TestEscrowThroughTheDoor goes all the way from making an escrow to another machine, as a client does.
func TestEscrowThroughTheDoor(t *testing.T) {
	c := furnished(t, false)
	ctx, pass := t.Context(), oath.CopySecret([]byte("correct horse"))
	defer pass.Wipe()
	made, page, err := c.EscrowInit(ctx, api.EscrowInitRequest{Recovery: "paper"}, pass)
	if err != nil || len(made.Recipients) != 2 || !bytes.Contains(page.Bytes(), []byte("AGE-SECRET-KEY-1")) {
		t.Fatalf("%v, %+v", err, made)
	}
	page.Wipe()
	text := oath.CopySecret([]byte("codes: drawer"))
	defer text.Wipe()
	_, err = c.SetRunbook(ctx, "GitHub:me", text)
	if err != nil {
		t.Fatal(err)
	}
	wrong := oath.CopySecret([]byte("battery staple"))
	defer wrong.Wipe()
	if _, err := c.EscrowDrill(ctx, api.EscrowDrillRequest{Opener: byPassphrase}, wrong); api.CodeOf(err) != api.CodeWrongPassword {
		t.Errorf("a wrong passphrase: %v", err)
	}
	d, err := c.EscrowDrill(ctx, api.EscrowDrillRequest{Opener: byPassphrase}, pass)
	if err != nil || d.Runbooks != 1 || len(d.Faults) != 0 {
		t.Errorf("%v, %+v", err, d)
	}
	shown, err := c.Runbook(ctx, "GitHub:me", api.RunbookRequest{Opener: byPassphrase}, pass)
	if err != nil || !shown.Equal(text) {
		t.Errorf("the runbook: %v", err)
	}
	shown.Wipe()
	if _, err := c.Restore(ctx, api.RestoreRequest{Opener: byPassphrase, To: []string{"red"}}, pass, nil); api.CodeOf(err) != api.CodeExistsSame {
		t.Errorf("nothing is to be restored: %v", err)
	}
	file, err := c.EscrowBackup(ctx)
	if err != nil {
		t.Fatal(err)
	}

	other := house(t)
	if _, err := other.EscrowOpen(ctx, api.EscrowOpenRequest{Opener: byPassphrase}, pass, file[:len(file)-1]); api.CodeOf(err) != api.CodeEscrow {
		t.Errorf("a damaged backup: %v", err)
	}
	opened, err := other.EscrowOpen(ctx, api.EscrowOpenRequest{Opener: byPassphrase}, pass, file)
	if err != nil || opened.ID != made.ID || opened.Runbooks != 1 {
		t.Fatalf("%v, %+v", err, opened)
	}
	if acc, err := other.Account(ctx, "GitHub:me"); err != nil || acc.RunbookAt.IsZero() {
		t.Errorf("%v, %+v", err, acc)
	}
}
