package ykoath_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/oath"
)

// TestTranscripts plays recorded exchanges with a real YubiKey 5.4.3: for each recorded command the client is
// asked to do the same. It must send the same bytes, and must find in the key's answer what the seeds that were PUT
// make of the challenge. The differences that are allowed:
//
//   - Le: the recorded client sent none, we do, for CanoKey's sake (hw.Command.Encode).
//   - SELECT after RESET: we send one to learn the new device id, as ykman does.
func TestTranscripts(t *testing.T) {
	dir := need.Samples(t, "transcripts")
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			r := &replay{t: t, exchanges: readTranscript(t, file), seeds: map[string]*credential{}}
			for len(r.exchanges) > 0 {
				r.next()
			}
		})
	}
}

type exchange struct{ command, answer []byte }

// readTranscript takes the Transmit lines of a recording of cunicu/go-ykoath.
func readTranscript(t *testing.T, file string) []exchange {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []exchange
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 6 && f[3] == "Transmit" {
			list = append(list, exchange{unhex(t, f[4]), unhex(t, f[5])})
		}
	}
	if len(list) == 0 {
		t.Fatalf("no exchanges in %s", file)
	}
	return list
}

// credential is what a PUT of the recording stored.
type credential struct {
	account oath.Account
	seed    []byte
	counter uint64
}

// replay is the recorded key and the driver of the client in one.
type replay struct {
	t         *testing.T
	exchanges []exchange
	session   *ykoath.Session
	seeds     map[string]*credential
	selected  []byte // the last answer to a SELECT
	wasReset  bool
}

// Transmit answers as recorded, and fails the test if the command is not the recorded one.
func (r *replay) Transmit(command []byte) ([]byte, error) {
	bare := command
	if len(command) > 5 && int(command[4]) == len(command)-6 || len(command) == 5 {
		bare = command[:len(command)-1] // Le
	}
	isSelect := bytes.HasPrefix(command, []byte{0, 0xa4, 4})
	if isSelect && r.wasReset && !bytes.HasPrefix(r.exchanges[0].command, []byte{0, 0xa4, 4}) {
		r.wasReset = false
		return bytes.Clone(r.selected), nil
	}
	next := r.exchanges[0]
	r.exchanges = r.exchanges[1:]
	recorded := next.command
	if isSelect {
		recorded = recorded[:len(recorded)-1] // this one was recorded with Le
		r.selected = next.answer
	}
	r.wasReset = command[1] == 0x04
	if !bytes.Equal(bare, recorded) {
		r.t.Fatalf("sent     %x\nrecorded %x", bare, recorded)
	}
	return bytes.Clone(next.answer), nil
}

// next has the client do what the recorded client did next.
func (r *replay) next() {
	command := r.exchanges[0].command
	var list []tlv.TLV
	if len(command) > 5 && command[1] != 0x01 {
		list, _ = tlv.Parse(command[5:])
	}
	id, _ := tlv.Find(list, 0x71)
	challenge, _ := tlv.Find(list, 0x74)
	switch ins := command[1]; {
	case ins == 0xa4 && command[2] == 0x04:
		r.selectApplet()
	case ins == 0x01:
		r.put(command[5:])
	case ins == 0x02:
		r.check(r.session.Delete(string(id)))
		delete(r.seeds, string(id))
	case ins == 0x04:
		r.reset()
	case ins == 0xa1:
		r.list()
	case ins == 0xa2:
		r.calculate(string(id), challenge, command[3] == 1)
	case ins == 0xa4:
		r.calculateAll(challenge)
	default:
		r.t.Fatalf("recorded command %x is not known here", command)
	}
}

func (r *replay) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *replay) selectApplet() {
	session, err := ykoath.Select(r)
	r.check(err)
	r.session = session
	info := session.Info()
	if info.Version.String() != "5.4.3" || info.PasswordSet() || info.Vendor() != "YubiKey 5" || len(info.Salt) != 8 {
		r.t.Errorf("%+v", info)
	}
}

func (r *replay) reset() {
	before, again := r.session.Info().DeviceID(), bytes.HasPrefix(r.exchanges[min(1, len(r.exchanges)-1)].command, []byte{0, 0xa4})
	r.check(r.session.Reset())
	clear(r.seeds)
	if changed := r.session.Info().DeviceID() != before; changed != again {
		r.t.Errorf("the device id changed: %t, recorded: %t", changed, again)
	}
}

// put reads a recorded PUT and has the client write the same credential.
func (r *replay) put(data []byte) {
	id, rest := data[2:2+data[1]], data[2+data[1]:]
	key, rest := rest[2:2+rest[1]], rest[2+rest[1]:]
	kind := oath.Type(key[0] & 0xf0)
	c := &credential{account: oath.ParseID(kind, string(id)), seed: key[2:]}
	c.account.Algorithm, c.account.Digits = oath.Algorithm(key[0]&0x0f), int(key[1])
	if len(rest) == 6 && rest[0] == 0x7a {
		c.counter = uint64(rest[5])
	}
	r.check(r.session.Put(ykoath.Put{Account: c.account, Seed: oath.CopySecret(c.seed), Counter: uint32(c.counter)}))
	r.seeds[string(id)] = c
}

func (r *replay) list() {
	entries, err := r.session.List()
	r.check(err)
	if len(entries) != len(r.seeds) {
		r.t.Errorf("%d listed, %d written", len(entries), len(r.seeds))
	}
	for _, e := range entries {
		c := r.seeds[e.ID]
		if c == nil || e.Type != c.account.Type || e.Algorithm != c.account.Algorithm {
			r.t.Errorf("listed %+v, written %+v", e, c)
		}
	}
}

func (r *replay) calculate(id string, challenge []byte, truncated bool) {
	calculate := r.session.Calculate
	if truncated {
		calculate = r.session.CalculateTruncated
	}
	response, err := calculate(id, challenge)
	r.check(err)
	r.compare(id, challenge, response)
}

func (r *replay) calculateAll(challenge []byte) {
	answers, err := r.session.CalculateAllTruncated(challenge)
	r.check(err)
	if len(answers) != len(r.seeds) {
		r.t.Errorf("%d answers of %d credentials", len(answers), len(r.seeds))
	}
	for _, a := range answers {
		if a.HOTP || a.Touch {
			r.t.Errorf("%+v", a)
		}
		r.compare(a.ID, challenge, a.Response)
	}
}

// compare holds the key's response against our own arithmetic.
func (r *replay) compare(id string, challenge []byte, got ykoath.Response) {
	r.t.Helper()
	c := r.seeds[id]
	if c == nil {
		r.t.Fatalf("a response of %q, which was never written", id)
	}
	if c.account.Type == oath.HOTP {
		challenge = oath.Challenge(c.counter)
		c.counter++
	}
	mac := oath.HMAC(c.account.Algorithm, c.seed, challenge)
	if got.MAC != nil && !bytes.Equal(got.MAC, mac) {
		r.t.Errorf("%q: HMAC %s, want %x", id, hex.EncodeToString(got.MAC), mac)
	}
	if got.Digits != c.account.Digits {
		r.t.Errorf("%q: %d digits, want %d", id, got.Digits, c.account.Digits)
	}
	if g, w := c.account.Code(got.Truncated), c.account.Code(oath.Truncate(mac)); g != w {
		r.t.Errorf("%q: code %s, want %s", id, g, w)
	}
}
