package socket

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// tell answers with the secrets that came, which no real route does.
func tell(_ context.Context, _ agent.Caller, name string, r api.EscrowAddRequest, secrets []*oath.Secret) (string, error) {
	defer wipeAll(secrets)
	return fmt.Sprintf("%s %s %q %q", name, r.Opener.By, secrets[0].Bytes(), secrets[1].Bytes()), nil
}

func TestUnsealed(t *testing.T) {
	d := start(t, route{"POST /v1/x/{name}", unsealed(16, tell)})
	const line = `{"opener":{"by":"piv","secret_bytes":6},"passphrase_bytes":%d}` + "\n"
	for _, test := range []struct {
		name, body, contentType string
		status                  int
		want                    string
	}{
		{"two", fmt.Sprintf(line, 3) + "12\n456abc", api.SecretsType, 200, `a piv \"12\\n456\" \"abc\"`},
		{"one", fmt.Sprintf(line, 0) + "123456", api.SecretsType, 200, `a piv \"123456\" \"\"`},
		{"none", `{"opener":{"by":"recovery"}}`, api.JSONType, 200, `a recovery \"\" \"\"`},
		{"none behind a line", `{"opener":{"by":"recovery"}}` + "\n", api.SecretsType, 200, `a recovery \"\" \"\"`},
		{"secrets behind JSON", fmt.Sprintf(line, 0), api.JSONType, 400, "Content-Type must be"},
		{"too few", fmt.Sprintf(line, 3) + "1234567", api.SecretsType, 400, "ends too early"},
		{"too many", fmt.Sprintf(line, 1) + "12345678", api.SecretsType, 400, "goes on"},
		{"too long", fmt.Sprintf(line, 17), api.SecretsType, 400, "at most 16"},
		{"less than none", fmt.Sprintf(line, -1), api.SecretsType, 400, "a secret of -1 bytes"},
		{"no line", "123456", api.SecretsType, 400, "ends too early"},
		{"a secret in JSON", `{"opener":{"by":"piv","pin":"123456"}}` + "\n", api.SecretsType, 400, `unknown field \"pin\"`},
		{"raw", "123456", api.RawType, 400, "Content-Type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := d.do("POST", "/v1/x/a", strings.NewReader(test.body), "Content-Type", test.contentType)
			if status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestMade(t *testing.T) {
	d := start(t, route{"POST /v1/init", made(func(_ context.Context, _ agent.Caller, r api.EscrowInitRequest, secrets []*oath.Secret) (api.Escrow, *oath.Secret, error) {
		wipeAll(secrets)
		if r.Recovery == "" {
			return api.Escrow{}, nil, &api.Error{Code: api.CodeExists, Message: "cannot"}
		}
		return api.Escrow{Exists: true}, oath.CopySecret([]byte("<html>\nkey")), nil
	})})
	status, body := d.post("/v1/init", `{"recovery":"paper"}`)
	if want := `{"escrow":{"exists":true,"seeds":0,"pending":0,"runbooks":0},"paper_bytes":10}` + "\n<html>\nkey"; status != 200 || body != want {
		t.Errorf("%d %q", status, body)
	}
	if status, body := d.post("/v1/init", "{}"); status != 409 {
		t.Errorf("%d %s", status, body)
	}
}

// FuzzParseSealed: what strangers send never ends the daemon, and what it reads is as long as it was said to be.
func FuzzParseSealed(f *testing.F) {
	f.Add([]byte(`{"opener":{"by":"piv","secret_bytes":2},"passphrase_bytes":1}` + "\n123"))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var req api.EscrowAddRequest
		secrets, err := parseSealed(strings.NewReader(string(body)), &req, 64)
		defer wipeAll(secrets)
		if err == nil && (len(secrets) != 2 || secrets[0].Len() != req.Opener.SecretBytes || secrets[1].Len() != req.PassphraseBytes) {
			t.Errorf("%+v with %d secrets", req, len(secrets))
		}
	})
}
