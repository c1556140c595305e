package search

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

func accounts() []api.Account {
	return []api.Account{
		{ID: "amazon", Issuer: "Amazon", Name: "me@example.org", Available: true},
		{ID: "away", Issuer: "Amazon Web Services", Name: "root"},
		{ID: "github", Issuer: "GitHub", Name: "octo-cat", Alias: "gh", Available: true},
		{ID: "gitlab", Issuer: "GitLab", Name: "Zoë", Available: true},
		{ID: "old", Issuer: "GitHub", Name: "octo-cat", Superseded: true, Available: true},
		{ID: "web", Name: "webmail", Available: true},
	}
}

func ids(hits []Hit) (list []string) {
	for _, h := range hits {
		list = append(list, h.ID)
	}
	return list
}

func TestFind(t *testing.T) {
	x := New(accounts())
	for _, test := range []struct{ typed, keyword, want string }{
		{"git", "", "github gitlab"},
		{"GITHUB", "", "github"},
		{"hub", "", "github"},
		{"web", "", "web away"}, // what is plugged in comes first
		{"amazon", "", "amazon away"},
		{"amazon root", "", "away"},
		{"root amazon", "", "away"},
		{"cat git", "", "github"},
		{"zoë", "", "gitlab"},
		{"ZOË", "", "gitlab"},
		{"gi", "", ""},         // too few letters
		{"g i t", "", ""},      //
		{"", "", ""},           //
		{"githubocto", "", ""}, // not across fields
		{"git", "otp", ""},     // not meant for us
		{"otp", "otp", "amazon github gitlab web away"},
		{"otp gi", "otp", "github gitlab"},
		{"OTP git", "Otp", "github gitlab"},
		{"otpgit", "otp", ""},
	} {
		got := strings.Join(ids(x.Find(strings.Fields(test.typed), test.keyword, 20)), " ")
		whole := strings.Join(ids(x.Find([]string{test.typed}, test.keyword, 20)), " ") // as KRunner sends it
		if got != test.want || whole != test.want {
			t.Errorf("%q with keyword %q: got %q and %q, want %q", test.typed, test.keyword, got, whole, test.want)
		}
	}
	if got := x.Find([]string{"otp"}, "otp", 2); len(got) != 2 {
		t.Errorf("of the first two: %v", got)
	}
}

func TestRelevance(t *testing.T) {
	x := New([]api.Account{
		{ID: "inside", Name: "unhub", Available: true}, {ID: "word", Name: "git hub", Available: true},
		{ID: "begin", Name: "hubble", Available: true}, {ID: "whole", Name: "hub", Available: true}, {ID: "absent", Name: "hub"},
		{ID: "second", Name: "uhub-hub", Available: true},
	})
	hits := x.Find([]string{"hub"}, "", 20)
	if got := ids(hits); !slices.Equal(got, []string{"whole", "begin", "word", "second", "inside", "absent"}) {
		t.Errorf("got %v", hits)
	}
	for _, h := range hits {
		if h.Relevance <= 0 || h.Relevance > 1 {
			t.Errorf("%+v", h)
		}
	}
}

// many are a thousand accounts whose names are as long as can be, and alike.
func many() []api.Account {
	list := make([]api.Account, 1000)
	for i := range list {
		list[i] = api.Account{ID: fmt.Sprint(i), Issuer: strings.Repeat("a", 60) + fmt.Sprint(i), Name: strings.Repeat("ab", 200), Alias: strings.Repeat("a", 60), Available: true}
	}
	return list
}

// hostile is what costs most.
var hostile = [][]string{
	{"aaaaaaaaaaaaaaab", "aaaaaaaaaaaab", "aab", "aaab", "aaaab", "aaaaab", "ab", "abc"},
	{strings.Repeat("a", maxTyped)},
	{strings.Repeat("a", maxTyped-1) + "c"},
	slices.Repeat([]string{"ab"}, 1000),
	{strings.Repeat("ab ", 1<<16)},
	{strings.Repeat("x", 1<<20)},
}

// maxScans is how many times as long as a look through all names for one word a search may take. With a thousand long names such a
// look takes some microseconds.
const maxScans = 200

// TestBounds has whatever is typed cost little: no more than so many looks through all names. Both are done in turn and the best of
// each is taken, for others work on the machine too.
func TestBounds(t *testing.T) {
	x := New(many())
	scan := func() {
		for _, e := range x.entries {
			if strings.Contains(e.text, "word") {
				t.Error("a name has it")
			}
		}
	}
	for i, typed := range hostile {
		one, search := time.Hour, time.Hour
		for range 20 {
			began := time.Now()
			scan()
			between := time.Now()
			x.Find(typed, "", 20)
			one, search = min(one, between.Sub(began)), min(search, time.Since(between))
		}
		if search > maxScans*one {
			t.Errorf("hostile %d took %v, and a look through all names %v", i, search, one)
		}
		if n := testing.AllocsPerRun(10, func() { x.Find(typed, "", 20) }); n > maxTyped {
			t.Errorf("hostile %d allocates %v times", i, n)
		}
	}
	if got := x.Find([]string{"aab\x00"}, "", 20); got != nil {
		t.Errorf("a separator finds %v", got)
	}
}

func FuzzFind(f *testing.F) {
	f.Add("GitHub", "me", "git me", "")
	f.Add("\xff\x00", "", "\xff\xff\xff", "\xff")
	f.Fuzz(func(t *testing.T, issuer, name, typed, keyword string) {
		x := New([]api.Account{{ID: "a", Issuer: issuer, Name: name, Available: true}})
		for _, h := range x.Find([]string{typed}, keyword, 1) {
			if h.ID != "a" || h.Relevance <= 0 || h.Relevance > 1 {
				t.Errorf("%+v", h)
			}
		}
	})
}

// BenchmarkFind searches a thousand accounts: for a word, and for what costs most.
func BenchmarkFind(b *testing.B) {
	x := New(many())
	for name, typed := range map[string][]string{"word": {"999"}, "hostile": hostile[1]} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				x.Find(typed, "", 20)
			}
		})
	}
}
