// Package ykoath is a client of the OATH application on security keys (Yubico's YKOATH protocol, as
// YubiKey, Nitrokey, CanoKey and others speak it): it owns that protocol's bytes, its status words and
// the differences between the keys. It knows no reader, and keeps nothing but the session's state.
//
// A Session lives as long as one transaction with a card. Begin each with Select, for another program
// may have selected something else in between, and unlock it with Validate where a password is set.
//
// Sources: developers.yubico.com/OATH/YKOATH_Protocol.html; yubikey-manager, yubikit/oath.py; the
// applications themselves: ykneo-oath, canokey-core, trussed-secrets-app (Nitrokey), pico-fido.
package ykoath

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// AID is the OATH application's identifier, as most programs select it, and wholeAID the one of the first applet, by
// which ykneo-oath is installed: who compares it whole wants it whole.
var (
	AID      = []byte{0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01}
	wholeAID = append(AID[:len(AID):len(AID)], 0x01)
)

// Instructions (YKOATH, "Instructions"; RENAME: yubikit/oath.py).
const (
	insPut           = 0x01
	insDelete        = 0x02
	insSetCode       = 0x03
	insReset         = 0x04
	insRename        = 0x05
	insList          = 0xa1
	insCalculate     = 0xa2
	insValidate      = 0xa3
	insCalculateAll  = 0xa4
	insSendRemaining = 0xa5
)

// Tags (YKOATH; 82 and 8F: trussed-secrets-app).
const (
	tagName        = 0x71
	tagList        = 0x72
	tagKey         = 0x73
	tagChallenge   = 0x74
	tagResponse    = 0x75
	tagTruncated   = 0x76
	tagHOTP        = 0x77
	tagProperty    = 0x78
	tagVersion     = 0x79
	tagCounter     = 0x7a
	tagTouch       = 0x7c
	tagPINTries    = 0x82
	tagNitroSerial = 0x8f
)

// Session is the OATH application, selected, inside one transaction. It is not safe for concurrent use.
type Session struct {
	link     hw.Link
	info     Info
	unlocked bool
	// entries is what this session knows to be on the key; nil before the first LIST.
	entries []Entry
	// pause says that the next command needs a dummy before it, see exchange.
	pause bool
}

// Select selects the OATH application. The error wraps ErrNoApplet if the card refuses, and hw.ErrMalformed
// if the answer is not one of an OATH application.
func Select(card hw.Card) (*Session, error) {
	s := &Session{link: hw.Link{Card: card, MoreINS: insSendRemaining}}
	if err := s.selectApplet(); err != nil {
		return nil, fmt.Errorf("cannot select the OATH application: %w", err)
	}
	return s, nil
}

// Info returns what the application says of itself. SetCode, ClearCode and Reset bring it up to date.
func (s *Session) Info() Info { return s.info }

func (s *Session) selectApplet() error {
	answer, err := s.exchange(hw.SelectCommand(AID))
	if errors.Is(err, hw.StatusFileNotFound) {
		answer, err = s.exchange(hw.SelectCommand(wholeAID))
	}
	if status, ok := errors.AsType[hw.Status](err); ok {
		return hinted(refusal(ErrNoApplet, status), status)
	}
	if err != nil {
		return err
	}
	info, err := parseSelect(answer)
	if err != nil {
		return err
	}
	s.info, s.unlocked, s.entries = info, !info.PasswordSet(), nil
	return nil
}

// ask exchanges one command and gives a refusal its meaning.
func (s *Session) ask(c hw.Command) ([]byte, error) {
	answer, err := s.exchange(c)
	if status, ok := errors.AsType[hw.Status](err); ok {
		return nil, hinted(refusal(s.meaning(c.INS, status), status), status)
	}
	return answer, err
}

// longAnswer is the length in bytes from which firmware 4.2.0 to 4.2.6 does not take the next command
// rightly (yubikit/core/smartcard.py, "touch workaround"; there only within two seconds).
const longAnswer = 54

func (s *Session) exchange(c hw.Command) ([]byte, error) {
	if s.pause {
		s.pause = false
		if _, err := s.link.Card.Transmit(make([]byte, 5)); err != nil { // any answer will do
			return nil, err
		}
	}
	answer, err := s.link.Exchange(c)
	// Keys in which not the application cuts long answers, but what is around it, give the rest by the standard's
	// instruction alone, and lose it at another: Nitrokey (apdu-dispatch, dispatch.rs), and pico-fido, which cuts only
	// where a packet would end evenly (pico-keys-sdk, apdu.c, apdu_finish).
	if errors.Is(err, hw.ErrNoRest) && repeatable(c.INS) && s.link.MoreINS != hw.InsGetResponse {
		s.link.MoreINS = hw.InsGetResponse
		answer, err = s.link.Exchange(c)
	}
	s.pause = s.info.pausesAfterLong() && len(answer) > longAnswer
	return answer, err
}

// repeatable reports whether a command changes nothing on the key. SELECT has the instruction of CALCULATE ALL.
func repeatable(ins byte) bool { return ins == insList || ins == insCalculateAll }

// parse reads an answer's TLVs.
func parse(answer []byte) ([]tlv.TLV, error) {
	list, err := tlv.Parse(answer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hw.ErrMalformed, err)
	}
	return list, nil
}

// name returns the TLV of a credential id.
func name(id string) []byte { return tlv.Append(nil, tagName, []byte(id)...) }
