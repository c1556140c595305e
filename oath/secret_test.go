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

// locked returns the process's locked memory in kB (proc(5), VmLck).
func locked(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmLck:")
	var kB int
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatal(err)
	}
	return kB
}

func TestWipeGivesMemoryBack(t *testing.T) {
	before := locked(t)
	large := oath.NewSecret(1 << 20)
	during := locked(t)
	large.Wipe()
	if after := locked(t); after != before || during < before+1024 {
		t.Errorf("locked before %d kB, with a secret of 1 MB %d, after wiping it %d", before, during, after)
	}
}

// TestManySmallSecrets holds that the seeds of a large export fit into the memory that everybody may lock,
// that no two share a byte, and that what was wiped is used again.
func TestManySmallSecrets(t *testing.T) {
	before := locked(t)
	for round := range 3 {
		secrets := make([]*oath.Secret, 10_000)
		for i := range secrets {
			secrets[i] = oath.NewSecret(1 + i%100)
			if !bytes.Equal(secrets[i].Bytes(), make([]byte, secrets[i].Len())) {
				t.Fatalf("round %d: secret %d is not empty: %q", round, i, secrets[i].Bytes())
			}
			for k := range secrets[i].Bytes() {
				secrets[i].Bytes()[k] = byte(i)
			}
		}
		for i, s := range secrets {
			if !bytes.Equal(s.Bytes(), bytes.Repeat([]byte{byte(i)}, 1+i%100)) {
				t.Fatalf("round %d: secret %d was overwritten", round, i)
			}
			s.Wipe()
		}
	}
	if more := locked(t) - before; more > 2000 {
		t.Errorf("10,000 secrets of 50 bytes took %d kB", more)
	}
}
