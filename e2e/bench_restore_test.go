package e2e

import (
	"bytes"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// restored is how many accounts are restored to one key.
const restored = 32

// BenchmarkRestore writes accounts to a new key, from the escrow with one oathctl restore, proofs included, and with ykman, once for each:
// whole processes, keys of one kind behind the same pcscd.
func BenchmarkRestore(b *testing.B) {
	w := newWorkshop(b)
	for b.Loop() {
		w.compare(realKey, 8)
		w.compare("none", 60)
	}
}

// workshop is a daemon with the accounts in its escrow, and a pcscd with a reader for it and one for ykman.
type workshop struct {
	*daemon
	b     *testing.B
	pcscd *hwtest.PCSCD
	paper string
	// replay is a program that has a key do what another was told, and tells how long that takes.
	replay string
	// serial is the last key's.
	serial uint32
}

// The slots of the keys: each is the first of an entry's two readers.
const (
	ourSlot   = 0
	theirSlot = 2
)

func newWorkshop(b *testing.B) *workshop {
	w := &workshop{b: b, pcscd: hwtest.StartPCSCD(b, 2), replay: compileC(b, "replay", "$(pkg-config --cflags --libs libpcsclite)")}
	w.daemon = start(b, release(b), w.pcscd.Env())
	passphrase := oath.CopySecret([]byte("correct horse battery staple"))
	defer passphrase.Wipe()
	_, page, err := w.client.EscrowInit(b.Context(), api.EscrowInitRequest{Recovery: "paper"}, passphrase)
	if err != nil {
		b.Fatal(err)
	}
	defer page.Wipe()
	w.paper = regexp.MustCompile(`AGE-SECRET-KEY-1( [0-9A-Z]+)+`).FindString(string(page.Bytes()))
	source, pull := w.plug("none", ourSlot)
	w.stock(b, source.Serial(), restored)
	pull()
	w.present()
	return w
}

// plug puts a new key into a slot.
func (w *workshop) plug(profile string, slot int) (*noted, func()) {
	w.b.Helper()
	w.serial++
	k, err := softkey.New(softkey.Options{Serial: w.serial, Personality: "yubikey-5.7", Profile: profile})
	if err != nil {
		w.b.Fatal(err)
	}
	key := &noted{Key: k}
	pull := w.pcscd.Plug(key, slot)
	w.present(fmt.Sprint(w.serial))
	return key, pull
}

// compare takes the times with keys that have the delays of a profile, and prints the rows. least is how many times faster we are to be.
func (w *workshop) compare(profile string, least float64) {
	var busy, spent []time.Duration
	p := inTurn(3,
		func(int) time.Duration { return w.ykmanLoop(profile) },
		func(int) time.Duration {
			took, key := w.restore(profile)
			busy, spent = append(busy, key.busy), append(spent, w.again(profile, key.commands))
			return took
		})
	speed := "with no delays"
	if profile == realKey {
		speed = "as slow as a real one"
		what := fmt.Sprintf("`oathctl restore` of %d accounts to a key %s, proved, beside", restored, speed)
		pairs{p.theirs, busy}.atMost(w.b, 1.15, what+" the time of the key's APDUs, as the key counts them")
		pairs{p.theirs, spent}.atMost(w.b, 1.15, what+" the time of the same APDUs, as a C program sees them that sends them through pcscd")
	}
	ratio := p.ratio()
	w.b.ReportMetric(ratio, "ratio/"+profile)
	row(w.b, fmt.Sprintf("%d times `ykman oath accounts uri`, beside one `oathctl restore` with proofs, the key %s", restored, speed),
		words(median(p.ours)), words(median(p.theirs)), fmt.Sprintf("%.0f", ratio), fmt.Sprintf("at least %.0f", least), ratio >= least)
}

// restore writes all accounts to a new key, and returns how long it took, and what the key did.
func (w *workshop) restore(profile string) (time.Duration, done) {
	key, pull := w.plug(profile, ourSlot)
	name := fmt.Sprint(key.Serial())
	w.do("key", "adopt", name, "--label", "key "+name)
	key.take()
	ctl := exec.Command(filepath.Join(w.bin, "oathctl"), "-q", "restore", "--to", name, "--with", "recovery")
	ctl.Env, ctl.Stdin = w.env, strings.NewReader(w.paper)
	var out []byte
	var err error
	total := took(func() { out, err = ctl.CombinedOutput() })
	if proved := bytes.Count(out, []byte("  proved")); err != nil || proved != restored {
		w.b.Fatalf("%v, %d copies are proved:\n%s\noathd said:\n%s", err, proved, out, &w.log)
	}
	did := key.take()
	pull()
	w.present()
	return total, did
}

// again has a new key do what another was told, and returns how long its answers took.
func (w *workshop) again(profile, commands string) time.Duration {
	_, pull := w.plug(profile, ourSlot)
	replay := exec.Command(w.replay, w.pcscd.Reader(ourSlot))
	replay.Env, replay.Stdin = w.pcscd.Env(), strings.NewReader(commands)
	out, err := replay.CombinedOutput()
	nanoseconds, malformed := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil || malformed != nil {
		w.b.Fatalf("%v, %v: %s", err, malformed, out)
	}
	pull()
	w.present()
	return time.Duration(nanoseconds)
}

// ykmanLoop writes as many accounts to a new key with ykman.
func (w *workshop) ykmanLoop(profile string) time.Duration {
	_, pull := w.plug(profile, theirSlot)
	ykman := w.pcscd.Ykman(w.b, theirSlot)
	total := took(func() {
		for i := range restored {
			seed := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(fmt.Appendf(nil, "seed number %08d", i))
			ykman.Run("oath", "accounts", "uri", fmt.Sprintf("otpauth://totp/Bench:account%d?secret=%s&issuer=Bench", i, seed))
		}
	})
	if n := len(ykman.Lines("oath", "accounts", "list")); n != restored {
		w.b.Fatalf("ykman wrote %d accounts", n)
	}
	pull()
	w.present()
	return total
}

// noted is a key that notes what it is told to do.
type noted struct {
	*softkey.Key
	mu  sync.Mutex
	did done
}

// done is what a key was told to do, a command a line in hexadecimal, and how long it took for that.
type done struct {
	commands string
	busy     time.Duration
}

// Transmit answers a command.
func (k *noted) Transmit(command []byte) ([]byte, error) {
	begin := time.Now()
	answer, err := k.Key.Transmit(command)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.did.commands += hex.EncodeToString(command) + "\n"
	k.did.busy += time.Since(begin)
	return answer, err
}

// take returns what was done since it was last called.
func (k *noted) take() done {
	k.mu.Lock()
	defer k.mu.Unlock()
	did := k.did
	k.did = done{}
	return did
}
