package ykoath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/oath"
)

// P2 of CALCULATE and CALCULATE ALL.
const (
	full      = 0x00
	truncated = 0x01
)

// Response is what a credential answers to a challenge.
type Response struct {
	// Digits is the length of the code.
	Digits int
	// MAC is the whole HMAC; nil if the key gave the truncated form only.
	MAC []byte
	// Truncated are the 31 bits that the code is made of (RFC 4226, section 5.3). Without MAC they may
	// already be reduced modulo 10^Digits, as YubiKeys do.
	Truncated uint32
}

// Answer is one credential's part in a CALCULATE ALL.
type Answer struct {
	ID string
	// HOTP and Touch say why there is no Response, but for Digits where the key tells them: a counter must not be
	// advanced unasked, and nobody touched the key.
	HOTP, Touch bool
	Response
}

// Calculate has a credential answer a challenge with its whole HMAC, or with the truncated one where the key
// gives no other (Nitrokey). The challenge is nil for HOTP, whose counter moves on with each call, and
// oath.Challenge(step) for TOTP. It blocks while the key waits for a touch.
//
// Errors: ErrNoSuchCredential, ErrTouchTimeout, ErrLocked, ErrCorrupt.
func (s *Session) Calculate(id string, challenge []byte) (Response, error) {
	return s.calculate(id, challenge, full)
}

// CalculateTruncated is Calculate for the truncated answer.
func (s *Session) CalculateTruncated(id string, challenge []byte) (Response, error) {
	return s.calculate(id, challenge, truncated)
}

func (s *Session) calculate(id string, challenge []byte, form byte) (Response, error) {
	if s.info.Features().TruncatedOnly {
		form = truncated
	}
	response, err := s.calculateOnce(id, challenge, form)
	// Nitrokey answers 6D00 to any other P2 (trussed-secrets-app, command.rs); others may do so too.
	if form == full && errors.Is(err, ErrNotSupported) {
		response, err = s.calculateOnce(id, challenge, truncated)
	}
	if err != nil {
		return Response{}, fmt.Errorf("cannot calculate %q: %w", id, err)
	}
	return response, nil
}

func (s *Session) calculateOnce(id string, challenge []byte, form byte) (Response, error) {
	// The tag is sent for HOTP too: without it ykneo-oath answers 6A80.
	data := tlv.Append(name(id), tagChallenge, challenge...)
	answer, err := s.ask(hw.Command{INS: insCalculate, P2: form, Data: data})
	if err != nil {
		return Response{}, err
	}
	return parseCalculate(answer)
}

func parseCalculate(answer []byte) (Response, error) {
	list, err := parse(answer)
	if err != nil {
		return Response{}, err
	}
	for _, t := range list {
		if t.Tag == tagResponse || t.Tag == tagTruncated {
			return parseResponse(t)
		}
	}
	return Response{}, fmt.Errorf("%w: no response in it", hw.ErrMalformed)
}

// CalculateAll has every credential answer one challenge with its whole HMAC (but see Calculate), except those that
// are HOTP or need a touch, which are named only, and those whose answers make no sense, which are left out. The error
// wraps ErrNotSupported where the key cannot: List and Calculate can then, one by one.
func (s *Session) CalculateAll(challenge []byte) ([]Answer, error) {
	return s.calculateAll(challenge, full)
}

// CalculateAllTruncated is CalculateAll for the truncated answers.
func (s *Session) CalculateAllTruncated(challenge []byte) ([]Answer, error) {
	return s.calculateAll(challenge, truncated)
}

func (s *Session) calculateAll(challenge []byte, form byte) ([]Answer, error) {
	data := tlv.Append(nil, tagChallenge, challenge...)
	answer, err := s.ask(hw.Command{INS: insCalculateAll, P2: form, Data: data})
	if err != nil {
		return nil, fmt.Errorf("cannot calculate all accounts: %w", err)
	}
	answers, err := parseCalculateAll(answer)
	if err != nil {
		return nil, fmt.Errorf("cannot calculate all accounts: %w", err)
	}
	return answers, nil
}

// parseCalculateAll reads names, each followed by its response (YKOATH, "CALCULATE ALL").
func parseCalculateAll(answer []byte) ([]Answer, error) {
	list, err := parse(answer)
	if err != nil {
		return nil, err
	}
	var answers []Answer
	var id []byte
	for _, t := range list {
		switch t.Tag {
		case tagName:
			id = t.Value
		case tagResponse, tagTruncated, tagHOTP, tagTouch:
			if id == nil {
				return nil, fmt.Errorf("%w: a response without a name", hw.ErrMalformed)
			}
			// One that cannot be read, as of digits that nobody has, is left out, for the others are none the worse.
			if response, err := parseResponse(t); err == nil {
				answers = append(answers, Answer{ID: string(id), HOTP: t.Tag == tagHOTP, Touch: t.Tag == tagTouch, Response: response})
			}
			id = nil
		}
	}
	return answers, nil
}

// The digits that a key may store: CanoKey takes 4 to 8 (canokey-core, oath.c).
const (
	minDigits = 4
	maxDigits = 8
)

// parseResponse reads the value of a response tag: the digits, then what the tag says.
func parseResponse(t tlv.TLV) (Response, error) {
	silent := t.Tag == tagHOTP || t.Tag == tagTouch
	if silent && len(t.Value) == 0 { // Nitrokey
		return Response{}, nil
	}
	if len(t.Value) == 0 {
		return Response{}, fmt.Errorf("%w: tag %02X without digits", hw.ErrMalformed, t.Tag)
	}
	if d := t.Value[0]; d < minDigits || d > maxDigits {
		err := fmt.Errorf("%w: tag %02X with %d digits", hw.ErrMalformed, t.Tag, d)
		return Response{}, hw.WithHint(err, "the key says that its codes have %d digits, and %d to %d are usual: remove the account, and add it again", d, minDigits, maxDigits)
	}
	r, body := Response{Digits: int(t.Value[0])}, t.Value[1:]
	switch {
	case silent:
	case t.Tag == tagResponse && isMAC(body):
		r.MAC, r.Truncated = bytes.Clone(body), oath.Truncate(body)
	case t.Tag == tagTruncated && len(body) == 4:
		r.Truncated = binary.BigEndian.Uint32(body) & 0x7fffffff
	default:
		return Response{}, fmt.Errorf("%w: tag %02X with a response of %d bytes", hw.ErrMalformed, t.Tag, len(body))
	}
	return r, nil
}

// isMAC reports whether b is as long as an HMAC of one of the algorithms.
func isMAC(b []byte) bool {
	return len(b) == oath.SHA1.Size() || len(b) == oath.SHA256.Size() || len(b) == oath.SHA512.Size()
}
