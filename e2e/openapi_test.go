package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

// exchange is what was asked and answered, for the referee.
type exchange struct {
	Operation   string `json:"operation"`
	RequestType string `json:"request_type"`
	Request     string `json:"request"`
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

// recorder asks a daemon, and keeps what it answers.
type recorder struct {
	t      *testing.T
	daemon *daemon
	http   http.Client
	kept   []exchange
}

var descriptive = regexp.MustCompile(`\{[^}]+\}`)

// ask sends a request to an operation, "GET /v1/keys/{key}", with the elements of its path, and wants the status.
func (r *recorder) ask(status int, operation, contentType, body string, elements ...string) {
	r.t.Helper()
	path := descriptive.ReplaceAllStringFunc(operation, func(string) string {
		element := elements[0]
		elements = elements[1:]
		return element
	})
	method, path, _ := strings.Cut(path, " ")
	ctx, leave := context.WithTimeout(r.t.Context(), patience)
	defer leave()
	request, err := http.NewRequestWithContext(ctx, method, "http://oathd"+path+strings.Join(elements, ""), strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if contentType == api.JSONType && strings.HasSuffix(operation, "/code") && strings.Contains(body, "key") {
		request.Header.Set("Accept", "text/plain")
	}
	answer, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := r.read(answer.Body, operation)
	if err != nil || answer.StatusCode != status {
		r.t.Fatalf("%s %s is answered %s, %v: %s", method, path, answer.Status, err, text)
	}
	r.kept = append(r.kept, exchange{operation, contentType, body, status, answer.Header.Get("Content-Type"), text})
}

// read reads an answer; of events, which have no end, some.
func (r *recorder) read(body io.Reader, operation string) (string, error) {
	if operation != "GET /v1/events" {
		text, err := io.ReadAll(body)
		return string(text), err
	}
	var text []byte
	for buffer := make([]byte, 1<<10); bytes.Count(text, []byte("\n")) < 2; {
		r.ask(200, "POST /v1/soft/{serial}/pull", api.JSONType, "{}", "1000002")
		r.ask(200, "POST /v1/soft/{serial}/plug", api.JSONType, "{}", "1000002")
		n, err := body.Read(buffer)
		if err != nil {
			return "", err
		}
		text = append(text, buffer[:n]...)
	}
	return string(text[:bytes.LastIndexByte(text, '\n')+1]), nil
}

// TestOpenAPI asks a real daemon for everything that openapi.yaml describes, and has Debian's jsonschema compare: no
// field that is missing, undescribed or of another type.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	python := need.Python(t, "jsonschema, yaml", "python3-jsonschema python3-yaml")
	bus := privateBus(t)
	startKeyring(t, bus)
	d := start(t, build(t), os.Environ(), "--soft-keys", "2", "--dbus", bus)
	d.present("1000001", "1000002")
	r := &recorder{t: t, daemon: d, http: http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.client.Socket)
	}}}}
	r.askAll()
	asked, err := json.Marshal(r.kept)
	if err != nil {
		t.Fatal(err)
	}
	referee := exec.Command(python, "testdata/openapi.py", "../ipc/api/openapi.yaml")
	referee.Stdin = bytes.NewReader(asked)
	if out, err := referee.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("the referee found differences (%v):\n%s", err, out)
	}
	for _, operation := range describedOperations(t) {
		if !slices.ContainsFunc(r.kept, func(e exchange) bool { return e.Operation == operation }) {
			t.Errorf("%s is described, and was not tried", operation)
		}
	}
}

var (
	describedPath   = regexp.MustCompile(`^  (/v1/\S+):$`)
	describedMethod = regexp.MustCompile(`^    (get|post|delete):$`)
)

// describedOperations are all in openapi.yaml.
func describedOperations(t *testing.T) (all []string) {
	path := ""
	for line := range strings.Lines(document(t, "ipc/api/openapi.yaml")) {
		line = strings.TrimRight(line, "\n")
		if m := describedPath.FindStringSubmatch(line); m != nil {
			path = m[1]
		} else if m := describedMethod.FindStringSubmatch(line); m != nil {
			all = append(all, strings.ToUpper(m[1])+" "+path)
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d operations found", len(all))
	}
	return all
}

// askAll asks for everything, in an order in which it works.
func (r *recorder) askAll() {
	const seed, longer = "12345678901234567890", "1234567890123456789012"
	ask, none := r.ask, ""
	ask(200, "GET /v1/status", none, none)
	ask(200, "GET /v1/soft", none, none)
	ask(200, "POST /v1/keys/{key}/adopt", api.JSONType, `{"label":"red","site":"home","holder":"me"}`, "1000001")
	ask(200, "POST /v1/keys/{key}/adopt", api.JSONType, `{"label":"blue"}`, "1000002")
	ask(409, "POST /v1/keys/{key}/adopt", api.JSONType, `{"label":"red"}`, "1000002")
	ask(200, "POST /v1/keys/{key}/label", api.JSONType, `{"value":"green"}`, "blue")
	ask(200, "POST /v1/keys/{key}/site", api.JSONType, `{"value":"safe"}`, "green")
	ask(200, "POST /v1/keys/{key}/holder", api.JSONType, `{"value":"you"}`, "green")
	ask(200, "GET /v1/keys", none, none, "?select=green")
	ask(404, "GET /v1/keys", none, none, "?select=white")

	ask(200, "POST /v1/accounts", api.SeedsType, `{"accounts":[{"issuer":"GitHub","name":"me","type":"totp","algorithm":"SHA1","digits":6,"period":30,"seed_bytes":20},`+
		`{"issuer":"Bank","name":"me","type":"hotp","algorithm":"SHA256","digits":8,"counter":7,"seed_bytes":20}]}`+"\n"+seed+seed)
	ask(200, "POST /v1/accounts", api.SeedsType, `{"accounts":[{"issuer":"Git","name":"touch","type":"totp","algorithm":"SHA1","digits":6,"period":30,"touch":true,"seed_bytes":22}],"to":["red"]}`+"\n"+longer)
	ask(200, "POST /v1/accounts", api.SeedsType, `{"dry_run":true,"accounts":[{"issuer":"GitHub","name":"me","type":"totp","algorithm":"SHA1","digits":6,"period":30,"seed_bytes":22},`+
		`{"issuer":"Git","name":"new","type":"totp","algorithm":"SHA1","digits":6,"period":30,"seed_bytes":22}]}`+"\n"+strings.Repeat("1", 22)+strings.Repeat("2", 22))
	ask(400, "POST /v1/accounts", api.SeedsType, `{"accounts":[]}`+"\n")
	ask(200, "GET /v1/accounts", none, none)
	ask(200, "GET /v1/accounts", none, none, "?query=git&limit=1")
	ask(409, "GET /v1/accounts", none, none, "?select=git")
	ask(200, "GET /v1/names", none, none, "?account=g")
	ask(200, "POST /v1/code", api.JSONType, `{"account":"GitHub"}`)
	ask(200, "POST /v1/code", api.JSONType, `{"account":"GitHub:me","key":"green","pair":true}`)
	ask(200, "POST /v1/code", api.JSONType, `{"account":"touch"}`)
	ask(404, "POST /v1/code", api.JSONType, `{"account":"nothing"}`)
	ask(200, "GET /v1/coverage", none, none)
	ask(200, "POST /v1/plan", api.JSONType, `{"copies":3,"without":["green"],"sites":"spread"}`)
	ask(400, "POST /v1/plan", api.JSONType, `{"holders":"together"}`)
	ask(200, "POST /v1/verify", api.JSONType, `{"account":"GitHub"}`)
	ask(404, "POST /v1/verify", api.JSONType, `{"account":"nothing"}`)
	ask(200, "POST /v1/resume", api.JSONType, `{"discard":true}`)
	ask(200, "GET /v1/events", none, none)
	ask(200, "POST /v1/soft/{serial}/touch", api.JSONType, "{}", "1000001")

	ask(200, "POST /v1/accounts/{account}/alias", api.JSONType, `{"value":"gh"}`, "GitHub:me")
	ask(200, "POST /v1/accounts/{account}/rename", api.JSONType, `{"issuer":"GitHub","name":"you"}`, "GitHub:me")
	ask(200, "DELETE /v1/accounts/{account}", none, none, "GitHub:you", "?key=red")
	ask(409, "DELETE /v1/accounts/{account}", none, none, "GitHub:you")
	ask(200, "GET /v1/audit", none, none)

	ask(200, "POST /v1/keys/{key}/password", api.RawType, "correct horse", "red")
	ask(403, "POST /v1/keys/{key}/unlock", api.RawType, "battery", "red")
	ask(200, "POST /v1/keys/{key}/unlock", api.RawType, "correct horse", "red")
	ask(200, "POST /v1/keys/{key}/remember", none, none, "red")
	ask(200, "POST /v1/keys/{key}/forget", none, none, "red")
	ask(423, "POST /v1/keys/{key}/remember", none, none, "red")
	ask(200, "POST /v1/keys/{key}/unlock", api.RawType, "correct horse", "red")
	ask(200, "DELETE /v1/keys/{key}/password", none, none, "red")
	ask(200, "POST /v1/keys/{key}/reset", api.JSONType, `{"force":true}`, "red")
	r.askOfEscrow()
}

// askOfEscrow asks for all that has to do with the escrow, which soft keys alone cannot open.
func (r *recorder) askOfEscrow() {
	const seed, word = "22345678901234567890", "open sesame"
	const opener = `"opener":{"by":"passphrase","secret_bytes":11}`
	ask, none := r.ask, ""
	ask(200, "GET /v1/escrow", none, none)
	ask(200, "POST /v1/escrow/init", api.SecretsType, `{"recovery":"paper in the safe","passphrase_bytes":11}`+"\n"+word)
	ask(409, "POST /v1/escrow/init", api.JSONType, `{"recovery":"another"}`)
	ask(200, "POST /v1/escrow/recipients", api.SecretsType, `{`+opener+`,"recovery":"paper at the bank"}`+"\n"+word)
	ask(200, "POST /v1/accounts", api.SeedsType, `{"accounts":[{"issuer":"Shop","name":"me","type":"totp","algorithm":"SHA1","digits":6,"period":30,"seed_bytes":20}]}`+"\n"+seed)
	ask(200, "GET /v1/escrow", none, none)
	ask(200, "POST /v1/escrow/drill", api.SecretsType, `{`+opener+`}`+"\n"+word)
	ask(403, "POST /v1/escrow/drill", api.SecretsType, `{`+opener+`}`+"\n"+"open barley")
	ask(200, "POST /v1/escrow/backup", api.JSONType, `{}`)
	ask(409, "POST /v1/escrow/open", api.SecretsType, `{`+opener+`,"backup_bytes":3}`+"\n"+word+"tar")
	ask(200, "POST /v1/escrow/recipients/remove", api.SecretsType, `{`+opener+`,"recipients":["paper at the bank"],"passphrase_bytes":11}`+"\n"+word+word)
	ask(409, "POST /v1/restore", api.SecretsType, `{`+opener+`,"to":["red"]}`+"\n"+word)
	ask(200, "DELETE /v1/accounts/{account}", none, none, "Shop", "?key=red")
	ask(200, "POST /v1/restore", api.SecretsType, `{`+opener+`,"to":["red"]}`+"\n"+word)
	ask(200, "DELETE /v1/accounts/{account}", none, none, "Shop", "?key=red")
	plan, err := r.daemon.client.Plan(r.t.Context(), api.PlanRequest{Sites: api.ApartIgnore})
	if err != nil {
		r.t.Fatal(err)
	}
	ask(409, "POST /v1/plan/apply", api.SecretsType, `{"plan":{"sites":"ignore"},"id":"another",`+opener+`}`+"\n"+word)
	ask(200, "POST /v1/plan/apply", api.SecretsType, `{"plan":{"sites":"ignore"},"id":"`+plan.ID+`",`+opener+`}`+"\n"+word)
	ask(200, "POST /v1/export", api.SecretsType, `{"account":"Shop",`+opener+`}`+"\n"+word)
	ask(404, "POST /v1/export", api.SecretsType, `{"account":"nothing",`+opener+`}`+"\n"+word)
	ask(200, "POST /v1/accounts/{account}/runbook", api.SecretsType, `{"text_bytes":4}`+"\n"+"Call", "Shop")
	ask(200, "POST /v1/accounts/{account}/runbook/show", api.SecretsType, `{`+opener+`}`+"\n"+word, "Shop")
	ask(200, "POST /v1/accounts/{account}/rotate", api.SecretsType, `{"new":{"seed_bytes":20}}`+"\n"+"32345678901234567890", "Shop")
	ask(200, "POST /v1/accounts/{account}/rotate/end", api.JSONType, `{}`, "Shop:me")
	ask(200, "POST /v1/keys/{key}/enroll", api.JSONType, `{"plan":true}`, "red")
	ask(200, "POST /v1/soft/{serial}/pull", api.JSONType, "{}", "1000002")
	r.daemon.present("red")
	ask(200, "POST /v1/keys/{key}/lost", api.JSONType, `{}`, "green")
}
