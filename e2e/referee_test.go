package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

const (
	// picture is the demonstration's QR code, pictureSeed what it holds.
	picture     = "../docs/demo/aws-root.png"
	pictureSeed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	pictureName = "Amazon Web Services:root-account-mfa-device@123456789012"

	daily, spare = "11110001", "22220002"
)

// bench is a daemon with two adopted keys, daily and spare, behind a real pcscd, and a ykman for each.
type bench struct {
	*daemon
	pcscd *hwtest.PCSCD
	keys  [2]*softkey.Key
	ykman [2]*hwtest.Ykman
	pull  [2]func()
}

// slots are apart, for plain ykman commands take the two slots of one reader for two keys.
var slots = [2]int{0, 2}

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOf(t, build(t))
}

// newBenchOf is newBench with the programs of a directory, and arguments for the daemon.
func newBenchOf(t *testing.T, bin string, args ...string) *bench {
	t.Helper()
	b := &bench{pcscd: hwtest.StartPCSCD(t, 2)}
	for i, o := range []softkey.Options{
		{Serial: 11110001, Personality: "yubikey-5.4"},
		{Serial: 22220002, Personality: "yubikey-5.7"},
	} {
		k, err := softkey.New(o)
		if err != nil {
			t.Fatal(err)
		}
		b.keys[i], b.ykman[i] = k, b.pcscd.Ykman(t, slots[i])
		b.plug(i)
	}
	b.daemon = start(t, bin, b.pcscd.Env(), args...)
	b.present(daily, spare)
	b.do("key", "adopt", daily, "--label", "daily")
	b.do("key", "adopt", spare, "--label", "spare")
	return b
}

func (b *bench) plug(i int) { b.pull[i] = b.pcscd.Plug(b.keys[i], slots[i]) }

// codes asks oathtool and all the others within one time step, and returns their answers in order.
func codes(t *testing.T, seed string, others ...func() string) []string {
	t.Helper()
	need.Program(t, "oathtool", "oathtool")
	for {
		before := oathtool(t, seed)
		answers := []string{before}
		for _, ask := range others {
			answers = append(answers, ask())
		}
		if oathtool(t, seed) == before {
			return answers
		}
	}
}

func oathtool(t *testing.T, seed string) string {
	t.Helper()
	cmd := exec.Command("oathtool", "--totp", "--base32", "-")
	cmd.Stdin = strings.NewReader(seed)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// sameCode wants every answer to be oathtool's.
func sameCode(t *testing.T, seed string, others ...func() string) {
	t.Helper()
	answers := codes(t, seed, others...)
	for i, answer := range answers[1:] {
		if answer != answers[0] {
			t.Errorf("answer %d is %q, oathtool's %q", i+1, answer, answers[0])
		}
	}
}

// ofKey asks the referee for a code that lies on key i.
func (b *bench) ofKey(i int, name string) func() string {
	return func() string {
		return strings.TrimSpace(b.ykman[i].Run("oath", "accounts", "code", "--single", name))
	}
}

// ofCtl asks oathctl.
func (b *bench) ofCtl(args ...string) func() string {
	return func() string { return b.do(append([]string{"code"}, args...)...) }
}

// TestTwoKeysOneSeed is what oathd is for, through everything that is real.
func TestTwoKeysOneSeed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.do("add", "--qr", picture)
	keys, err := b.client.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if !k.Soft || k.Vendor != "YubiKey 5" || k.Accounts != 1 {
			t.Errorf("behind pcscd %s is %+v; want it known as a soft YubiKey 5 with one account", k.Label, k)
		}
	}

	sameCode(t, pictureSeed, b.ofKey(0, pictureName), b.ofKey(1, pictureName), b.ofCtl("amazon"),
		b.ofCtl("amazon", "--key", "daily"), b.ofCtl("amazon", "--key", "spare"))
	for i, other := range []string{spare, daily} {
		b.pull[i]()
		b.present(other)
		sameCode(t, pictureSeed, b.ofKey(1-i, pictureName), b.ofCtl("amazon"))
		b.plug(i)
		b.present(daily, spare)
	}
	b.pull[0]()
	b.pull[1]()
	b.present()
	stdout, stderr, status := b.ctl("code", "amazon")
	if status != 4 || stdout != "" || !strings.Contains(stderr, "spare") {
		t.Errorf("with no key: exit status %d, %q, %q; want 4 and where the copies are", status, stdout, stderr)
	}
}

// TestYkmanWrites shows that what another program puts on a key is found, proved and merged.
func TestYkmanWrites(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	uri := "otpauth://totp/Example:alice?secret=" + pictureSeed + "&issuer=Example"
	b.ykman[0].Run("oath", "accounts", "uri", uri)
	b.ykman[1].Run("oath", "accounts", "add", "--issuer", "Other", "bob", pictureSeed)
	b.replug(0)
	b.replug(1)
	b.until("one account with two proved copies", func() bool {
		accounts, err := b.client.Accounts(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return len(accounts) == 1 && accounts[0].Proved == 2
	})
	sameCode(t, pictureSeed, b.ofKey(0, "Example:alice"), b.ofKey(1, "Other:bob"), b.ofCtl(), b.ofCtl("--key", "spare"))
}

// replug pulls key i out and plugs it in again.
func (b *bench) replug(i int) {
	b.t.Helper()
	b.pull[i]()
	b.present([]string{spare, daily}[i])
	b.plug(i)
	b.present(daily, spare)
}

// TestPCSCDStops stops, kills and starts pcscd under a daemon that goes on.
func TestPCSCDStops(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.do("add", "--qr", picture)
	for _, end := range []func(){b.pcscd.Stop, b.pcscd.Kill} {
		end()
		b.present()
		if _, stderr, status := b.ctl("code", "amazon"); status == 0 || !strings.Contains(stderr, "PC/SC") {
			t.Errorf("without pcscd: exit status %d, %q; want to be told of the PC/SC service", status, stderr)
		}
		b.pcscd.Start()
		b.present(daily, spare)
		sameCode(t, pictureSeed, b.ofCtl("amazon"), b.ofKey(0, pictureName))
	}
}

// TestPCSCDComesLate starts the daemon before pcscd.
func TestPCSCDComesLate(t *testing.T) {
	t.Parallel()
	pcscd := hwtest.StartPCSCD(t, 1)
	pcscd.Stop()
	d := start(t, build(t), pcscd.Env())
	if status, err := d.client.Status(t.Context()); err != nil || status.Trouble == "" || status.Hint == "" {
		t.Errorf("status %+v, %v; want it to say what is missing", status, err)
	}
	key, err := softkey.New(softkey.Options{Serial: 11110001})
	if err != nil {
		t.Fatal(err)
	}
	pcscd.Start()
	pcscd.Plug(key, 0)
	d.present(daily)
}

// TestNeighbour lets another program use the same cards, with a reset after each use, while oathd works on them. It runs alone: ykman
// takes no transaction, so on a busy machine another program may select an application between two of its commands: it may try twice.
func TestNeighbour(t *testing.T) {
	b := newBench(t)
	b.do("add", "--qr", picture)
	done := make(chan error, len(b.ykman))
	for i := range b.ykman {
		go func() {
			for range 4 {
				out, err := b.ykman[i].Try("oath", "accounts", "code", "--single", pictureName)
				if err != nil && strings.Contains(err.Error(), "APDU error") {
					out, err = b.ykman[i].Try("oath", "accounts", "code", "--single", pictureName)
				}
				if err != nil || len(strings.TrimSpace(out)) != 6 {
					done <- fmt.Errorf("ykman got %q, %w", out, err)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		b.do("verify")
	}
	for range b.ykman {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	sameCode(t, pictureSeed, b.ofCtl("amazon"))
}

// TestEmptiedByAnother lets ykman empty one of two keys: the loss is noticed, said, and costs nothing.
func TestEmptiedByAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.do("add", "--qr", picture)
	b.ykman[0].Run("oath", "reset", "--force")
	b.replug(0)
	account, err := b.client.Account(t.Context(), "amazon")
	if err != nil || account.Proved != 1 {
		t.Fatalf("%+v, %v; want one proved copy", account, err)
	}
	for _, c := range account.Copies {
		if want := map[string]api.CopyState{"daily": api.CopyMissing, "spare": api.CopyProved}[c.KeyLabel]; c.State != want {
			t.Errorf("the copy on %s is %s, want %s", c.KeyLabel, c.State, want)
		}
	}
	if coverage := b.do("coverage"); !strings.Contains(coverage, "spare") {
		t.Errorf("coverage does not name spare:\n%s", coverage)
	}
	sameCode(t, pictureSeed, b.ofCtl("amazon"), b.ofKey(1, pictureName))
}
