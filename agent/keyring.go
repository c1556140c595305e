package agent

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Keyring keeps keys that are derived from passwords for longer than the daemon runs, by the applet's device id. Its methods end when
// ctx does.
//
// Recall returns what is kept, for the caller to wipe, and nil where nothing is; it asks nobody anything. Keep keeps key, which
// stays the caller's, under a label for people; it may have them asked to unlock the keyring. Drop drops what is kept, if
// anything is.
type Keyring interface {
	Recall(ctx context.Context, device string) (*oath.Secret, error)
	Keep(ctx context.Context, device, label string, key *oath.Secret) error
	Drop(ctx context.Context, device string) error
}

const (
	// recallTime is how long a keyring may take that asks nobody; who wants a code waits for it.
	recallTime = 3 * time.Second
	// keepTime is how long a person may take to unlock the keyring.
	keepTime = 2 * time.Minute
)

// Remember has the keyring keep what is derived from a key's password; the key is unlocked.
func (a *Agent) Remember(ctx context.Context, who Caller, key string) (api.Key, error) {
	const what = "remember the password of"
	k, err := a.findPresent(ctx, key, what)
	if err != nil {
		return api.Key{}, err
	}
	if !k.PasswordSet && !k.Locked {
		return api.Key{}, refuse(api.CodeBadRequest, "nothing is to be done", "cannot %s %s: it has none", what, k.Label)
	}
	derived := a.password(k.DeviceID)
	defer derived.Wipe()
	if k.Locked || derived.Len() == 0 {
		return api.Key{}, lockedKey(k.Label, "cannot %s %s: it is locked", what, k.Label)
	}
	if a.options.Keyring == nil {
		return api.Key{}, noKeyring(what, k.Label)
	}
	if err := a.audit(who, what+" "+k.Label); err != nil {
		return api.Key{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	if err := a.options.Keyring.Keep(ctx, k.DeviceID, k.Label, derived); err != nil {
		return api.Key{}, wrap(api.CodeNoKeyring, err, "cannot %s %s", what, k.Label)
	}
	return a.Key(k.ID)
}

// ForgetPassword forgets what is derived from a key's password, here and in the keyring: a key that is plugged in is locked again.
func (a *Agent) ForgetPassword(ctx context.Context, who Caller, key string) (api.Key, error) {
	const what = "forget the password of"
	a.recalled(ctx)
	k, err := a.view.Load().findKey(key)
	if err != nil {
		return api.Key{}, err
	}
	if err := a.audit(who, what+" "+k.Label); err != nil {
		return api.Key{}, err
	}
	a.lock(k)
	dropped := a.drop(ctx, k, what)
	if k.w != nil {
		if err := a.inspect(ctx, k.w, false); err != nil && !errors.Is(err, ykoath.ErrLocked) {
			return api.Key{}, cardError(err, "cannot look at %s again", k.Label)
		}
	}
	if dropped != nil {
		return api.Key{}, dropped
	}
	return a.Key(k.ID)
}

// lock forgets a key's password, and has it looked up no more before the key is plugged in again.
func (a *Agent) lock(k *keyView) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgetLocked(k.DeviceID)
	if k.w != nil {
		k.w.recalled = k.DeviceID
	}
}

// drop drops a key's password from the keyring.
func (a *Agent) drop(ctx context.Context, k *keyView, what string) error {
	if a.options.Keyring == nil {
		return noKeyring(what, k.Label)
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	if err := a.options.Keyring.Drop(ctx, k.DeviceID); err != nil {
		return wrap(api.CodeNoKeyring, err, "cannot %s %s but in memory", what, k.Label)
	}
	return nil
}

func noKeyring(what, label string) error {
	return refuse(api.CodeNoKeyring, "run oathd in the desktop's session, with the setting dbus", "cannot %s %s: there is no keyring", what, label)
}

// Recall looks up in the keyring what unlocks the keys that are locked: it may have been opened by now.
func (a *Agent) Recall(ctx context.Context) {
	a.mu.Lock()
	var recalls []func(context.Context)
	for _, w := range a.workers {
		w.recalled = ""
		if recall := a.beginRecall(w); recall != nil {
			recalls = append(recalls, recall)
		}
	}
	a.mu.Unlock()
	for _, recall := range recalls {
		recall(ctx)
	}
}

// beginRecall returns what looks a locked key up in the keyring; nil where that is not to be done, as it was done for this
// insertion. Whoever wants the key waits from now on. Callers hold a.mu.
func (a *Agent) beginRecall(w *worker) func(context.Context) {
	device := w.state.info.DeviceID()
	if a.options.Keyring == nil || !w.state.locked || device == "" || w.recall != nil || w.recalled == device {
		return nil
	}
	w.recalled, w.recall = device, make(chan struct{})
	return func(ctx context.Context) {
		defer a.endRecall(w)
		ctx, cancel := context.WithTimeout(ctx, recallTime)
		defer cancel()
		a.unlockKept(ctx, w, device)
	}
}

func (a *Agent) endRecall(w *worker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(w.recall)
	w.recall = nil
}

// unlockKept unlocks a key with what the keyring has. What turns out to be wrong is dropped from it.
func (a *Agent) unlockKept(ctx context.Context, w *worker, device string) {
	label := a.view.Load().keyEvent("", w).KeyLabel
	derived, err := a.options.Keyring.Recall(ctx, device)
	if err != nil {
		a.log.Debug("cannot look a password up in the keyring", "key", label, "error", err)
	}
	if derived.Len() == 0 {
		return
	}
	if err := a.audit(ourselves(), "unlock "+label+" with the password that is remembered"); err != nil {
		derived.Wipe()
		a.log.Warn("cannot unlock a key", "key", label, "error", err)
		return
	}
	a.remember(device, derived)
	if err := a.inspect(ctx, w, false); errors.Is(err, ykoath.ErrLocked) {
		a.dropKept(ctx, device)
	}
}

// ourselves is who acts where nobody has asked.
func ourselves() Caller {
	return Caller{Name: "oathd", UID: uint32(os.Getuid()), PID: int32(os.Getpid())}
}

// recalled waits for the keys that are being looked up in the keyring.
func (a *Agent) recalled(ctx context.Context) {
	a.mu.Lock()
	var pending []chan struct{}
	for _, w := range a.workers {
		if w.recall != nil {
			pending = append(pending, w.recall)
		}
	}
	a.mu.Unlock()
	for _, done := range pending {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}

// dropKept drops what the keyring has for a device id that no longer is, or whose password is another now.
func (a *Agent) dropKept(ctx context.Context, device string) {
	if a.options.Keyring == nil || device == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recallTime)
	defer cancel()
	if err := a.options.Keyring.Drop(ctx, device); err != nil {
		a.log.Debug("cannot drop a password from the keyring", "error", err)
	}
}
