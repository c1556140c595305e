package awsmfa

import (
	"encoding/base32"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/awsmfa/awstest"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

func decode(t *testing.T, text string) []byte {
	t.Helper()
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

var one = kin.AWSEnroll{Devices: []kin.AWSWanted{{}}}

func TestEnroll(t *testing.T) {
	r := newRig(t, awstest.Options{})
	done, err := r.open("alice").Enroll(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if d := done.Devices[0]; !done.Complete || d.Device != r.ARN("mfa/alice") || d.Label != "Amazon Web Services:alice@123456789012" || strings.Join(d.Keys, "+") != "daily+spare" {
		t.Errorf("%+v", done)
	}
	if got := r.devices(); got != "alice alice true" {
		t.Errorf("AWS has %q", got)
	}
	// Once more is no second device.
	done, err = r.open("alice").Enroll(t.Context(), one)
	if err != nil || !done.Devices[0].Existed || r.devices() != "alice alice true" {
		t.Errorf("again: %+v, %v", done, err)
	}
}

func TestEnrollFurther(t *testing.T) {
	r := newRig(t, awstest.Options{Users: []awstest.User{{Name: "alice", Guarded: true}}})
	r.hold(r.Enrol("alice", "first"))
	done, err := r.open("alice").Enroll(t.Context(), kin.AWSEnroll{Devices: []kin.AWSWanted{{Name: "key", Suffix: "-daily"}, {Name: "key", Suffix: "-spare"}}})
	if err != nil || len(done.Devices) != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := r.devices(); got != "first alice true, key-daily alice true, key-spare alice true" {
		t.Errorf("AWS has %q", got)
	}
}

// An enrolment that AWS breaks off leaves what the same command finishes, or nothing.
func TestEnrollBrokenOff(t *testing.T) {
	for name, test := range map[string]struct {
		fault awstest.Fault
		code  api.ErrorCode
		texts []string
		// left is what AWS has afterwards; again whether the same command brings it to an end.
		left  string
		again bool
	}{
		"before the device":  {awstest.Fault{Action: "CreateVirtualMFADevice", Kind: awstest.Cut}, api.CodeAWS, []string{"cannot be reached", "AWS has not made the device"}, "", true},
		"behind the device":  {awstest.Fault{Action: "CreateVirtualMFADevice", Kind: awstest.LoseAnswer}, api.CodeAWS, []string{"cannot be reached", "Nothing is left of it"}, "", true},
		"at the codes":       {awstest.Fault{Action: "EnableMFADevice", Kind: awstest.Cut}, api.CodeAWS, []string{"not enabled it", "the same command finishes it"}, "alice  false", true},
		"two refusals":       {awstest.Fault{Action: "EnableMFADevice", Kind: awstest.RefuseCode, Times: 2}, api.CodeAWS, []string{"did not take the code", "the same command finishes"}, "alice  false", true},
		"one refusal":        {fault: awstest.Fault{Action: "EnableMFADevice", Kind: awstest.RefuseCode}, left: "alice alice true"},
		"behind the codes":   {fault: awstest.Fault{Action: "EnableMFADevice", Kind: awstest.LoseAnswer}, left: "alice alice true"},
		"while it is listed": {fault: awstest.Fault{Action: "ListVirtualMFADevices", Kind: awstest.Throttle}, left: "alice alice true"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, awstest.Options{})
			r.Fault(test.fault)
			_, err := r.open("alice").Enroll(t.Context(), one)
			if test.code == "" && err != nil {
				t.Fatal(err)
			}
			if test.code != "" {
				wantError(t, err, test.code, test.texts...)
			}
			if got := r.devices(); got != test.left {
				t.Errorf("AWS has %q, want %q", got, test.left)
			}
			if !test.again {
				return
			}
			if _, err := r.open("alice").Enroll(t.Context(), one); err != nil || r.devices() != "alice alice true" || len(r.keys.accounts) != 1 {
				t.Errorf("again: %v; AWS has %q, the keys %+v", err, r.devices(), r.keys.accounts)
			}
		})
	}
}

// A device whose seed no key took is deleted again, but for one that a key may have.
func TestKeysThatDoNotTakeIt(t *testing.T) {
	gone := &api.Error{Code: api.CodeKeyRemoved, Message: "cannot write: daily was pulled out"}
	r := newRig(t, awstest.Options{})
	r.keys.dry = gone
	_, err := r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeKeyRemoved)
	if len(r.Requests("CreateVirtualMFADevice")) > 0 {
		t.Error("AWS was asked before the keys were")
	}
	r.keys.dry, r.keys.refuses = nil, gone
	_, err = r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeKeyRemoved, "Nothing is left of it")
	r.keys.refuses, r.keys.withholds = nil, gone
	_, err = r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeKeyRemoved, "Nothing is left of it")
	if got := r.devices(); got != "" {
		t.Errorf("AWS has %q", got)
	}
	r.keys.remembers = true
	_, err = r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeKeyRemoved, "not enabled it", "oathctl resume", "--give-up")
	if got := r.devices(); got != "alice  false" {
		t.Errorf("AWS has %q", got)
	}
	// After a resume the keys give codes, and the same command goes on.
	if _, err := r.open("alice").Enroll(t.Context(), one); err != nil || r.devices() != "alice alice true" {
		t.Errorf("again: %v, %q", err, r.devices())
	}
}

func TestLeftover(t *testing.T) {
	r := newRig(t, awstest.Options{})
	r.Fault(awstest.Fault{Action: "CreateVirtualMFADevice", Kind: awstest.LoseAnswer})
	r.Fault(awstest.Fault{Action: "DeleteVirtualMFADevice", Kind: awstest.Cut, Times: 3})
	_, err := r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeAWS, "could not be told to delete it", "--replace")
	_, err = r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeExists, "on none of these keys", "--replace")
	replacing := one
	replacing.Replace = true
	if _, err := r.open("alice").Enroll(t.Context(), replacing); err != nil || r.devices() != "alice alice true" {
		t.Errorf("%v, %q", err, r.devices())
	}
}

func TestGiveUp(t *testing.T) {
	r := newRig(t, awstest.Options{})
	givingUp := one
	givingUp.GiveUp = true
	_, err := r.open("alice").Enroll(t.Context(), givingUp)
	wantError(t, err, api.CodeNotFound)
	r.Fault(awstest.Fault{Action: "EnableMFADevice", Kind: awstest.Cut})
	_, err = r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeAWS)
	done, err := r.open("alice").Enroll(t.Context(), givingUp)
	if err != nil || r.devices() != "" || done.Devices[0].Account == "" {
		t.Errorf("%+v, %v; AWS has %q", done, err, r.devices())
	}
	r.keys.accounts = nil
	if _, err := r.open("alice").Enroll(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	_, err = r.open("alice").Enroll(t.Context(), givingUp)
	wantError(t, err, api.CodeExists, "enabled for alice already")
}

func TestEnrollRefused(t *testing.T) {
	users := []awstest.User{{Name: "alice"}, {Name: "bob", Lacks: []string{"iam:CreateVirtualMFADevice"}}, {Name: "carol"}}
	for name, test := range map[string]struct {
		profile string
		asked   kin.AWSEnroll
		prepare func(*rig)
		code    api.ErrorCode
		texts   []string
	}{
		"a permission":         {"bob", one, nil, api.CodeForbidden, []string{"cannot make arn:aws:iam::123456789012:mfa/bob", "lacks the permission iam:CreateVirtualMFADevice"}},
		"a name":               {"alice", kin.AWSEnroll{Devices: []kin.AWSWanted{{Name: "my phone"}}}, nil, api.CodeBadRequest, []string{"cannot call a device my phone"}},
		"another's device":     {"alice", kin.AWSEnroll{Devices: []kin.AWSWanted{{Name: "carol"}}}, func(r *rig) { r.Enrol("carol", "carol") }, api.CodeExists, []string{"another user's", "--name"}},
		"one that is not ours": {"alice", one, func(r *rig) { r.Enrol("alice", "alice") }, api.CodeExists, []string{"enabled for alice already", "--name"}},
		"nobody":               {"alice", kin.AWSEnroll{User: "nobody", Devices: one.Devices}, nil, api.CodeNotFound, []string{"nobody"}},
		"an old account": {"alice", one, func(r *rig) {
			r.keys.accounts = []api.Account{{ID: "old", Issuer: issuer, Name: "alice@123456789012"}}
		}, api.CodeExists, []string{"AWS has no such device", "oathctl remove old"}},
		"eight": {"alice", kin.AWSEnroll{Devices: []kin.AWSWanted{{Name: "ninth"}}}, func(r *rig) {
			for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				r.Enrol("alice", name)
			}
		}, api.CodeFull, []string{"has 8 MFA devices"}},
		"a fast clock": {"alice", one, func(r *rig) { r.Skew(-300e9) }, api.CodeClock, []string{"5m0s ahead of AWS's", "timedatectl"}},
		"a slow clock": {"alice", one, func(r *rig) { r.Skew(299e9) }, api.CodeClock, []string{"behind AWS's"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, awstest.Options{Users: users})
			if test.prepare != nil {
				test.prepare(r)
			}
			before := r.devices()
			_, err := r.open(test.profile).Enroll(t.Context(), test.asked)
			wantError(t, err, test.code, test.texts...)
			if got := r.devices(); got != before || len(r.keys.seeds) != 0 {
				t.Errorf("AWS has %q, had %q; the keys have %d seeds", got, before, len(r.keys.seeds))
			}
		})
	}
}

// TestRoot needs no keys: the console alone gives root devices.
func TestRoot(t *testing.T) {
	r := newRig(t, awstest.Options{})
	key := r.AccessKey(awstest.RootUser)
	r.write("AWS_SHARED_CREDENTIALS_FILE", "[root]\naws_access_key_id = "+key.ID+"\naws_secret_access_key = "+key.Secret+"\n")
	_, err := r.open("root").Enroll(t.Context(), one)
	wantError(t, err, api.CodeNotSupported, "only its console", "oathctl aws pair")
}

func TestNoWayIn(t *testing.T) {
	r := newRig(t, awstest.Options{})
	r.write("AWS_SHARED_CREDENTIALS_FILE", "[wrong]\naws_access_key_id = AKIAXXXXXXXXXXXXXXXX\naws_secret_access_key = x\n[secret]\naws_access_key_id = "+r.AccessKey("alice").ID+"\naws_secret_access_key = x\n")
	r.write("AWS_CONFIG_FILE", "[profile empty]\nregion = eu-central-1\n")
	for profile, text := range map[string]string{
		"wrong": "AWS does not know the access key", "secret": "the secret access key is not the access key's", "empty": "there are no credentials",
	} {
		_, err := r.open(profile).Enroll(t.Context(), one)
		wantError(t, err, api.CodeForbidden, "cannot use the profile "+profile, text)
	}
	_, err := Open(t.Context(), "nowhere", r.keys, func(kin.AWSLine) {})
	wantError(t, err, api.CodeNotFound, "cannot find the profile nowhere")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	_, err = r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeAWS, "AWS cannot be reached", "connection refused")
}

func TestResync(t *testing.T) {
	r := newRig(t, awstest.Options{})
	_, err := r.open("alice").Resync(t.Context(), kin.AWSResync{})
	wantError(t, err, api.CodeNotFound, "cannot find a device of alice")
	r.hold(r.Enrol("alice", "first"))
	done, err := r.open("alice").Resync(t.Context(), kin.AWSResync{})
	if err != nil || done.Devices[0].Device != r.ARN("mfa/first") || r.Devices()[0].Used == 0 {
		t.Errorf("%+v, %v, %+v", done, err, r.Devices())
	}
	r.hold(r.Enrol("alice", "second"))
	_, err = r.open("alice").Resync(t.Context(), kin.AWSResync{})
	wantError(t, err, api.CodeAmbiguous, "--device")
	r.Fault(awstest.Fault{Action: "ResyncMFADevice", Kind: awstest.RefuseCode, Times: 2})
	_, err = r.open("alice").Resync(t.Context(), kin.AWSResync{Device: r.ARN("mfa/second")})
	wantError(t, err, api.CodeAWS, "did not take the code")
}

// A device is its whole ARN, or the name that AWS's QR code gives it; never a part of either.
func TestHas(t *testing.T) {
	const arn = "arn:aws:iam::123456789012:mfa/alice"
	for _, test := range []struct {
		account api.Account
		device  string
		want    bool
	}{
		{api.Account{Alias: arn}, arn, true},
		{api.Account{Alias: arn, Superseded: true}, arn, false},
		{api.Account{Alias: arn + "2", Issuer: issuer, Name: "alice@123456789012"}, arn, false},
		{api.Account{Issuer: issuer, Name: "alice@123456789012"}, arn, true},
		{api.Account{Issuer: issuer, Name: "alice@123456789012"}, "arn:aws:iam::123456789012:mfa/team/alice", true},
		{api.Account{Issuer: issuer, Name: "malice@123456789012"}, arn, false},
		{api.Account{Issuer: issuer, Name: "alice@12345678901"}, arn, false},
		{api.Account{Issuer: "Amazon", Name: "alice@123456789012"}, arn, false},
		{api.Account{Issuer: issuer, Name: "alice@123456789012"}, "arn:aws:iam::123456789012:u2f/alice", false},
		{api.Account{Issuer: issuer, Name: "alice@123456789012"}, "GAHT12345678", false},
	} {
		if got := has(test.account, test.device); got != test.want {
			t.Errorf("%+v, %s: %t", test.account, test.device, got)
		}
	}
}

// TestOwnAuthority goes through a client that the SDK has made for an authority of the user's own.
func TestOwnAuthority(t *testing.T) {
	r := newRig(t, awstest.Options{})
	server := httptest.NewTLSServer(r.Server)
	defer server.Close()
	bundle := filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	_, err := r.open("alice").Enroll(t.Context(), one)
	wantError(t, err, api.CodeAWS, "cannot be reached", "certificate")
	t.Setenv("AWS_CA_BUNDLE", bundle)
	if _, err := r.open("alice").Enroll(t.Context(), one); err != nil {
		t.Error(err)
	}
}
