package awstest

import (
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/need"
)

const (
	badCode  = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
	badPair  = "Authentication code for device is not valid."
	badToken = "The security token included in the request is invalid"
)

// oathtool computes a code; it has the seed on its standard input.
func oathtool(t *testing.T, seed string, when time.Time) string {
	t.Helper()
	cmd := exec.Command(need.Program(t, "oathtool", "oathtool"), "--totp", "--base32", "--now=@"+fmt.Sprint(when.Unix()), "-")
	cmd.Stdin = strings.NewReader(seed)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// codes are accepted as AWS does: once, in order, about now.
func codes(t *testing.T, f *foreign) {
	s := frozen(t, Options{})
	alice := f.as(s, "alice")
	made := alice.must(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "phone"})["VirtualMFADevice"].(map[string]any)
	phone := made["SerialNumber"].(string)
	seed, err := base64.StdEncoding.DecodeString(made["Base32StringSeed"].(string))
	if err != nil || len(seed) != 64 || string(seed) != s.Seed(phone) {
		t.Fatalf("the seed is %q: %v", seed, err)
	}
	if theirs := oathtool(t, string(seed), s.Now()); theirs != s.step(phone, 0) {
		t.Errorf("oathtool says %s, the stand-in %s", theirs, s.step(phone, 0))
	}
	for _, steps := range [][2]int{{1, 0}, {0, 0}, {0, 2}, {40, 41}} {
		alice.refused(t, "EnableMFADevice", enable(s, phone, steps[0], steps[1]), "InvalidAuthenticationCode", badPair)
	}
	alice.must(t, "EnableMFADevice", enable(s, phone, 0, 1))
	token := func(n int) args { return args{"SerialNumber": phone, "TokenCode": s.step(phone, n)} }
	for _, used := range []int{-1, 0, 1, 2} { // the last one is not used, but two steps away
		alice.refused(t, "GetSessionToken", token(used), "AccessDenied", badCode)
	}
	s.Skew(2 * period * time.Second)
	alice.must(t, "GetSessionToken", token(0))
	alice.refused(t, "GetSessionToken", token(0), "AccessDenied", badCode)
	alice.must(t, "GetSessionToken", token(1))
	alice.refused(t, "GetSessionToken", token(0), "AccessDenied", badCode)
	alice.refused(t, "ResyncMFADevice", enable(s, phone, 1, 2), "InvalidAuthenticationCode", badPair)
	alice.must(t, "ResyncMFADevice", enable(s, phone, 2, 3))
	outOfSync(t, alice)
}

// outOfSync is what becomes of a device that was enabled with codes of five minutes ago.
func outOfSync(t *testing.T, alice caller) {
	late := alice.must(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "late"})["VirtualMFADevice"].(map[string]any)["SerialNumber"].(string)
	alice.must(t, "EnableMFADevice", enable(alice.Server, late, -10, -9))
	token := func(n int) args { return args{"SerialNumber": late, "TokenCode": alice.step(late, n)} }
	alice.refused(t, "GetSessionToken", token(0), "AccessDenied", badCode)
	alice.must(t, "ResyncMFADevice", enable(alice.Server, late, -1, 0))
	alice.must(t, "GetSessionToken", token(1))
}

func sessions(t *testing.T, f *foreign) {
	s := frozen(t, Options{Users: []User{{Name: "alice"}, {Name: "bob"}}})
	alice, bob := f.as(s, "alice"), f.as(s, "bob")
	phone := s.Enrol("alice", "phone")
	alice.refused(t, "GetSessionToken", args{"SerialNumber": phone}, "AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	bob.refused(t, "GetSessionToken", args{"SerialNumber": phone, "TokenCode": s.step(phone, 0)}, "AccessDenied",
		"MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	r := alice.call(t, "GetSessionToken", args{"SerialNumber": phone, "TokenCode": s.step(phone, 0), "DurationSeconds": 900})
	with := alice.session(t, r)
	if who := with.must(t, "GetCallerIdentity", nil); who["Arn"] != s.ARN("user/alice") || who["Account"] != "123456789012" {
		t.Errorf("the session is %v", who)
	}
	with.must(t, "ListUsers", nil)
	with.refused(t, "GetSessionToken", nil, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	without := alice.session(t, alice.call(t, "GetSessionToken", nil))
	without.must(t, "GetCallerIdentity", nil)
	without.refused(t, "ListUsers", nil, "InvalidClientTokenId", badToken)
	without.with[2] += "x"
	without.refused(t, "GetCallerIdentity", nil, "InvalidClientTokenId", badToken)
	s.Expire()
	with.refused(t, "GetCallerIdentity", nil, "ExpiredToken", "The security token included in the request is expired")
}

func roles(t *testing.T, f *foreign) {
	s := frozen(t, Options{
		Users: []User{{Name: "alice"}, {Name: "bob", Lacks: []string{"sts:AssumeRole"}}, {Name: "carol"}},
		Roles: []Role{
			{Name: "admin", NeedsMFA: true, Trusts: []string{"alice", "bob"}, Longest: 2 * time.Hour, Allows: []string{"iam:ListUsers"}},
			{Name: "partner", ExternalID: "secret sign"},
		},
	})
	phone := s.Enrol("alice", "phone")
	admin := args{"RoleArn": s.ARN("role/admin"), "RoleSessionName": "work"}
	refusal := func(user, role string) string {
		return "User: " + s.ARN("user/"+user) + " is not authorized to perform: sts:AssumeRole on resource: " + s.ARN("role/"+role)
	}
	alice := f.as(s, "alice")
	alice.refused(t, "AssumeRole", admin, "AccessDenied", refusal("alice", "admin"))
	alice.refused(t, "AssumeRole", args{"RoleArn": s.ARN("role/none"), "RoleSessionName": "work"}, "AccessDenied", refusal("alice", "none"))
	alice.refused(t, "AssumeRole", args{"RoleArn": s.ARN("role/partner"), "RoleSessionName": "work"}, "AccessDenied", refusal("alice", "partner"))
	for _, user := range []string{"bob", "carol"} {
		other := s.Enrol(user, user)
		f.as(s, user).refused(t, "AssumeRole", args{"RoleArn": s.ARN("role/admin"), "RoleSessionName": "work", "SerialNumber": other, "TokenCode": s.step(other, 0)},
			"AccessDenied", refusal(user, "admin"))
	}
	withCode := args{"RoleArn": s.ARN("role/admin"), "RoleSessionName": "work", "SerialNumber": phone, "TokenCode": s.step(phone, 0), "DurationSeconds": 7200}
	r := alice.call(t, "AssumeRole", withCode)
	who := alice.session(t, r).must(t, "GetCallerIdentity", nil)
	if want := "arn:aws:sts::123456789012:assumed-role/admin/work"; who["Arn"] != want || r.Result["AssumedRoleUser"].(map[string]any)["Arn"] != want {
		t.Errorf("the role is %v, %v", who, r.Result)
	}
	alice.refused(t, "AssumeRole", withCode, "AccessDenied", badCode)
	alice.refused(t, "AssumeRole", args{"RoleArn": s.ARN("role/admin"), "RoleSessionName": "work", "SerialNumber": phone, "TokenCode": s.step(phone, 1), "DurationSeconds": 7201},
		"ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	alice.session(t, r).must(t, "ListUsers", nil)
	alice.session(t, r).refused(t, "GetAccountSummary", nil, "AccessDenied",
		"User: arn:aws:sts::123456789012:assumed-role/admin/work is not authorized to perform: iam:GetAccountSummary on resource: * because no identity-based policy allows the iam:GetAccountSummary action")
	f.as(s, RootUser).refused(t, "AssumeRole", admin, "AccessDenied", "Roles may not be assumed by root accounts.")
}

func chains(t *testing.T, f *foreign) {
	s := frozen(t, Options{Roles: []Role{
		{Name: "first", NeedsMFA: true, Allows: []string{"iam:GetUser"}},
		{Name: "second", Trusts: []string{"first"}, Longest: 12 * time.Hour},
		{Name: "third", Trusts: []string{"first"}, NeedsMFA: true},
	}})
	phone := s.Enrol("alice", "phone")
	alice := f.as(s, "alice")
	session := alice.session(t, alice.call(t, "GetSessionToken", args{"SerialNumber": phone, "TokenCode": s.step(phone, 0)}))
	first := session.session(t, session.call(t, "AssumeRole", args{"RoleArn": s.ARN("role/first"), "RoleSessionName": "one"}))
	first.refused(t, "GetUser", nil, "ValidationError", "Must specify userName when calling with non-User credentials")
	second := args{"RoleArn": s.ARN("role/second"), "RoleSessionName": "two"}
	first.must(t, "AssumeRole", second)
	second["DurationSeconds"] = 3601
	first.refused(t, "AssumeRole", second, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	first.refused(t, "AssumeRole", args{"RoleArn": s.ARN("role/third"), "RoleSessionName": "three"}, "AccessDenied",
		"User: arn:aws:sts::123456789012:assumed-role/first/one is not authorized to perform: sts:AssumeRole on resource: "+s.ARN("role/third"))
}

func permissions(t *testing.T, f *foreign) {
	s := frozen(t, Options{Users: []User{{Name: "alice", Lacks: []string{"iam:CreateVirtualMFADevice", "iam:EnableMFADevice"}}}})
	alice := f.as(s, "alice")
	phone := s.ARN("mfa/phone")
	alice.refused(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "phone"}, "AccessDenied", "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:CreateVirtualMFADevice on resource: "+phone+
		" because no identity-based policy allows the iam:CreateVirtualMFADevice action")
	alice.refused(t, "EnableMFADevice", args{"UserName": "alice", "SerialNumber": phone, "AuthenticationCode1": "000000", "AuthenticationCode2": "000000"}, "AccessDenied",
		"User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:EnableMFADevice on resource: user alice because no identity-based policy allows the iam:EnableMFADevice action")
}

func guarded(t *testing.T, f *foreign) {
	s := frozen(t, Options{Users: []User{{Name: "alice", Guarded: true}}})
	alice := f.as(s, "alice")
	enrol := func(c caller, name string) {
		t.Helper()
		c.must(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": name})
		c.must(t, "EnableMFADevice", enable(s, s.ARN("mfa/"+name), 0, 1))
	}
	enrol(alice, "first")
	alice.refused(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "second"}, "AccessDenied",
		"User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:CreateVirtualMFADevice on resource: "+s.ARN("mfa/second")+" with an explicit deny in an identity-based policy")
	alice.must(t, "ListMFADevices", nil)
	s.Skew(2 * period * time.Second)
	alice.must(t, "ResyncMFADevice", enable(s, s.ARN("mfa/first"), 0, 1))
	s.Skew(4 * period * time.Second)
	enrol(alice.session(t, alice.call(t, "GetSessionToken", args{"SerialNumber": s.ARN("mfa/first"), "TokenCode": s.step(s.ARN("mfa/first"), 0)})), "second")
}

func lists(t *testing.T, f *foreign) {
	s := frozen(t, Options{Page: 2, Users: []User{{Name: "alice"}, {Name: "bob"}, {Name: "carol"}}})
	alice := f.as(s, "alice")
	for _, name := range []string{"1", "2", "3", "4"} {
		s.Enrol("bob", name)
	}
	alice.must(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "free"})
	for _, x := range []struct {
		operation, list string
		params          args
		pages           string
	}{
		{"ListUsers", "Users", args{}, "2 1"},
		{"ListUsers", "Users", args{"MaxItems": 1}, "1 1 1"},
		{"ListUsers", "Users", args{"PathPrefix": "/other/"}, "0"},
		{"ListMFADevices", "MFADevices", args{"UserName": "bob"}, "2 2"},
		{"ListMFADevices", "MFADevices", args{}, "0"},
		{"ListVirtualMFADevices", "VirtualMFADevices", args{}, "2 2 1"},
		{"ListVirtualMFADevices", "VirtualMFADevices", args{"AssignmentStatus": "Assigned"}, "2 2"},
		{"ListVirtualMFADevices", "VirtualMFADevices", args{"AssignmentStatus": "Unassigned"}, "1"},
	} {
		var sizes []string
		for more := true; more; {
			answer := alice.must(t, x.operation, x.params)
			sizes = append(sizes, fmt.Sprint(len(answer[x.list].([]any))))
			more, _ = answer["IsTruncated"].(bool)
			x.params["Marker"] = answer["Marker"]
		}
		if pages := strings.Join(sizes, " "); pages != x.pages {
			t.Errorf("%s %v: pages of %s, want %s", x.operation, x.params, pages, x.pages)
		}
	}
}

// others are devices that are not virtual, and users elsewhere than usual.
func others(t *testing.T, f *foreign) {
	s := frozen(t, Options{Users: []User{{Name: "alice", Path: "/staff/"}, {Name: "bob", Keyless: true}}})
	alice := f.as(s, "alice")
	if user := alice.must(t, "GetUser", nil)["User"].(map[string]any); user["Arn"] != "arn:aws:iam::123456789012:user/staff/alice" || user["Path"] != "/staff/" {
		t.Errorf("alice is %v", user)
	}
	if users := alice.must(t, "ListUsers", args{"PathPrefix": "/staff/"})["Users"].([]any); len(users) != 1 {
		t.Errorf("the staff is %v", users)
	}
	token := "GAHT12345678"
	s.Attach("alice", token)
	s.Attach("alice", s.ARN("u2f/user/alice/desk-ABC"))
	if list := alice.must(t, "ListMFADevices", nil)["MFADevices"].([]any); len(list) != 2 {
		t.Errorf("alice has %v", list)
	}
	if list := alice.must(t, "ListVirtualMFADevices", nil)["VirtualMFADevices"].([]any); len(list) != 0 {
		t.Errorf("virtual are %v", list)
	}
	alice.refused(t, "GetSessionToken", args{"SerialNumber": token, "TokenCode": "000000"}, "AccessDenied", badCode)
	alice.must(t, "DeactivateMFADevice", args{"UserName": "alice", "SerialNumber": token})
	if list := s.Devices(); len(list) != 1 {
		t.Errorf("left are %v", list)
	}
}

func credentialReport(t *testing.T, f *foreign) {
	s := frozen(t, Options{Users: []User{{Name: "alice"}, {Name: "bob", Password: true, Keyless: true}}})
	alice := f.as(s, "alice")
	s.Enrol("bob", "phone")
	alice.refused(t, "GetCredentialReport", nil, "ReportNotPresent", "No report exists. Call GenerateCredentialReport to start a new report generation task")
	for _, want := range []string{"STARTED", "INPROGRESS"} {
		if state := alice.must(t, "GenerateCredentialReport", nil)["State"]; state != want {
			t.Errorf("the report is %v, want %s", state, want)
		}
	}
	alice.refused(t, "GetCredentialReport", nil, "ReportInProgress", "Report generation is in progress")
	if state := alice.must(t, "GenerateCredentialReport", nil)["State"]; state != "COMPLETE" {
		t.Errorf("the report is %v", state)
	}
	content, err := base64.StdEncoding.DecodeString(alice.must(t, "GetCredentialReport", nil)["Content"].(string))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
	if err != nil || len(rows) != 4 || rows[1][0] != "<root_account>" || rows[1][7] != "false" || rows[2][7] != "false" || rows[3][0] != "bob" || rows[3][7] != "true" ||
		rows[2][8] != "true" || rows[3][8] != "false" || rows[3][3] != "true" || len(rows[3]) != 22 {
		t.Errorf("the report is %q: %v", rows, err)
	}
	s.Skew(5 * time.Hour)
	s.now = at(s.now().Add(-5 * time.Hour)) // the caller's clock is right, so the service's must be; the report is old
	s.account.report.made = s.account.report.made.Add(-5 * time.Hour)
	alice.refused(t, "GetCredentialReport", nil, "ReportExpired", "The most recent credential report has expired. Call GenerateCredentialReport to start a new report generation task")
}

func root(t *testing.T, f *foreign) {
	s := frozen(t, Options{})
	boss := f.as(s, RootUser)
	device := s.Enrol(RootUser, "root-account-mfa-device")
	if who := boss.must(t, "GetCallerIdentity", nil); who["Arn"] != s.ARN("root") {
		t.Errorf("root is %v", who)
	}
	devices := f.as(s, "alice").must(t, "ListVirtualMFADevices", nil)["VirtualMFADevices"].([]any)
	if user := devices[0].(map[string]any)["User"].(map[string]any); user["Arn"] != s.ARN("root") {
		t.Errorf("the device belongs to %v", user)
	}
	if summary := boss.must(t, "GetAccountSummary", nil)["SummaryMap"].(map[string]any); summary["AccountMFAEnabled"] != 1.0 {
		t.Errorf("root's device does not count: %v", summary)
	}
	r := boss.must(t, "GetSessionToken", args{"SerialNumber": device, "TokenCode": s.step(device, 0), "DurationSeconds": 7200})
	until, err := time.Parse(time.RFC3339, r["Credentials"].(map[string]any)["Expiration"].(string))
	if lasts := until.Sub(s.Now()); err != nil || lasts > time.Hour || lasts < 59*time.Minute {
		t.Errorf("root's session lasts %s: %v", lasts, err)
	}
}
