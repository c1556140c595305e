package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// kept says where a key is and who has it.
func (r *rig) kept(key, site, holder string) {
	r.t.Helper()
	_, err := r.SetSite(r.t.Context(), tester, key, site)
	if err == nil {
		_, err = r.SetHolder(r.t.Context(), tester, key, holder)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// lossWords writes down what the losses would cost: "key main: GitHub:me; escrow Mail:me".
func (r *rig) lossWords() []string {
	labels := func(ids []string) string {
		var list []string
		for _, id := range ids {
			list = append(list, r.account(id).Label())
		}
		return strings.Join(list, ", ")
	}
	var words []string
	for _, l := range r.Coverage().Losses {
		line := fmt.Sprintf("%s %s (%d): %s", l.Kind, l.Name, len(l.Keys), labels(l.Accounts))
		if len(l.Escrow) > 0 {
			line += "; escrow " + labels(l.Escrow)
		}
		if l.Costs() != (len(l.Accounts)+len(l.Escrow) > 0) || l.Accounts == nil {
			r.t.Errorf("%+v", l)
		}
		words = append(words, line)
	}
	return words
}

func (r *rig) wantLosses(want ...string) {
	r.t.Helper()
	if got := r.lossWords(); !slices.Equal(got, want) {
		r.t.Errorf("losses\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLosses(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.wantLosses("key main (1): ", "key spare (1): ")
	third := newKey(t, softkey.Options{Serial: 3})
	r.adoptNew(third, "third")
	r.kept("main", "home", "ann")
	r.kept("spare", "home", "bob")
	r.kept("third", "bank", "ann")
	r.mustAddTo(totp("A", "home"), "main", "spare")
	r.mustAddTo(totp("B", "ann"), "main", "third")
	r.mustAddTo(totp("C", "apart"), "spare", "third")
	r.mustAddTo(totp("D", "one"), "spare")
	r.mustAddTo(hotp("E", "counter"), "third")
	r.wantLosses("key main (1): ", "key spare (1): D:one", "key third (1): E:counter",
		"site home (2): A:home, D:one", "site bank (1): E:counter", "holder ann (2): B:ann, E:counter", "holder bob (1): D:one")

	// What is lost can't be lost once more, and what was on it depends on the others.
	r.remove(main)
	if _, err := r.KeyLost(t.Context(), tester, "main", api.LostRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	r.wantLosses("key spare (1): A:home, D:one", "key third (1): B:ann, E:counter",
		"site home (1): A:home, D:one", "site bank (1): B:ann, E:counter", "holder bob (1): A:home, D:one", "holder ann (1): B:ann, E:counter")
}

// TestLossesOfWhatIsNotProved: an unproven copy is better than none, and no help beside a proved one.
func TestLossesOfWhatIsNotProved(t *testing.T) {
	r, main, _ := twoKeys(t)
	program{t: t, k: main}.put(totp("Unknown", "me"), seedB, 0x02)
	r.replug(main)
	if got := states(r.account("Unknown:me"))["main"]; got != api.CopyUnproven {
		t.Fatalf("the copy is %s", got)
	}
	r.mustAddTo(totp("Known", "me"), "main")
	r.wantLosses("key main (1): Known:me, Unknown:me", "key spare (1): ")
}

func TestLossesWithEscrow(t *testing.T) {
	s := newSafe(t)
	s.mustAddTo(totp("Kept", "me"), "main")
	s.mustAddTo(hotp("Counter", "me"), "main")
	s.mustAdd(totp("Both", "me"))
	s.wantLosses("key main (1): Counter:me; escrow Kept:me", "key spare (1): ")
}
