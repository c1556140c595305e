package desktop

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/oath"
)

// The names of the Secret Service API, draft 0.2, which GNOME's keyring, KDE's wallet and KeePassXC serve.
const (
	secretsName      = "org.freedesktop.secrets"
	secretsPath      = "/org/freedesktop/secrets"
	secretInterfaces = "org.freedesktop.Secret."
	secretService    = secretInterfaces + "Service"
	secretCollection = secretInterfaces + "Collection"
	secretItem       = secretInterfaces + "Item"
	secretPrompt     = secretInterfaces + "Prompt"
	secretSession    = secretInterfaces + "Session"
	nowhere          = dbus.ObjectPath("/")
)

// keyring is the way to the secret service of the session. It is spoken to directly, over a bounded connection, because a
// library's would have secrets go through strings and cannot be told to give up.
type keyring struct {
	mu   sync.Mutex
	link *link
	// prompts are those that a person is asked by now.
	prompts map[dbus.ObjectPath]chan bool
}

// use has the keyring reached over a link, or, with nil, no more.
func (k *keyring) use(l *link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.link = l
}

// secret is the API's Secret.
type secret struct {
	Session             dbus.ObjectPath
	Parameters, Content []byte
	ContentType         string
}

// attributes are what one of our items is found by.
func attributes(device string) map[string]string {
	return map[string]string{"xdg:schema": "org.oathd.Oathd1.Password", "application": "oathd", "device": device}
}

// visit is one use of the keyring.
type visit struct {
	k       *keyring
	l       *link
	session dbus.ObjectPath
	key     *oath.Secret
}

// enter agrees on a key with the secret service; leave ends the visit.
func (k *keyring) enter(ctx context.Context) (*visit, error) {
	k.mu.Lock()
	v := &visit{k: k, l: k.link}
	k.mu.Unlock()
	if v.l == nil {
		return nil, hw.WithHint(errors.New("there is no session bus"), "run oathd in the desktop's session")
	}
	x, public := newExchange()
	var theirs dbus.Variant
	if err := v.call(ctx, secretsPath, secretService+".OpenSession", keyExchange, dbus.MakeVariant(public)).Store(&theirs, &v.session); err != nil {
		return nil, explain(ctx, err)
	}
	half, _ := theirs.Value().([]byte)
	var err error
	if v.key, err = x.agree(half); err != nil {
		return nil, err
	}
	return v, nil
}

func (v *visit) leave() {
	v.key.Wipe()
	v.l.conn.Object(secretsName, v.session).Go(secretSession+".Close", dbus.FlagNoReplyExpected, nil)
}

func (v *visit) call(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return v.l.conn.Object(secretsName, path).CallWithContext(ctx, method, 0, args...)
}

// explain says what is wrong with a keyring that does not do as asked.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return hw.WithHint(errors.New("the keyring does not answer"), "it may be waiting for you: look for its window")
	}
	if e, ok := errors.AsType[dbus.Error](err); ok && (e.Name == "org.freedesktop.DBus.Error.ServiceUnknown" || e.Name == "org.freedesktop.DBus.Error.NameHasNoOwner") {
		return hw.WithHint(errors.New("there is no keyring"), "start one: GNOME's keyring, KDE's wallet, or KeePassXC's \"Secret Service\"")
	}
	return fmt.Errorf("the keyring refuses: %w", err)
}

var errKeyringLocked = hw.WithHint(errors.New("the keyring is locked"), "unlock it, e.g. in \"Passwords and Keys\"")

// search finds the items with these attributes.
func (v *visit) search(ctx context.Context, attributes map[string]string) (open, locked []dbus.ObjectPath, err error) {
	err = v.call(ctx, secretsPath, secretService+".SearchItems", attributes).Store(&open, &locked)
	if err != nil {
		return nil, nil, explain(ctx, err)
	}
	return open, locked, nil
}

// read returns the secret that has these attributes, nil where there is none that can be read without asking a person.
func (v *visit) read(ctx context.Context, attributes map[string]string) (*oath.Secret, error) {
	open, locked, err := v.search(ctx, attributes)
	if err != nil {
		return nil, err
	}
	if len(open) == 0 {
		if len(locked) > 0 {
			return nil, errKeyringLocked
		}
		return nil, nil
	}
	var s secret
	if err := v.call(ctx, open[0], secretItem+".GetSecret", v.session).Store(&s); err != nil {
		return nil, explain(ctx, err)
	}
	return unseal(v.key, s.Parameters, s.Content)
}

// write puts a secret into the default collection, in the place of one with the same attributes. A person may be asked to
// unlock it.
func (v *visit) write(ctx context.Context, label string, attributes map[string]string, plain *oath.Secret) error {
	var collection dbus.ObjectPath
	if err := v.call(ctx, secretsPath, secretService+".ReadAlias", "default").Store(&collection); err != nil {
		return explain(ctx, err)
	}
	if collection == nowhere {
		return hw.WithHint(errors.New("the keyring has no default collection"), "make one, e.g. in \"Passwords and Keys\"")
	}
	if err := v.unlock(ctx, collection); err != nil {
		return err
	}
	vector, sealed, err := seal(v.key, plain)
	if err != nil {
		return err
	}
	properties := map[string]dbus.Variant{
		secretItem + ".Label": dbus.MakeVariant(label), secretItem + ".Attributes": dbus.MakeVariant(attributes),
	}
	var item, prompt dbus.ObjectPath
	err = v.call(ctx, collection, secretCollection+".CreateItem", properties, secret{v.session, vector, sealed, "application/octet-stream"}, true).Store(&item, &prompt)
	if err != nil {
		return explain(ctx, err)
	}
	return v.ask(ctx, prompt)
}

// unlock unlocks collections and items.
func (v *visit) unlock(ctx context.Context, paths ...dbus.ObjectPath) error {
	var done []dbus.ObjectPath
	var prompt dbus.ObjectPath
	if err := v.call(ctx, secretsPath, secretService+".Unlock", paths).Store(&done, &prompt); err != nil {
		return explain(ctx, err)
	}
	return v.ask(ctx, prompt)
}

// remove deletes all items with these attributes.
func (v *visit) remove(ctx context.Context, attributes map[string]string) error {
	open, locked, err := v.search(ctx, attributes)
	if err != nil {
		return err
	}
	if len(locked) > 0 {
		if err := v.unlock(ctx, locked...); err != nil {
			return err
		}
	}
	for _, item := range append(open, locked...) {
		var prompt dbus.ObjectPath
		if err := v.call(ctx, item, secretItem+".Delete").Store(&prompt); err != nil {
			return explain(ctx, err)
		}
		if err := v.ask(ctx, prompt); err != nil {
			return err
		}
	}
	return nil
}

// ask has the secret service ask the person what it wants to know, if it does.
func (v *visit) ask(ctx context.Context, prompt dbus.ObjectPath) error {
	if prompt == nowhere || prompt == "" {
		return nil
	}
	answered := v.k.expect(prompt)
	defer v.k.dismiss(prompt)
	if err := v.call(ctx, prompt, secretPrompt+".Prompt", "").Err; err != nil {
		return explain(ctx, err)
	}
	select {
	case dismissed := <-answered:
		if dismissed {
			return errKeyringLocked
		}
		return nil
	case <-ctx.Done():
		v.l.conn.Object(secretsName, prompt).Go(secretPrompt+".Dismiss", dbus.FlagNoReplyExpected, nil)
		return explain(ctx, ctx.Err())
	}
}

// expect returns the channel on which it comes whether the prompt was dismissed.
func (k *keyring) expect(prompt dbus.ObjectPath) <-chan bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.prompts == nil {
		k.prompts = map[dbus.ObjectPath]chan bool{}
	}
	answered := make(chan bool, 1)
	k.prompts[prompt] = answered
	return answered
}

func (k *keyring) dismiss(prompt dbus.ObjectPath) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.prompts, prompt)
}

// hear takes over that a prompt was answered.
func (k *keyring) hear(h heard) {
	var dismissed bool
	var result dbus.Variant
	if h.name != secretPrompt+".Completed" || dbus.Store(h.body, &dismissed, &result) != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if answered := k.prompts[h.path]; answered != nil {
		delete(k.prompts, h.path)
		answered <- dismissed
	}
}

// recall reads the secret that has these attributes.
func (k *keyring) recall(ctx context.Context, attributes map[string]string) (*oath.Secret, error) {
	v, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer v.leave()
	return v.read(ctx, attributes)
}

// Recall returns what is kept for the applet with a device id, nil where nothing is. Nobody is asked anything for it.
func (d *Desktop) Recall(ctx context.Context, device string) (*oath.Secret, error) {
	key, err := d.keyring.recall(ctx, attributes(device))
	if key != nil || !d.ykman {
		return key, err
	}
	theirs, failed := d.keyring.recallYkman(ctx, device)
	if theirs != nil || failed != nil {
		return theirs, failed
	}
	return nil, err
}

// Keep keeps a key that was derived from a password, which stays the caller's. The person may be asked to unlock the keyring.
func (d *Desktop) Keep(ctx context.Context, device, label string, key *oath.Secret) error {
	v, err := d.keyring.enter(ctx)
	if err != nil {
		return err
	}
	defer v.leave()
	return v.write(ctx, "OATH password of "+word(label)+" (oathd)", attributes(device), key)
}

// Drop drops what is kept for a device id, if anything is.
func (d *Desktop) Drop(ctx context.Context, device string) error {
	v, err := d.keyring.enter(ctx)
	if err != nil {
		return err
	}
	defer v.leave()
	return v.remove(ctx, attributes(device))
}
