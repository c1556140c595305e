package awsmfa

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oathd/oathd/awsmfa/awstest"
	"github.com/oathd/oathd/internal/kin"
)

// told is a coverage in short.
func told(c kin.AWSCoverage) string {
	var list []string
	for _, u := range c.Users {
		line := u.User + " " + string(u.Risk)
		for _, d := range u.Devices {
			line += " " + d.Device[strings.LastIndexByte(d.Device, '/')+1:] + "=" + strings.Join(d.Keys, "+")
		}
		list = append(list, line)
	}
	for _, d := range c.Unused {
		list = append(list, "unused "+d.Device)
	}
	return strings.Join(list, "; ")
}

func TestCoverage(t *testing.T) {
	r := newRig(t, awstest.Options{Page: 2, Users: []awstest.User{{Name: "alice"}, {Name: "bob"}, {Name: "carol", Password: true}, {Name: "dave"}}})
	r.hold(r.Enrol("alice", "alice"))
	r.Enrol("bob", "phone")
	r.hold(r.Enrol("dave", "dave"))
	r.keys.accounts[1].Copies = r.keys.accounts[1].Copies[:1]
	r.hold(r.Enrol(awstest.RootUser, "root-account-mfa-device"))
	c, err := r.open("alice").Coverage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "<root_account> safe root-account-mfa-device=daily+spare; alice safe alice=daily+spare; bob elsewhere phone=; carol without; dave at_risk dave=daily"
	if got := told(c); got != want || c.Problems != 2 || len(c.Notes) != 0 || c.Number != "123456789012" {
		t.Errorf("%q, %d problems, notes %q", got, c.Problems, c.Notes)
	}
}

// Who may look at little is told what that was.
func TestCoverageOfOneself(t *testing.T) {
	lacks := []string{"iam:ListUsers", "iam:ListVirtualMFADevices", "iam:GenerateCredentialReport"}
	r := newRig(t, awstest.Options{Users: []awstest.User{{Name: "alice", Lacks: lacks}, {Name: "bob"}}})
	c, err := r.open("alice").Coverage(t.Context())
	if err != nil || told(c) != "alice without" || c.Problems != 1 || len(c.Notes) != 3 {
		t.Fatalf("%q, %q, %v", told(c), c.Notes, err)
	}
	for i, action := range []string{"iam:GenerateCredentialReport", "iam:ListVirtualMFADevices", "iam:ListUsers"} {
		if !strings.Contains(c.Notes[i], "lacks the permission "+action) {
			t.Errorf("%q does not tell %s", c.Notes[i], action)
		}
	}
}

// What was made and never enabled is found.
func TestCoverageOfLeftovers(t *testing.T) {
	r := newRig(t, awstest.Options{})
	r.Fault(awstest.Fault{Action: "EnableMFADevice", Kind: awstest.Cut})
	if _, err := r.open("alice").Enroll(t.Context(), one); err == nil {
		t.Fatal("it was enabled")
	}
	c, err := r.open("alice").Coverage(t.Context())
	if err != nil || len(c.Unused) != 1 || c.Unused[0].Account == "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestParseReport(t *testing.T) {
	const text = "user,arn,password_enabled,mfa_active,access_key_1_active,access_key_2_active\n" +
		"<root_account>,arn:aws:iam::1:root,not_supported,true,false,false\nalice,x,true,false,false,false\nbob,x,false,true,false,true\neve,x,no_information,N/A,false,false\n"
	report, err := parseReport([]byte(text))
	if got := fmt.Sprint(report); err != nil || got != "map[<root_account>:{true false} alice:{false true} bob:{true true} eve:{false false}]" {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"", "a,b\n\"", "a,b\nc\n"} {
		if _, err := parseReport([]byte(bad)); err == nil {
			t.Errorf("%q is a report", bad)
		}
	}
}
