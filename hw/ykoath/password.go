package ykoath

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/oath"
)

const (
	keyLen       = 16 // yubikit/oath.py, _derive_key
	keyRounds    = 1000
	challengeLen = 8 // CanoKey takes no longer one
)

// DeriveKey returns the key that a password stands for on the device with that salt: PBKDF2 (RFC 8018) with HMAC-SHA-1,
// 1000 rounds, 16 bytes (yubikit/oath.py, _derive_key). It does not wipe the password. Unlike crypto/pbkdf2
// it leaves no padded password behind.
func DeriveKey(password, salt []byte) *oath.Secret {
	u := oath.HMAC(oath.SHA1, password, slices.Concat(salt, []byte{0, 0, 0, 1}))
	key := oath.CopySecret(u[:keyLen])
	for range keyRounds - 1 {
		next := oath.HMAC(oath.SHA1, password, u)
		oath.Wipe(u)
		u = next
		subtle.XORBytes(key.Bytes(), key.Bytes(), u)
	}
	oath.Wipe(u)
	return key
}

// Validate unlocks the session with a key of DeriveKey and has the device show that it knows the key too.
// Errors: ErrWrongPassword, after which another try needs another Select; ErrImpostor; ErrRejected if no password is set.
func (s *Session) Validate(key *oath.Secret) error {
	if err := s.validate(key); err != nil {
		return fmt.Errorf("cannot unlock the key: %w", err)
	}
	return nil
}

func (s *Session) validate(key *oath.Secret) error {
	if !s.info.PasswordSet() {
		return fmt.Errorf("%w: no password is set on it", ErrRejected)
	}
	challenge := newChallenge()
	data := tlv.Append(nil, tagResponse, mac(key, s.info.Challenge)...)
	data = tlv.Append(data, tagChallenge, challenge...)
	answer, err := s.ask(hw.Command{INS: insValidate, Data: data})
	if err != nil {
		return err
	}
	list, err := parse(answer)
	if err != nil {
		return err
	}
	response, _ := tlv.Find(list, tagResponse)
	if subtle.ConstantTimeCompare(response, mac(key, challenge)) != 1 {
		return ErrImpostor
	}
	s.unlocked = true
	return nil
}

// SetCode sets the password to the one that key was derived from, and proves it: the application is selected
// again and unlocked with the new key, which NEOs older than 3.0.0, CanoKey and pico-fido need before the next command.
// Errors: ErrLocked; ErrNotSupported where there are no passwords.
func (s *Session) SetCode(key *oath.Secret) error {
	if err := s.setCode(key); err != nil {
		return fmt.Errorf("cannot set the password: %w", err)
	}
	if err := s.selectApplet(); err != nil {
		return fmt.Errorf("cannot prove the new password: %w", err)
	}
	if err := s.validate(key); err != nil {
		return fmt.Errorf("cannot prove the new password: %w", err)
	}
	return nil
}

func (s *Session) setCode(key *oath.Secret) error {
	if key.Len() != keyLen {
		return fmt.Errorf("its key has %d bytes, not %d", key.Len(), keyLen)
	}
	err := s.setCodeOf(byte(oath.TOTP)|byte(oath.SHA1), key)
	// The type is what ykneo-oath insists on; the CanoKey of 2026 takes the algorithm alone (canokey-core, oath/protocol.rs).
	if errors.Is(err, hw.StatusWrongData) {
		err = s.setCodeOf(byte(oath.SHA1), key)
	}
	return err
}

func (s *Session) setCodeOf(kind byte, key *oath.Secret) error {
	data := oath.NewSecret(2 + 1 + keyLen + 2 + challengeLen + 2 + oath.SHA1.Size())
	defer data.Wipe()
	challenge := newChallenge()
	b := append(data.Bytes()[:0], tagKey, 1+keyLen, kind)
	b = append(b, key.Bytes()...)
	b = tlv.Append(b, tagChallenge, challenge...)
	b = tlv.Append(b, tagResponse, mac(key, challenge)...)
	_, err := s.ask(hw.Command{INS: insSetCode, Data: b})
	return err
}

// ClearCode removes the password and sees that it is gone. Errors: ErrLocked.
func (s *Session) ClearCode() error {
	if _, err := s.ask(hw.Command{INS: insSetCode, Data: tlv.Append(nil, tagKey)}); err != nil {
		return fmt.Errorf("cannot clear the password: %w", err)
	}
	if err := s.selectApplet(); err != nil {
		return fmt.Errorf("cannot see whether the password is gone: %w", err)
	}
	if s.info.PasswordSet() {
		return fmt.Errorf("cannot clear the password: %w: it still asks for it", ErrRejected)
	}
	return nil
}

// Reset empties the application: all accounts and the password go, and most keys get a new device id. Few
// keys need the password for it. Errors: ErrLocked on those; ErrTouchTimeout on keys that ask for a touch; ErrNotSupported.
func (s *Session) Reset() error {
	_, err := s.ask(hw.Command{INS: insReset, P1: 0xde, P2: 0xad})
	if errors.Is(err, ErrNotSupported) {
		err = hw.WithHint(err, "its maker's own tool can reset it; one by one, accounts can be removed")
	}
	if err != nil {
		return fmt.Errorf("cannot reset the key: %w", err)
	}
	if err := s.selectApplet(); err != nil {
		return fmt.Errorf("the key was reset, but: %w", err)
	}
	return nil
}

// mac returns the HMAC-SHA-1 that stands for knowing key.
func mac(key *oath.Secret, challenge []byte) []byte {
	return oath.HMAC(oath.SHA1, key.Bytes(), challenge)
}

func newChallenge() []byte {
	b := make([]byte, challengeLen)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return b
}
