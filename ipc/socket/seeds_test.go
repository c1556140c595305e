package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func TestParseSeeds(t *testing.T) {
	const two = `{"accounts":[{"name":"a","seed_bytes":3},{"name":"b","seed_bytes":2}],"to":["red"]}` + "\n"
	for _, test := range []struct{ name, body, message string }{
		{"two", two + "abc\nd", ""},
		{"too short", two + "abcd", "ends too early"},
		{"none", two, "ends too early"},
		{"too long", two + "abcdef", "goes on"},
		{"no newline", strings.TrimSpace(two), "ends too early"},
		{"nothing", "", "ends too early"},
		{"no accounts", "{}\nabc", "it has 0 accounts"},
		{"many accounts", `{"accounts":[{}` + strings.Repeat(",{}", maxAccounts) + "]}\n", "it has 257 accounts"},
		{"an empty seed", `{"accounts":[{"seed_bytes":0}]}` + "\n", "seed_bytes is 0"},
		{"a negative seed", `{"accounts":[{"seed_bytes":-1}]}` + "\n", "seed_bytes is -1"},
		{"a huge seed", `{"accounts":[{"seed_bytes":513}]}` + "\n", "seed_bytes is 513"},
		{"a seed in JSON", `{"accounts":[{"seed":"abc"}]}` + "\n", `unknown field "seed"`},
		{"a misspelt field", `{"accounts":[{"perod":30}]}` + "\n", `unknown field "perod"`},
		{"two documents", "{} {}\n", "something follows"},
		{"an endless line", strings.Repeat(" ", maxLine+1) + "\n", "longer than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, seeds, err := parseSeeds(strings.NewReader(test.body))
			defer wipeAll(seeds)
			if test.message != "" {
				if err == nil || !strings.Contains(err.Error(), test.message) {
					t.Errorf("got %v, want %q", err, test.message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(seeds) != 2 || string(seeds[0].Bytes()) != "abc" || string(seeds[1].Bytes()) != "\nd" || req.To[0] != "red" {
				t.Errorf("got %+v with %q", req, seeds)
			}
		})
	}
}

func TestReadSeedsWipesAfterError(t *testing.T) {
	body := strings.NewReader(`{"accounts":[{"seed_bytes":3},{"seed_bytes":3}]}` + "\nabcd")
	_, seeds, err := parseSeeds(body)
	if err == nil || len(seeds) != 1 {
		t.Fatalf("%d seeds, %v", len(seeds), err)
	}
	wipeAll(seeds)
	if seeds[0].Len() != 0 {
		t.Error("the seed is still there")
	}
}

// adding is a route that adds to nothing, and keeps what net/http held of the request.
func adding(held *[]byte, f func(context.Context, agent.Caller, api.AddRequest, []*oath.Secret, func(api.Step)) (api.Report, error)) route {
	return route{"POST /v1/accounts", func(w http.ResponseWriter, r *http.Request) error {
		err := add(f)(w, r)
		*held = bytes.Clone(connOf(r).buffer)
		return err
	}}
}

func TestAdd(t *testing.T) {
	var held []byte
	d := start(t, adding(&held, func(_ context.Context, who agent.Caller, r api.AddRequest, seeds []*oath.Secret, step func(api.Step)) (api.Report, error) {
		defer wipeAll(seeds)
		step(api.Step{Kind: api.StepWritten, Label: r.Accounts[0].Name})
		return api.Report{Complete: string(seeds[0].Bytes()) == "MAGIC-SEED" && who.Name != ""}, nil
	}))
	status, body := d.do("POST", "/v1/accounts", strings.NewReader(`{"accounts":[{"name":"a","seed_bytes":10}]}`+"\nMAGIC-SEED"), "Content-Type", api.SeedsType)
	want := `{"step":{"kind":"written","label":"a"}}` + "\n" + `{"report":{"accounts":null,"complete":true}}` + "\n"
	if status != 200 || body != want {
		t.Errorf("%d %s", status, body)
	}
	if len(held) == 0 || bytes.Contains(held, []byte("MAGIC")) {
		t.Errorf("net/http's buffer of %d bytes is not wiped", len(held))
	}
}

func TestAddRefusals(t *testing.T) {
	var held []byte
	d := start(t, adding(&held, func(context.Context, agent.Caller, api.AddRequest, []*oath.Secret, func(api.Step)) (api.Report, error) {
		t.Error("the core was reached")
		return api.Report{}, nil
	}))
	const line = `{"accounts":[{"name":"a","seed_bytes":10}]}` + "\n"
	for name, test := range map[string]struct {
		body, contentType string
		status            int
	}{
		"as JSON":     {line, api.JSONType, 400},
		"cut short":   {line + "MAGIC", api.SeedsType, 400},
		"with a tail": {line + "MAGIC-SEED-TAIL", api.SeedsType, 400},
		"huge":        {strings.Repeat(" ", 2<<20), api.SeedsType, 413},
	} {
		status, body := d.do("POST", "/v1/accounts", strings.NewReader(test.body), "Content-Type", test.contentType)
		if status != test.status || strings.Contains(body, "MAGIC") {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if bytes.Contains(held, []byte("MAGIC")) {
			t.Errorf("%s: net/http's buffer is not wiped", name)
		}
	}
}

func FuzzParseSeeds(f *testing.F) {
	f.Add([]byte(`{"accounts":[{"name":"a","seed_bytes":3}]}` + "\nabc"))
	f.Add([]byte(`{"accounts":[{"name":"a","seed_bytes":3},{"seed_bytes":512}]}` + "\nabc"))
	f.Add([]byte("{}\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, seeds, err := parseSeeds(bytes.NewReader(body))
		defer wipeAll(seeds)
		if err != nil {
			if code := api.CodeOf(err); code != api.CodeBadRequest && code != api.CodeTooLarge {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		var joined []byte
		for i, s := range seeds {
			if s.Len() != req.Accounts[i].SeedBytes {
				t.Errorf("seed %d has %d bytes", i, s.Len())
			}
			joined = append(joined, s.Bytes()...)
		}
		if !bytes.Equal(joined, rest) {
			t.Errorf("%q: the seeds are %q, behind %q", body, joined, line)
		}
	})
}

// broken fails with what a connection fails with.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestBodyErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("wrapped: %w", io.ErrUnexpectedEOF), "ends too early"},
		{errors.New("malformed chunk"), "malformed chunk"},
	} {
		_, _, err := parseSeeds(broken{test.err})
		if api.CodeOf(err) != api.CodeBadRequest || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v became %v", test.err, err)
		}
		if err := atEnd(broken{test.err}); !errors.Is(err, test.err) {
			t.Errorf("at the end, %v became %v", test.err, err)
		}
	}
}
