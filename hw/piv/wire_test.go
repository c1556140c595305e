package piv

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/oath"
)

func TestRequest(t *testing.T) {
	sent := secrets{pin: oath.CopySecret([]byte("123456")), management: oath.CopySecret(bytes.Repeat([]byte{10}, 24))}
	defer sent.wipe()
	want := request{Reader: "Yubico 00 00", Serial: 7, Slot: 0x82, Name: "n"}
	var pipe bytes.Buffer
	if err := writeRequest(&pipe, want, sent); err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(pipe.String(), "\n")
	if strings.Contains(line, "123456") {
		t.Errorf("a secret in %s", line)
	}
	pipe.WriteString("rest")
	got, received, err := readRequest(&pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer received.wipe()
	if got.Reader != want.Reader || got.Serial != 7 || got.Slot != 0x82 || got.Name != "n" || pipe.String() != "rest" {
		t.Errorf("%+v, and %q behind it", got, pipe.String())
	}
	for name, pair := range map[string][2]*oath.Secret{
		"pin": {sent.pin, received.pin}, "management": {sent.management, received.management},
	} {
		if !pair[0].Equal(pair[1]) {
			t.Errorf("%s changed on the way", name)
		}
	}
}

func TestRequestMalformed(t *testing.T) {
	for _, in := range []string{
		"", "{}", "{\n", `{"lengths":{"pin":6}}` + "\n12345", `{"lengths":{"pin":-1}}` + "\n", `{"lengths":{"pin":65}}` + "\n" + strings.Repeat("1", 65),
		strings.Repeat(" ", maxRequestLine+1) + "\n",
	} {
		if _, _, err := readRequest(strings.NewReader(in)); err == nil {
			t.Errorf("%.40q was taken for a request", in)
		}
		var out bytes.Buffer
		if err := ServeEnroll(strings.NewReader(in), &out); err == nil || out.Len() > 0 {
			t.Errorf("%.40q: %v, %q", in, err, out.String())
		}
	}
}

func TestErrorsOnTheWire(t *testing.T) {
	for kind, meaning := range kinds {
		err := encodeError(fmt.Errorf("cannot do it: %w", meaning)).err()
		if !errors.Is(err, meaning) || err.Error() != "cannot do it: "+meaning.Error() {
			t.Errorf("%s came out as %v", kind, err)
		}
	}
	err := encodeError(pinError(ErrLastTry, 1)).err()
	if p, ok := errors.AsType[*PINError](err); !ok || p.Tries != 1 || p.Reason != ErrLastTry || hw.Hint(err) == "" {
		t.Errorf("%v, hint %q", err, hw.Hint(err))
	}
	if err := encodeError(errors.New("something else")).err(); err.Error() != "something else" || errors.Unwrap(err) != nil {
		t.Errorf("%v", err)
	}
}

func TestReplies(t *testing.T) {
	var steps []Step
	progress := func(s Step) { steps = append(steps, s) }
	der, err := readReplies(strings.NewReader(`{"step":"generate"}`+"\n"+`{"step":"touch"}`+"\n"+`{"certificate":"MAA="}`+"\n"), progress)
	if err != nil || !bytes.Equal(der, []byte{0x30, 0}) || fmt.Sprint(steps) != "[generate touch]" {
		t.Errorf("%x, %v, %v", der, err, steps)
	}
	for _, out := range []string{"", `{"step":"touch"}`, `{"certifi`, "panic: boom"} {
		if _, err := readReplies(strings.NewReader(out), nil); !errors.Is(err, errUnsaid) {
			t.Errorf("%q: %v", out, err)
		}
	}
}

func TestEnrollmentCheck(t *testing.T) {
	pin := oath.CopySecret([]byte("123456"))
	short := oath.CopySecret([]byte("12345"))
	odd := oath.CopySecret(make([]byte, 23))
	tests := []struct {
		name string
		in   Enrollment
		want error
	}{
		{"no PIN", Enrollment{Slot: 0x82}, ErrPINForm},
		{"short PIN", Enrollment{Slot: 0x82, PIN: short}, ErrPINForm},
		{"management key", Enrollment{Slot: 0x82, PIN: pin, ManagementKey: odd}, ErrManagementKey},
		{"empty management key", Enrollment{Slot: 0x82, PIN: pin, ManagementKey: &oath.Secret{}}, ErrManagementKey},
	}
	for _, tt := range tests {
		if _, err := (Enroller{}).Enroll(t.Context(), tt.in, nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	for _, slot := range []byte{0, 0x81, 0x96, 0x9a} {
		if _, err := (Enroller{}).Enroll(t.Context(), Enrollment{Slot: slot, PIN: pin}, nil); err == nil || !strings.Contains(err.Error(), "no retired slot") {
			t.Errorf("slot %02x: %v", slot, err)
		}
	}
}

// TestExplain holds our reading of piv-go's texts.
func TestExplain(t *testing.T) {
	tests := map[string]error{
		"connecting to smart card: the smart card cannot be accessed because of other connections outstanding":            hw.ErrHeld,
		"command failed: transmitting request: the smart card has been removed, so further communication is not possible": hw.ErrRemoved,
		"command failed: transmitting request: the smart card has been reset, so any shared state information is invalid": hw.ErrReset,
		"connecting to smart card daemon: the Smart card resource manager is not running":                                 hw.ErrUnavailable,
		"connecting to smart card: access was denied because of a security violation":                                     hw.ErrRefused,
	}
	for text, want := range tests {
		if err := explain("do it", errors.New(text)); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := explain("do it", errors.New("something else")); err == nil || err.Error() != "cannot do it: something else" {
		t.Error(err)
	}
	if explain("do it", nil) != nil {
		t.Error("an error out of none")
	}
}
