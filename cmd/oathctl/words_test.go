package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// plainly takes the styles out of lines.
func plainly(lines []string) []string {
	out := []string{}
	for _, line := range lines {
		out = append(out, strings.TrimRight(ink.Look{Symbols: true}.Render(line), " "))
	}
	return out
}

func expect(t *testing.T, name string, got []string, want ...string) {
	t.Helper()
	if got = plainly(got); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStepWords(t *testing.T) {
	step := api.Step{KeyLabel: "spare", Label: "GitHub:alice"}
	kind := func(k api.StepKind) api.Step { s := step; s.Kind = k; return s }
	expect(t, "written", stepWords(kind(api.StepWritten)), "GitHub:alice on spare: written")
	expect(t, "proved", stepWords(kind(api.StepProved)), "GitHub:alice on spare: proved")
	expect(t, "touch", stepWords(kind(api.StepWaitTouch)), "touch spare: it blinks  (for GitHub:alice)")
	expect(t, "failed", stepWords(kind(api.StepFailed)), "GitHub:alice on spare: failed")
	expect(t, "unknown", stepWords(kind("from a later version")))

	failed := kind(api.StepFailed)
	failed.Error = &api.Error{Message: "cannot write", Hint: "try again"}
	expect(t, "failed with reason", stepWords(failed), "GitHub:alice on spare: cannot write", "  hint: try again")

	expect(t, "plug", stepWords(api.Step{Kind: api.StepWaitKey, KeyLabel: "spare"}), "plug in spare  (Ctrl-C breaks off)")
	expect(t, "plug one", stepWords(api.Step{Kind: api.StepWaitKey, Candidates: []string{"a"}}), "plug in a  (Ctrl-C breaks off)")
	expect(t, "plug some", stepWords(api.Step{Kind: api.StepWaitKey, Candidates: []string{"a", "b"}}), "plug in one of: a, b  (Ctrl-C breaks off)")
	expect(t, "key only", stepWords(api.Step{Kind: api.StepWaitTouch, KeyLabel: "a"}), "touch a: it blinks")
}

func TestReportWords(t *testing.T) {
	report := api.Report{
		Warnings: []string{"there is no escrow"},
		Accounts: []api.AccountReport{
			{
				Label: "GitHub:alice", Wanted: 3, Proved: 2, LostWith: []string{"daily"}, Warnings: []string{"look out"},
				Outcomes: []api.Outcome{
					{KeyLabel: "daily", State: api.CopyProved, Existed: true},
					{KeyLabel: "toy", Soft: true, State: api.CopyProved},
					{KeyLabel: "spare", State: api.CopyPending, Error: &api.Error{Message: "cannot reach spare", Hint: "plug it in"}},
				},
			},
			{Label: "Bank:bob", Wanted: 1, Proved: 1, Outcomes: []api.Outcome{{KeyLabel: "daily", State: api.CopyWritten}}},
			{Label: "Old:carol", Outcomes: []api.Outcome{{KeyLabel: "daily", State: api.CopyMissing}}},
		},
	}
	expect(t, "report", reportWords(report, ", was there before"),
		"GitHub:alice: 2 of 3 copies",
		"  daily       proved, was there before",
		"  toy (soft)  proved",
		"  spare       cannot reach spare",
		"    hint: plug it in",
		"  missing: 1 copy",
		"  would be lost with: daily",
		"  warning: look out",
		"Bank:bob: 1 of 1 copy",
		"  daily  written, HOTP can't be proved",
		"Old:carol",
		"  daily  not there any more",
		"warning: there is no escrow")
}

func TestDay(t *testing.T) {
	now := time.Date(2026, 5, 12, 15, 4, 5, 0, time.Local)
	for want, at := range map[string]time.Time{
		"never":       {},
		"today 09:30": time.Date(2026, 5, 12, 9, 30, 0, 0, time.Local),
		"11 May":      time.Date(2026, 5, 11, 23, 59, 0, 0, time.Local),
		"31 Dec 2025": time.Date(2025, 12, 31, 12, 0, 0, 0, time.Local),
	} {
		if got := day(at, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBareWords(t *testing.T) {
	code := api.Code{Code: "123456", Next: "654321"}
	expect(t, "bare pair", bareWords(code), "123456", "654321")
	code.Next = ""
	expect(t, "bare", bareWords(code), "123456")
}

func TestKeysTable(t *testing.T) {
	now := time.Date(2026, 5, 12, 15, 0, 0, 0, time.Local)
	keys := []api.Key{
		{
			Label: "daily", Vendor: "YubiKey 5", Firmware: "5.4.3", Serial: 12345678, Accounts: 3, Capacity: 32, State: api.KeyAdopted,
			Present: true, Locked: true, Holder: "me", Waiting: []string{"ssh", "oathctl"}, Trouble: "cannot use daily: another program holds it", Hint: "stop it",
		},
		{Label: "toy", Vendor: "Nitrokey 3", Firmware: "4.11.0", Soft: true, State: api.KeySeen, Present: true},
		{Label: "gone", Vendor: "YubiKey 5", Firmware: "5.7.1", State: api.KeyLost, Site: "the sea", LastSeen: now.AddDate(0, -1, 0)},
	}
	expect(t, "keys", keysTable(keys, now),
		"KEY         MODEL              SERIAL    ACCOUNTS  STATE",
		"daily       YubiKey 5 5.4.3    12345678  3 of 32   plugged in, locked, with: me, touch it (for ssh, oathctl)",
		"  cannot use daily: another program holds it",
		"  hint: stop it",
		"toy (soft)  Nitrokey 3 4.11.0  –         0         plugged in, not adopted",
		"gone        YubiKey 5 5.7.1    –         0         last seen 12 Apr, lost, site: the sea")
	expect(t, "none", keysTable(nil, now))
}

func TestAccountsWords(t *testing.T) {
	now := time.Date(2026, 5, 12, 15, 0, 0, 0, time.Local)
	accounts := []api.Account{
		{
			Issuer: "GitHub", Name: "alice", Type: "totp", Available: true, Proved: 2, Wanted: 2,
			Copies: []api.Copy{
				{KeyLabel: "daily", State: api.CopyProved, ProvedAt: now},
				{KeyLabel: "spare", State: api.CopyProved, ProvedAt: now.AddDate(0, 0, -3)},
			},
		},
		{
			Name: "bob", Type: "hotp", Touch: true, Conflict: true, Wanted: 2,
			Copies: []api.Copy{{KeyLabel: "toy", Soft: true, State: api.CopyUnproven}},
		},
		{Name: "bob", Type: "totp", Superseded: true, Conflict: true, Available: true, Wanted: 1},
	}
	expect(t, "accounts", accountsWords(accounts, now),
		"ACCOUNT       COPIES  ON            PROVED  NOTE",
		"GitHub:alice  2 of 2  daily, spare  9 May",
		"bob           0 of 2  toy (soft) ?  never   another account has this name and another seed, HOTP, touch, not at hand",
		"bob           0 of 1                never   superseded")
	expect(t, "none", accountsWords(nil, now))
}

func TestLogWords(t *testing.T) {
	at := time.Date(2026, 5, 12, 15, 4, 5, 0, time.Local)
	audit := api.Audit{Entries: []api.AuditEntry{{Seq: 1, At: at, What: "adopt daily", Who: "oathctl ← zsh"}, {Seq: 12, At: at, What: "add", Who: "x"}}}
	expect(t, "log", logWords(audit),
		"   1  2026-05-12 15:04:05  adopt daily  oathctl ← zsh",
		"  12  2026-05-12 15:04:05  add          x")
}

func TestSmallWords(t *testing.T) {
	expect(t, "version", versionWords(versions{Version: "1.0"}), "oathctl 1.0", "oathd   not running")
	expect(t, "versions", versionWords(versions{Version: "1.0", Daemon: &api.Status{Version: "1.1"}}), "oathctl 1.0", "oathd   1.1")
	expect(t, "soft", softWords(api.SoftKeys{Keys: []api.SoftKey{{Serial: 1, Personality: "neo"}, {Serial: 22, Personality: "canokey", Plugged: true}}}),
		"1   neo      pulled out", "22  canokey  plugged in")
}

func TestNewName(t *testing.T) {
	account := api.Account{Issuer: "GitHub", Name: "alice"}
	for to, want := range map[string]api.RenameRequest{
		"bob":          {Issuer: "GitHub", Name: "bob"},
		"GitLab:bob":   {Issuer: "GitLab", Name: "bob"},
		":bob":         {Name: "bob"},
		"AWS:root:1":   {Issuer: "AWS", Name: "root:1"},
		"Big Corp:a b": {Issuer: "Big Corp", Name: "a b"},
	} {
		if got := newName(account, to); got != want {
			t.Errorf("%q: got %+v, want %+v", to, got, want)
		}
	}
}
