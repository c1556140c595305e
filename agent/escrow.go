package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Escrow tells what can be told of the escrow without opening it.
func (a *Agent) Escrow() api.Escrow {
	v := a.view.Load()
	untried := a.untried()
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.book.trouble; t != nil {
		e := vaultError(t, "cannot use the escrow")
		return api.Escrow{Exists: true, Trouble: e.Message, Hint: e.Hint}
	}
	if a.book.vault == nil {
		return api.Escrow{}
	}
	vault := a.book.vault
	s := api.Escrow{Exists: true, ID: vault.ID, PublicKey: vault.PublicKey, Created: vault.Created}
	for _, r := range vault.Recipients {
		s.Recipients = append(s.Recipients, a.book.recipient(v, r))
	}
	for ref, e := range a.book.escrow {
		switch {
		case ref.kind == escrow.Runbook:
			s.Runbooks++
		case e.State == string(api.EscrowLive):
			s.Seeds++
		default:
			s.Pending++
		}
	}
	for _, acc := range v.accountList {
		if acc.recorded && acc.Escrow == "" && !acc.Superseded {
			s.Without = append(s.Without, api.Candidate{ID: acc.ID, Label: acc.Label(), Note: acc.note()})
		}
	}
	if len(vault.Recipients) == 1 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("nothing but %s opens it: add another recipient", s.Recipients[0].Name))
	}
	for _, name := range untried {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s was not tried for %d days", name, drillDays))
	}
	return s
}

// recipient shows a recipient, with the name that its key has now.
func (b *book) recipient(v *view, r escrow.Recipient) api.Recipient {
	by := map[escrow.RecipientKind]api.OpenerKind{
		escrow.KindPIV: api.OpenPIV, escrow.KindRecovery: api.OpenRecovery, escrow.KindPassphrase: api.OpenPassphrase,
	}[r.Kind()]
	shown := api.Recipient{
		By: by, Public: r.Public, Key: r.Key, Serial: r.Serial, Slot: int(r.Slot), Name: recipientName(r), Added: r.Added, DrilledAt: b.drills[r.Public],
	}
	if k := v.keys[r.Key]; k != nil {
		shown.Name, shown.Present = k.Label, k.Present
	}
	return shown
}

// makers are the recipients that a request makes, with their secrets.
type makers struct {
	recipients []escrow.Recipient
	// passphrase is the caller's; paper is the recovery key's text, to be wiped.
	passphrase, paper *oath.Secret
}

func (m *makers) wipe() { m.paper.Wipe() }

// recover adds a new recovery key.
func (m *makers) recover(name string) error {
	if name == "" {
		return nil
	}
	key, public, err := escrow.NewRecoveryKey()
	if err != nil {
		return vaultError(err, "cannot make a recovery key")
	}
	m.paper = key
	m.recipients = append(m.recipients, escrow.Recipient{Public: public, Name: name, Added: now()})
	return nil
}

// take adds a passphrase, if there is one.
func (m *makers) take(passphrase *oath.Secret) {
	if passphrase.Len() > 0 {
		m.passphrase = passphrase
		m.recipients = append(m.recipients, escrow.Recipient{Public: escrow.PassphraseRecipient, Name: "the passphrase", Added: now()})
	}
}

// page returns the recovery paper, nil if none was made.
func (m *makers) page(v *escrow.Vault) (*oath.Secret, error) {
	if m.paper == nil {
		return nil, nil
	}
	page, err := v.Paper(m.paper, now())
	if err != nil {
		return nil, vaultError(err, "cannot print the recovery key")
	}
	return page, nil
}

// names lists the new recipients for the audit log.
func (m *makers) names() string {
	names := make([]string, len(m.recipients))
	for i, r := range m.recipients {
		names[i] = recipientName(r)
	}
	return strings.Join(names, ", ")
}

// EscrowInit makes the escrow. The one secret is the passphrase, empty if there is to be none; it is wiped. The page is a
// recovery paper, for the caller to print and wipe; nil if none was asked for.
func (a *Agent) EscrowInit(ctx context.Context, who Caller, r api.EscrowInitRequest, secrets []*oath.Secret) (api.Escrow, *oath.Secret, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 1); err != nil {
		return api.Escrow{}, nil, err
	}
	if _, err := a.currentVault(); api.CodeOf(err) != api.CodeNoEscrow {
		return api.Escrow{}, nil, escrowThere(err)
	}
	var m makers
	defer m.wipe()
	for _, key := range r.Keys {
		recipient, err := a.pivRecipient(ctx, key)
		if err != nil {
			return api.Escrow{}, nil, err
		}
		m.recipients = append(m.recipients, recipient)
	}
	if err := m.recover(r.Recovery); err != nil {
		return api.Escrow{}, nil, err
	}
	m.take(secrets[0])
	vault, err := escrow.Create(now(), m.recipients, m.passphrase)
	if err != nil {
		return api.Escrow{}, nil, vaultError(err, "cannot make the escrow")
	}
	return a.keepVault(who, "make the escrow, for "+m.names(), nil, vault, &m)
}

func escrowThere(err error) error {
	if err != nil {
		return err
	}
	return refuse(api.CodeExists, "\"oathctl escrow recipients add\" adds what opens it", "cannot make the escrow: there is one")
}

// keepVault puts a vault in the place of the one that it was made of, and prints what was made with it.
func (a *Agent) keepVault(who Caller, what string, was, vault *escrow.Vault, m *makers) (api.Escrow, *oath.Secret, error) {
	page, err := m.page(vault)
	if err != nil {
		return api.Escrow{}, nil, err
	}
	err = a.change(who, what, func(d *draft) error {
		if d.vault != was || d.trouble != nil {
			return changedMeanwhile()
		}
		return d.putVault(vault)
	})
	if err != nil {
		page.Wipe()
		return api.Escrow{}, nil, err
	}
	return a.Escrow(), page, nil
}

func changedMeanwhile() error {
	return refuse(api.CodeConflict, "repeat the command", "cannot change the escrow: somebody else changed it meanwhile")
}

// pivRecipient reads the escrow slot of an adopted key that is plugged in.
func (a *Agent) pivRecipient(ctx context.Context, key string) (escrow.Recipient, error) {
	k, err := a.view.Load().findAdopted(key, "let the escrow open with")
	if err != nil {
		return escrow.Recipient{}, err
	}
	if k.w == nil {
		return escrow.Recipient{}, a.absent(k.ID)
	}
	var slots []piv.Slot
	err = k.w.do(ctx, func(card hw.Card) error {
		s, err := piv.Select(card)
		if err == nil {
			slots, err = s.Slots()
		}
		if err == nil && len(slots) == 0 {
			err = piv.ErrNoSlot
		}
		return err
	}, asIs)
	if err != nil {
		return escrow.Recipient{}, vaultError(err, "cannot let the escrow open with %s", k.Label)
	}
	public, err := escrow.PIVRecipient(slots[0].Point)
	if err != nil {
		return escrow.Recipient{}, vaultError(err, "cannot let the escrow open with %s", k.Label)
	}
	return escrow.Recipient{Public: public, Key: k.ID, Serial: k.Serial, Slot: slots[0].ID, Name: k.Label, Added: now()}, nil
}

// EscrowAdd adds one recipient. The secrets are the opener's and the new passphrase, empty if it is not that; both are
// wiped. The page is as EscrowInit's.
func (a *Agent) EscrowAdd(ctx context.Context, who Caller, r api.EscrowAddRequest, secrets []*oath.Secret) (api.Escrow, *oath.Secret, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 2); err != nil {
		return api.Escrow{}, nil, err
	}
	var m makers
	defer m.wipe()
	if r.Key != "" {
		recipient, err := a.pivRecipient(ctx, r.Key)
		if err != nil {
			return api.Escrow{}, nil, err
		}
		m.recipients = append(m.recipients, recipient)
	}
	if err := m.recover(r.Recovery); err != nil {
		return api.Escrow{}, nil, err
	}
	if m.take(secrets[1]); len(m.recipients) != 1 {
		return api.Escrow{}, nil, refuse(api.CodeBadRequest, "name a key, or a recovery paper, or a passphrase", "cannot add %d recipients at once", len(m.recipients))
	}
	open, err := opening{a: a, who: who, purpose: "let " + m.names() + " open it too", opener: r.Opener, secret: secrets[0]}.open(ctx)
	if err != nil {
		return api.Escrow{}, nil, err
	}
	defer open.Close()
	vault, err := open.AddRecipient(m.recipients[0], m.passphrase)
	if err != nil {
		return api.Escrow{}, nil, vaultError(err, "cannot let %s open the escrow", m.names())
	}
	return a.keepVault(who, "let "+m.names()+" open the escrow", open.Vault(), vault, &m)
}

// exposed is what the removal of a recipient does not undo.
const exposed = "older backups still open with what was removed: what is in them counts as exposed to whoever has it, so rotate those accounts if that is not you"

// EscrowRemove takes recipients out: the vault gets another key, and all that is in it is encrypted again. The secrets are the
// opener's, and the passphrase if there is one that stays; they are wiped.
func (a *Agent) EscrowRemove(ctx context.Context, who Caller, r api.EscrowRemoveRequest, secrets []*oath.Secret) (api.Escrow, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 2); err != nil {
		return api.Escrow{}, err
	}
	vault, err := a.currentVault()
	if err != nil {
		return api.Escrow{}, err
	}
	var out []escrow.Recipient
	for _, name := range r.Recipients {
		recipient, err := a.findRecipient(vault, name)
		if err != nil {
			return api.Escrow{}, err
		}
		out = append(out, recipient)
	}
	if len(out) == 0 {
		return api.Escrow{}, refuse(api.CodeBadRequest, "\"oathctl escrow status\" lists the recipients", "cannot remove nobody from the escrow")
	}
	if err := a.removeRecipients(ctx, opening{a: a, who: who, opener: r.Opener, secret: secrets[0]}, out, secrets[1]); err != nil {
		return api.Escrow{}, err
	}
	s := a.Escrow()
	s.Warnings = append([]string{exposed}, s.Warnings...)
	return s, nil
}

// findRecipient selects a recipient by its public half, its name, or its key.
func (a *Agent) findRecipient(v *escrow.Vault, selector string) (escrow.Recipient, error) {
	seen := a.view.Load()
	i := slices.IndexFunc(v.Recipients, func(r escrow.Recipient) bool {
		k := seen.keys[r.Key]
		return r.Public == selector || selector != "" && r.Name == selector || k != nil && (k.ID == selector || k.Label == selector)
	})
	if i < 0 {
		e := refuse(api.CodeNotFound, "\"oathctl escrow status\" lists the recipients", "cannot find a recipient of the escrow named %q", selector)
		for _, r := range v.Recipients {
			e.Candidates = append(e.Candidates, api.Candidate{ID: r.Public, Label: recipientName(r)})
		}
		return escrow.Recipient{}, e
	}
	return v.Recipients[i], nil
}

// maxTries is how often the escrow is encrypted again when seeds are added meanwhile.
const maxTries = 5

// removeRecipients replaces vault and payloads, in one commit.
func (a *Agent) removeRecipients(ctx context.Context, o opening, out []escrow.Recipient, passphrase *oath.Secret) error {
	var publics, names []string
	for _, r := range out {
		publics, names = append(publics, r.Public), append(names, recipientName(r))
	}
	who := strings.Join(names, ", ")
	o.purpose = "keep " + who + " from opening it"
	open, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer open.Close()
	for range maxTries {
		if err = a.rekey(ctx, o.who, open, publics, who, passphrase); api.CodeOf(err) != api.CodeConflict {
			return err
		}
	}
	return err
}

// rekey makes the new vault of what is there now. The payloads are encrypted again while others go on working; if they add
// something, it is in vain.
func (a *Agent) rekey(ctx context.Context, who Caller, open *escrow.Open, publics []string, names string, passphrase *oath.Secret) error {
	edition, rows, err := a.payloads(ctx)
	if err != nil {
		return err
	}
	plain := make([]escrow.Row, len(rows))
	for i, r := range rows {
		plain[i] = r.Row
	}
	vault, again, err := open.RemoveRecipients(now(), publics, orNil(passphrase), plain)
	if err != nil {
		return vaultError(err, "cannot keep %s from opening the escrow", names)
	}
	return a.change(who, "keep "+names+" from opening the escrow: another vault key, all seeds encrypted again", func(d *draft) error {
		if d.edition != edition || d.vault != open.Vault() {
			return changedMeanwhile()
		}
		for i, row := range again {
			was := d.escrow[escrowRef{rows[i].account, row.Entry.Kind}]
			if err := d.putEscrow(rows[i].account, row, cmp.Or(was.State, string(api.EscrowPending)), was.ChangedAt); err != nil {
				return err
			}
		}
		return d.putVault(vault)
	})
}

func orNil(s *oath.Secret) *oath.Secret {
	if s.Len() == 0 {
		return nil
	}
	return s
}
