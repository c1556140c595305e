package bus

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/search"
)

// Desktop is what the search of a desktop has done outside of the bus. Its methods may be called by several goroutines.
type Desktop interface {
	// Locked reports whether nobody sits at the screen who may be shown anything.
	Locked() bool
	// Copy puts a text into the clipboard, to be taken out at the moment until. An error that is an *api.Error says what to do.
	Copy(ctx context.Context, text string, until time.Time) error
	// Tell tells the person something that nobody waits for, or what went wrong; it never blocks.
	Tell(title, text string)
}

// Search is how accounts are found from the search of GNOME and KDE.
type Search struct {
	// Desktop is where codes go to; without one, nothing is found.
	Desktop Desktop
	// Keyword must be typed first, "" for none.
	Keyword string
	// ShowCodes has results show the codes that are in memory.
	ShowCodes bool
}

const (
	// maxFound is how many accounts are found at once: as many as anybody reads.
	maxFound = 20
	// minLife is how long a code must live that somebody is to paste, in seconds.
	minLife = 5
	// countedLife is how long a code that is counted stays in the clipboard; it lives until it is used.
	countedLife = 30 * time.Second
)

// finder is what a session needs for searches.
type finder struct{ Search }

// lookUp finds accounts for what a caller has typed, whose names it may then activate, each once.
func (s *session) lookUp(c call, typed []string) []found {
	if s.finder.Desktop.Locked() {
		return nil
	}
	now, world := time.Now(), s.world.Load()
	var list []found
	for _, hit := range world.index().Find(typed, s.finder.Keyword, maxFound) {
		if a, ok := world.accounts[accountPath(hit.ID)].value.(api.Account); ok {
			list = append(list, found{resultOf(a, now), a, hit.Relevance})
		}
	}
	c.offers.add(list, now)
	return list
}

// found is an account that was found, and the name that it has as a result.
type found struct {
	result    string
	account   api.Account
	relevance float64
}

// usualPeriod stands in for that of an account which has none, in seconds.
const usualPeriod = 30

// resultOf names an account as a result: desktops remember what they were told of one, which is true for one step.
func resultOf(a api.Account, now time.Time) string {
	period := int64(a.Period)
	if period <= 0 {
		period = usualPeriod
	}
	return a.ID + "@" + strconv.FormatInt(now.Unix()/period, 10)
}

// accountOf finds the account that a result names, as it is now.
func (s *session) accountOf(result string) (api.Account, bool) {
	id, _, _ := strings.Cut(result, "@")
	a, ok := s.object(accountPath(id)).value.(api.Account)
	return a, ok
}

// activate computes the code of a result that the caller was shown, copies it and says so. What is too fast for a person is
// refused without a word to one.
func (s *session) activate(c call, result string) error {
	if !c.rate.take(time.Now()) {
		return &api.Error{Code: api.CodeBusy, Message: "cannot give a code: too many were asked for at once", Hint: "wait a second"}
	}
	a, code, err := s.codeOf(c, result)
	if err == nil {
		err = s.copyCode(code)
	}
	if err == nil {
		return nil
	}
	title, ours := "No code", s.ours(err)
	if a.ID != "" {
		title = "No code of " + a.Label()
	}
	s.finder.Desktop.Tell(title, wording(ours))
	return ours
}

// codeOf computes the code that a result stands for. The one who is asked by a desktop is shown as waiting, as any other; that
// a window closes meanwhile is no reason to break off.
func (s *session) codeOf(c call, result string) (a api.Account, code api.Code, err error) {
	switch a, _ = s.accountOf(result); {
	case s.finder.Desktop.Locked():
		return a, code, errLocked
	case !c.offers.take(result, time.Now()):
		return a, code, &api.Error{Code: api.CodeNotFound, Message: "cannot give a code: this result was not found, or was used already", Hint: "search again"}
	case a.ID == "":
		return a, code, &api.Error{Code: api.CodeNotFound, Message: "cannot give a code: the account is no longer there", Hint: "search again"}
	}
	code, err = s.agent.Code(s.conn.Context(), c.who(), api.CodeRequest{Account: a.ID, MinValidity: leastLife(a)})
	if err == nil && s.finder.Desktop.Locked() { // since the key began to wait for a finger
		return a, api.Code{}, errLocked
	}
	return a, code, err
}

// errLocked answers who wants a code while nobody sits at the screen.
var errLocked = &api.Error{Code: api.CodeForbidden, Message: "cannot give a code: the session is locked", Hint: "unlock it"}

// leastLife is how long a code is to live, in seconds, but for accounts whose steps are short.
func leastLife(a api.Account) int { return min(minLife, a.Period/3) }

// copyCode copies a code for as long as it lives, and says so.
func (s *session) copyCode(code api.Code) error {
	text, until := copiedFor(code, time.Now())
	if err := s.finder.Desktop.Copy(s.conn.Context(), code.Code, until); err != nil {
		return err
	}
	s.finder.Desktop.Tell("Copied: "+code.Label, strings.Join(append([]string{text}, code.Warnings...), "\n"))
	return nil
}

// copiedFor says until when a code stays in the clipboard, and what people should know of its life: shortly before a step ends they
// are given a code of the next, and a touch may come late. Services take a code for some seconds after its end (RFC 6238, 5.2).
func copiedFor(code api.Code, now time.Time) (text string, until time.Time) {
	seconds := func(from, to time.Time) int { return int(to.Sub(from).Round(time.Second) / time.Second) }
	early, left := seconds(now, code.ValidFrom), seconds(now, code.ValidUntil)
	switch {
	case code.ValidUntil.IsZero():
		until = now.Add(countedLife).Truncate(time.Second)
		return fmt.Sprintf("In the clipboard for %d s. It is valid until it is used.", seconds(now, until)), until
	case left <= 0:
		return "Its time is over. If it is refused, search again.", now.Add(minLife * time.Second)
	case early > 0:
		return fmt.Sprintf("Valid in %d s, for %d s.", early, left-early), code.ValidUntil
	}
	return fmt.Sprintf("Valid for %d s.", left), code.ValidUntil
}

// about says in a line where an account's code comes from, or the code itself.
func (s *session) about(a api.Account) string {
	if code := s.shown(a); code != nil {
		return code.Code + ", until " + code.ValidUntil.Local().Format(time.TimeOnly)
	}
	var keys []string
	for _, c := range a.Copies {
		if c.Present && !c.Locked || !a.Available {
			keys = append(keys, c.KeyLabel)
		}
	}
	slices.Sort(keys)
	where := strings.Join(slices.Compact(keys), ", ")
	switch {
	case len(keys) == 0:
		return "on no key"
	case !a.Available:
		return "plug in or unlock " + where
	case a.Touch:
		return "touch " + where
	}
	return "on " + where
}

// shown returns the code that may be shown of an account: one that is in memory, and lives long enough to be of use. No key is
// asked, and codes that take a touch are never kept.
func (s *session) shown(a api.Account) *api.Code {
	if !s.finder.ShowCodes {
		return nil
	}
	return s.agent.Remembered(api.CodeRequest{Account: a.ID, MinValidity: leastLife(a)})
}

// offers are the results that a caller was shown of late. Each can be activated once.
type offers struct {
	mu sync.Mutex
	// list has the oldest first.
	list []offer
}

type offer struct {
	result string
	until  time.Time
}

const (
	// maxOffers bounds what is kept for a caller.
	maxOffers = 3 * maxFound
	// offerLife is how long somebody may look at a list of results.
	offerLife = 2 * time.Minute
)

func (o *offers) add(list []found, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range list {
		o.list = slices.DeleteFunc(o.list, func(old offer) bool { return old.result == f.result })
		o.list = append(o.list, offer{f.result, now.Add(offerLife)})
	}
	o.list = slices.Delete(o.list, 0, max(0, len(o.list)-maxOffers))
}

// take uses an offer up, and reports whether there was one.
func (o *offers) take(result string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.list, func(one offer) bool { return one.result == result && now.Before(one.until) })
	if i < 0 {
		return false
	}
	o.list = slices.Delete(o.list, i, i+1)
	return true
}

// bucket holds the activations that a caller may make at once: ten, and five more each second. A person is never that fast.
type bucket struct {
	mu    sync.Mutex
	spent float64
	last  time.Time
}

const (
	bucketSize = 10
	bucketRate = 5 // a second
)

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(0, b.spent-bucketRate*now.Sub(b.last).Seconds())
	b.last = now
	if b.spent > bucketSize-1 {
		return false
	}
	b.spent++
	return true
}

// newIndex makes the index of a world's accounts when it is first searched.
func newIndex(accounts objects) func() *search.Index {
	return sync.OnceValue(func() *search.Index {
		list := make([]api.Account, 0, len(accounts))
		for _, o := range accounts {
			list = append(list, o.value.(api.Account))
		}
		slices.SortFunc(list, func(a, b api.Account) int {
			return strings.Compare(strings.ToLower(a.Label())+a.ID, strings.ToLower(b.Label())+b.ID)
		})
		return search.New(list)
	})
}
