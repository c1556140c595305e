package agent_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// What cannot be written down is not done, and nothing is different afterwards, in memory and on the keys.
func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	for name, try := range map[string]func(*rig) error{
		"add": func(r *rig) error { _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{second}}); return err },
		"add one more copy": func(r *rig) error {
			_, err := r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{totp("Old", "me")}, To: []string{"spare"}}, secret(seedA))
			return err
		},
		"rename":   func(r *rig) error { _, err := r.rename("GitHub:me", "A", "b"); return err },
		"remove":   func(r *rig) error { _, err := r.drop("GitHub:me", "", true); return err },
		"label":    func(r *rig) error { _, err := r.SetLabel(r.t.Context(), tester, "main", "daily"); return err },
		"adopt":    func(r *rig) error { _, err := r.Adopt(r.t.Context(), tester, "3", api.AdoptRequest{}); return err },
		"password": func(r *rig) error { _, err := r.SetPassword(r.t.Context(), tester, "main", secret("x")); return err },
		"clear":    func(r *rig) error { _, err := r.ClearPassword(r.t.Context(), tester, "spare"); return err },
		"unlock": func(r *rig) error {
			_, err := r.Unlock(r.t.Context(), tester, "spare", secret("open sesame"))
			return err
		},
		"reset": func(r *rig) error {
			_, err := r.Reset(r.t.Context(), tester, "main", api.ResetRequest{Force: true})
			return err
		},
		"current": func(r *rig) error {
			_, err := r.Verify(r.t.Context(), tester, api.VerifyRequest{Account: "GitHub:me", Current: "main"}, r.step)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, main, spare := written(t, "", func(main, spare program) { main.put(totp("Old", "me"), seedA, 0) })
			stranger := newKey(t, softkey.Options{Serial: 3})
			r.insert(stranger)
			r.mustAddTo(first, "main", "spare")
			r.lock("spare")
			before := picture(r)
			forget(main, spare, stranger)
			r.breakLedger()
			err := try(r)
			if code := api.CodeOf(err); code != api.CodeLedger {
				t.Errorf("error %v of code %q", err, code)
			}
			if after := picture(r); after != before {
				t.Errorf("before: %s\nafter:  %s", before, after)
			}
			for _, k := range []*softkey.Key{main, spare, stranger} {
				if got := traffic(k); strings.Contains(got, "PUT") || strings.Contains(got, "DELETE") || strings.Contains(got, "RENAME") ||
					strings.Contains(got, "RESET") || strings.Contains(got, "SET CODE") || strings.Contains(got, "VALIDATE") {
					t.Errorf("on the wire: %s", got)
				}
			}
		})
	}
}

// picture is all that can be seen.
func picture(r *rig) string {
	var b strings.Builder
	for _, k := range r.Keys() {
		b.WriteString(jsonOf(r.t, k))
	}
	for _, a := range r.Accounts("") {
		b.WriteString(jsonOf(r.t, a))
	}
	return b.String()
}

// The ledger fails between the card's change and its record: the intent stays, and tells.
func TestTheRecordOfWhatWasDoneFails(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(second)
	main.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: put, Answer: func(answer []byte) []byte {
		r.breakLedger()
		return answer
	}})
	report, err := r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{first}, To: []string{"main"}}, nameSeed("GitHub", "me"))
	if err != nil || report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	o := outcomes(report)["GitHub:me on main"]
	if o.State != api.CopyPending || o.Error == nil || o.Error.Code != api.CodeLedger {
		t.Errorf("%+v", o)
	}
	if got := states(r.account("GitHub:me")); got["main"] != api.CopyPending {
		t.Errorf("%v", got)
	}
	if n := r.Status().OpenIntents; n != 1 {
		t.Errorf("%d intents are open", n)
	}
}

func TestALookThatCannotBeRecorded(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	r.remove(main)
	r.breakLedger()
	r.insert(main)
	k := r.key("main")
	if !k.Present || !strings.Contains(k.Trouble, "record") {
		t.Errorf("%+v", k)
	}
	_, err := r.Audit(t.Context())
	if api.CodeOf(err) != api.CodeLedger {
		t.Errorf("%v", err)
	}
	report, err := r.Verify(t.Context(), tester, api.VerifyRequest{}, r.step)
	if err != nil || report.Complete {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestALedgerOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "ledger.db")
	main, spare := pair(t, "")
	bay := softkey.NewBay()
	run := func(f func(r *rig)) {
		t.Helper()
		book, err := ledger.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, bay: bay, book: book, options: agent.Options{Bay: bay, LedgerPath: path}}
		r.start()
		f(r)
		r.stop()
		if err := book.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(func(r *rig) {
		r.adoptNew(main, "main")
		r.adoptNew(spare, "spare")
		r.mustAdd(first)
		r.remove(spare)
		if _, err := r.drop("GitHub:me", "spare", false); err != nil {
			t.Fatal(err)
		}
	})
	run(func(r *rig) {
		r.await(api.EventKeyIn)
		if s := r.Status(); s.OpenIntents != 1 || s.Keys != 1 || s.Readers != 2 || s.Ledger != path || s.Bay != "soft" || s.PID == 0 || s.Started.IsZero() {
			t.Errorf("%+v", s)
		}
		r.wantAccounts("GitHub:me 2/2")
		r.insert(spare)
		if report := r.resume(api.ResumeRequest{}); !report.Complete {
			t.Errorf("%+v", report)
		}
		r.wantAccounts("GitHub:me 1/1")
		r.intact()
	})
	if got := (program{t: t, k: main}).calculate("GitHub:me", oath.Challenge(1)); len(got) == 0 {
		t.Error("no answer")
	}
}

func TestNewWithoutALedger(t *testing.T) {
	book, err := ledger.Open(t.Context(), ledger.Memory)
	if err != nil {
		t.Fatal(err)
	}
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.New(t.Context(), agent.Options{Ledger: book}); err == nil || !strings.Contains(err.Error(), "cannot read the ledger") {
		t.Errorf("%v", err)
	}
}
