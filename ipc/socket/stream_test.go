package socket

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// verifying is a route that streams what f tells.
func verifying(f func(ctx context.Context, step func(api.Step)) (api.Report, error)) route {
	return route{"POST /v1/verify", streamed(func(ctx context.Context, _ agent.Caller, _ api.VerifyRequest, step func(api.Step)) (api.Report, error) {
		return f(ctx, step)
	})}
}

// open begins a request and returns its answer before that has ended.
func (d *daemon) open(ctx context.Context, method, path, body string) *http.Response {
	d.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://oathd"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", api.JSONType)
	resp, err := d.http.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestStreamFlushesEachLine(t *testing.T) {
	release := make(chan struct{})
	d := start(t, verifying(func(_ context.Context, step func(api.Step)) (api.Report, error) {
		step(api.Step{Kind: api.StepWaitTouch, KeyLabel: "red"})
		<-release
		return api.Report{Complete: true}, nil
	}))
	resp := d.open(t.Context(), "POST", "/v1/verify", "{}")
	if got := resp.Header.Get("Content-Type"); got != api.StreamType {
		t.Errorf("Content-Type %q", got)
	}
	lines := bufio.NewScanner(resp.Body)
	var line api.Line
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &line) != nil || line.Step == nil || line.Step.KeyLabel != "red" {
		t.Fatalf("first line %q", lines.Text())
	}
	close(release)
	line = api.Line{}
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &line) != nil || line.Report == nil || !line.Report.Complete {
		t.Fatalf("last line %q", lines.Text())
	}
	if lines.Scan() {
		t.Errorf("a line too many: %q", lines.Text())
	}
}

func TestStreamErrors(t *testing.T) {
	absent := &api.Error{Code: api.CodeKeyAbsent, Message: "cannot verify: no key", Hint: "plug one in"}
	for _, test := range []struct {
		name   string
		steps  int
		err    error
		status int
		body   string
	}{
		{"before the first line", 0, absent, 409, `{"error":{"code":"key_absent","message":"cannot verify: no key","hint":"plug one in"}}` + "\n"},
		{"after it", 1, absent, 200, `{"step":{"kind":"proved"}}` + "\n" + `{"error":{"code":"key_absent","message":"cannot verify: no key","hint":"plug one in"}}` + "\n"},
		{"of another kind", 1, errors.New("broken"), 200, `{"step":{"kind":"proved"}}` + "\n" + `{"error":{"code":"internal","message":"broken"}}` + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := start(t, verifying(func(_ context.Context, step func(api.Step)) (api.Report, error) {
				for range test.steps {
					step(api.Step{Kind: api.StepProved})
				}
				return api.Report{}, test.err
			}))
			if status, body := d.post("/v1/verify", "{}"); status != test.status || body != test.body {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestStreamRefusesBadRequest(t *testing.T) {
	d := start(t, verifying(func(context.Context, func(api.Step)) (api.Report, error) {
		t.Error("the core was reached")
		return api.Report{}, nil
	}))
	if status, body := d.post("/v1/verify", `{"acount":"x"}`); status != 400 {
		t.Errorf("%d %s", status, body)
	}
}

func TestLeavingCancelsStream(t *testing.T) {
	begun, cancelled := make(chan struct{}), make(chan struct{})
	d := start(t, verifying(func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		step(api.Step{Kind: api.StepWaitKey})
		close(begun)
		<-ctx.Done()
		close(cancelled)
		step(api.Step{Kind: api.StepFailed}) // is told to nobody
		return api.Report{}, ctx.Err()
	}))
	ctx, leave := context.WithCancel(t.Context())
	d.open(ctx, "POST", "/v1/verify", "{}")
	await(t, "the request", begun)
	leave()
	await(t, "the cancellation", cancelled)
}

func TestEvents(t *testing.T) {
	happen, ended := make(chan api.Event), make(chan struct{})
	d := start(t, route{"GET /v1/events", events(func(ctx context.Context) <-chan api.Event {
		out := make(chan api.Event)
		go func() {
			defer close(ended)
			defer close(out)
			for {
				select {
				case e := <-happen:
					out <- e
				case <-ctx.Done():
					return
				}
			}
		}()
		return out
	})})
	if status, _ := d.do("GET", "/v1/events?since=1", nil); status != 400 {
		t.Errorf("an unknown parameter: %d", status)
	}
	ctx, leave := context.WithCancel(t.Context())
	// The answer begins before anything has happened.
	resp := d.open(ctx, "GET", "/v1/events", "")
	happen <- api.Event{Seq: 1, Kind: api.EventKeyIn, KeyLabel: "red"}
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || !strings.Contains(line, `"kind":"key_in","key_label":"red"`) {
		t.Errorf("%q, %v", line, err)
	}
	leave()
	await(t, "the end of the subscription", ended)
}

// deaf is a client that takes nothing.
type deaf struct{ header http.Header }

func (d deaf) Header() http.Header       { return d.header }
func (d deaf) WriteHeader(int)           {}
func (d deaf) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestStreamStopsForDeafClient(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	newStream(deaf{http.Header{}}, stop).line(api.Line{})
	if ctx.Err() == nil {
		t.Error("the work goes on")
	}
}
