package agent_test

import (
	"context"
	"encoding/base32"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// rig is an agent with soft keys in an in-process bay, and a ledger of its own.
type rig struct {
	*agent.Agent
	t      testing.TB
	bay    *softkey.Bay
	path   string
	events <-chan api.Event
	stop   func()
	mu     sync.Mutex
	steps  []api.Step
}

var tester = agent.Caller{Name: "test"}

// newRig starts an agent; keys are inserted, and identified before it returns.
func newRig(t testing.TB, keys ...*softkey.Key) *rig {
	t.Helper()
	r := &rig{t: t, bay: softkey.NewBay(), path: filepath.Join(t.TempDir(), "state", "ledger.db")}
	r.start(agent.Options{})
	for _, k := range keys {
		r.insert(k)
	}
	return r
}

func (r *rig) start(o agent.Options) {
	r.t.Helper()
	book, err := ledger.Open(context.Background(), r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	o.Bay, o.Ledger, o.BayName, o.Log = r.bay, book, "soft", slog.New(slog.NewTextHandler(io.Discard, nil))
	if r.Agent, err = agent.New(r.t.Context(), o); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.events = r.Events(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("Run: %v", err)
		}
		if err := book.Close(); err != nil {
			r.t.Errorf("Close: %v", err)
		}
	})
	r.t.Cleanup(r.stop)
}

// restart ends the agent and starts another on the same ledger and bay, as after a crash.
func (r *rig) restart() {
	r.t.Helper()
	plugged := r.bay.Keys()
	r.stop()
	r.start(agent.Options{})
	for range plugged {
		r.await(api.EventKeyIn)
	}
}

// await returns the next event of a kind.
func (r *rig) await(kind api.EventKind) api.Event {
	r.t.Helper()
	for {
		select {
		case e, ok := <-r.events:
			if !ok {
				r.t.Fatalf("the events ended before %s", kind)
			}
			if e.Kind == kind {
				return e
			}
		case <-r.t.Context().Done():
			r.t.Fatalf("no event %s", kind)
		}
	}
}

func (r *rig) insert(k *softkey.Key) {
	r.t.Helper()
	r.bay.Insert(k)
	r.await(api.EventKeyIn)
}

func (r *rig) remove(k *softkey.Key) {
	r.t.Helper()
	r.bay.Remove(k)
	r.await(api.EventKeyOut)
}

func newKey(t testing.TB, o softkey.Options) *softkey.Key {
	t.Helper()
	k, err := softkey.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// twoKeys is the usual case: two adopted keys, main and spare.
func twoKeys(t testing.TB) (*rig, *softkey.Key, *softkey.Key) {
	t.Helper()
	main, spare := newKey(t, softkey.Options{Serial: 1000001}), newKey(t, softkey.Options{Serial: 1000002})
	r := newRig(t, main, spare)
	r.adopt("1000001", "main")
	r.adopt("1000002", "spare")
	return r, main, spare
}

func (r *rig) adopt(key, label string) api.Key {
	r.t.Helper()
	k, err := r.Adopt(r.t.Context(), tester, key, api.AdoptRequest{Label: label})
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

// seedOf decodes a seed as services show it.
func seedOf(t testing.TB, text string) *oath.Secret {
	t.Helper()
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(text))
	if err != nil {
		t.Fatal(err)
	}
	return oath.TakeSecret(b)
}

// rfcSeed is the key of RFC 6238, appendix B: "12345678901234567890".
const rfcSeed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// totp is the usual account.
func totp(issuer, name string) api.NewAccount {
	return api.NewAccount{Issuer: issuer, Name: name, Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30}
}

// add adds accounts that all have seeds of their own, made from their names.
func (r *rig) add(req api.AddRequest) (api.Report, error) {
	r.t.Helper()
	seeds := make([]*oath.Secret, len(req.Accounts))
	for i, a := range req.Accounts {
		seeds[i] = nameSeed(a.Issuer, a.Name)
	}
	return r.addSeeds(req, seeds...)
}

func nameSeed(issuer, name string) *oath.Secret {
	return oath.TakeSecret([]byte((issuer + ":" + name + strings.Repeat("-", 20))[:20]))
}

func (r *rig) addSeeds(req api.AddRequest, seeds ...*oath.Secret) (api.Report, error) {
	r.t.Helper()
	return r.Add(r.t.Context(), tester, req, seeds, r.step)
}

func (r *rig) step(s api.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, s)
}

// mustAdd adds one account to both keys, complete and proved.
func (r *rig) mustAdd(a api.NewAccount) api.Account {
	r.t.Helper()
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{a}})
	if err != nil {
		r.t.Fatal(err)
	}
	if !report.Complete {
		r.t.Fatalf("not complete: %+v", report)
	}
	acc, err := r.Account(report.Accounts[0].Account)
	if err != nil {
		r.t.Fatal(err)
	}
	return acc
}

func (r *rig) code(req api.CodeRequest) (api.Code, error) {
	r.t.Helper()
	return r.Code(r.t.Context(), tester, req)
}

func wantCode(t testing.TB, err error, code api.ErrorCode) {
	t.Helper()
	if got := api.CodeOf(err); got != code {
		t.Fatalf("error %v, code %q; want %q", err, got, code)
	}
}
