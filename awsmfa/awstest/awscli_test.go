package awstest

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/need"
)

// cli is Debian's aws, in a world where the stand-in is AWS.
type cli struct {
	*Server
	env []string
}

func startCLI(t *testing.T, s *Server, user string) cli {
	t.Helper()
	need.Program(t, "/usr/bin/aws", "awscli")
	key := s.AccessKey(user)
	return cli{s, append(s.Impersonate(), "HOME="+t.TempDir(), "PATH=/usr/bin:/bin", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID="+key.ID, "AWS_SECRET_ACCESS_KEY="+key.Secret)}
}

// run runs one command of aws, and returns what it says and what it complains about.
func (c cli) run(t *testing.T, words ...string) (map[string]any, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/aws", append(words, "--output", "json")...)
	cmd.Env = c.env
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if (err != nil) != (complaint.Len() > 0) {
		t.Fatalf("aws %q: %v, %s", words, err, complaint.String())
	}
	said := map[string]any{}
	if len(out) > 0 && json.Unmarshal(out, &said) != nil {
		t.Fatalf("aws %q says %s", words, out)
	}
	return said, complaint.String()
}

// TestAWSCLI has Debian's aws enrol a device with oathtool's codes and get a session with it.
func TestAWSCLI(t *testing.T) {
	s := frozen(t, Options{})
	aws := startCLI(t, s, "alice")
	picture := t.TempDir() + "/seed"
	made, complaint := aws.run(t, "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "phone", "--bootstrap-method", "Base32StringSeed", "--outfile", picture)
	seed, err := os.ReadFile(picture)
	if complaint != "" || err != nil {
		t.Fatalf("%s %v", complaint, err)
	}
	serial := made["VirtualMFADevice"].(map[string]any)["SerialNumber"].(string)
	code := func(step int) string {
		return oathtool(t, string(seed), s.Now().Add(time.Duration(step)*period*time.Second))
	}
	enable := []string{"iam", "enable-mfa-device", "--user-name", "alice", "--serial-number", serial}
	if _, complaint := aws.run(t, append(enable, "--authentication-code1", code(1), "--authentication-code2", code(0))...); !strings.Contains(complaint, "(InvalidAuthenticationCode) when calling the EnableMFADevice operation") {
		t.Errorf("codes in the wrong order: %q", complaint)
	}
	if _, complaint := aws.run(t, append(enable, "--authentication-code1", code(0), "--authentication-code2", code(1))...); complaint != "" {
		t.Fatal(complaint)
	}
	s.Skew(2 * period * time.Second) // both codes are used up
	got, complaint := aws.run(t, "sts", "get-session-token", "--serial-number", serial, "--token-code", code(0))
	if token, _ := got["Credentials"].(map[string]any)["SessionToken"].(string); complaint != "" || token == "" {
		t.Errorf("no session: %v %s", got, complaint)
	}
	if _, err := base64.StdEncoding.DecodeString(string(seed)); err != nil || len(seed) != 64 {
		t.Errorf("the seed is %q", seed)
	}
}
