package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/oathd/oathd/awsmfa/awstest"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// said does a verb and returns the last line.
func said(t *testing.T, args ...string) (status int, last kin.AWSLine) {
	t.Helper()
	var out bytes.Buffer
	status = run(t.Context(), args, &out)
	for line := range bytes.Lines(out.Bytes()) {
		last = kin.AWSLine{}
		if err := json.Unmarshal(line, &last); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return status, last
}

// TestRun does without oathd as far as that goes.
func TestRun(t *testing.T) {
	server := awstest.Start(t, awstest.Options{})
	key, dir := server.AccessKey("alice"), t.TempDir()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_CONFIG_FILE": dir + "/config", "AWS_SHARED_CREDENTIALS_FILE": dir + "/credentials", "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": key.ID, "AWS_SECRET_ACCESS_KEY": key.Secret, "AWS_SESSION_TOKEN": "", "XDG_RUNTIME_DIR": dir, "OATHCTL_AWS_PROFILES": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
	for _, args := range [][]string{nil, {"coverage"}, {"fly", "{}"}} {
		if status, last := said(t, args...); status != 2 || last.Done != nil || last.Error != nil {
			t.Errorf("%q: %d, %+v", args, status, last)
		}
	}
	for _, test := range []struct {
		request string
		code    api.ErrorCode
	}{
		{`cake`, api.CodeInternal},
		{`{"profile":"nowhere"}`, api.CodeNotFound},
		{`{"socket":"` + dir + `/none"}`, api.CodeNoDaemon},
	} {
		t.Setenv("OATHCTL_AWS_PROFILES", "")
		status, last := said(t, "coverage", test.request)
		if status != 1 || last.Error == nil || last.Error.Code != test.code {
			t.Errorf("%s: %d, %+v", test.request, status, last.Error)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestNobodyListens(t *testing.T) {
	if status := run(t.Context(), []string{"coverage", "cake"}, full{}); status != 1 {
		t.Errorf("exit status %d", status)
	}
}
