package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// drawn is a coverage whose rows spell out, a character a key, what is where: p proved, w written, u unproven, n
// pending, m missing, x mismatch, - none.
func drawn(keys []api.Key, rows ...api.CoverageRow) api.Coverage {
	letters := map[rune]api.CopyState{
		'p': api.CopyProved, 'w': api.CopyWritten, 'u': api.CopyUnproven, 'n': api.CopyPending, 'm': api.CopyMissing, 'x': api.CopyMismatch,
	}
	for i := range keys {
		keys[i].ID = fmt.Sprint("id", i)
	}
	for i, row := range rows {
		for k, letter := range row.Account.ID {
			if state, ok := letters[letter]; ok {
				rows[i].Account.Copies = append(rows[i].Account.Copies, api.Copy{Key: fmt.Sprint("id", k), State: state})
			}
		}
	}
	return api.Coverage{Keys: keys, Rows: rows}
}

func row(copies, label string, risk api.Risk, advice string) api.CoverageRow {
	return api.CoverageRow{Account: api.Account{ID: copies, Name: label}, Risk: risk, Advice: advice}
}

func TestCoverageWords(t *testing.T) {
	superseded := row("p--", "old", api.RiskOneLoss, "not to be said")
	superseded.Account.Superseded = true
	c := drawn([]api.Key{{Label: "daily"}, {Label: "spare"}, {Label: "toy", Soft: true}},
		row("pp-", "GitHub:alice", api.RiskSafe, ""),
		row("p-n", "AWS:root", api.RiskOneLoss, "add it to a second key"),
		row("-um", "Bank:bob", api.RiskUnproven, "nobody knows"),
		row("x--", "Mail:carol", api.RiskOneLoss, "add it to a second key"),
		row("w--", "Old:hotp", api.RiskHOTP, "keep the recovery codes"),
		row("---", "Gone:x", api.RiskNoCopy, ""),
		row("--p", "Soft:x", api.RiskOnlySoft, ""),
		row("---", "New:x", "from a later version", ""),
		superseded)
	c.Safe, c.AtRisk = 1, 7
	expect(t, "coverage", coverageWords(c, 80),
		"ACCOUNT       daily  spare  toy (soft)  RISK",
		"GitHub:alice  ✓      ✓      ·           safe",
		"AWS:root      ✓      ·      ○           one copy",
		"Bank:bob      ·      ?      ✗           not proved",
		"Mail:carol    ≠      ·      ·           one copy",
		"Old:hotp      w      ·      ·           HOTP",
		"Gone:x        ·      ·      ·           no copy",
		"Soft:x        ·      ·      ✓           soft only",
		"New:x         ·      ·      ·           from a later version",
		"old           ✓      ·      ·           superseded",
		"",
		"✓ proved   w written, HOTP can't be proved   ? there, not proved",
		"○ begun, not known to be there   ✗ no longer there   ≠ answers with another seed",
		"· no copy",
		"",
		"AWS:root, Mail:carol:",
		"  add it to a second key",
		"",
		"Bank:bob:",
		"  nobody knows",
		"",
		"Old:hotp:",
		"  keep the recovery codes",
		"",
		"1 of 8 accounts safe.")
}

func TestCoverageAllSafe(t *testing.T) {
	c := drawn([]api.Key{{Label: "a"}, {Label: "b"}}, row("pp", "x", api.RiskSafe, ""))
	c.Safe = 1
	expect(t, "safe", coverageWords(c, 80),
		"ACCOUNT  a  b  RISK", "x        ✓  ✓  safe", "", "✓ proved   · no copy", "", "1 account, all safe: losing one key loses nothing.")
	expect(t, "empty", coverageWords(api.Coverage{}, 80))
}

// Several credentials of one key can hold the same seed.
func TestBestCopyCounts(t *testing.T) {
	account := api.Account{Copies: []api.Copy{{Key: "k", State: api.CopyUnproven}, {Key: "k", State: api.CopyProved}, {Key: "k", State: api.CopyMissing}}}
	expect(t, "cell", []string{cell(account, "k"), cell(account, "other")}, "✓", "·")
}

func TestCoverageNumbersKeys(t *testing.T) {
	c := drawn([]api.Key{{Label: "the one that I carry every day"}, {Label: "the one in the safe at the bank"}},
		row("pp", strings.Repeat("a", 64), api.RiskSafe, ""))
	expect(t, "numbers", matrix(c, 80),
		"  1  the one that I carry every day",
		"  2  the one in the safe at the bank",
		"",
		"ACCOUNT                                                         1  2  RISK",
		strings.Repeat("a", 61)+"…  ✓  ✓  safe")
}

// However many keys and however long the names: nothing is wider than the terminal.
func TestCoverageFits(t *testing.T) {
	for _, keys := range []int{0, 1, 2, 5, 16, 17, 40, 120} {
		for _, columns := range []int{60, 80, 132} {
			list := make([]api.Key, keys)
			for i := range list {
				list[i].Label = fmt.Sprintf("key number %d", i)
			}
			c := drawn(list, row(strings.Repeat("p", keys), "Amazon Web Services:root-account-mfa-device@123456789012", api.RiskSafe, ""),
				row(strings.Repeat("-", keys), "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字", api.RiskNoCopy, strings.Repeat("advice ", 40)))
			lines := coverageWords(c, columns)
			proved := 0
			for _, line := range lines {
				if w := ink.Width(line); w > columns {
					t.Errorf("%d keys: %d of %d columns: %s", keys, w, columns, line)
				}
				proved += strings.Count(line, "✓")
			}
			if want := keys + min(keys, 1); proved != want {
				t.Errorf("%d keys in %d columns: %d copies are shown, want %d", keys, columns, proved, want)
			}
		}
	}
}
