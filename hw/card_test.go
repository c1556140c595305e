package hw_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/oathd/oathd/hw"
)

func TestContactless(t *testing.T) {
	for atr, want := range map[string]bool{
		"3bfd1300008131fe158073c021c057597562694b657940": false, // YubiKey 5 over USB
		"3b8d80018073c021c057597562694b65790000000000":   true,  // the same over NFC
		"3bf71100008131fe6543616e6f6b657999":             false, // CanoKey
		"3b":                                             false,
		"":                                               false,
	} {
		raw, err := hex.DecodeString(atr)
		if err != nil {
			t.Fatal(err)
		}
		if got := (hw.Slot{ATR: raw}).Contactless(); got != want {
			t.Errorf("ATR %s: contactless %t", atr, got)
		}
	}
}

func TestSameSlot(t *testing.T) {
	a := hw.Slot{Reader: "A", Insertion: 1, ATR: []byte{1}}
	if !a.Same(hw.Slot{Reader: "A", Insertion: 1}) {
		t.Error("the same insertion is not the same")
	}
	if a.Same(hw.Slot{Reader: "A", Insertion: 2}) || a.Same(hw.Slot{Reader: "B", Insertion: 1}) {
		t.Error("another insertion is the same")
	}
}

func TestHint(t *testing.T) {
	hinted := hw.WithHint(hw.ErrHeld, "close %s", "scdaemon")
	wrapped := fmt.Errorf("cannot open: %w", hinted)
	if got := hw.Hint(wrapped); got != "close scdaemon" {
		t.Errorf("hint %q", got)
	}
	if got := wrapped.Error(); got != "cannot open: "+hw.ErrHeld.Error() {
		t.Errorf("the hint stands in the error: %q", got)
	}
	if !errors.Is(wrapped, hw.ErrHeld) {
		t.Error("the hint hides the error")
	}
	if got := hw.Hint(hw.ErrHeld); got != "" {
		t.Errorf("hint %q of an error without one", got)
	}
	if got := hw.Hint(hw.WithHint(wrapped, "outer")); got != "outer" {
		t.Errorf("hint %q, want the outer one", got)
	}
}

func TestStatus(t *testing.T) {
	if got := hw.StatusAuthRequired.Error(); got != "status word 6982" {
		t.Error(got)
	}
	for status, want := range map[hw.Status]int{0x6101: 1, 0x61ff: 255, 0x6100: 256, 0x9000: -1, 0x6282: -1} {
		n, more := status.More()
		if more != (want >= 0) || more && n != want {
			t.Errorf("%v: %d more, %t", status, n, more)
		}
	}
}
