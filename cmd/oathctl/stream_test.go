package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// brokenOff is a stream that ends when its context does, after some steps.
func brokenOff(cancel context.CancelFunc, steps ...api.Step) streamed {
	return func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		for _, s := range steps {
			step(s)
		}
		cancel()
		return api.Report{}, &api.Error{Code: api.CodeCanceled, Message: "given up"}
	}
}

func TestBreakOffReportsWhatIsThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	term, out, errOut := fakeTerminal()
	a := &app{term: term}
	steps := []api.Step{
		{Kind: api.StepWritten, Key: "1", KeyLabel: "daily", Account: "x", Label: "GitHub:alice"},
		{Kind: api.StepProved, Key: "1", KeyLabel: "daily", Account: "x", Label: "GitHub:alice"},
		{Kind: api.StepWaitKey, Key: "2", KeyLabel: "spare", Candidates: []string{"spare"}},
	}
	err := a.follow(ctx, "", brokenOff(cancel, steps...))
	if exitStatus(err) != exitPartly {
		t.Errorf("got %v", err)
	}
	const want = "GitHub:alice: 1 of 2 copies\n  daily  proved\n  missing: 1 copy\n  would be lost with: daily\n" +
		"warning: broken off: this is what was made until then; oathctl resume looks at the rest\n"
	if out.String() != want {
		t.Errorf("got %q\nwant %q", out, want)
	}
	if !strings.Contains(errOut.String(), "plug in spare") {
		t.Errorf("progress: %q", errOut)
	}
}

func TestBreakOffBeforeAnything(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	term, out, _ := fakeTerminal()
	a := &app{term: term}
	err := a.follow(ctx, "", brokenOff(cancel, api.Step{Kind: api.StepWaitKey, Key: "2", KeyLabel: "spare"}))
	if api.CodeOf(err) != api.CodeCanceled || out.Len() > 0 {
		t.Errorf("got %v, %q", err, out)
	}
}

// A daemon that goes away in the middle is an error, not a report.
func TestStreamFails(t *testing.T) {
	term, out, _ := fakeTerminal()
	a := &app{term: term}
	lost := &api.Error{Code: api.CodeNoDaemon, Message: "the daemon went away"}
	err := a.follow(t.Context(), "", func(_ context.Context, step func(api.Step)) (api.Report, error) {
		step(api.Step{Kind: api.StepProved, Key: "1", Label: "x"})
		return api.Report{}, lost
	})
	if !errors.Is(err, lost) || out.Len() > 0 {
		t.Errorf("got %v, %q", err, out)
	}
}

func TestStreamAsJSON(t *testing.T) {
	term, out, errOut := fakeTerminal()
	term.json = true
	a := &app{term: term}
	err := a.follow(t.Context(), "", func(_ context.Context, step func(api.Step)) (api.Report, error) {
		step(api.Step{Kind: api.StepProved, Key: "1"})
		return api.Report{Complete: true}, nil
	})
	const want = `{"step":{"kind":"proved","key":"1"}}` + "\n" + `{"report":{"accounts":null,"complete":true}}` + "\n"
	if err != nil || out.String() != want || errOut.Len() > 0 {
		t.Errorf("got %q, stderr %q, %v", out, errOut, err)
	}
}

func TestTallyOfSeveralAccounts(t *testing.T) {
	var seen tally
	for _, s := range []api.Step{
		{Kind: api.StepWritten, Key: "1", KeyLabel: "a", Label: "x"},
		{Kind: api.StepWritten, Key: "2", KeyLabel: "b", Label: "x"},
		{Kind: api.StepProved, Key: "1", KeyLabel: "a", Label: "x"},
		{Kind: api.StepProved, Key: "2", KeyLabel: "b", Label: "x"},
		{Kind: api.StepWritten, Key: "1", KeyLabel: "a", Label: "y"},
	} {
		seen.add(s)
	}
	report := seen.report()
	if n := len(report.Accounts); n != 2 || report.Complete {
		t.Fatalf("got %+v", report)
	}
	x, y := report.Accounts[0], report.Accounts[1]
	if x.Proved != 2 || x.Wanted != 2 || len(x.LostWith) != 0 {
		t.Errorf("x: got %+v", x)
	}
	if y.Proved != 0 || y.Wanted != 2 || y.Outcomes[0].State != api.CopyWritten || y.LostWith[0] != "a" {
		t.Errorf("y: got %+v", y)
	}
}

func TestWaitFlag(t *testing.T) {
	tests := []struct {
		text     string
		somebody bool
		seconds  int
	}{
		{"", true, -1}, {"", false, 0}, {"forever", false, -1}, {"0", true, 0}, {"0s", true, 0}, {"30s", true, 30}, {"1ms", false, 1}, {"1m30s", false, 90},
	}
	for _, test := range tests {
		var w wait
		if test.text != "" {
			if err := w.Set(test.text); err != nil {
				t.Errorf("%q: %v", test.text, err)
			}
		}
		if got := w.seconds(test.somebody); got != test.seconds || w.String() != test.text {
			t.Errorf("%q, somebody there %v: got %d, want %d", test.text, test.somebody, got, test.seconds)
		}
	}
}

// What lacks no key is not tried again, and without --wait nothing is.
func TestUntilKeyGivesUp(t *testing.T) {
	absent := &api.Error{Code: api.CodeKeyAbsent, Message: "cannot reach spare"}
	for name, test := range map[string]struct {
		wait wait
		err  error
	}{
		"no wait":     {wait{}, absent},
		"other error": {wait{text: "1m", given: time.Minute}, &api.Error{Code: api.CodeLocked}},
		"no error":    {wait{text: "1m", given: time.Minute}, nil},
	} {
		term, _, errOut := fakeTerminal()
		a, calls := &app{term: term, wait: test.wait}, 0
		err := a.untilKey(t.Context(), func(context.Context) error { calls++; return test.err })
		if !errors.Is(err, test.err) || calls != 1 || errOut.Len() > 0 {
			t.Errorf("%s: got %v after %d calls, %q", name, err, calls, errOut)
		}
	}
}

func TestReadAll(t *testing.T) {
	for _, n := range []int{0, 1, 100, firstRead, firstRead + 1, 8*firstRead + 9, maxInput} {
		text := strings.Repeat("x", n-n/2) + strings.Repeat("y", n/2)
		got, err := readAll(strings.NewReader(text), max(n, 100))
		if err != nil || string(got.Bytes()) != text {
			t.Errorf("%d bytes: got %d, %v", len(text), got.Len(), err)
		}
		got.Wipe()
	}
	if _, err := readAll(strings.NewReader(strings.Repeat("x", firstRead+2)), firstRead+1); err == nil {
		t.Error("one byte more than the limit was read")
	}
	if _, err := readAll(bytes.NewReader(make([]byte, 101)), 100); err == nil || err.Error() != "it is longer than 100 bytes" {
		t.Errorf("got error %v", err)
	}
	if _, err := readAll(failing{}, 100); !errors.Is(err, errTorn) {
		t.Errorf("got error %v", err)
	}
}

var errTorn = errors.New("torn")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errTorn }

func TestParseLines(t *testing.T) {
	text := "# from the safe\n\notpauth://totp/a?secret=MY\r\n  otpauth://totp/b?secret=MZXQ  \n"
	entries, err := parseLines([]byte(text), "line", nil)
	if err != nil || len(entries) != 2 || entries[0].Account.Name != "a" || string(entries[1].Seed.Bytes()) != "fo" {
		t.Fatalf("got %+v, %v", entries, err)
	}
	wipe(entries)
	for text, want := range map[string]string{
		"":        "cannot add anything: there is no otpauth URI",
		"#\n\n\n": "cannot add anything: there is no otpauth URI",
		"otpauth://totp/a?secret=MY\n\nKRSXG5CT\n":  "line 3: cannot use the otpauth URI: it does not begin with",
		"otpauth://totp/a?secret=KRSXG5CT&period=0": "line 1: cannot use the otpauth URI: unusable period",
	} {
		entries, err := parseLines([]byte(text), "line", nil)
		if api.CodeOf(err) != api.CodeBadRequest || !strings.Contains(err.Error(), want) || entries != nil {
			t.Errorf("%q: got %v, %v", text, entries, err)
		}
		if err != nil && strings.Contains(err.Error(), "KRSXG5CT") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}
