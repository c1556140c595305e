package agent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// keyring is one in memory, which may be locked, or hang.
type keyring struct {
	mu      sync.Mutex
	kept    map[string]string
	refuses error
	hangs   bool
	asked   int
}

func (k *keyring) enter(ctx context.Context) error {
	k.mu.Lock()
	hangs, err := k.hangs, k.refuses
	k.asked++
	k.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return hw.WithHint(errors.New("the keyring does not answer"), "look for its window")
	}
	return err
}

func (k *keyring) Recall(ctx context.Context, device string) (*oath.Secret, error) {
	if err := k.enter(ctx); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept[device] == "" {
		return nil, nil
	}
	return oath.CopySecret([]byte(k.kept[device])), nil
}

func (k *keyring) Keep(ctx context.Context, device, label string, key *oath.Secret) error {
	if err := k.enter(ctx); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[device] = string(key.Bytes())
	return nil
}

func (k *keyring) Drop(ctx context.Context, device string) error {
	if err := k.enter(ctx); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.kept, device)
	return nil
}

func (k *keyring) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

func (k *keyring) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.kept)
}

// remembering has two keys with an account on both, and a password on main that is remembered.
func remembering(t *testing.T) (*rig, *keyring, *softkey.Key) {
	t.Helper()
	ring := &keyring{kept: map[string]string{}}
	r := newRigWith(t, agent.Options{Keyring: ring})
	main := newKey(t, softkey.Options{Serial: mainSerial})
	r.adoptNew(main, "main")
	r.adoptNew(newKey(t, softkey.Options{Serial: spareSerial}), "spare")
	r.mustAdd(totp("GitHub", "me"))
	if _, err := r.SetPassword(t.Context(), tester, "main", secret("open sesame")); err != nil {
		t.Fatal(err)
	}
	if k, err := r.Remember(t.Context(), tester, "main"); err != nil || k.Locked || ring.count() != 1 {
		t.Fatalf("%+v, %v", k, err)
	}
	return r, ring, main
}

// unlocked waits until a key is unlocked, by itself.
func (r *rig) unlocked(label string) {
	r.t.Helper()
	for r.key(label).Locked {
		r.await(api.EventKeyChanged)
	}
}

func (r *rig) fromMain() error {
	_, err := r.code(api.CodeRequest{Account: "GitHub:me", Key: "main", Pair: true})
	return err
}

// TestRemember: a key whose password is remembered is unlocked as it is plugged in, and at the next start; who asks at once waits.
func TestRemember(t *testing.T) {
	r, ring, main := remembering(t)
	for range 3 {
		r.restart()
		if err := r.fromMain(); err != nil {
			t.Fatal(err)
		}
		r.remove(main)
		r.insert(main)
		r.unlocked("main")
	}
	what := r.intact()
	for _, line := range []string{"remember the password of main", "unlock main with the password that is remembered"} {
		if !slices.Contains(what, line) {
			t.Errorf("no line %q in %q", line, what)
		}
	}
	// What is forgotten is forgotten everywhere, at once.
	k, err := r.ForgetPassword(t.Context(), tester, "main")
	if err != nil || !k.Locked || r.Passwords() != 0 || ring.count() != 0 {
		t.Errorf("%+v, %v, %d known", k, err, r.Passwords())
	}
	wantCode(t, r.fromMain(), api.CodeLocked)
	r.remove(main)
	if k, err := r.ForgetPassword(t.Context(), tester, "main"); err != nil || k.Present {
		t.Errorf("absent: %+v, %v", k, err)
	}
}

// TestRememberedNoMore: what no longer fits does not stay in the keyring.
func TestRememberedNoMore(t *testing.T) {
	for name, change := range map[string]func(*rig) error{
		"set":   func(r *rig) error { return failure(r.SetPassword(r.t.Context(), tester, "main", secret("another"))) },
		"clear": func(r *rig) error { return failure(r.ClearPassword(r.t.Context(), tester, "main")) },
		"reset": func(r *rig) error { return failure(r.Reset(r.t.Context(), tester, "main", api.ResetRequest{})) },
	} {
		t.Run(name, func(t *testing.T) {
			r, ring, _ := remembering(t)
			if err := change(r); err != nil || ring.count() != 0 {
				t.Errorf("%v, %d are kept", err, ring.count())
			}
		})
	}
}

// TestRememberedWrongly: a password that another program has changed meanwhile is tried once, and dropped.
func TestRememberedWrongly(t *testing.T) {
	r, ring, main := remembering(t)
	r.remove(main)
	ring.set(func() {
		for device := range ring.kept {
			ring.kept[device] = "not what it was."
		}
	})
	r.restart()
	r.insert(main)
	wantCode(t, r.fromMain(), api.CodeLocked)
	if k := r.key("main"); !k.Locked || r.Passwords() != 0 {
		t.Errorf("%+v", k)
	}
	for ring.count() != 0 {
		<-time.After(time.Millisecond)
	}
}

// TestRememberedOfAResetKey: a key that another program has reset, while we look or not, has its old password dropped.
func TestRememberedOfAResetKey(t *testing.T) {
	for name, look := range map[string]func(r *rig, reset func()){
		"while we look":   func(r *rig, reset func()) { reset(); r.Refresh(r.t.Context()) },
		"while we do not": func(r *rig, reset func()) { r.stop(); reset(); r.start() },
	} {
		t.Run(name, func(t *testing.T) {
			r, ring, main := remembering(t)
			look(r, program{t: t, k: main}.reset)
			for ring.count() != 0 {
				<-time.After(time.Millisecond)
			}
		})
	}
}

// TestKeyringThatHangs holds up nobody but who wants this very key, and that only for some seconds.
func TestKeyringThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ring, main := remembering(t)
		ring.set(func() { ring.hangs = true })
		r.remove(main)
		r.restart()
		r.bay.Insert(main)
		synctest.Wait()
		began := time.Now()
		if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.KeyLabel != "spare" || time.Since(began) > 0 {
			t.Errorf("%s after %s", code.KeyLabel, time.Since(began))
		}
		wantCode(t, r.fromMain(), api.CodeLocked)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("after %s", took)
		}
		began = time.Now()
		wantCode(t, r.fromMain(), api.CodeLocked)
		if took := time.Since(began); took > 0 {
			t.Errorf("again after %s", took)
		}
		if _, err := r.Unlock(t.Context(), tester, "main", secret("open sesame")); err != nil {
			t.Fatal(err)
		}
		_, err := r.Remember(t.Context(), tester, "main")
		wantCode(t, err, api.CodeNoKeyring)
		if took := time.Since(began); took != 2*time.Minute {
			t.Errorf("given up after %s", took)
		}
	})
}

// TestKeyringThatOpensLater: once a keyring is opened, the keys that are locked are looked up again.
func TestKeyringThatOpensLater(t *testing.T) {
	r, ring, main := remembering(t)
	ring.set(func() { ring.refuses = hw.WithHint(errors.New("the keyring is locked"), "unlock it") })
	r.remove(main)
	r.restart()
	r.insert(main)
	wantCode(t, r.fromMain(), api.CodeLocked)
	r.Recall(t.Context())
	wantCode(t, r.fromMain(), api.CodeLocked)
	ring.set(func() { ring.refuses = nil })
	r.Recall(t.Context())
	if err := r.fromMain(); err != nil {
		t.Error(err)
	}
	asked := ring.asked
	r.Recall(t.Context()) // nothing is locked
	if ring.asked != asked {
		t.Error("it was asked for nothing")
	}
}

// TestRememberRefused: what cannot be remembered says so, with what to do.
func TestRememberRefused(t *testing.T) {
	r, ring, main := remembering(t)
	_, err := r.Remember(t.Context(), tester, "spare")
	wantCode(t, err, api.CodeBadRequest)
	_, err = r.Remember(t.Context(), tester, "nothing")
	wantCode(t, err, api.CodeNotFound)
	ring.set(func() { ring.refuses = hw.WithHint(errors.New("the keyring is locked"), "unlock it") })
	for _, refused := range []func(context.Context, agent.Caller, string) (api.Key, error){r.Remember, r.ForgetPassword} {
		_, err = refused(t.Context(), tester, "main")
		if e := wantCode(t, err, api.CodeNoKeyring); e.Hint != "unlock it" || !strings.Contains(e.Message, "the keyring is locked") {
			t.Errorf("%+v", e)
		}
	}
	_, err = r.Remember(t.Context(), tester, "main") // it was forgotten here all the same
	wantCode(t, err, api.CodeLocked)
	r.remove(main)
	_, err = r.Remember(t.Context(), tester, "main")
	wantCode(t, err, api.CodeKeyAbsent)

	none := newRig(t)
	key := newKey(t, softkey.Options{Serial: mainSerial})
	none.adoptNew(key, "main")
	if _, err := none.SetPassword(t.Context(), tester, "main", secret("x")); err != nil {
		t.Fatal(err)
	}
	_, err = none.Remember(t.Context(), tester, "main")
	wantCode(t, err, api.CodeNoKeyring)
	_, err = none.ForgetPassword(t.Context(), tester, "main")
	wantCode(t, err, api.CodeNoKeyring)
}

// failure is the error of a call whose answer is of no interest.
func failure[T any](_ T, err error) error { return err }
