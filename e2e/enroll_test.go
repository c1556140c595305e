package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
)

// typing runs oathctl with something on standard input; it returns all that it prints.
func (d *daemon) typing(input string, args ...string) (said string, ok bool) {
	d.t.Helper()
	cmd := exec.Command(filepath.Join(d.bin, "oathctl"), args...)
	cmd.Env, cmd.Stdin = d.env, strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err == nil
}

// mustType is typing for what has to work.
func (d *daemon) mustType(input string, args ...string) string {
	d.t.Helper()
	said, ok := d.typing(input, args...)
	if !ok {
		d.t.Fatalf("oathctl %v: %s\noathd said:\n%s", args, said, &d.log)
	}
	return said
}

// TestEnroll gives two keys behind a real pcscd their escrow slots, by the daemon's child process, one of them when the escrow is made,
// and loses the other: it opens the escrow.
func TestEnroll(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const pin = hwtest.FactoryPIN + "\n"
	if plan := b.do("key", "enroll", "daily", "--plan"); !strings.Contains(plan, "retired slot 82") {
		t.Errorf("the plan is %q", plan)
	}
	if said, ok := b.typing("87654321\n", "key", "enroll", "daily", "--yes"); ok || !strings.Contains(said, "wrong PIN") {
		t.Errorf("with a wrong PIN: %v, %q", ok, said)
	}
	if said := b.mustType(pin, "key", "enroll", "daily", "--yes"); !strings.Contains(said, "daily (soft): slot 82 can open an escrow") {
		t.Errorf("enrolled: %q", said)
	}
	if again := b.do("key", "enroll", "daily"); !strings.Contains(again, "use slot 82 as it is") {
		t.Errorf("enrolled twice: %q", again)
	}
	const newPIN, newPUK = "246810", "13579111"
	if said := b.mustType(pin+newPIN+"\n"+hwtest.FactoryPUK+"\n"+newPUK+"\n", "key", "enroll", "daily", "--yes", "--new-pin", "--new-puk", "--protect"); !strings.Contains(said, "slot 82 can open") {
		t.Errorf("changed: %q", said)
	}
	b.ykman[0].Run("piv", "access", "change-puk", "-p", newPUK, "-n", newPUK)
	if said, ok := b.typing(pin, "escrow", "init", "--key", "daily,spare"); ok || !strings.Contains(said, "no escrow slot") {
		t.Errorf("without a slot on spare, and nobody to ask: %v, %q", ok, said)
	}
	if said := b.mustType(pin, "escrow", "init", "--key", "daily,spare", "--yes"); !strings.Contains(said, "spare (soft): slot 82 can open an escrow") {
		t.Errorf("enrolled on the spot: %q", said)
	}
	b.do("add", "--qr", picture, "--to", "daily")
	for key, pin := range map[string]string{"daily": newPIN, "spare": hwtest.FactoryPIN} {
		if said := b.mustType(pin+"\n", "escrow", "drill", "--with", "piv:"+key); !strings.Contains(said, "1 seed, 1 of them proved") {
			t.Errorf("the drill with %s: %q", key, said)
		}
	}
	b.mustType(newPIN+"\n", "escrow", "paper", filepath.Join(t.TempDir(), "paper.html"), "--with", "piv:daily")

	b.pull[0]()
	b.present("spare")
	if said, ok := b.typing("no passphrase\n", "key", "lost", "daily", "--yes", "--with", "passphrase"); ok || !strings.Contains(said, "still open") || !strings.Contains(said, pictureName) {
		t.Errorf("the escrow was not opened, %v: %q", ok, said)
	}
	lost := b.mustType(pin, "key", "lost", "daily", "--yes", "--with", "piv")
	if strings.Contains(lost, "still opens") || !strings.Contains(lost, pictureName) {
		t.Errorf("the loss: %q", lost)
	}
	b.mustType(pin, "restore", "--to", "spare", "--with", "piv:spare")
	sameCode(t, pictureSeed, b.ofKey(1, pictureName), b.ofCtl("amazon"))
	if said, ok := b.typing(pin, "escrow", "drill", "--with", "piv:daily"); ok || !strings.Contains(said, "none of its recipients") {
		t.Errorf("the lost key: %v, %q", ok, said)
	}
}
