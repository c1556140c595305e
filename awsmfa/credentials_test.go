package awsmfa

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oathd/oathd/awsmfa/awstest"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// roles are what the tests assume; deploy can be reached through admin only.
var roles = awstest.Options{
	Roles: []awstest.Role{{Name: "admin", NeedsMFA: true, Allows: []string{"iam:ListUsers"}, Longest: 4 * time.Hour}, {Name: "deploy", Trusts: []string{"admin"}, ExternalID: "x7"}},
}

func roleRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, roles)
	r.hold(r.Enrol("alice", "alice"))
	r.write("AWS_CONFIG_FILE", strings.NewReplacer("ADMIN", r.ARN("role/admin"), "DEPLOY", r.ARN("role/deploy"), "DEVICE", r.ARN("mfa/alice")).Replace(`
[profile admin]
role_arn = ADMIN
source_profile = alice
mfa_serial = DEVICE
[profile long]
role_arn = ADMIN
source_profile = alice
duration_seconds = 7200
[profile deploy]
role_arn = DEPLOY
source_profile = admin
external_id = x7
`))
	return r
}

func (r *rig) obtain(profile string, asked kin.AWSObtain) (kin.AWSCredentials, error) {
	r.t.Helper()
	return r.open(profile).Credentials(r.t.Context(), asked)
}

func TestSession(t *testing.T) {
	r := roleRig(t)
	got, err := r.obtain("alice", kin.AWSObtain{})
	if err != nil || got.Version != 1 || got.SessionToken == "" || time.Until(got.Expiration).Round(time.Hour) != 12*time.Hour {
		t.Fatalf("%+v, %v", got, err)
	}
	// The next one comes from the cache.
	again, err := r.obtain("alice", kin.AWSObtain{})
	if err != nil || again != got || r.keys.asked != 1 {
		t.Errorf("%+v, %v, after %d codes", again, err, r.keys.asked)
	}
	// Another life is another session, and a session that is asked for anew too.
	for n, asked := range []kin.AWSObtain{{Seconds: 900}, {Anew: true}} {
		if other, err := r.obtain("alice", asked); err != nil || other.SessionToken == got.SessionToken || r.keys.asked != n+2 {
			t.Errorf("%+v: %v, after %d codes", asked, err, r.keys.asked)
		}
	}
	if refused := r.Refused(); len(refused) > 0 {
		t.Errorf("AWS refused %+v", refused)
	}
}

// One code opens a session, which may be asked for by itself, and that all roles, one after the other.
func TestRoles(t *testing.T) {
	r := roleRig(t)
	for profile, want := range map[string]time.Duration{"deploy": time.Hour, "admin": time.Hour, "long": 2 * time.Hour, "alice": 12 * time.Hour} {
		got, err := r.obtain(profile, kin.AWSObtain{})
		if err != nil || time.Until(got.Expiration).Round(time.Minute) != want {
			t.Errorf("%s: %+v, %v", profile, got, err)
		}
	}
	_, err := r.obtain("deploy", kin.AWSObtain{Seconds: 7200})
	wantError(t, err, api.CodeBadRequest, "2h0m0s", "to 1h0m0s")
	if r.keys.asked != 1 || len(r.Requests("GetSessionToken")) != 1 || len(r.Refused()) > 0 {
		t.Errorf("%d codes, %d sessions, refused %+v", r.keys.asked, len(r.Requests("GetSessionToken")), r.Refused())
	}
}

func TestWithoutSession(t *testing.T) {
	r := roleRig(t)
	if _, err := r.obtain("deploy", kin.AWSObtain{Direct: true}); err != nil {
		t.Fatal(err)
	}
	asked := r.Requests("AssumeRole")
	if len(r.Requests("GetSessionToken")) != 0 || len(asked) != 2 || asked[0].Params.Get("SerialNumber") != r.ARN("mfa/alice") || asked[1].Params.Has("TokenCode") {
		t.Errorf("%+v", asked)
	}
	_, err := r.obtain("alice", kin.AWSObtain{Direct: true})
	wantError(t, err, api.CodeBadRequest, "assumes no role")
}

// Of many who ask at once one uses a code.
func TestManyAtOnce(t *testing.T) {
	r := roleRig(t)
	var group sync.WaitGroup
	ways := make([]*AWS, 50)
	for i := range ways {
		ways[i] = r.open("admin")
		ways[i].tell = func(kin.AWSLine) {}
	}
	for _, a := range ways {
		group.Go(func() {
			if _, err := a.Credentials(context.Background(), kin.AWSObtain{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if r.keys.asked != 1 || len(r.Requests("AssumeRole")) != 1 || len(r.Refused()) > 0 {
		t.Errorf("%d codes, %d roles, refused %+v", r.keys.asked, len(r.Requests("AssumeRole")), r.Refused())
	}
}

// Who gives up does not hold up the others.
func TestGivingUpInTheQueue(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	c := openCache()
	unlock, err := c.lock(t.Context(), "queue")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.lock(ctx, "queue"); err == nil {
		t.Error("two have the lock")
	}
	unlock()
	unlock, err = c.lock(t.Context(), "queue")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestRefusedOnce(t *testing.T) {
	r := roleRig(t)
	r.Fault(awstest.Fault{Action: "GetSessionToken", Kind: awstest.RefuseCode})
	if _, err := r.obtain("alice", kin.AWSObtain{}); err != nil || r.keys.asked != 2 {
		t.Errorf("%v after %d codes", err, r.keys.asked)
	}
	r.Fault(awstest.Fault{Action: "GetSessionToken", Kind: awstest.RefuseCode, Times: 2})
	_, err := r.obtain("alice", kin.AWSObtain{Anew: true})
	wantError(t, err, api.CodeAWS, "cannot open a session with arn:aws:iam::123456789012:mfa/alice: AWS did not take the code", "oathctl aws resync")
}

// Where the clock is off no second code is wasted, and the reason is said.
func TestCodeWithAWrongClock(t *testing.T) {
	r := roleRig(t)
	r.Skew(4 * time.Minute)
	_, err := r.obtain("admin", kin.AWSObtain{})
	wantError(t, err, api.CodeClock, "cannot open a session", "4m0s behind AWS's", "timedatectl")
	if r.keys.asked != 1 {
		t.Errorf("%d codes", r.keys.asked)
	}
}

// An answer that is lost on its way costs another code, and no more.
func TestLostAnswer(t *testing.T) {
	r := roleRig(t)
	r.Fault(awstest.Fault{Action: "GetSessionToken", Kind: awstest.LoseAnswer})
	if _, err := r.obtain("admin", kin.AWSObtain{}); err != nil || r.keys.asked != 2 {
		t.Errorf("%v after %d codes", err, r.keys.asked)
	}
}

func TestCredentialsRefused(t *testing.T) {
	r := newRig(t, awstest.Options{Users: []awstest.User{{Name: "alice"}, {Name: "bob"}}, Roles: []awstest.Role{{Name: "admin", Trusts: []string{"alice"}}}})
	_, err := r.obtain("alice", kin.AWSObtain{})
	wantError(t, err, api.CodeNotFound, "cannot find a device of alice", "mfa_serial")
	_, err = r.obtain("alice", kin.AWSObtain{Device: r.ARN("mfa/nowhere")})
	wantError(t, err, api.CodeNotFound, "cannot find arn:aws:iam::123456789012:mfa/nowhere on any key")
	r.hold(r.Enrol("bob", "bob"))
	r.write("AWS_CONFIG_FILE", "[profile no]\nrole_arn = "+r.ARN("role/admin")+"\nsource_profile = bob\n")
	_, err = r.obtain("no", kin.AWSObtain{})
	wantError(t, err, api.CodeForbidden, "cannot assume "+r.ARN("role/admin"), "lacks the permission sts:AssumeRole")
	_, err = r.obtain("bob", kin.AWSObtain{Seconds: 60})
	wantError(t, err, api.CodeBadRequest, "15m0s to 36h0m0s")
	r.keys.silent = &api.Error{Code: api.CodeKeyAbsent, Message: "cannot give a code: it is on daily"}
	_, err = r.obtain("bob", kin.AWSObtain{Anew: true})
	wantError(t, err, api.CodeKeyAbsent, "it is on daily")
	t.Setenv(profiles, "bob")
	_, err = Open(t.Context(), "bob", r.keys, func(kin.AWSLine) {})
	wantError(t, err, api.CodeBadRequest, "asks for its own credentials")
}

// The file alone, or the key alone, gives nothing away, and neither is there when the credentials have ended.
func TestCache(t *testing.T) {
	r := roleRig(t)
	got, err := r.obtain("alice", kin.AWSObtain{})
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "oathctl-aws", "*"))
	sealedFiles := 0
	for _, file := range files {
		text, _ := os.ReadFile(file)
		info, _ := os.Stat(file)
		if bytes.Contains(text, []byte(got.SecretAccessKey)) || bytes.Contains(text, []byte(got.AccessKeyID)) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %q", file, info.Mode(), text)
		}
		if len(text) > 0 {
			sealedFiles++
		}
	}
	if sealedFiles != 2 { // what the profile stands for, and the session, which may open roles
		t.Errorf("%d files", sealedFiles)
	}
	c, name := openCache(), entryName("test", t.Name())
	if err := c.store(name, got); err != nil {
		t.Fatal(err)
	}
	if found, ok := c.load(name); !ok || found != got {
		t.Errorf("%+v", found)
	}
	// Another entry's key is not this one's.
	if err := os.Rename(filepath.Join(c.dir, name), filepath.Join(c.dir, entryName("other"))); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.load(entryName("other")); ok {
		t.Error("a file opens under another name")
	}
	// What ends is not given out any more, a quarter of its life before.
	got.Expiration = time.Now().Add(-time.Second)
	if err := c.store(name, got); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.load(name); ok {
		t.Error("credentials that have ended are given out")
	}
	none := &cache{}
	if err := none.store(name, got); err == nil || !strings.Contains(fmt.Sprint(err), "XDG_RUNTIME_DIR") {
		t.Errorf("%v", err)
	}
}
