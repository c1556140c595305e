package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func TestRequestsWithSecrets(t *testing.T) {
	pin, pass := oath.CopySecret([]byte("123456")), oath.CopySecret([]byte("horse"))
	defer pin.Wipe()
	defer pass.Wipe()
	opener := api.Opener{By: api.OpenPIV}
	const opened = `"opener":{"by":"piv","secret_bytes":6}`
	for _, test := range []struct {
		call          func(context.Context, *Client) error
		request, body string
		answer        string
	}{
		{func(ctx context.Context, c *Client) error {
			_, page, err := c.EscrowInit(ctx, api.EscrowInitRequest{Keys: []string{"red"}}, pass)
			return errors.Join(err, wantPage(page, ""))
		}, "POST /v1/escrow/init", `{"keys":["red"],"passphrase_bytes":5}` + "\nhorse", `{"escrow":{},"paper_bytes":0}` + "\n"},
		{func(ctx context.Context, c *Client) error {
			_, page, err := c.EscrowAdd(ctx, api.EscrowAddRequest{Opener: opener, Recovery: "paper"}, pin, nil)
			return errors.Join(err, wantPage(page, "<html>\nkey"))
		}, "POST /v1/escrow/recipients", "{" + opened + `,"recovery":"paper"}` + "\n123456", `{"escrow":{},"paper_bytes":10}` + "\n<html>\nkey"},
		{func(ctx context.Context, c *Client) error {
			return failed(c.EscrowRemove(ctx, api.EscrowRemoveRequest{Opener: opener, Recipients: []string{"x"}}, pin, pass))
		}, "POST /v1/escrow/recipients/remove", "{" + opened + `,"recipients":["x"],"passphrase_bytes":5}` + "\n123456horse", ""},
		{func(ctx context.Context, c *Client) error {
			return failed(c.EscrowDrill(ctx, api.EscrowDrillRequest{Opener: opener}, pin))
		}, "POST /v1/escrow/drill", "{" + opened + "}\n123456", ""},
		{func(ctx context.Context, c *Client) error {
			return failed(c.EscrowOpen(ctx, api.EscrowOpenRequest{Opener: opener}, pin, []byte("tar")))
		}, "POST /v1/escrow/open", "{" + opened + `,"backup_bytes":3}` + "\n123456tar", ""},
		{func(ctx context.Context, c *Client) error {
			return failed(c.Restore(ctx, api.RestoreRequest{Opener: opener, To: []string{"red"}}, pin, nil))
		}, "POST /v1/restore", "{" + opened + `,"to":["red"]}` + "\n123456", `{"report":{}}`},
		{func(ctx context.Context, c *Client) error {
			e, seed, err := c.Export(ctx, api.ExportRequest{Opener: opener, Account: "x"}, pin)
			if e.Account.Name != "me" {
				err = errors.Join(err, fmt.Errorf("%+v", e))
			}
			return errors.Join(err, wantPage(seed, "\x00\nseed"))
		}, "POST /v1/export", `{"account":"x","opener":{"by":"piv","secret_bytes":6}}` + "\n123456", `{"id":"x","account":{"name":"me","seed_bytes":6}}` + "\n\x00\nseed"},
		{func(ctx context.Context, c *Client) error {
			return failed(c.ResumeWith(ctx, api.ResumeRequest{Opener: &opener}, pin, nil))
		}, "POST /v1/resume", "{" + opened + "}\n123456", `{"report":{}}`},
		{func(ctx context.Context, c *Client) error {
			return failed(c.KeyLost(ctx, "red", api.LostRequest{Opener: &opener}, pin, nil))
		}, "POST /v1/keys/red/lost", "{" + opened + "}\n123456", ""},
		{func(ctx context.Context, c *Client) error {
			return failed(c.Rotate(ctx, "x", api.RotateRequest{To: []string{"red"}}, pass, nil))
		}, "POST /v1/accounts/x/rotate", `{"new":{"issuer":"","name":"","type":"","algorithm":"","digits":0,"seed_bytes":5},"to":["red"]}` + "\nhorse", `{"report":{}}`},
		{func(ctx context.Context, c *Client) error {
			return failed(c.Enroll(ctx, "red", api.EnrollRequest{ChangePIN: true}, EnrollSecrets{PIN: pin, NewPIN: pin}))
		}, "POST /v1/keys/red/enroll", `{"change_pin":true,"pin_bytes":6,"new_pin_bytes":6}` + "\n123456123456", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.SetRunbook(ctx, "x", pass)) }, "POST /v1/accounts/x/runbook", `{"text_bytes":5}` + "\nhorse", ""},
		{func(ctx context.Context, c *Client) error {
			text, err := c.Runbook(ctx, "x", api.RunbookRequest{Opener: opener}, pin)
			return errors.Join(err, wantPage(text, "codes: drawer"))
		}, "POST /v1/accounts/x/runbook/show", "{" + opened + "}\n123456", "codes: drawer"},
	} {
		t.Run(test.request, func(t *testing.T) {
			var got, body string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				got, body = r.Method+" "+r.RequestURI, string(b)
				if r.Header.Get("Content-Type") != api.SecretsType {
					t.Errorf("Content-Type %q", r.Header.Get("Content-Type"))
				}
				if test.answer == "" {
					test.answer = "{}"
				}
				fmt.Fprint(w, test.answer)
			})
			if err := test.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if got != test.request || body != test.body {
				t.Errorf("sent %s with %s", got, body)
			}
		})
	}
}

// wantPage compares what came behind an answer, and wipes it.
func wantPage(page *oath.Secret, want string) error {
	defer page.Wipe()
	if got := string(page.Bytes()); got != want {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

func TestEscrowAnswers(t *testing.T) {
	if file, err := serve(t, always(200, "a tar\narchive")).EscrowBackup(t.Context()); err != nil || string(file) != "a tar\narchive" {
		t.Errorf("%q, %v", file, err)
	}
	if e, err := serve(t, always(200, `{"exists":true}`)).Escrow(t.Context()); err != nil || !e.Exists {
		t.Errorf("%+v, %v", e, err)
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method+" "+r.RequestURI != "DELETE /v1/accounts/x?keep=true" {
			t.Errorf("%s %s", r.Method, r.RequestURI)
		}
		fmt.Fprint(w, "{}")
	})
	if _, err := c.Withdraw(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	cut := serve(t, always(200, `{"escrow":{},"paper_bytes":10}`+"\n<html>"))
	if _, page, err := cut.EscrowInit(t.Context(), api.EscrowInitRequest{}, nil); api.CodeOf(err) != api.CodeNoDaemon && api.CodeOf(err) != api.CodeInternal || page.Len() != 0 {
		t.Errorf("half a page: %v", err)
	}
	if _, seed, err := serve(t, always(200, `{"id":"x","account":{"seed_bytes":6}}`+"\nfar more than six")).Export(t.Context(), api.ExportRequest{}, nil); err == nil || seed.Len() != 0 {
		t.Errorf("a seed that is too long: %v", err)
	}
	if _, _, err := serve(t, always(200, "nonsense\n")).EscrowInit(t.Context(), api.EscrowInitRequest{}, nil); api.CodeOf(err) != api.CodeInternal {
		t.Errorf("nonsense: %v", err)
	}
}
