package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// opening is one request's way to open the escrow.
type opening struct {
	a   *Agent
	who Caller
	// purpose is why, for the audit log and for those who look at a blinking key.
	purpose string
	opener  api.Opener
	secret  *oath.Secret
	// steps, if set, is told of the touch.
	steps *teller
}

// open opens the escrow for one request, whose caller closes it. Nobody else can use it, and it is written down.
func (o opening) open(ctx context.Context) (*escrow.Open, error) {
	v, err := o.a.currentVault()
	if err != nil {
		return nil, err
	}
	open, err := o.unlock(ctx, v)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("open the escrow with %s: %s", recipientName(open.By), o.purpose)
	if err := o.a.change(o.who, what, func(*draft) error { return nil }); err != nil {
		open.Close()
		return nil, err
	}
	return open, nil
}

// unlock opens a vault, which need not be the ledger's.
func (o opening) unlock(ctx context.Context, v *escrow.Vault) (*escrow.Open, error) {
	id, err := o.identity(ctx, v)
	if err != nil {
		return nil, err
	}
	defer id.Wipe()
	open, err := v.Unlock(o.purpose, id)
	if err != nil {
		return nil, vaultError(err, "cannot open the escrow")
	}
	return open, nil
}

func (o opening) identity(ctx context.Context, v *escrow.Vault) (*escrow.Identity, error) {
	switch o.opener.By {
	case api.OpenPIV:
		return o.card(ctx, v)
	case api.OpenPassphrase:
		return escrow.Passphrase(o.secret), nil
	case api.OpenRecovery:
		id, err := escrow.Recovery(o.secret)
		if err != nil {
			return nil, vaultError(err, "cannot use the recovery key")
		}
		return id, nil
	}
	return nil, refuse(api.CodeBadRequest, "it is opened by piv, recovery or passphrase", "cannot open the escrow by %q", o.opener.By)
}

// card finds the recipient of the security key that is to open the vault.
func (o opening) card(ctx context.Context, v *escrow.Vault) (*escrow.Identity, error) {
	k, r, err := o.key(v)
	if err != nil {
		return nil, err
	}
	if k.w == nil {
		return nil, o.a.absent(k.ID)
	}
	id, err := escrow.PIV(r.Public, slot{opening: o, ctx: ctx, key: k, recipient: r})
	if err != nil {
		return nil, vaultError(err, "cannot open the escrow with %s", k.Label)
	}
	return id, nil
}

// key finds the key that was named, or the only one that can open the vault and is plugged in.
func (o opening) key(v *escrow.Vault) (*keyView, escrow.Recipient, error) {
	seen := o.a.view.Load()
	if o.opener.Key != "" {
		k, err := seen.findKey(o.opener.Key)
		if err != nil {
			return nil, escrow.Recipient{}, err
		}
		r, ok := recipientOf(v, k)
		if !ok {
			return nil, r, refuse(api.CodeNotFound, "\"oathctl escrow status\" lists what opens it", "cannot open the escrow with %s: it is none of its recipients", k.Label)
		}
		return k, r, nil
	}
	here := seen.keysWith(func(k *keyView) bool {
		_, ok := recipientOf(v, k)
		return ok && k.Present
	})
	if len(here) != 1 {
		e := refuse(api.CodeAmbiguous, "name the key: --with piv:KEY", "cannot tell which key is to open the escrow: %d of those that are plugged in can", len(here))
		if e.Candidates = keyCandidates(here); len(here) == 0 {
			e.Code, e.Hint = api.CodeKeyAbsent, "plug one of its keys in, or use the recovery key"
		}
		return nil, escrow.Recipient{}, e
	}
	r, _ := recipientOf(v, here[0])
	return here[0], r, nil
}

// recipientOf finds the recipient that is a key's slot: by the ledger's id or, on another machine, by the serial number.
func recipientOf(v *escrow.Vault, k *keyView) (escrow.Recipient, bool) {
	i := slices.IndexFunc(v.Recipients, func(r escrow.Recipient) bool {
		return r.Kind() == escrow.KindPIV && (r.Key == k.ID || r.Serial != 0 && r.Serial == k.Serial)
	})
	if i < 0 {
		return escrow.Recipient{}, false
	}
	return v.Recipients[i], true
}

// slot is a key's escrow slot: it does one operation for one request, in a transaction of its own.
type slot struct {
	opening
	ctx       context.Context
	key       *keyView
	recipient escrow.Recipient
}

// SharedSecret has the key compute, with PIN and touch (escrow.ECDH).
func (s slot) SharedSecret(point []byte) (shared []byte, err error) {
	target := piv.Target{Point: s.recipient.Point(), Slot: s.recipient.Slot}
	err = s.key.w.do(s.ctx, func(card hw.Card) error {
		return piv.Use(card, target, s.secret, func(k *piv.Key) error {
			touch := s.touch()
			defer touch.end()
			k.OnTouch = func() { touch.expect(true) }
			shared, err = k.SharedSecret(point)
			return err
		})
	}, asIs)
	if err != nil {
		oath.Wipe(shared)
		return nil, err
	}
	return shared, nil
}

func (s slot) touch() *touch {
	about := api.Event{Key: s.key.ID, Label: "escrow", Message: s.purpose}
	return s.a.newTouch(s.key.w, about, only(s.who), func() {
		if s.steps != nil {
			s.steps.tell(api.Step{Kind: api.StepWaitTouch, Key: s.key.ID, KeyLabel: s.key.Label})
		}
	})
}

// vaultMeanings says what the errors of vault and PIV slot are called on the wire.
var vaultMeanings = []struct {
	err  error
	code api.ErrorCode
	hint string
}{
	{piv.ErrLastTry, api.CodePINBlocked, ""},
	{piv.ErrPINBlocked, api.CodePINBlocked, ""},
	{piv.ErrWrongPIN, api.CodeWrongPassword, "try again, with the key's PIV PIN"},
	{piv.ErrLastPUKTry, api.CodePINBlocked, ""},
	{piv.ErrPUKBlocked, api.CodePINBlocked, ""},
	{piv.ErrWrongPUK, api.CodeWrongPassword, "try again, with the key's PUK"},
	{piv.ErrPINForm, api.CodeBadRequest, "give the key's PIV PIN"},
	{piv.ErrTouchTimeout, api.CodeTouchTimeout, "repeat the command and touch the key while it blinks"},
	{piv.ErrNoApplet, api.CodeNotSupported, "switch the PIV application on, e.g. with \"ykman config usb --enable PIV\""},
	{piv.ErrUnfinished, api.CodeConflict, "run \"oathctl key enroll KEY\", which finishes it"},
	{piv.ErrForeignSlot, api.CodeConflict, "open it with another key or the recovery key"},
	{piv.ErrNoSlot, api.CodeNotFound, "run \"oathctl key enroll KEY\", or use another key or the recovery key"},
	{piv.ErrStillVerified, api.CodeCardError, "pull the key out"},
	{piv.ErrTooOld, api.CodeNotSupported, "use a YubiKey 4 or 5, or a printed recovery key"},
	{piv.ErrFull, api.CodeFull, "free one of the slots 82 to 95"},
	{piv.ErrManagementKey, api.CodeConflict, "give the management key: \"oathctl key enroll KEY --management-key\""},
	{piv.ErrNotBehindPCSCD, api.CodeNotSupported, "it takes a key behind pcscd"},
	{piv.ErrPrinted, api.CodeConflict, "leave the management key as it is"},
	{piv.ErrOtherKey, api.CodeKeyRemoved, "repeat the command"},
	{piv.ErrSlotTaken, api.CodeConflict, "repeat the command"},
	{escrow.ErrNewer, api.CodeEscrow, "install the newer oathd"},
	{escrow.ErrReplaced, api.CodeEscrow, "somebody put another public key there, and can read what was added since: go back to a backup, and rotate those accounts"},
	{escrow.ErrTampered, api.CodeEscrow, "somebody changed the ledger's file: go back to a backup"},
	{escrow.ErrForeign, api.CodeEscrow, "a row of another vault, or of an earlier state of this one: go back to a backup"},
	{escrow.ErrDamaged, api.CodeEscrow, "go back to a backup: \"oathctl escrow open FILE\""},
	{escrow.ErrNoRecipient, api.CodeNotFound, "\"oathctl escrow status\" lists what opens it"},
	{escrow.ErrWrongPassphrase, api.CodeWrongPassword, "try again"},
	{escrow.ErrPassphraseNeeded, api.CodeLocked, "give the escrow's passphrase too"},
	{escrow.ErrMistyped, api.CodeWrongPassword, "compare what you typed with the paper"},
	{escrow.ErrRecipients, api.CodeBadRequest, "an escrow has two recipients or more, each once"},
}

// vaultError explains an error of the escrow, or of a card that was to open it. All of its words are kept: they name what
// is wrong and no secret.
func vaultError(err error, format string, args ...any) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	if _, ok := errors.AsType[*escrow.MismatchError](err); ok {
		return because(err, api.CodeEscrow, "somebody changed the ledger's file: go back to a backup", format, args...)
	}
	for _, m := range vaultMeanings {
		if errors.Is(err, m.err) {
			return because(err, m.code, m.hint, format, args...)
		}
	}
	return cardError(err, format, args...)
}

// because makes an error of the reason in err, without what the layers between said that they could not do.
func because(err error, code api.ErrorCode, hint, format string, args ...any) *api.Error {
	reason := err.Error()
	for strings.HasPrefix(reason, "cannot ") {
		_, rest, ok := strings.Cut(reason, ": ")
		if !ok {
			break
		}
		reason = rest
	}
	return refuse(code, cmp.Or(hw.Hint(err), hint), "%s: %s", fmt.Sprintf(format, args...), reason)
}
