package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/oath"
)

// guarded is a daemon as people get it, with its keys behind a real pcscd, and all the secrets that it has seen.
type guarded struct {
	*bench
	secrets map[string][]byte
}

// operations are done one after the other, with a search of the daemon's memory after each.
var operations = []struct {
	name string
	do   func(*guarded)
}{
	{"key enroll", func(g *guarded) {
		r := api.EnrollRequest{ChangePIN: true, ChangePUK: true, Protect: true}
		s := client.EnrollSecrets{PIN: oath.CopySecret([]byte(hwtest.FactoryPIN)), PUK: oath.CopySecret([]byte(hwtest.FactoryPUK)), NewPIN: g.word("PIN", 8), NewPUK: g.word("PUK", 8)}
		g.must(failure(g.client.Enroll(g.t.Context(), "daily", r, s)))
		g.learnManagement()
	}},
	{"password", func(g *guarded) {
		g.learnDerived(g.word("password", 20))
		g.must(failure(g.client.SetPassword(g.t.Context(), "spare", g.again("password"))))
		g.must(failure(g.client.Unlock(g.t.Context(), "spare", g.again("password"))))
		g.refused(failure(g.client.Unlock(g.t.Context(), "spare", g.word("wrong password", 20))), api.CodeWrongPassword)
	}},
	{"escrow init", func(g *guarded) {
		_, paper, err := g.client.EscrowInit(g.t.Context(), api.EscrowInitRequest{Keys: []string{"daily"}, Recovery: "paper"}, g.word("passphrase", 24))
		g.must(err)
		g.learnPaper("recovery key", paper)
		g.learnVault("vault key", "recovery key")
	}},
	{"add", func(g *guarded) {
		g.done(g.client.Add(g.t.Context(), api.AddRequest{Accounts: []api.NewAccount{account("one", "SHA1"), account("two", "SHA256"), account("long", "SHA1")}, To: []string{"daily"}},
			[]*oath.Secret{g.seed("seed of 20 bytes", 20), g.seed("seed of 32 bytes", 32), g.seed("seed of 80 bytes", 80)}, nil))
	}},
	{"add, refused", func(g *guarded) {
		_, err := g.client.Add(g.t.Context(), api.AddRequest{Accounts: []api.NewAccount{account("one", "SHA1")}}, []*oath.Secret{g.seed("refused seed", 20)}, nil)
		g.refused(err, api.CodeExists)
	}},
	{"runbook set", func(g *guarded) {
		g.must(failure(g.client.SetRunbook(g.t.Context(), "Memory:one", g.word("runbook", 3000))))
	}},
	{"runbook", func(g *guarded) {
		text, err := g.client.Runbook(g.t.Context(), "Memory:one", api.RunbookRequest{Opener: opener(api.OpenRecovery)}, g.typed("recovery key"))
		g.must(err)
		if !bytes.Equal(text.Bytes(), g.secrets["runbook"]) {
			g.t.Errorf("the runbook is %q", text.Bytes())
		}
	}},
	{"drill with a key", func(g *guarded) {
		g.must(failure(g.client.EscrowDrill(g.t.Context(), api.EscrowDrillRequest{Opener: opener(api.OpenPIV)}, g.again("PIN"))))
	}},
	{"drill with a recovery key", func(g *guarded) {
		g.must(failure(g.client.EscrowDrill(g.t.Context(), api.EscrowDrillRequest{Opener: opener(api.OpenRecovery)}, g.typed("recovery key"))))
	}},
	{"drill with a passphrase", func(g *guarded) {
		g.must(failure(g.client.EscrowDrill(g.t.Context(), api.EscrowDrillRequest{Opener: opener(api.OpenPassphrase)}, g.again("passphrase"))))
	}},
	{"drill, refused", func(g *guarded) {
		for _, by := range []api.OpenerKind{api.OpenPIV, api.OpenRecovery} {
			_, err := g.client.EscrowDrill(g.t.Context(), api.EscrowDrillRequest{Opener: opener(by)}, g.word("wrong "+string(by), 8))
			g.refused(err, api.CodeWrongPassword)
		}
	}},
	{"restore", func(g *guarded) {
		g.done(g.client.Restore(g.t.Context(), api.RestoreRequest{Opener: opener(api.OpenPIV), To: []string{"spare"}}, g.again("PIN"), nil))
	}},
	{"export", func(g *guarded) {
		_, seed, err := g.client.Export(g.t.Context(), api.ExportRequest{Account: "Memory:long", Opener: opener(api.OpenPIV)}, g.again("PIN"))
		g.must(err)
		if !bytes.Equal(seed.Bytes(), g.secrets["seed of 80 bytes"]) {
			g.t.Error("another seed was exported")
		}
	}},
	{"rotate", func(g *guarded) {
		g.done(g.client.Rotate(g.t.Context(), "Memory:one", api.RotateRequest{}, g.seed("rotated seed", 20), nil))
		g.done(g.client.RotateEnd(g.t.Context(), "Memory:one", api.RotateEndRequest{}))
	}},
	{"paper", func(g *guarded) {
		_, paper, err := g.client.EscrowAdd(g.t.Context(), api.EscrowAddRequest{Opener: opener(api.OpenPIV), Recovery: "second paper"}, g.again("PIN"), nil)
		g.must(err)
		g.learnPaper("second recovery key", paper)
	}},
	{"recipients remove", func(g *guarded) {
		g.must(failure(g.client.EscrowRemove(g.t.Context(), api.EscrowRemoveRequest{Opener: opener(api.OpenRecovery), Recipients: []string{"passphrase"}},
			g.typed("second recovery key"), nil)))
		g.learnVault("second vault key", "second recovery key")
	}},
	{"key lost", func(g *guarded) {
		g.pull[0]()
		g.present("spare")
		by := opener(api.OpenRecovery)
		g.must(failure(g.client.KeyLost(g.t.Context(), "daily", api.LostRequest{Opener: &by}, g.typed("second recovery key"), nil)))
		g.learnVault("third vault key", "second recovery key")
	}},
}

// TestMemory: after each operation none of the secrets that went through the daemon is left in its memory, whole or in pieces,
// in any form that programs give them, but in pages that core dumps leave out.
func TestMemory(t *testing.T) {
	t.Parallel()
	g := &guarded{bench: newBenchOf(t, release(t)), secrets: map[string][]byte{}}
	for _, op := range operations {
		op.do(g)
		found := g.search("after " + op.name)
		if _, kept := found.shut[derived+", raw"]; kept != (g.secrets[derived] != nil) || kept != (len(found.shut) == 1) {
			t.Errorf("after %s: shut away is %v, want what the daemon keeps, and nothing else", op.name, found.shut)
		}
	}
	g.bareMachine()
}

// derived is what the daemon keeps of a password until it ends.
const derived = "what the password derives"

// search fails the test for each secret that is found open. The keys' labels are there, which shows that it is the right
// memory.
func (g *guarded) search(when string) dump {
	g.t.Helper()
	n := needlesOf(g.secrets)
	n.add("a label", []byte("daily"))
	found := n.search(g.t, g.process.Process.Pid)
	g.t.Logf("%s: searched %s, for %d secrets in %d forms", when, found, n.secrets, n.forms)
	if found.open["a label"] == "" {
		g.t.Errorf("%s: not even a key's label is found", when)
	}
	delete(found.open, "a label")
	for name, where := range found.open {
		g.t.Errorf("%s: %s is %s", when, name, where)
	}
	return found
}

// bareMachine opens a backup where there is nothing.
func (g *guarded) bareMachine() {
	file, err := g.client.EscrowBackup(g.t.Context())
	g.must(err)
	other := &guarded{bench: &bench{daemon: start(g.t, g.bin, g.pcscd.Env())}, secrets: g.secrets}
	other.must(failure(other.client.EscrowOpen(g.t.Context(), api.EscrowOpenRequest{Opener: opener(api.OpenRecovery)}, g.typed("second recovery key"), file)))
	other.search("after escrow open")
}

func account(name, algorithm string) api.NewAccount {
	return api.NewAccount{Issuer: "Memory", Name: name, Type: "totp", Algorithm: algorithm, Digits: 6, Period: 30}
}

func opener(by api.OpenerKind) api.Opener { return api.Opener{By: by} }

// word draws a secret that can be typed.
func (g *guarded) word(name string, length int) *oath.Secret {
	text := make([]byte, base64.RawURLEncoding.EncodedLen(length))
	base64.RawURLEncoding.Encode(text, random(length))
	return g.keep(name, text[:length])
}

// seed draws a secret of any bytes.
func (g *guarded) seed(name string, length int) *oath.Secret { return g.keep(name, random(length)) }

func random(length int) []byte {
	b := make([]byte, length)
	rand.Read(b)
	return b
}

// keep has a secret looked for from now on.
func (g *guarded) keep(name string, b []byte) *oath.Secret {
	g.secrets[name] = b
	return oath.CopySecret(b)
}

// again is a secret that was kept.
func (g *guarded) again(name string) *oath.Secret { return oath.CopySecret(g.secrets[name]) }

// agePrefix begins every secret key of age; what is kept of one is the rest.
const agePrefix = "AGE-SECRET-KEY-1"

// typed is a secret key of age that was kept.
func (g *guarded) typed(name string) *oath.Secret {
	return oath.TakeSecret(append([]byte(agePrefix), g.secrets[name]...))
}

// alike is a clone of a key: pcscd takes power away from the key itself while nobody uses it.
func (g *guarded) alike(i int) *softkey.Key {
	g.t.Helper()
	k, err := g.keys[i].Clone()
	g.must(err)
	return k
}

// learnDerived keeps what a key derives from its password.
func (g *guarded) learnDerived(password *oath.Secret) {
	s, err := ykoath.Select(g.alike(1))
	g.must(err)
	g.keep(derived, bytes.Clone(ykoath.DeriveKey(password.Bytes(), s.Info().Salt).Bytes()))
}

// learnManagement keeps the management key, which the key keeps behind the PIN.
func (g *guarded) learnManagement() {
	g.t.Helper()
	card := hw.Link{Card: g.alike(0), MoreINS: 0xc0}
	var object []byte
	for _, c := range []hw.Command{
		hw.SelectCommand(piv.AID), {INS: 0x20, P2: 0x80, Data: g.secrets["PIN"]}, {INS: 0xcb, P1: 0x3f, P2: 0xff, Data: []byte("\x5c\x03\x5f\xc1\x09")},
	} {
		var err error
		object, err = card.Exchange(c)
		g.must(err)
	}
	g.keep("management key", object[len(object)-24:])
}

var (
	printedKey = regexp.MustCompile(agePrefix + `([ A-Z0-9]+)`)
	picturedQR = regexp.MustCompile(`<path d="([^"]+)"`)
)

// learnPaper keeps what is secret about a recovery paper: the key as it is printed and as it is typed, and the picture.
func (g *guarded) learnPaper(name string, paper *oath.Secret) {
	g.t.Helper()
	printed, picture := printedKey.FindSubmatch(paper.Bytes()), picturedQR.FindSubmatch(paper.Bytes())
	if printed == nil || picture == nil {
		g.t.Fatalf("no key is on the paper: %q", paper.Bytes())
	}
	g.keep(name+" as printed", printed[1])
	g.keep(name+" as a picture", picture[1])
	g.learnKey(name, bytes.ReplaceAll(printed[1], []byte(" "), nil))
}

// learnVault keeps the vault key, which age finds in a backup.
func (g *guarded) learnVault(name, recovery string) {
	g.t.Helper()
	file, err := g.client.EscrowBackup(g.t.Context())
	g.must(err)
	backup, err := escrow.ParseBackup(file)
	g.must(err)
	id, err := age.ParseX25519Identity(string(g.typed(recovery).Bytes()))
	g.must(err)
	plain, err := age.Decrypt(bytes.NewReader(backup.Vault.Wrapped), id)
	g.must(err)
	text, err := io.ReadAll(plain)
	g.must(err)
	g.learnKey(name, printedKey.FindSubmatch(text)[1])
}

// learnKey keeps a secret key of age as text without its prefix, and as bytes.
func (g *guarded) learnKey(name string, text []byte) {
	g.t.Helper()
	const alphabet, checksum = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 6 // Bech32 (BIP 173)
	var key []byte
	bits, n := 0, 0
	for _, c := range text[:len(text)-checksum] {
		if bits, n = bits<<5|strings.IndexByte(alphabet, c), n+5; n >= 8 {
			n -= 8
			key = append(key, byte(bits>>n))
		}
	}
	if len(key) != 32 {
		g.t.Fatalf("the %s has %d bytes", name, len(key))
	}
	g.keep(name, text)
	g.keep(name+"'s bytes", key)
}

func (g *guarded) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatalf("%v\noathd said:\n%s", err, &g.log)
	}
}

func (g *guarded) done(report api.Report, err error) {
	g.t.Helper()
	if err == nil && !report.Complete {
		err = fmt.Errorf("not complete: %+v", report)
	}
	g.must(err)
}

func (g *guarded) refused(err error, code api.ErrorCode) {
	g.t.Helper()
	if api.CodeOf(err) != code {
		g.t.Fatalf("%v (%s), want %s", err, api.CodeOf(err), code)
	}
}

// failure is the error of a call whose answer is of no interest.
func failure[T any](_ T, err error) error { return err }
