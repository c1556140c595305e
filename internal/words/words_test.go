package words

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func expect(t *testing.T, name string, got []string, want ...string) {
	t.Helper()
	for i := range got {
		got[i] = strings.TrimRight(ink.Look{Symbols: true}.Render(got[i]), " ")
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCodeWords(t *testing.T) {
	now := time.Unix(1_000_000_005, 500_000_000)
	code := api.Code{
		Label: "GitHub:alice", Code: "123456", KeyLabel: "daily", Proved: true,
		ValidFrom: time.Unix(999_999_990, 0), ValidUntil: time.Unix(1_000_000_020, 0),
	}
	expect(t, "code", Code(code, now), "123456  15 s left · GitHub:alice · daily · proved")
	code.Next, code.Proved, code.Soft = "654321", false, true
	expect(t, "pair", Code(code, now), "123456  15 s left · GitHub:alice · daily (soft) · not proved", "654321  then")
	code.Next = ""
	code.ValidFrom, code.ValidUntil = time.Unix(1_000_000_020, 0), time.Unix(1_000_000_050, 0)
	expect(t, "early", Code(code, now), "123456  valid in 15 s · GitHub:alice · daily (soft) · not proved")
	expect(t, "late", Code(code, now.Add(time.Hour)), "123456  0 s left · GitHub:alice · daily (soft) · not proved")
	code.ValidFrom, code.ValidUntil = time.Time{}, time.Time{}
	expect(t, "hotp", Code(code, now), "123456  GitHub:alice · daily (soft) · not proved")
}

func TestEventWords(t *testing.T) {
	at := time.Date(2026, 5, 12, 15, 4, 5, 0, time.Local)
	for want, event := range map[string]api.Event{
		"15:04:05 daily: plugged in":                                      {Kind: api.EventKeyIn, KeyLabel: "daily"},
		"15:04:05 daily: wants to be touched (GitHub:alice) for ssh, git": {Kind: api.EventTouchWanted, KeyLabel: "daily", Label: "GitHub:alice", Waiting: []string{"ssh", "git"}},
		"15:04:05 trouble – cannot reach pcscd":                           {Kind: api.EventTrouble, Message: "cannot reach pcscd"},
		"15:04:05 events were missed (3)":                                 {Kind: api.EventSkipped, Skipped: 3},
		"15:04:05 from_a_later_version":                                   {Kind: "from_a_later_version"},
	} {
		event.At = at
		expect(t, want, []string{Event(event)}, want)
	}
}
