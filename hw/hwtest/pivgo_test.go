package hwtest_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
)

// TestPIVGo runs piv-go's own tests of real keys against a soft one, all but the one that wants a
// certificate of Yubico's authority.
func TestPIVGo(t *testing.T) {
	t.Parallel()
	program := buildPIVGo(t)
	p := hwtest.StartPCSCD(t, 1)
	key, err := softkey.New(softkey.Options{Personality: "yubikey-5.7", Serial: 5701235})
	if err != nil {
		t.Fatal(err)
	}
	p.Plug(key, 0)
	suite := exec.Command(program, "-test.v", "-test.skip=^TestYubiKeyAttestation$", "-wipe-yubikey")
	// Its test of RSA-512, which no key has, makes a key of that length first.
	suite.Env = append(p.Env(), "GODEBUG=rsa1024min=0")
	out, err := suite.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var skipped []string
	for _, match := range regexp.MustCompile(`--- SKIP: (\S+)`).FindAllSubmatch(out, -1) {
		skipped = append(skipped, string(match[1]))
	}
	// These want a fingerprint reader.
	want := []string{"TestPINPolicyMatchOnceIntegration", "TestPINPolicyMatchAlwaysTwoVerifications", "TestPINPolicyMatchOnceSingleVerification"}
	if !slices.Equal(skipped, want) {
		t.Errorf("skipped %q, not %q", skipped, want)
	}
}

// buildPIVGo compiles the tests of piv-go, without the race detector: they make RSA keys.
func buildPIVGo(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "piv-go.test")
	build := exec.Command("go", "test", "-c", "-o", program, "github.com/go-piv/piv-go/v2/piv")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the tests of piv-go: %v\n%s", err, out)
	}
	return program
}
