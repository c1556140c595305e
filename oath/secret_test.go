package oath_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const seed = "correct horse"
	secret := oath.CopySecret([]byte(seed))
	defer secret.Wipe()
	inside := struct {
		Seed   *oath.Secret
		List   []*oath.Secret
		hidden *oath.Secret
		value  oath.Secret
	}{secret, []*oath.Secret{secret}, secret, *secret}

	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%U", "%e", "%t", "%c", "%10s"} {
		one := fmt.Sprintf(verb, secret)
		if one != "[redacted]" {
			t.Errorf("%s printed %q", verb, one)
		}
		fmt.Fprintf(&out, verb+" ", inside)
	}
	unknown := "%w" // which fmt prints without asking the value
	fmt.Fprintf(&out, unknown, secret)
	fmt.Fprintf(&out, unknown, inside)
	fmt.Fprint(&out, secret, *secret, secret.String())
	marshalled, err := json.Marshal(inside)
	if err != nil || !strings.Contains(string(marshalled), `"Seed":"[redacted]"`) {
		t.Errorf("JSON %s, %v", marshalled, err)
	}
	out.Write(marshalled)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "seed", secret, "inside", inside)
	}

	printed := strings.ToLower(out.String())
	for _, leak := range []string{"correct", "horse", fmt.Sprintf("%x", seed), fmt.Sprintf("% x", seed), "99 111 114", "0x63, 0x6f"} {
		if strings.Contains(printed, leak) {
			t.Errorf("%q was printed in %s", leak, printed)
		}
	}
}

func TestSecretOwnsItsBytes(t *testing.T) {
	source := []byte("seed")
	copied := oath.CopySecret(source)
	taken := oath.TakeSecret(source)
	if !bytes.Equal(source, make([]byte, 4)) {
		t.Errorf("TakeSecret left %q behind", source)
	}
	if !copied.Equal(taken) || string(copied.Bytes()) != "seed" {
		t.Errorf("copied %q, taken %q", copied.Bytes(), taken.Bytes())
	}
	clone := taken.Clone()
	taken.Wipe()
	taken.Wipe()
	if taken.Bytes() != nil || taken.Len() != 0 {
		t.Errorf("a wiped secret has %d bytes", taken.Len())
	}
	if string(clone.Bytes()) != "seed" || clone.Len() != 4 {
		t.Errorf("the clone has %q", clone.Bytes())
	}
	if copied.Equal(oath.CopySecret([]byte("seeds"))) || copied.Equal(oath.CopySecret([]byte("seeD"))) {
		t.Error("different secrets are equal")
	}
	clone.Wipe()
	copied.Wipe()
}

func TestEmptySecret(t *testing.T) {
	var missing *oath.Secret
	var zero oath.Secret
	for _, s := range []*oath.Secret{missing, &zero, oath.NewSecret(0), oath.CopySecret(nil)} {
		if s.Len() != 0 || s.Bytes() != nil {
			t.Errorf("an empty secret has %d bytes", s.Len())
		}
		s.Wipe()
	}
}

func TestReadSecret(t *testing.T) {
	r := strings.NewReader("seedrest")
	secret, err := oath.ReadSecret(r, 4)
	if err != nil || string(secret.Bytes()) != "seed" {
		t.Fatalf("%q, %v", secret.Bytes(), err)
	}
	secret.Wipe()
	if secret, err := oath.ReadSecret(r, 5); !errors.Is(err, io.ErrUnexpectedEOF) || secret != nil {
		t.Errorf("5 bytes of 4: %v, %v", secret.Len(), err)
	}
}

func TestWipe(t *testing.T) {
	b := []byte("seed")
	oath.Wipe(b)
	if !bytes.Equal(b, make([]byte, 4)) {
		t.Errorf("left %q", b)
	}
}

// TestWipeGivesMemoryBack counts the process's locked pages (proc(5), VmLck).
func TestWipeGivesMemoryBack(t *testing.T) {
	locked := func() string {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "VmLck:")
		line, _, _ := strings.Cut(rest, "\n")
		return strings.TrimSpace(line)
	}
	before := locked()
	var secrets []*oath.Secret
	for range 16 {
		secrets = append(secrets, oath.CopySecret([]byte("seed")))
	}
	during := locked()
	for _, s := range secrets {
		s.Wipe()
	}
	if after := locked(); after != before {
		t.Errorf("locked before %s, with 16 secrets %s, after wiping them %s", before, during, after)
	}
}
