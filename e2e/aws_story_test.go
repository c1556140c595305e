package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/oathd/oathd/awsmfa/awstest"
	"github.com/oathd/oathd/ipc/api"
)

// oathctl runs oathctl in the world where AWS is the stand-in.
func (c *cloud) oathctl(t testing.TB, s *scene, words ...string) string {
	t.Helper()
	return c.must(t, append([]string{filepath.Join(release(t), "oathctl"), "--socket", s.client.Socket}, words...)...)
}

// newSession has oathctl forget the sessions that it has.
func (c *cloud) newSession(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(c.runtime, "oathctl-aws")); err != nil {
		t.Fatal(err)
	}
}

// story is the life of a user's device: enrolled on two keys, used from aws, one key lost, used with the other, restored to a third; and AWS
// never refuses a code.
func story(t *testing.T) {
	aws := newCloud(t, awstest.Options{
		Users: []awstest.User{{Name: "alice", Guarded: true}},
		Roles: []awstest.Role{{Name: "admin", NeedsMFA: true, Trusts: []string{"alice"}}},
	})
	s := furnished(t).enter(t, "fresh")
	defer s.leave(syscall.SIGTERM)

	aws.oathctl(t, s, "aws", "enroll", "--name", "phone", "--to", "daily,spare")
	phone := aws.ARN("mfa/phone")
	if d := aws.Devices(); len(d) != 1 || d[0].Serial != phone || !d[0].Enabled || d[0].User != "alice" {
		t.Fatalf("AWS has %+v", d)
	}
	if err := s.onKeys("Amazon Web Services:phone@123456789012", "daily", "spare"); err != nil {
		t.Fatal(err)
	}
	aws.oathctl(t, s, "aws", "setup", "--as", "work", "--yes")
	work := append(slices.Clone(whoAmI), "--profile", "work")
	for range 2 { // the second time, oathctl has a session
		aws.isAlice(t, work...)
	}
	aws.configure(t, "%s\n[profile admin]\nrole_arn = %s\nsource_profile = default\n", read(t, aws.configFile()), aws.ARN("role/admin"))
	aws.oathctl(t, s, "aws", "setup", "--profile", "admin", "--as", "boss", "--yes")
	if who := aws.must(t, append(slices.Clone(whoAmI), "--profile", "boss")...); !strings.Contains(who, ":assumed-role/admin/") {
		t.Errorf("the role is %s", who)
	}
	aws.took(t, 1) // the session that alice has opens the role

	s.bay.Remove(s.keys["daily"])
	s.settle()
	paper := s.paper()
	defer paper.Wipe()
	if _, err := s.client.KeyLost(t.Context(), "daily", api.LostRequest{Opener: onPaper()}, paper, nil); err != nil {
		t.Fatal(err)
	}
	aws.newSession(t)
	aws.isAlice(t, work...)
	aws.took(t, 2)

	s.bay.Insert(s.keys["fresh"])
	s.settle()
	if err := s.restore(onPaper()); err != nil {
		t.Fatal(err)
	}
	s.bay.Remove(s.keys["spare"])
	s.settle()
	before := aws.Code(phone, 0)
	code := strings.TrimSpace(aws.oathctl(t, s, "code", phone))
	if code != before && code != aws.Code(phone, 0) {
		t.Errorf("the restored copy says %s, AWS expects %s", code, before)
	}
}

// throng has fifty programs ask for credentials at once: AWS is given one code.
func throng(t *testing.T) {
	const crowd = 50
	aws := newCloud(t, awstest.Options{})
	s := blank(t).enter(t)
	defer s.leave(syscall.SIGTERM)
	s.addDevice(aws, aws.Enrol("alice", "phone"), "daily", "spare")
	aws.oathctl(t, s, "aws", "setup", "--as", "work", "--yes")
	var all sync.WaitGroup
	for range crowd {
		all.Go(func() {
			if out, errs, err := aws.run(t, append(slices.Clone(whoAmI), "--profile", "work")...); err != nil {
				t.Errorf("%v: %s%s", err, out, errs)
			}
		})
	}
	all.Wait()
	aws.took(t, 1)
	if n := len(aws.Requests("GetSessionToken")); n != 1 {
		t.Errorf("%d sessions were made", n)
	}
	if n := len(aws.Requests("GetCallerIdentity")); n < crowd {
		t.Errorf("%d programs asked who they are", n)
	}
}
