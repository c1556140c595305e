package agent_test

import (
	"slices"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

func TestPages(t *testing.T) {
	r, _, _ := written(t, "", func(main, _ program) {
		for i, issuer := range []string{"d", "B", "a", "C", "e"} {
			main.put(totp(issuer, "me"), numbered(i), 0)
		}
	})
	for _, test := range []struct {
		query string
		limit int
		want  [][]string
	}{
		{"", 2, [][]string{{"a:me", "B:me"}, {"C:me", "d:me"}, {"e:me"}}},
		{"", 5, [][]string{{"a:me", "B:me", "C:me", "d:me", "e:me"}, nil}},
		{"E", 9, [][]string{{"a:me", "B:me", "C:me", "d:me", "e:me"}}},
		{"B:", 1, [][]string{{"B:me"}, nil}},
		{"nothing", 1, [][]string{nil}},
	} {
		after := ""
		for i, want := range test.want {
			page, err := r.AccountsPage(test.query, after, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			var labels []string
			for _, acc := range page {
				labels, after = append(labels, acc.Label()), acc.ID
			}
			if !slices.Equal(labels, want) {
				t.Errorf("%q, page %d of %d: got %q, want %q", test.query, i, test.limit, labels, want)
			}
		}
	}
	if _, err := r.AccountsPage("", "gone", 1); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("behind an account that is gone: %v", err)
	}
}
