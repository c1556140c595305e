package main

import (
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/picture"
	"github.com/oathd/oathd/ipc/api"
)

// TestOneVocabulary: what is said at the terminal is said in the pictures.
func TestOneVocabulary(t *testing.T) {
	plain := func(s string) string { return ink.Look{Symbols: true}.Render(s) }
	for state, words := range states {
		c := api.Coverage{Keys: []api.Key{{ID: "k"}}, Rows: []api.CoverageRow{{Account: api.Account{Copies: []api.Copy{{Key: "k", State: state}}}}}}
		says(t, c, plain(words.words))
	}
	for risk, words := range risks {
		says(t, api.Coverage{Rows: []api.CoverageRow{{Risk: risk}}}, plain(words.words))
	}
	says(t, api.Coverage{Rows: []api.CoverageRow{{}}, Safe: 3}, plain(summary(api.Coverage{Safe: 3})))
}

func says(t *testing.T, c api.Coverage, words string) {
	t.Helper()
	words = ">" + strings.ReplaceAll(words, "'", "&#39;") + "<"
	for kind, text := range map[string][]byte{"page": picture.HTML(c), "drawing": picture.SVG(c)} {
		if !strings.Contains(string(text), words) {
			t.Errorf("the %s does not say %q", kind, words)
		}
	}
}
