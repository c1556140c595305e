package awstest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// at is a clock that stands still.
func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// frozen is a stand-in whose clock stands still, so that no step ends between two codes.
func frozen(t testing.TB, o Options) *Server {
	o.Now = at(time.Now())
	return Start(t, o)
}

// TestAgainstTheModel has botocore make every call that the stand-in knows, and judge every answer that it can give.
func TestAgainstTheModel(t *testing.T) {
	f := startForeign(t)
	for name, test := range map[string]func(*testing.T, *foreign){
		"bounds": bounds, "life of a device": lifeOfDevice, "codes": codes, "limits": limits, "signatures": signatures, "front end": frontEnd,
		"sessions": sessions, "roles": roles, "chains": chains, "permissions": permissions, "guarded": guarded, "lists": lists, "others": others,
		"report": credentialReport, "root": root, "faults": faults,
	} {
		t.Run(name, func(t *testing.T) { test(t, f) })
	}
	if t.Failed() {
		return
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(actions)), slices.Collect(maps.Keys(statuses))) {
		if !seen[name] {
			t.Errorf("no test has seen %s", name)
		}
	}
}

// TestJudgeCanFail gives the judge answers that AWS would not give.
func TestJudgeCanFail(t *testing.T) {
	f := startForeign(t)
	good := string(success("sts", "GetCallerIdentity", "1", struct{ UserId, Account, Arn string }{"1", "123456789012", "arn:aws:iam::123456789012:user/alice"}))
	devices := string(success("iam", "ListVirtualMFADevices", "1", struct {
		VirtualMFADevices []shapeVirtualMFADevice `xml:"VirtualMFADevices>member"`
	}{[]shapeVirtualMFADevice{{SerialNumber: "arn:aws:iam::123456789012:mfa/phone", EnableDate: "2026-03-01T12:00:00Z", QRCodePNG: base64Text([]byte("x"))}}}))
	refusal := string(refuse("EntityAlreadyExists", "It exists.").xml("iam", "1"))
	for _, x := range []struct {
		service, operation string
		status             int
		body, from, to     string
		want               string
	}{
		{"sts", "GetCallerIdentity", 200, good, "", "", ""},
		{"sts", "GetCallerIdentity", 200, good, "sts.amazonaws.com", "iam.amazonaws.com", "the root is {https://iam"},
		{"sts", "GetCallerIdentity", 200, good, "GetCallerIdentityResult", "Result", "the root holds"},
		{"sts", "GetCallerIdentity", 200, good, "<RequestId>1</RequestId>", "", "there is no RequestId"},
		{"sts", "GetCallerIdentity", 200, good, "UserId>", "Name>", "has no member Name"},
		{"sts", "GetCallerIdentity", 200, good, "arn:aws:iam::123456789012:user/alice", "alice", "Arn is 5 long"},
		{"iam", "ListVirtualMFADevices", 200, devices, "", "", ""},
		{"iam", "ListVirtualMFADevices", 200, devices, "SerialNumber>", "EnableDate>", "lacks SerialNumber"},
		{"iam", "ListVirtualMFADevices", 200, devices, "VirtualMFADevices>", "IsTruncated>", "lacks VirtualMFADevices"},
		{"iam", "ListVirtualMFADevices", 200, devices, "member>", "entry>", "entry"},
		{"iam", "ListVirtualMFADevices", 200, devices, "mfa/phone", "mfa/my phone", "SerialNumber is 'arn"},
		{"iam", "ListVirtualMFADevices", 200, devices, "2026-03-01T12:00:00Z", "1 March", "EnableDate is '1 March'"},
		{"iam", "ListVirtualMFADevices", 200, devices, "PNG>eA==", "PNG>eA", "padding"},
		{"iam", "CreateVirtualMFADevice", 409, refusal, "", "", ""},
		{"iam", "CreateVirtualMFADevice", 400, refusal, "", "", "is no error of CreateVirtualMFADevice"},
		{"iam", "DeleteVirtualMFADevice", 409, refusal, "", "", "is no error of DeleteVirtualMFADevice"},
		{"iam", "CreateVirtualMFADevice", 409, refusal, "Sender", "Receiver", "Type is wrong"},
		{"iam", "CreateVirtualMFADevice", 409, refusal, "It exists.", "", "no Message"},
	} {
		body := strings.ReplaceAll(x.body, x.from, x.to)
		if x.from == "" {
			body = x.body
		}
		found := strings.Join(f.ask(t, map[string]any{"service": x.service, "operation": x.operation, "status": x.status, "body": body}).Faults, "; ")
		if (found != "") != (x.want != "") || !strings.Contains(found, x.want) {
			t.Errorf("%s with %q for %q: the judge says %q, want %q", x.operation, x.to, x.from, found, x.want)
		}
	}
}

// bounds holds what the stand-in takes for a request against the model.
func bounds(t *testing.T, f *foreign) {
	for name, act := range actions {
		model := f.do(t, map[string]any{"service": act.service, "operation": name}).Parameters
		for _, p := range act.params {
			m, known := model[p.name]
			if !known || m.Pattern != p.pattern || m.Least != p.least || m.Most != p.most || m.Number != p.number || m.Required != p.required {
				t.Errorf("%s: %+v; the model says %+v", name, p, m)
			}
		}
		for parameter, m := range model {
			if m.Required && !slices.ContainsFunc(act.params, func(p param) bool { return p.name == parameter }) {
				t.Errorf("%s lacks %s", name, parameter)
			}
		}
	}
}

// enable are the parameters that enable alice's device, with codes that are so many steps off.
func enable(s *Server, serial string, first, second int) args {
	return args{"UserName": "alice", "SerialNumber": serial, "AuthenticationCode1": s.step(serial, first), "AuthenticationCode2": s.step(serial, second)}
}

// step is the code so many steps from now.
func (s *Server) step(serial string, n int) string {
	return s.Code(serial, time.Duration(n)*period*time.Second)
}

func lifeOfDevice(t *testing.T, f *foreign) {
	alice := f.as(frozen(t, Options{}), "alice")
	phone := alice.ARN("mfa/phone")
	named := args{"VirtualMFADeviceName": "phone"}
	missing := "VirtualMFADevice with serial number " + phone + " does not exist."
	ofAlice := args{"UserName": "alice", "SerialNumber": phone}
	alice.refused(t, "DeleteVirtualMFADevice", args{"SerialNumber": phone}, "NoSuchEntity", missing)
	made := alice.must(t, "CreateVirtualMFADevice", named)["VirtualMFADevice"].(map[string]any)
	if made["SerialNumber"] != phone {
		t.Errorf("made %v", made["SerialNumber"])
	}
	alice.refused(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "Phone"}, "EntityAlreadyExists", "MFADevice entity at the same path and name already exists.")
	alice.refused(t, "DeactivateMFADevice", ofAlice, "NoSuchEntity", "MFA Device invalid for user.")
	alice.must(t, "EnableMFADevice", enable(alice.Server, phone, 0, 1))
	alice.refused(t, "EnableMFADevice", enable(alice.Server, phone, 2, 3), "EntityAlreadyExists", "MFA Device is already in use.")
	alice.refused(t, "DeleteVirtualMFADevice", args{"SerialNumber": phone}, "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
	alice.must(t, "DeactivateMFADevice", ofAlice)
	alice.must(t, "DeleteVirtualMFADevice", args{"SerialNumber": phone})
	alice.refused(t, "DeactivateMFADevice", ofAlice, "NoSuchEntity", missing)
	alice.refused(t, "DeactivateMFADevice", args{"UserName": "bob", "SerialNumber": phone}, "NoSuchEntity", "The user with name bob cannot be found.")
	if d := alice.Devices(); len(d) != 0 {
		t.Errorf("there is still %v", d)
	}
}

func limits(t *testing.T, f *foreign) {
	alice := f.as(frozen(t, Options{}), "alice")
	for _, name := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		alice.Enrol("alice", name)
	}
	alice.must(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "9"})
	alice.refused(t, "EnableMFADevice", enable(alice.Server, alice.ARN("mfa/9"), 0, 1), "LimitExceeded", "Cannot exceed quota for MFADevicesPerUser: 8")
	alice.refused(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "my phone"}, "ValidationError",
		"The specified value for virtualMFADeviceName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	alice.refused(t, "DeleteVirtualMFADevice", nil, "ValidationError",
		"1 validation error detected: Value null at 'serialNumber' failed to satisfy constraint: Member must not be null")
	alice.refused(t, "DeleteVirtualMFADevice", args{"SerialNumber": "123"}, "ValidationError",
		"1 validation error detected: Value '123' at 'serialNumber' failed to satisfy constraint: Member must have length greater than or equal to 9")
	alice.refused(t, "GetSessionToken", args{"DurationSeconds": 899}, "ValidationError",
		"1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900")
	alice.refused(t, "GetSessionToken", args{"DurationSeconds": 129601}, "ValidationError",
		"1 validation error detected: Value '129601' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 129600")
	alice.refused(t, "GetSessionToken", args{"SerialNumber": alice.ARN("mfa/1"), "TokenCode": "12345a"}, "ValidationError",
		`1 validation error detected: Value '12345a' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\d]*`)
}

func signatures(t *testing.T, f *foreign) {
	alice := f.as(frozen(t, Options{}), "alice")
	alice.must(t, "GetCallerIdentity", nil)
	wrong, unknown, nobody := alice, alice, alice
	wrong.with = credentials{alice.with[0], "wrong", ""}
	wrong.refused(t, "GetCallerIdentity", nil, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	unknown.with = credentials{"AKIAUNKNOWN", alice.with[1], ""}
	unknown.refused(t, "GetUser", nil, "InvalidClientTokenId", "The security token included in the request is invalid")
	unknown.with = credentials{alice.with[0], alice.with[1], "token"}
	unknown.refused(t, "GetUser", nil, "InvalidClientTokenId", "The security token included in the request is invalid")
	nobody.with = nil
	nobody.refused(t, "GetUser", nil, "MissingAuthenticationToken", "Request is missing Authentication Token")
	for skew, words := range map[time.Duration]string{16 * time.Minute: "Signature expired: ", -16 * time.Minute: "Signature not yet current: "} {
		alice.Skew(skew)
		if r := alice.call(t, "GetUser", nil); r.Code != "SignatureDoesNotMatch" || !strings.HasPrefix(r.Message, words) {
			t.Errorf("off by %s: %+v", skew, r)
		}
		alice.Skew(skew * 14 / 16)
		alice.must(t, "GetUser", nil)
	}
}

// frontEnd are requests that no client of AWS makes.
func frontEnd(t *testing.T, f *foreign) {
	s := frozen(t, Options{})
	for _, x := range []struct{ body, authorization, code string }{
		{"Action=GetUser&Version=2010-05-08", "Bearer x", "IncompleteSignature"},
		{"Action=GetUser&Version=2011-06-15", "", "InvalidAction"},
		{"Action=ListBuckets&Version=2010-05-08", "", "InvalidAction"},
		{"Action=%zz", "", "MalformedQueryString"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", x.authorization)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		last := s.Requests("")[len(s.Requests(""))-1]
		if last.Code != x.code {
			t.Errorf("%s: %s", x.body, last.Code)
		}
		params, _ := url.ParseQuery(x.body)
		f.do(t, map[string]any{"service": "iam", "operation": params.Get("Action"), "status": answer.StatusCode, "body": string(last.answer)})
		seen[x.code] = true
	}
}

func faults(t *testing.T, f *foreign) {
	alice := f.as(frozen(t, Options{}), "alice")
	alice.Fault(Fault{Action: "CreateVirtualMFADevice", Kind: Cut})
	alice.Fault(Fault{Action: "CreateVirtualMFADevice", Kind: LoseAnswer})
	alice.Fault(Fault{Action: "GetUser", Kind: Throttle, Times: 2})
	alice.Fault(Fault{Action: "ListUsers", Kind: Break})
	for want := range 2 {
		r := alice.call(t, "CreateVirtualMFADevice", args{"VirtualMFADeviceName": "phone"})
		if made := len(alice.Devices()); r.Code != "lost" || made != want {
			t.Errorf("%+v; there are %d devices, want %d", r, made, want)
		}
	}
	for range 2 {
		alice.refused(t, "GetUser", nil, "Throttling", "Rate exceeded")
	}
	alice.must(t, "GetUser", nil)
	alice.refused(t, "ListUsers", nil, "ServiceFailure", "The request processing has failed because of an unknown error, exception or failure.")
	alice.must(t, "ListUsers", nil)

	serial := alice.ARN("mfa/phone")
	alice.Fault(Fault{Kind: RefuseCode})
	alice.refused(t, "EnableMFADevice", enable(alice.Server, serial, 0, 1), "InvalidAuthenticationCode", "Authentication code for device is not valid.")
	alice.must(t, "EnableMFADevice", enable(alice.Server, serial, 0, 1))
	lost := slices.DeleteFunc(alice.Requests(""), func(x Request) bool { return !x.Lost })
	if len(lost) != 2 || lost[0].Caller != "" || lost[1].Caller != alice.ARN("user/alice") || len(alice.Refused()) != 4 || len(alice.Refused("Throttling")) != 2 {
		t.Errorf("the log says %+v", alice.Requests(""))
	}
}
