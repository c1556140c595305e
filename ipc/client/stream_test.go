package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func TestAdd(t *testing.T) {
	var body, contentType string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, contentType = string(b), r.Header.Get("Content-Type")
		fmt.Fprintln(w, `{"step":{"kind":"written"}}`)
		fmt.Fprintln(w, `{"step":{"kind":"proved"}}`)
		fmt.Fprintln(w, `{"report":{"accounts":[],"complete":true}}`)
	})
	seeds := []*oath.Secret{oath.CopySecret([]byte("one\n")), oath.CopySecret([]byte("three"))}
	accounts := []api.NewAccount{{Name: "a"}, {Name: "b"}}
	var steps []api.StepKind
	report, err := c.Add(t.Context(), api.AddRequest{Accounts: accounts}, seeds, func(s api.Step) { steps = append(steps, s.Kind) })
	if err != nil || !report.Complete || !slices.Equal(steps, []api.StepKind{api.StepWritten, api.StepProved}) {
		t.Errorf("%+v, %v, %v", report, steps, err)
	}
	want := `{"accounts":[{"issuer":"","name":"a","type":"","algorithm":"","digits":0,"seed_bytes":4},` +
		`{"issuer":"","name":"b","type":"","algorithm":"","digits":0,"seed_bytes":5}]}` + "\none\nthree"
	if body != want || contentType != api.SeedsType {
		t.Errorf("sent %s as %s", body, contentType)
	}
	if string(seeds[1].Bytes()) != "three" || accounts[0].SeedBytes != 0 {
		t.Error("what belongs to the caller was changed")
	}
}

func TestReportErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		code   api.ErrorCode
		hint   bool
	}{
		{"before the stream", always(404, `{"error":{"code":"not_found","message":"m"}}`), api.CodeNotFound, false},
		{"at its end", always(200, `{"step":{"kind":"written"}}`+"\n"+`{"error":{"code":"key_removed","message":"m"}}`), api.CodeKeyRemoved, false},
		{"no end", always(200, `{"step":{"kind":"written"}}`+"\n"), api.CodeNoDaemon, true},
		{"garbage", always(200, "x"), api.CodeInternal, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, test.answer)
			_, err := c.Resume(t.Context(), api.ResumeRequest{}, nil)
			wire, _ := errors.AsType[*api.Error](err)
			if api.CodeOf(err) != test.code || (wire.Hint != "") != test.hint {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestVerifyGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // net/http sees that the client leaves only once it has read what that sent
		fmt.Fprintln(w, `{"step":{"kind":"waiting_for_touch"}}`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, err := c.Verify(ctx, api.VerifyRequest{}, func(api.Step) { cancel() })
	if api.CodeOf(err) != api.CodeCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// ticking subscribes to events 1, 2, 3 and then nothing.
func ticking(w http.ResponseWriter, r *http.Request) {
	for i := range 3 {
		fmt.Fprintf(w, `{"seq":%d,"kind":"key_in"}`+"\n", i+1)
	}
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func TestEvents(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := serve(t, ticking).Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var last uint64
	for event, err := range events {
		if err != nil {
			if last != 3 || !errors.Is(err, context.Canceled) {
				t.Errorf("it ended after %d with %v", last, err)
			}
			return
		}
		if last = event.Seq; last == 3 {
			cancel()
		}
	}
	t.Error("it ended without an error")
}

func TestEventsUntilEnough(t *testing.T) {
	events, err := serve(t, ticking).Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for event, err := range events {
		if err != nil || event.Seq != 1 {
			t.Fatalf("%+v, %v", event, err)
		}
		break // which closes the connection: the server's end would wait for it
	}
}

func TestEventsEndWithDaemon(t *testing.T) {
	events, err := serve(t, always(200, `{"seq":1}`+"\n")).Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var codes []api.ErrorCode
	for _, err := range events {
		codes = append(codes, api.CodeOf(err))
	}
	if !slices.Equal(codes, []api.ErrorCode{"", api.CodeNoDaemon}) {
		t.Errorf("%q", codes)
	}
}

func TestEventsRefused(t *testing.T) {
	if _, err := serve(t, always(403, `{"error":{"code":"forbidden","message":"m"}}`)).Events(t.Context()); api.CodeOf(err) != api.CodeForbidden {
		t.Errorf("%v", err)
	}
}
