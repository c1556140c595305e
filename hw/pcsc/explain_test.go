package pcsc

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		code scard.Error
		want error
		hint string // a part of the hint
	}{
		{scard.ErrRemovedCard, hw.ErrRemoved, ""},
		{scard.ErrNoSmartcard, hw.ErrRemoved, ""},
		{scard.ErrUnknownReader, hw.ErrRemoved, ""},
		{scard.ErrNotTransacted, hw.ErrRemoved, ""},
		{scard.ErrResetCard, hw.ErrReset, ""},
		{scard.ErrSharingViolation, hw.ErrHeld, ":"}, // which hint depends on what runs; see TestHolderHint
		{scard.ErrSecurityViolation, hw.ErrRefused, "/etc/polkit-1/rules.d/"},
		{scard.ErrNoService, hw.ErrUnavailable, "pcscd"},
		{scard.ErrCommError, hw.ErrUnavailable, "pcscd"},
		{scard.ErrServiceStopped, hw.ErrUnavailable, "sudo systemctl restart pcscd"},
		{scard.ErrUnresponsiveCard, scard.ErrUnresponsiveCard, "plug it in again"},
		{scard.ErrNoMemory, scard.ErrNoMemory, ""},
	} {
		err := explain("do it", c.code)
		if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "cannot do it: ") || !strings.Contains(err.Error(), c.code.Error()) {
			t.Errorf("%v: got %v", c.code, err)
		}
		if hint := hw.Hint(err); !strings.Contains(hint, c.hint) || (c.hint == "") != (hint == "") {
			t.Errorf("%v: hint %q", c.code, hint)
		}
	}
}

func TestHolderHint(t *testing.T) {
	for _, c := range []struct {
		running []string
		want    []string
	}{
		{nil, []string{"close the program", "disable-ccid"}},
		{[]string{"bash", "emacs"}, []string{"close the program"}},
		{[]string{"bash", "scdaemon", "ykman"}, []string{"scdaemon is running", "pcsc-shared", "ykman is running"}},
		{[]string{"yubikey-agent"}, []string{"yubikey-agent is running", "systemctl --user stop"}},
	} {
		hint := holderHint(c.running)
		for _, want := range c.want {
			if !strings.Contains(hint, want) {
				t.Errorf("%v: %q lacks %q", c.running, hint, want)
			}
		}
	}
	for name := range holders {
		if len(name) > 15 {
			t.Errorf("the kernel shows %q cut to 15 bytes", name)
		}
	}
}

func TestRunningPrograms(t *testing.T) {
	own, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	if got := runningPrograms(); !slices.Contains(got, strings.TrimSpace(string(own))) {
		t.Errorf("this test is not among the running programs: %q", got)
	}
}

func TestStartHint(t *testing.T) {
	t.Setenv("PCSCLITE_CSOCK_NAME", "/nowhere/pcscd.comm")
	if hint := startHint(); !strings.Contains(hint, "/nowhere/pcscd.comm") {
		t.Errorf("got %q", hint)
	}
	t.Setenv("PCSCLITE_CSOCK_NAME", "")
	if hint := startHint(); !strings.Contains(hint, "sudo ") {
		t.Errorf("got %q", hint)
	}
	if installed("a program that nobody has") {
		t.Error("found a program that nobody has")
	}
}
