package e2e

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/oathd/oathd/awsmfa/awstest"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// TestAWS has the programs that people use with AWS live on codes of oathd's. They wait for time steps more than for anything else, so they
// do that together.
func TestAWS(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for name, test := range map[string]func(*testing.T){"story": story, "crowd": throng, "aws-vault": throughVault} {
		all.Go(func() { t.Run(name, test) })
	}
	all.Wait()
}

// cloud is a world in which the stand-in is AWS, and a home with alice's long-term key as the profile "default".
type cloud struct {
	*awstest.Server
	// home and runtime are HOME and XDG_RUNTIME_DIR.
	home, runtime string
	env           []string
}

func newCloud(t *testing.T, o awstest.Options) *cloud {
	t.Helper()
	need.Program(t, awsProgram, "awscli")
	c := &cloud{Server: awstest.Start(t, o), home: t.TempDir(), runtime: t.TempDir()}
	key := c.AccessKey("alice")
	c.env = append(c.Impersonate(), "HOME="+c.home, "XDG_RUNTIME_DIR="+c.runtime, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "GORACE=atexit_sleep_ms=0")
	write(t, filepath.Join(c.home, ".aws/credentials"),
		fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key.ID, key.Secret))
	return c
}

// awsProgram is Debian's.
const awsProgram = "/usr/bin/aws"

func (c *cloud) configFile() string { return filepath.Join(c.home, ".aws/config") }

// configure writes ~/.aws/config.
func (c *cloud) configure(t testing.TB, format string, arguments ...any) {
	t.Helper()
	write(t, c.configFile(), fmt.Appendf(nil, format, arguments...))
}

// run runs a program in this world.
func (c *cloud) run(t testing.TB, words ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = c.env, &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// must is run for what has to work.
func (c *cloud) must(t testing.TB, words ...string) string {
	t.Helper()
	out, errs, err := c.run(t, words...)
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", words, err, out, errs)
	}
	return out
}

// whoAmI is the question to AWS who asks, for Debian's aws.
var whoAmI = []string{awsProgram, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"}

// isAlice wants a program, whose last words are whoAmI, to be the user.
func (c *cloud) isAlice(t testing.TB, words ...string) {
	t.Helper()
	if who := strings.TrimSpace(c.must(t, words...)); who != c.ARN("user/alice") {
		t.Errorf("%q is %s", words, who)
	}
}

// took wants AWS to have been given so many codes, and to have refused nothing.
func (c *cloud) took(t testing.TB, codes int) {
	t.Helper()
	given := slices.DeleteFunc(c.Requests(""), func(r awstest.Request) bool { return !r.Params.Has("TokenCode") })
	if len(given) != codes {
		t.Errorf("%d codes were given to AWS, want %d: %v", len(given), codes, given)
	}
	for _, r := range c.Refused() {
		t.Errorf("AWS refused %s: %s", r.Action, r.Code)
	}
}

// addDevice puts the seed of a device that AWS knows onto keys, under its ARN.
func (s *scene) addDevice(c *cloud, serial string, to ...string) {
	s.t.Helper()
	seed, err := otpauth.DecodeSecret([]byte(c.Seed(serial)))
	if err != nil {
		s.t.Fatal(err)
	}
	defer seed.Wipe()
	name := strings.TrimPrefix(serial, c.ARN("mfa/")) + "@123456789012"
	account := api.NewAccount{Issuer: "Amazon Web Services", Name: name, Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30, Alias: serial}
	if err := complete(s.client.Add(s.t.Context(), api.AddRequest{Accounts: []api.NewAccount{account}, To: to}, []*oath.Secret{seed}, nil)); err != nil {
		s.t.Fatal(err)
	}
}

var vault struct {
	sync.Once
	program string
	failure error
}

// awsVault builds aws-vault, and returns where it is.
func awsVault(t testing.TB) string {
	t.Helper()
	vault.Do(func() {
		vault.program = filepath.Join(filepath.Dir(built), "aws-vault")
		out, err := exec.Command("go", "-C", "tools", "build", "-o", vault.program, "github.com/99designs/aws-vault/v7").CombinedOutput()
		if err != nil {
			vault.failure = fmt.Errorf("%w: %s", err, out)
		}
	})
	need.That(t, vault.failure == nil, "aws-vault: go -C e2e/tools mod download (%v)", vault.failure)
	return vault.program
}

// throughVault has aws-vault take its codes from oathctl, from one key and, when that is pulled, from the other.
func throughVault(t *testing.T) {
	aws := newCloud(t, awstest.Options{})
	aws.env = append(aws.env, "AWS_VAULT_BACKEND=file", "AWS_VAULT_FILE_PASSPHRASE=horse")
	program := awsVault(t)
	s := blank(t).enter(t)
	defer s.leave(syscall.SIGTERM)
	phone := aws.Enrol("alice", "phone")
	s.addDevice(aws, phone, "daily", "spare")
	aws.configure(t, "[profile work]\nregion = us-east-1\nmfa_serial = %s\nmfa_process = %s --socket %s code --fresh %[1]s\n",
		phone, filepath.Join(release(t), "oathctl"), s.client.Socket)

	key := aws.AccessKey("alice")
	add := exec.CommandContext(t.Context(), program, "add", "work", "--env")
	add.Env = append(slices.Clone(aws.env), "AWS_ACCESS_KEY_ID="+key.ID, "AWS_SECRET_ACCESS_KEY="+key.Secret)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("aws-vault add: %v, %s", err, out)
	}
	use := append([]string{program, "exec", "work", "--"}, whoAmI...)
	for range 2 { // the second time, aws-vault has a session
		aws.isAlice(t, use...)
	}
	aws.took(t, 1)

	s.bay.Remove(s.keys["daily"])
	s.settle()
	aws.must(t, program, "clear", "work") // of the session that it has
	aws.isAlice(t, use...)
	aws.took(t, 2)
	if last := aws.Requests("GetCallerIdentity"); !last[len(last)-1].MFA {
		t.Error("the session was not made with a code")
	}
}
