package hwtest_test

import (
	"encoding/base32"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/oath"
)

// credential is an account with its secret, as the tests write and expect it.
type credential struct {
	oath.Account
	seed    string
	touch   bool
	counter uint32
}

const (
	sha1, sha256, sha512 = oath.SHA1, oath.SHA256, oath.SHA512
	seed20               = "12345678901234567890"
)

// credentials are what both programs write and read.
var credentials = []credential{
	{Account: oath.Account{Issuer: "plain", Name: "ada", Type: oath.TOTP, Algorithm: sha1, Digits: 6, Period: 30}, seed: seed20},
	{Account: oath.Account{Issuer: "seven", Name: "ada", Type: oath.TOTP, Algorithm: sha1, Digits: 7, Period: 30}, seed: "0123456789"},
	{Account: oath.Account{Issuer: "eight", Name: "ada", Type: oath.TOTP, Algorithm: sha256, Digits: 8, Period: 60}, seed: seed20 + "123456789012"},
	{Account: oath.Account{Issuer: "sha512", Name: "ada", Type: oath.TOTP, Algorithm: sha512, Digits: 7, Period: 15}, seed: strings.Repeat("s", 64)},
	{Account: oath.Account{Issuer: "long", Name: "ada", Type: oath.TOTP, Algorithm: sha1, Digits: 6, Period: 30}, seed: strings.Repeat("long", 25)},
	{Account: oath.Account{Name: "jürgen@例え.jp", Type: oath.TOTP, Algorithm: sha256, Digits: 6, Period: 30}, seed: seed20},
	{Account: oath.Account{Issuer: "Steam", Name: "gabe", Type: oath.TOTP, Algorithm: sha1, Digits: 6, Period: 30}, seed: seed20},
	{Account: oath.Account{Issuer: "touch", Name: "ada", Type: oath.TOTP, Algorithm: sha1, Digits: 6, Period: 30}, seed: seed20, touch: true},
	{Account: oath.Account{Issuer: "counter", Name: "ada", Type: oath.HOTP, Algorithm: sha1, Digits: 6}, seed: seed20},
	{Account: oath.Account{Issuer: "begun", Name: "ada", Type: oath.HOTP, Algorithm: sha256, Digits: 8}, seed: seed20, counter: 0x10203},
}

func (c credential) secret() string { return base32.StdEncoding.EncodeToString([]byte(c.seed)) }

func (c credential) code(step uint64) string {
	return c.Code(oath.Truncate(oath.HMAC(c.Algorithm, []byte(c.seed), oath.Challenge(step))))
}

// codesSince returns the codes that were valid at some time since began.
func (c credential) codesSince(began time.Time) (codes []string) {
	for step := oath.Step(began, c.Period); step <= oath.Step(time.Now(), c.Period); step++ {
		codes = append(codes, c.code(step))
	}
	return codes
}

// add is the command with which ykman writes c.
func (c credential) add() []string {
	args := []string{"oath", "accounts", "add", c.Name, c.secret(), "--oath-type", strings.ToUpper(c.Type.String()),
		"--algorithm", c.Algorithm.String(), "--digits", strconv.Itoa(c.Digits)}
	if c.Issuer != "" {
		args = append(args, "--issuer", c.Issuer)
	}
	if c.Type == oath.TOTP {
		args = append(args, "--period", strconv.Itoa(c.Period))
	}
	if c.touch {
		args = append(args, "--touch")
	}
	if c.counter != 0 {
		args = append(args, "--counter", strconv.Itoa(int(c.counter)))
	}
	return args
}

// seat is one soft key behind the real pcscd, with both programs in front of it.
type seat struct {
	*testing.T
	key   *softkey.Key
	ykman *hwtest.Ykman
	bay   func(work func(hw.Card) error) error
}

// ours runs work with our client.
func (s *seat) ours(work func(o *ykoath.Session)) {
	s.Helper()
	s.must(s.bay(func(card hw.Card) error {
		o, err := ykoath.Select(card)
		if err == nil {
			work(o)
		}
		return err
	}))
}

func (s *seat) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *seat) put(o *ykoath.Session, c credential) error {
	seed := oath.CopySecret([]byte(c.seed))
	defer seed.Wipe()
	return o.Put(ykoath.Put{Account: c.Account, Seed: seed, Touch: c.touch, Counter: c.counter})
}

// calculate returns our client's code for c, now or for HOTP the next.
func (s *seat) calculate(o *ykoath.Session, c credential) string {
	s.Helper()
	var challenge []byte
	if c.Type == oath.TOTP {
		challenge = oath.Challenge(oath.Step(time.Now(), c.Period))
	}
	response, err := o.CalculateTruncated(c.ID(), challenge)
	s.must(err)
	return c.Code(response.Truncated)
}

// only skips a test that a later ykman cannot pass.
func (s *seat) only(major int, why string) {
	s.Helper()
	if s.ykman.Major > major {
		s.Skipf("ykman %d %s", s.ykman.Major, why)
	}
}

// refuses runs ykman and wants it to fail with these words.
func (s *seat) refuses(words string, args ...string) {
	s.Helper()
	if out, err := s.ykman.Try(args...); err == nil || !strings.Contains(err.Error(), words) {
		s.Errorf("ykman %q: %v, not %q\n%s", args, err, words, out)
	}
}

func TestYkman(t *testing.T) {
	tests := []struct {
		name string
		key  softkey.Options
		run  func(*seat)
	}{
		{"info", softkey.Options{Personality: "yubikey-5.7", Serial: 5701234}, func(s *seat) {
			ykmanInfo(s)
			ykmanConfigures(s)
		}},
		{"writes and we read", softkey.Options{Personality: "yubikey-5.7"}, ykmanWrites},
		{"reads what we write", softkey.Options{Personality: "yubikey-5.4"}, ykmanReads},
		{"takes URIs", softkey.Options{Personality: "yubikey-5.7"}, ykmanURIs},
		{"renames and deletes", softkey.Options{Personality: "yubikey-5.4"}, ykmanRenames},
		{"sets a password", softkey.Options{Personality: "yubikey-5.7"}, ykmanSetsPassword},
		{"knows our password", softkey.Options{Personality: "yubikey-4.3"}, ykmanKnowsPassword},
		{"resets", softkey.Options{Personality: "yubikey-5.4"}, ykmanResets},
		{"waits for a touch", softkey.Options{Personality: "yubikey-5.7", TouchTimeout: time.Second}, ykmanTouch},
		{"fills a 5.4", softkey.Options{Personality: "yubikey-5.4"}, func(s *seat) { ykmanFills(s, 32) }},
		{"fills a 5.7", softkey.Options{Personality: "yubikey-5.7"}, func(s *seat) { ykmanFills(s, 64) }},
		{"over NFC", softkey.Options{Personality: "yubikey-5.7", Contactless: true}, func(s *seat) {
			s.only(4, "sends commands of extended length, which not every NFC reader takes")
			ykmanBasics(s)
		}},
		{"with a 4.3", softkey.Options{Personality: "yubikey-4.3"}, ykmanBasics},
		{"with a NEO", softkey.Options{Personality: "neo"}, ykmanBasics},
		{"with a CanoKey", softkey.Options{Personality: "canokey"}, func(s *seat) {
			s.only(4, "asks for the list without Le, and for ever, since CanoKey then answers with nothing")
			ykmanBasics(s)
		}},
		{"with a pico-fido", softkey.Options{Personality: "pico-fido"}, ykmanBasics},
	}
	p := hwtest.StartPCSCD(t, (len(tests)+1)/2)
	p.Use(t)
	bay, seen := watch(t)
	t.Run("all", func(t *testing.T) { // ends when the parallel tests have
		for slot, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				key, err := softkey.New(test.key)
				if err != nil {
					t.Fatal(err)
				}
				p.Plug(key, slot)
				inserted := seen.await(t, p.Reader(slot))
				test.run(&seat{t, key, p.Ykman(t, slot), func(work func(hw.Card) error) error { return bay.Transact(inserted, work) }})
			})
		}
	})
}

// "ykman list" takes no reader, so its keys have a pcscd of their own.
func TestYkmanList(t *testing.T) {
	t.Parallel()
	p := hwtest.StartPCSCD(t, 1)
	serials := []uint32{5401234, 5401235}
	var plugging sync.WaitGroup
	for slot, serial := range serials {
		key, err := softkey.New(softkey.Options{Personality: "yubikey-5.4", Serial: serial})
		if err != nil {
			t.Fatal(err)
		}
		plugging.Go(func() { p.Plug(key, slot) })
	}
	plugging.Wait()
	list := p.Ykman(t, 0).Everywhere("list")
	for _, serial := range serials {
		if want := fmt.Sprintf("YubiKey 5 NFC (5.4.3) [CCID] Serial: %d", serial); !strings.Contains(list, want) {
			t.Errorf("ykman list lacks %q:\n%s", want, list)
		}
	}
}

func ykmanInfo(s *seat) {
	words := func(out string) string { return strings.Join(strings.Fields(out), " ") }
	info := words(s.ykman.Run("info"))
	for _, want := range []string{"Serial number: 5701234", "Firmware version: 5.7.1", "Keychain (USB-C)"} {
		if !strings.Contains(info, want) {
			s.Errorf("info lacks %q:\n%s", want, info)
		}
	}
	info = words(s.ykman.Run("oath", "info"))
	for _, want := range []string{"OATH version: 5.7.1", "Password protection: disabled"} {
		if !strings.Contains(info, want) {
			s.Errorf("oath info lacks %q:\n%s", want, info)
		}
	}
}

// ykmanConfigures switches OATH off and on again, and locks the configuration in between.
func ykmanConfigures(s *seat) {
	const code = "0102030405060708090a0b0c0d0e0f10"
	s.ours(func(o *ykoath.Session) { s.must(s.put(o, credentials[0])) })
	s.ykman.Run("config", "usb", "--force", "--disable", "OATH")
	s.ykman.Run("config", "set-lock-code", "--new-lock-code", code)
	if err := s.bay(selectOATH); !errors.Is(err, ykoath.ErrNoApplet) {
		s.Errorf("where OATH is disabled: %v", err)
	}
	s.refuses("", "oath", "info")
	s.refuses("", "config", "usb", "--force", "--enable", "OATH")
	s.ykman.Run("config", "usb", "--force", "--enable", "OATH", "--lock-code", code)
	s.ykman.Run("config", "set-lock-code", "--lock-code", code, "--clear")
	s.lists(credentials[0].ID())
}

func selectOATH(card hw.Card) error {
	_, err := ykoath.Select(card)
	return err
}

func ykmanWrites(s *seat) {
	for _, c := range credentials {
		s.ykman.Run(c.add()...)
	}
	s.ours(func(o *ykoath.Session) {
		entries, err := o.List()
		s.must(err)
		if len(entries) != len(credentials) {
			s.Fatalf("listed %v", entries)
		}
		for i, c := range credentials {
			if want := (ykoath.Entry{ID: c.ID(), Type: c.Type, Algorithm: c.Algorithm}); entries[i] != want {
				s.Errorf("listed %v, want %v", entries[i], want)
			}
			s.checkProof(o, c)
		}
		all, err := o.CalculateAll(oath.Challenge(1))
		s.must(err)
		for i, c := range credentials {
			if all[i].ID != c.ID() || all[i].Touch != c.touch || all[i].HOTP != (c.Type == oath.HOTP) || all[i].Digits != c.Digits {
				s.Errorf("CALCULATE ALL: %+v, want %+v", all[i], c)
			}
		}
	})
	s.checkYkmanCodes()
}

// checkProof has the key answer for c, and compares with the seed.
func (s *seat) checkProof(o *ykoath.Session, c credential) {
	s.Helper()
	if c.Type == oath.HOTP {
		if got, want := s.calculate(o, c), c.code(uint64(c.counter)); got != want {
			s.Errorf("%s: %s, want %s", c.ID(), got, want)
		}
		return
	}
	challenge := oath.Challenge(0x10001)
	response, err := o.Calculate(c.ID(), challenge)
	s.must(err)
	if string(response.MAC) != string(oath.HMAC(c.Algorithm, []byte(c.seed), challenge)) {
		s.Errorf("%s answers %x", c.ID(), response.MAC)
	}
}

// checkYkmanCodes compares what ykman shows for all accounts with our arithmetic, and its next counter codes.
func (s *seat) checkYkmanCodes() {
	s.Helper()
	began := time.Now()
	shown := make(map[string]string)
	for _, line := range s.ykman.Lines("oath", "accounts", "code") {
		id, code, _ := strings.Cut(line, "  ")
		shown[id] = strings.TrimSpace(code)
	}
	for _, c := range credentials {
		want := c.codesSince(began)
		switch {
		case c.touch:
			want = []string{"[Requires Touch]"}
		case c.Type == oath.HOTP:
			want = []string{"[HOTP Account]"}
		}
		if !slices.Contains(want, shown[c.ID()]) {
			s.Errorf("ykman shows %q for %s, not one of %q", shown[c.ID()], c.ID(), want)
		}
	}
}

func ykmanReads(s *seat) {
	s.ours(func(o *ykoath.Session) {
		for _, c := range credentials {
			s.must(s.put(o, c))
		}
	})
	var want []string
	for _, c := range credentials {
		want = append(want, fmt.Sprintf("%s, %s, %d", c.ID(), strings.ToUpper(c.Type.String()), c.Period))
	}
	got := s.ykman.Lines("oath", "accounts", "list", "--oath-type", "--period")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("ykman lists %q, want %q", got, want)
	}
	s.checkYkmanCodes()
	// What can only be asked for alone; the counters go on from program to program.
	for _, c := range credentials {
		if c.Type != oath.HOTP && !c.touch {
			continue
		}
		for turn := range uint64(2) {
			began := time.Now()
			code := strings.TrimSpace(s.ykman.Run("oath", "accounts", "code", "--single", c.ID()))
			if c.Type == oath.TOTP {
				if !slices.Contains(c.codesSince(began), code) {
					s.Errorf("ykman says %s for %s", code, c.ID())
				}
				continue
			}
			if want := c.code(uint64(c.counter) + 2*turn); code != want {
				s.Errorf("ykman says %s for %s, want %s", code, c.ID(), want)
			}
			s.ours(func(o *ykoath.Session) {
				if got, want := s.calculate(o, c), c.code(uint64(c.counter)+2*turn+1); got != want {
					s.Errorf("after ykman, %s: %s, want %s", c.ID(), got, want)
				}
			})
		}
	}
}

func ykmanURIs(s *seat) {
	s.ykman.Answer("otpauth://totp/plain:ada?issuer=plain&secret="+credentials[0].secret()+"\n", "oath", "accounts", "uri")
	for _, uri := range []string{
		"otpauth://totp/eight:ada?issuer=eight&algorithm=SHA256&digits=8&period=60&secret=" + credentials[2].secret(),
		"otpauth://hotp/counter:ada?issuer=counter&counter=7&secret=" + credentials[8].secret(),
		"otpauth://totp/Steam:gabe?issuer=Steam&digits=5&secret=" + credentials[6].secret(),
	} {
		s.ykman.Run("oath", "accounts", "uri", uri)
	}
	s.refuses("Invalid", "oath", "accounts", "uri", "https://example.org/")
	counter := credentials[8]
	counter.counter = 7
	s.ours(func(o *ykoath.Session) {
		for _, c := range []credential{credentials[0], credentials[2], counter, credentials[6]} {
			s.checkProof(o, c)
		}
	})
}

func ykmanRenames(s *seat) {
	first, second := credentials[0], credentials[2]
	s.ours(func(o *ykoath.Session) { s.must(errors.Join(s.put(o, first), s.put(o, second))) })
	s.ykman.Run("oath", "accounts", "rename", "--force", first.ID(), "renamed:by ykman")
	first.Issuer, first.Name = "renamed", "by ykman"
	s.ours(func(o *ykoath.Session) {
		s.checkProof(o, first)
		s.must(o.Rename(second.ID(), "60/renamed:by us"))
	})
	second.Issuer, second.Name = "renamed", "by us"
	s.lists(second.ID(), first.ID())
	s.refuses("already exists", "oath", "accounts", "rename", "--force", "by us", "renamed:by us")
	s.ykman.Run("oath", "accounts", "delete", "--force", second.ID())
	s.ours(func(o *ykoath.Session) {
		_, err := o.Calculate(second.ID(), oath.Challenge(1))
		if !errors.Is(err, ykoath.ErrNoSuchCredential) {
			s.Errorf("after ykman's delete: %v", err)
		}
		s.must(o.Delete(first.ID()))
	})
	s.lists()
}

// lists compares what ykman lists.
func (s *seat) lists(want ...string) {
	s.Helper()
	if got := s.ykman.Lines("oath", "accounts", "list"); !slices.Equal(got, want) {
		s.Errorf("ykman lists %q, want %q", got, want)
	}
}

func ykmanSetsPassword(s *seat) {
	c := credentials[0]
	s.ours(func(o *ykoath.Session) { s.must(s.put(o, c)) })
	s.ykman.Run("oath", "access", "change", "--new-password", "pässword")
	s.ours(func(o *ykoath.Session) {
		if _, err := o.List(); !errors.Is(err, ykoath.ErrLocked) {
			s.Errorf("LIST: %v", err)
		}
		key := ykoath.DeriveKey([]byte("pässword"), o.Info().Salt)
		defer key.Wipe()
		s.must(o.Validate(key))
		s.checkProof(o, c)
	})
	s.ykman.Run("oath", "access", "change", "--password", "pässword", "--clear")
	s.ours(func(o *ykoath.Session) {
		if o.Info().PasswordSet() {
			s.Error("ykman cleared the password, and it is still there")
		}
		s.checkProof(o, c)
	})
}

func ykmanKnowsPassword(s *seat) {
	c := credentials[0]
	s.ours(func(o *ykoath.Session) {
		s.must(s.put(o, c))
		key := ykoath.DeriveKey([]byte("sesame"), o.Info().Salt)
		defer key.Wipe()
		s.must(o.SetCode(key))
	})
	if info := s.ykman.Run("oath", "info"); !strings.Contains(info, "Password protection: enabled") {
		s.Errorf("oath info:\n%s", info)
	}
	s.refuses("Wrong password", "oath", "accounts", "list", "--password", "wrong")
	began := time.Now()
	code := strings.TrimSpace(s.ykman.Run("oath", "accounts", "code", "--single", c.ID(), "--password", "sesame"))
	if !slices.Contains(c.codesSince(began), code) {
		s.Errorf("ykman says %s", code)
	}
	s.ykman.Run("oath", "access", "remember", "--password", "sesame")
	s.lists(c.ID())
	s.ykman.Run("oath", "access", "forget")
	s.refuses("", "oath", "accounts", "list")
	s.ours(func(o *ykoath.Session) {
		key := ykoath.DeriveKey([]byte("sesame"), o.Info().Salt)
		defer key.Wipe()
		s.must(o.Validate(key))
		s.must(o.ClearCode())
	})
	s.lists(c.ID())
}

func ykmanResets(s *seat) {
	var before, between ykoath.Info
	s.ours(func(o *ykoath.Session) {
		before = o.Info()
		s.must(s.put(o, credentials[0]))
	})
	s.ykman.Run("oath", "reset", "--force")
	s.ours(func(o *ykoath.Session) {
		between = o.Info()
		if entries, err := o.List(); err != nil || len(entries) != 0 || between.DeviceID() == before.DeviceID() {
			s.Errorf("after ykman's reset: %v, %v, device id %s", entries, err, between.DeviceID())
		}
		s.must(s.put(o, credentials[0]))
		s.must(o.Reset())
		if o.Info().DeviceID() == between.DeviceID() {
			s.Error("the device id stayed the same")
		}
	})
	s.lists()
}

func ykmanTouch(s *seat) {
	c := credentials[7]
	s.ykman.Run(c.add()...)
	s.key.Fail(softkey.Fault{Kind: softkey.FaultTouch, INS: 0xa2, Touch: softkey.TouchMode(200 * time.Millisecond)})
	began := time.Now()
	code := strings.TrimSpace(s.ykman.Run("oath", "accounts", "code", "--single", c.ID()))
	if !slices.Contains(c.codesSince(began), code) || time.Since(began) < 200*time.Millisecond {
		s.Errorf("ykman says %s after %v", code, time.Since(began))
	}
	s.key.Fail(softkey.Fault{Kind: softkey.FaultTouch, INS: 0xa2, Touch: softkey.TouchNever})
	s.refuses("timed out", "oath", "accounts", "code", "--single", c.ID())
}

func ykmanFills(s *seat, capacity int) {
	one := func(i int) credential {
		c := credentials[0]
		c.Name = fmt.Sprintf("%02d of the accounts that fill the key", i)
		return c
	}
	s.ours(func(o *ykoath.Session) {
		for i := range capacity - 1 {
			s.must(s.put(o, one(i)))
		}
	})
	s.ykman.Run(one(capacity - 1).add()...)
	s.refuses("No space left", one(capacity).add()...)
	s.ours(func(o *ykoath.Session) {
		if err := s.put(o, one(capacity)); !errors.Is(err, ykoath.ErrFull) {
			s.Errorf("PUT into a full key: %v", err)
		}
		if entries, err := o.List(); err != nil || len(entries) != capacity {
			s.Errorf("listed %d: %v", len(entries), err)
		}
	})
	if lines := s.ykman.Lines("oath", "accounts", "code"); len(lines) != capacity {
		s.Errorf("ykman shows %d accounts, not %d", len(lines), capacity)
	}
}

// ykmanBasics is what ykman can do with every make.
func ykmanBasics(s *seat) {
	theirs, mine := credentials[0], credentials[2]
	s.ykman.Run(theirs.add()...)
	s.ours(func(o *ykoath.Session) {
		s.checkProof(o, theirs)
		s.must(s.put(o, mine))
	})
	s.lists(mine.ID(), theirs.ID())
	began := time.Now()
	for _, line := range s.ykman.Lines("oath", "accounts", "code") {
		fields := strings.Fields(line)
		if !slices.Contains(append(theirs.codesSince(began), mine.codesSince(began)...), fields[1]) {
			s.Errorf("ykman shows %q", line)
		}
	}
	s.ykman.Run("oath", "accounts", "delete", "--force", mine.ID())
	s.ours(func(o *ykoath.Session) { s.must(o.Delete(theirs.ID())) })
	s.lists()
}

// oathtool confirms the arithmetic that the other tests compare with.
func TestOathtool(t *testing.T) {
	need.Program(t, "oathtool", "oathtool")
	for _, c := range credentials {
		if c.Steam() || c.Type == oath.HOTP && c.Algorithm != sha1 { // which oathtool does not know
			continue
		}
		for _, step := range []uint64{0, 1, 0x1234567} {
			args := []string{"--base32", "--digits", strconv.Itoa(c.Digits)}
			if c.Type == oath.TOTP {
				when := oath.StepStart(step, c.Period).Unix() + int64(c.Period) - 1
				args = append(args, "--totp="+c.Algorithm.String(), "--time-step-size", strconv.Itoa(c.Period)+"s", "--now", "@"+strconv.FormatInt(when, 10))
			} else {
				args = append(args, "--counter", strconv.FormatUint(step, 10))
			}
			command := exec.Command("oathtool", append(args, "-")...)
			command.Stdin = strings.NewReader(c.secret())
			out, err := command.CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != c.code(step) {
				t.Errorf("oathtool %q says %s, %v; want %s", args, got, err, c.code(step))
			}
		}
	}
}
