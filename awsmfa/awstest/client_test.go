package awstest

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"testing"

	"github.com/oathd/oathd/internal/need"
)

// foreign is botocore as a client, and as the judge of every answer.
type foreign struct {
	in  io.Writer
	out *bufio.Scanner
}

// reply is what came of a call.
type reply struct {
	Result     map[string]any
	Code       string
	Message    string
	Faults     []string
	Parameters map[string]struct {
		Pattern          string
		Least, Most      int
		Number, Required bool
	}
}

// credentials are what a request is signed with: key, secret, token.
type credentials []string

// startForeign starts one client.
func startForeign(t testing.TB) *foreign {
	t.Helper()
	cmd := exec.Command(need.Python(t, "awscli", "awscli"), "-u", "testdata/botocore_client.py")
	cmd.Env = []string{"HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "PATH=/usr/bin:/bin"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	f := &foreign{in: in, out: bufio.NewScanner(out)}
	f.out.Buffer(nil, 1<<20)
	return f
}

// do gives it one task; whatever it finds wrong with the answer fails the test.
func (f *foreign) do(t testing.TB, task map[string]any) reply {
	t.Helper()
	r := f.ask(t, task)
	for _, fault := range r.Faults {
		t.Errorf("%s: %s", task["operation"], fault)
	}
	return r
}

// ask gives it one task.
func (f *foreign) ask(t testing.TB, task map[string]any) reply {
	t.Helper()
	line, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	var r reply
	if !f.out.Scan() {
		t.Fatalf("botocore is gone: %v", f.out.Err())
	}
	if err := json.Unmarshal(f.out.Bytes(), &r); err != nil {
		t.Fatalf("%s: %v", f.out.Bytes(), err)
	}
	return r
}

// caller makes requests with one credential, as nobody without.
type caller struct {
	*foreign
	*Server
	with credentials
}

// as is a caller with a user's long-term key.
func (f *foreign) as(s *Server, user string) caller {
	key := s.AccessKey(user)
	return caller{f, s, credentials{key.ID, key.Secret, ""}}
}

// session is a caller with the temporary credentials of an answer.
func (c caller) session(t testing.TB, r reply) caller {
	t.Helper()
	got, ok := r.Result["Credentials"].(map[string]any)
	if !ok {
		t.Fatalf("no credentials in %+v", r)
	}
	c.with = credentials{got["AccessKeyId"].(string), got["SecretAccessKey"].(string), got["SessionToken"].(string)}
	return c
}

// args are a request's parameters.
type args map[string]any

// call makes a request.
func (c caller) call(t testing.TB, operation string, params args) reply {
	t.Helper()
	if params == nil {
		params = args{}
	}
	task := map[string]any{"endpoint": c.URL, "service": actions[operation].service, "operation": operation, "params": params}
	if c.with != nil {
		task["key"] = c.with
	}
	r := c.do(t, task)
	seen[operation] = seen[operation] || r.Code == ""
	seen[r.Code] = true
	return r
}

// must makes a request that succeeds.
func (c caller) must(t testing.TB, operation string, params args) map[string]any {
	t.Helper()
	r := c.call(t, operation, params)
	if r.Code != "" {
		t.Fatalf("%s: %s: %s", operation, r.Code, r.Message)
	}
	return r.Result
}

// refused makes a request that is refused, in exactly these words.
func (c caller) refused(t testing.TB, operation string, params args, code, message string) {
	t.Helper()
	if r := c.call(t, operation, params); r.Code != code || r.Message != message {
		t.Errorf("%s %v: %q %q, want %q %q", operation, params, r.Code, r.Message, code, message)
	}
}

// seen are the actions that were done, and the codes that were answered.
var seen = map[string]bool{}
