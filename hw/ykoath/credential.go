package ykoath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/oath"
)

// Entry is one credential as LIST shows it.
type Entry struct {
	// ID is the credential's id, byte for byte as the key has it.
	ID        string
	Type      oath.Type
	Algorithm oath.Algorithm
}

// List returns the credentials on the key in the key's order. Those that are neither HOTP nor TOTP are left out
// (Nitrokey keeps passwords and challenge-response secrets in the same list). Errors: ErrLocked.
func (s *Session) List() ([]Entry, error) {
	answer, err := s.ask(hw.Command{INS: insList})
	if err != nil {
		return nil, fmt.Errorf("cannot list the accounts: %w", err)
	}
	entries, err := parseList(answer)
	if err != nil {
		return nil, fmt.Errorf("cannot list the accounts: %w", err)
	}
	s.entries = entries
	return slices.Clone(entries), nil
}

func parseList(answer []byte) ([]Entry, error) {
	list, err := parse(answer)
	if err != nil {
		return nil, err
	}
	entries := []Entry{}
	for value := range tlv.All(list, tagList) {
		if len(value) == 0 {
			return nil, fmt.Errorf("%w: an empty list entry", hw.ErrMalformed)
		}
		e := Entry{ID: string(value[1:]), Type: oath.Type(value[0] & 0xf0), Algorithm: oath.Algorithm(value[0] & 0x0f)}
		if (e.Type == oath.TOTP || e.Type == oath.HOTP) && e.Algorithm.Valid() {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// Put is a credential to be written.
type Put struct {
	Account oath.Account
	// Seed stays the caller's; the copies made on the way to the key are wiped.
	Seed *oath.Secret
	// Touch: each code needs a touch.
	Touch bool
	// Counter is where an HOTP credential begins; at 1 in place of 0 on a key that counts first.
	Counter uint32
}

// Put writes a credential. A YubiKey's PUT overwrites one of the same id without a word, so List first:
// then Put refuses with ErrExists what would overwrite anything that was listed.
//
// Nothing is sent if the account cannot live on a key (the errors of oath.Account.Validate) or the key is known to
// lack what it needs (ErrNotSupported). Errors of the key: ErrLocked, ErrFull, ErrExists, ErrNotSupported, ErrRejected.
func (s *Session) Put(p Put) error {
	if err := s.put(p); err != nil {
		return fmt.Errorf("cannot write %q to the key: %w", p.Account.ID(), err)
	}
	return nil
}

func (s *Session) put(p Put) error {
	if err := s.checkPut(p); err != nil {
		return err
	}
	if s.info.Features().CountsFirst && p.Counter > 0 {
		p.Counter--
	}
	data := p.encode()
	defer data.Wipe()
	_, err := s.ask(hw.Command{INS: insPut, Data: data.Bytes()})
	if err != nil {
		return s.explain(err, p.Account.ID(), p.Touch)
	}
	if s.entries != nil {
		s.entries = append(s.entries, Entry{ID: p.Account.ID(), Type: p.Account.Type, Algorithm: p.Account.Algorithm})
	}
	return nil
}

func (s *Session) checkPut(p Put) error {
	if err := p.Account.Validate(); err != nil {
		return err
	}
	if p.Seed.Len() == 0 {
		return errors.New("its secret is empty")
	}
	features := s.info.Features()
	// A NEO ignores the property instead of refusing it: the account would be there without touch.
	if p.Touch && !features.Touch {
		return fmt.Errorf("%w: firmware %s knows no touch", ErrNotSupported, s.info.Version)
	}
	if p.Account.Algorithm == oath.SHA512 && !features.SHA512 {
		return fmt.Errorf("%w: firmware %s lacks SHA512", ErrNotSupported, s.info.Version)
	}
	return taken(s.entries, p.Account.ID(), features.PrefixOverwrites)
}

// maxPut is the longest PUT: a name of 64 bytes, a key of 128, property and counter.
const maxPut = 2 + oath.MaxIDLen + 3 + 2 + 128 + 2 + 6

// encode returns the data of the PUT (YKOATH, "PUT").
func (p Put) encode() *oath.Secret {
	key := oath.PrepareKey(p.Account.Algorithm, p.Seed.Bytes())
	defer key.Wipe()
	value := oath.NewSecret(2 + key.Len())
	defer value.Wipe()
	value.Bytes()[0] = byte(p.Account.Type) | byte(p.Account.Algorithm)
	value.Bytes()[1] = byte(p.Account.Digits)
	copy(value.Bytes()[2:], key.Bytes())

	scratch := oath.NewSecret(maxPut)
	defer scratch.Wipe()
	b := tlv.Append(scratch.Bytes()[:0], tagName, []byte(p.Account.ID())...)
	b = tlv.Append(b, tagKey, value.Bytes()...)
	if p.Touch {
		b = tlv.AppendBare(b, tagProperty, propertyTouch)
	}
	if p.Counter > 0 {
		b = tlv.Append(b, tagCounter, binary.BigEndian.AppendUint32(nil, p.Counter)...)
	}
	return oath.CopySecret(b)
}

// propertyTouch asks for a touch (yubikit/oath.py, PROP_REQUIRE_TOUCH).
const propertyTouch = 0x02

// Delete removes a credential. Errors: ErrNoSuchCredential, ErrLocked.
func (s *Session) Delete(id string) error {
	if _, err := s.ask(hw.Command{INS: insDelete, Data: name(id)}); err != nil {
		return fmt.Errorf("cannot remove %q from the key: %w", id, err)
	}
	s.entries = slices.DeleteFunc(s.entries, func(e Entry) bool { return e.ID == id })
	return nil
}

// Rename gives a credential another id. Some keys let it overwrite one that has that id (pico-fido), so Rename looks
// at the list first, and asks the key for it if List has not. Errors: ErrNoSuchCredential, ErrExists, ErrLocked,
// ErrNotSupported; oath.ErrName and oath.ErrNameLong.
func (s *Session) Rename(oldID, newID string) error {
	if err := s.rename(oldID, newID); err != nil {
		return fmt.Errorf("cannot rename %q to %q on the key: %w", oldID, newID, err)
	}
	return nil
}

func (s *Session) rename(oldID, newID string) error {
	if newID == "" {
		return fmt.Errorf("%w: it is empty", oath.ErrName)
	}
	if len(newID) > oath.MaxIDLen {
		return fmt.Errorf("%w: %d bytes, %d fit", oath.ErrNameLong, len(newID), oath.MaxIDLen)
	}
	if !s.info.Features().Rename {
		return fmt.Errorf("%w: firmware %s cannot rename", ErrNotSupported, s.info.Version)
	}
	if err := s.free(newID); err != nil {
		return err
	}
	_, err := s.ask(hw.Command{INS: insRename, Data: append(name(oldID), name(newID)...)})
	if err != nil {
		return s.explain(err, newID, false)
	}
	s.renamed(oldID, newID)
	return nil
}

func (s *Session) renamed(oldID, newID string) {
	for i := range s.entries {
		if s.entries[i].ID == oldID {
			s.entries[i].ID = newID
		}
	}
}

// free returns ErrExists if a credential has the id; it asks the key if this session has not yet.
func (s *Session) free(id string) error {
	if s.entries == nil {
		if _, err := s.List(); err != nil {
			return err
		}
	}
	return taken(s.entries, id, false)
}

// taken returns ErrExists if writing id would overwrite one of the entries.
func taken(entries []Entry, id string, prefixOverwrites bool) error {
	for _, e := range entries {
		if e.ID == id {
			return ErrExists
		}
		if prefixOverwrites && strings.HasPrefix(e.ID, id) {
			return fmt.Errorf("%w: this key would overwrite %q, which begins alike", ErrExists, e.ID)
		}
	}
	return nil
}

// explain looks into the refusals of PUT and RENAME that do not say what they mean.
//
// 6985 is CanoKey's "exists already" too: the list tells. 6982 in an unlocked session is the touch that Nitrokey waits
// for when it stores a touch account, or else a FIPS key without a password.
func (s *Session) explain(err error, id string, touch bool) error {
	status, _ := errors.AsType[hw.Status](err)
	switch {
	case status == hw.StatusConditions && errors.Is(s.free(id), ErrExists):
		return refusal(ErrExists, status)
	case status == hw.StatusAuthRequired && s.unlocked && touch && s.info.nitrokey:
		return refusal(ErrTouchTimeout, status)
	case status == hw.StatusAuthRequired && s.unlocked:
		return hw.WithHint(err, hintFIPS)
	case status == hw.StatusWrongData:
		return hw.WithHint(err, "the key does not take it like this: try a shorter name, SHA-1 and six digits, or another key")
	}
	return err
}
