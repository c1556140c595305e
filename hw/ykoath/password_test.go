package ykoath_test

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

func TestDeriveKey(t *testing.T) {
	// Vector of yubikit's own tests; the second key is what yubikit/oath.py derives for the salt of these tests.
	for salt, want := range map[string]string{
		"0000000000000000": "b07da1e7de87f89a87a2b598eaa2188c",
		"0011223344556677": "df02f66a77d85bd87e37bd4c88b3306c",
	} {
		key := ykoath.DeriveKey([]byte("foobar"), unhex(t, salt))
		if got := hex.EncodeToString(key.Bytes()); got != want {
			t.Errorf("salt %s: %s, want %s", salt, got, want)
		}
		key.Wipe()
	}
	for _, password := range []string{"", strings.Repeat("long", 20), "pässwörd"} {
		want, err := pbkdf2.Key(sha1.New, password, []byte("salt"), 1000, 16)
		if err != nil {
			t.Fatal(err)
		}
		key := ykoath.DeriveKey([]byte(password), []byte("salt"))
		if !bytes.Equal(key.Bytes(), want) {
			t.Errorf("%q: %x, want %x", password, key.Bytes(), want)
		}
		key.Wipe()
	}
}

func foobar(t *testing.T) *oath.Secret {
	return ykoath.DeriveKey([]byte("foobar"), unhex(t, "0011223344556677"))
}

// validateCommand answers the challenge of "locked"; yubikit/oath.py computed the response.
const validateCommand = "00a30000 20 7514 0d207665bbac8e7cb84adc38d89f76b35c1f5762 7408 *"

// prove answers a VALIDATE as a card does that knows the key.
func prove(key *oath.Secret) func([]byte) string {
	return func(command []byte) string {
		challenge := command[len(command)-9 : len(command)-1]
		return "7514" + hex.EncodeToString(oath.HMAC(oath.SHA1, key.Bytes(), challenge)) + "9000"
	}
}

func TestValidate(t *testing.T) {
	key := foobar(t)
	defer key.Wipe()
	session, card := begin(t, locked,
		step{command: validateCommand, reply: prove(key)},
		step{command: "00a2*", answer: "6982"},
	)
	if err := session.Validate(key); err != nil {
		t.Fatal(err)
	}
	if !wiped(card.sent[1]) {
		t.Errorf("the response was left in %x", card.sent[1])
	}
	if _, err := session.Calculate("a", nil); !errors.Is(err, ykoath.ErrTouchTimeout) {
		t.Errorf("6982 after VALIDATE: %v", err)
	}
	if !session.Info().PasswordSet() {
		t.Error("the password is forgotten once it is given")
	}
}

func TestValidateChallengesAreFresh(t *testing.T) {
	key := foobar(t)
	defer key.Wipe()
	seen := map[string]bool{}
	for range 2 {
		session, _ := begin(t, locked, step{command: validateCommand, reply: func(command []byte) string {
			seen[string(command)] = true
			return prove(key)(command)
		}})
		if err := session.Validate(key); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 2 {
		t.Error("the same challenge twice")
	}
}

func TestValidateIsMutual(t *testing.T) {
	key, other := foobar(t), seed("0123456789abcdef")
	defer key.Wipe()
	defer other.Wipe()
	for name, test := range map[string]struct {
		reply func([]byte) string
		want  error
	}{
		"another key":          {prove(other), ykoath.ErrImpostor},
		"our response back":    {func(command []byte) string { return "7514" + hex.EncodeToString(command[7:27]) + "9000" }, ykoath.ErrImpostor},
		"nothing":              {func([]byte) string { return "9000" }, ykoath.ErrImpostor},
		"an empty response":    {func([]byte) string { return "7500 9000" }, ykoath.ErrImpostor},
		"half of the response": {func(command []byte) string { return "750a" + prove(key)(command)[4:24] + "9000" }, ykoath.ErrImpostor},
		"nonsense":             {func([]byte) string { return "75 9000" }, hw.ErrMalformed},
	} {
		session, _ := begin(t, locked, step{command: validateCommand, reply: test.reply}, step{command: "00a2*", answer: "6982"})
		if err := session.Validate(key); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if _, err := session.Calculate("a", nil); !errors.Is(err, ykoath.ErrLocked) {
			t.Errorf("%s: the session counts as unlocked: %v", name, err)
		}
	}
}

func TestValidateWithoutPassword(t *testing.T) {
	session, _ := begin(t, yk5)
	if err := session.Validate(seed("0123456789abcdef")); !errors.Is(err, ykoath.ErrRejected) {
		t.Error(err)
	}
}

func TestSetCode(t *testing.T) {
	key := foobar(t)
	defer key.Wipe()
	session, card := begin(t, yk5,
		step{command: "00030000 33 7311 21 df02f66a77d85bd87e37bd4c88b3306c 7408 *", reply: func(command []byte) string {
			challenge, response := command[26:34], command[36:56]
			if !bytes.Equal(response, oath.HMAC(oath.SHA1, key.Bytes(), challenge)) || command[34] != 0x75 || command[35] != 20 {
				t.Errorf("a response that does not fit its challenge: %x", command)
			}
			return "9000"
		}},
		step{command: selectCommand, answer: locked},
		step{command: validateCommand, reply: prove(key)},
		step{command: "00a1000000", answer: "9000"},
	)
	if err := session.SetCode(key); err != nil {
		t.Fatal(err)
	}
	if !wiped(card.sent[1]) {
		t.Error("the key was left in the command")
	}
	if !session.Info().PasswordSet() {
		t.Error("no password is set afterwards")
	}
	if _, err := session.List(); err != nil {
		t.Error(err)
	}
}

// TestSetCodeByTheAlgorithmAlone: there are applets that refuse the type in the first byte of the key.
func TestSetCodeByTheAlgorithmAlone(t *testing.T) {
	key := foobar(t)
	defer key.Wipe()
	session, _ := begin(t, yk5,
		step{command: "00030000 33 7311 21 *", answer: "6a80"},
		step{command: "00030000 33 7311 01 df02f66a77d85bd87e37bd4c88b3306c 7408 *", answer: "9000"},
		step{command: selectCommand, answer: locked},
		step{command: validateCommand, reply: prove(key)},
	)
	if err := session.SetCode(key); err != nil {
		t.Error(err)
	}
	session, _ = begin(t, yk5, step{command: "0003*", answer: "6a80"}, step{command: "0003*", answer: "6a80"})
	if err := session.SetCode(key); !errors.Is(err, ykoath.ErrRejected) {
		t.Errorf("a password that is refused: %v", err)
	}
}

func TestSetCodeIsProved(t *testing.T) {
	key := foobar(t)
	defer key.Wipe()
	session, _ := begin(t, yk5,
		step{command: "0003*", answer: "9000"},
		step{command: selectCommand, answer: locked},
		step{command: "00a3*", answer: "6a80"},
	)
	if err := session.SetCode(key); !errors.Is(err, ykoath.ErrWrongPassword) {
		t.Errorf("a password that does not take: %v", err)
	}
	session, _ = begin(t, yk5, step{command: "0003*", answer: "9000"}, step{command: selectCommand, answer: yk5})
	if err := session.SetCode(key); !errors.Is(err, ykoath.ErrRejected) {
		t.Errorf("a password that is ignored: %v", err)
	}
	session, _ = begin(t, yk5, step{command: "0003*", answer: "9000"}, step{command: selectCommand, answer: "6a82"}, step{command: selectWhole, answer: "6a82"})
	if err := session.SetCode(key); !errors.Is(err, ykoath.ErrNoApplet) {
		t.Errorf("an application that is gone: %v", err)
	}
	session, _ = begin(t, yk5)
	if err := session.SetCode(seed("short")); err == nil {
		t.Error("a key of 5 bytes was sent")
	}
}

func TestClearCode(t *testing.T) {
	key := foobar(t)
	defer key.Wipe()
	session, _ := begin(t, locked,
		step{command: validateCommand, reply: prove(key)},
		step{command: "00030000 02 7300 00", answer: "9000"},
		step{command: selectCommand, answer: yk5},
	)
	if err := session.Validate(key); err != nil {
		t.Fatal(err)
	}
	if err := session.ClearCode(); err != nil {
		t.Fatal(err)
	}
	if session.Info().PasswordSet() {
		t.Error("a password is set afterwards")
	}
	session, _ = begin(t, yk5, step{command: "0003*", answer: "9000"}, step{command: selectCommand, answer: locked})
	if err := session.ClearCode(); !errors.Is(err, ykoath.ErrRejected) {
		t.Errorf("a password that stays: %v", err)
	}
	session, _ = begin(t, yk5, step{command: "0003*", answer: "9000"}, step{command: selectCommand, answer: "6a82"}, step{command: selectWhole, answer: "6a82"})
	if err := session.ClearCode(); !errors.Is(err, ykoath.ErrNoApplet) {
		t.Errorf("an application that is gone: %v", err)
	}
}

func TestReset(t *testing.T) {
	session, _ := begin(t, locked,
		step{command: "0004dead00", answer: "9000"},
		step{command: selectCommand, answer: "7903050403 7108 ffeeddccbbaa9988 9000"},
	)
	before := session.Info().DeviceID()
	if err := session.Reset(); err != nil {
		t.Fatal(err)
	}
	if after := session.Info(); after.DeviceID() == before || after.PasswordSet() {
		t.Errorf("device %s, before %s; password %t", after.DeviceID(), before, after.PasswordSet())
	}
	session, _ = begin(t, cano, step{command: "0004dead00", answer: "6d00"})
	if err := session.Reset(); !errors.Is(err, ykoath.ErrNotSupported) || hw.Hint(err) == "" {
		t.Errorf("a key without RESET: %v, hint %q", err, hw.Hint(err))
	}
	session, _ = begin(t, yk5, step{command: "0004dead00", answer: "9000"}, step{command: selectCommand, answer: "6a82"}, step{command: selectWhole, answer: "6a82"})
	if err := session.Reset(); !errors.Is(err, ykoath.ErrNoApplet) {
		t.Errorf("an application that is gone: %v", err)
	}
}
