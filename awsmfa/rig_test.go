package awsmfa

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"errors"
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
	"github.com/oathd/oathd/oath"
)

// rig is a stand-in of AWS and one of oathd, with one clock: where a fresh code is waited for, it jumps.
type rig struct {
	*awstest.Server
	t    *testing.T
	keys *fakeKeys
	// jumped is by how much the clock is ahead of the machine's.
	mu     sync.Mutex
	jumped time.Duration
	said   []kin.AWSLine
}

func newRig(t *testing.T, o awstest.Options) *rig {
	t.Helper()
	r := &rig{t: t}
	o.Now = r.now
	r.Server = awstest.Start(t, o)
	r.keys = &fakeKeys{rig: r, seeds: map[string][]byte{}, used: map[string]uint64{}}
	dir := t.TempDir()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": r.URL, "AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
		"XDG_RUNTIME_DIR": dir, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "", profiles: "",
	} {
		t.Setenv(name, value)
	}
	if o.Users == nil {
		o.Users = []awstest.User{{Name: "alice"}}
	}
	for _, u := range o.Users {
		key := r.AccessKey(u.Name)
		r.write("AWS_SHARED_CREDENTIALS_FILE", fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", u.Name, key.ID, key.Secret))
	}
	return r
}

// write adds to the file that a variable names.
func (r *rig) write(variable, text string) {
	r.t.Helper()
	f, err := os.OpenFile(os.Getenv(variable), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.jumped)
}

// jump moves the clock to the beginning of a step, if that is yet to come.
func (r *rig) jump(step uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jumped = max(r.jumped, time.Until(time.Unix(int64(step)*30, 0)))
}

// open is one process's way to AWS.
func (r *rig) open(profile string) *AWS {
	r.t.Helper()
	r.t.Setenv(profiles, "")
	a, err := Open(r.t.Context(), profile, r.keys, func(line kin.AWSLine) { r.said = append(r.said, line) })
	if err != nil {
		r.t.Fatal(err)
	}
	a.clock.now = r.now
	return a
}

// fakeKeys is oathd with one key, or two, that hold seeds in the clear. Its arithmetic is not oath's.
type fakeKeys struct {
	*rig
	mu       sync.Mutex
	accounts []api.Account
	seeds    map[string][]byte
	// used is the first step of an account that was not handed out.
	used map[string]uint64
	// refuses is what Add fails with, dry what it fails with in a dry run; withholds is why no key takes the account, which stays in the
	// ledger if remembers says so; silent is what Code fails with.
	refuses, dry, silent error
	withholds            *api.Error
	remembers            bool
	asked                int
}

func (k *fakeKeys) Accounts(context.Context, string) ([]api.Account, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]api.Account(nil), k.accounts...), nil
}

func (k *fakeKeys) Add(_ context.Context, r api.AddRequest, seeds []*oath.Secret, step func(api.Step)) (api.Report, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := r.Accounts[0]
	if r.DryRun {
		return api.Report{Accounts: []api.AccountReport{{Label: n.Name}}}, k.dry
	}
	if k.refuses != nil {
		return api.Report{}, k.refuses
	}
	account := api.Account{ID: fmt.Sprintf("account%03d", len(k.accounts)), Issuer: n.Issuer, Name: n.Name, Alias: n.Alias, Wanted: 2}
	report := api.AccountReport{Account: account.ID, Label: account.Label(), Wanted: 2}
	if k.withholds != nil {
		report.Outcomes = []api.Outcome{{KeyLabel: "daily", State: api.CopyPending, Error: k.withholds}}
		if k.remembers {
			k.accounts = append(k.accounts, account)
			k.seeds[account.ID] = append([]byte(nil), seeds[0].Bytes()...)
		}
		return api.Report{Accounts: []api.AccountReport{report}}, nil
	}
	k.seeds[account.ID] = append([]byte(nil), seeds[0].Bytes()...)
	for _, key := range []string{"daily", "spare"} {
		account.Copies = append(account.Copies, api.Copy{KeyLabel: key, State: api.CopyProved})
		account.Proved++
		step(api.Step{Kind: api.StepProved, KeyLabel: key, Label: account.Label()})
	}
	report.Proved = 2
	k.accounts = append(k.accounts, account)
	return api.Report{Accounts: []api.AccountReport{report}, Complete: true}, nil
}

func (k *fakeKeys) Code(_ context.Context, r api.CodeRequest) (api.Code, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.silent != nil {
		return api.Code{}, k.silent
	}
	seed := k.seeds[r.Account]
	if seed == nil {
		return api.Code{}, errors.New("no such account: " + r.Account)
	}
	step := max(uint64(k.now().Unix())/30, k.used[r.Account])
	k.jump(step)
	code := api.Code{Account: r.Account, Code: totp(seed, step)}
	k.used[r.Account] = step + 1
	if r.Pair {
		code.Next = totp(seed, step+1)
		k.used[r.Account] = step + 2
	}
	return code, nil
}

// totp is RFC 6238 with the standard library.
func totp(seed []byte, step uint64) string {
	mac := hmac.New(sha1.New, seed)
	_ = binary.Write(mac, binary.BigEndian, step)
	sum := mac.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1000000)
}

// hold puts a device that AWS has onto the keys.
func (r *rig) hold(serial string) {
	r.t.Helper()
	k := r.keys
	id := fmt.Sprintf("account%03d", len(k.accounts))
	seed := decode(r.t, r.Seed(serial))
	k.seeds[id] = seed
	k.accounts = append(k.accounts, api.Account{ID: id, Issuer: issuer, Name: strings.TrimPrefix(serial, r.ARN("mfa/")) + "@123456789012", Proved: 2, Wanted: 2,
		Copies: []api.Copy{{KeyLabel: "daily", State: api.CopyProved}, {KeyLabel: "spare", State: api.CopyProved}}})
}

func (r *rig) devices() string {
	var list []string
	for _, d := range r.Devices() {
		list = append(list, fmt.Sprintf("%s %s %t", d.Serial[strings.LastIndexByte(d.Serial, '/')+1:], d.User, d.Enabled))
	}
	return strings.Join(list, ", ")
}

// wantError wants an error of a code whose message and hint hold the texts.
func wantError(t *testing.T, err error, code api.ErrorCode, texts ...string) {
	t.Helper()
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message+" | "+e.Hint, text) {
			t.Errorf("%q | %q lacks %q", e.Message, e.Hint, text)
		}
	}
}
