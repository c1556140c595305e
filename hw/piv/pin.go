package piv

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/oath"
)

const (
	minPIN = 6 // characters (docs.yubico.com, "PIN and PUK"); age-plugin-yubikey has the same limits
	maxPIN = 8
)

// unknownTries says that the PIN is verified, so that the key does not tell how many tries there would be.
const unknownTries = -1

// CheckPIN returns ErrPINForm if no PIN can look like that.
func CheckPIN(pin *oath.Secret) error {
	if pin.Len() < minPIN || pin.Len() > maxPIN {
		return ErrPINForm
	}
	return nil
}

// tries returns how often a wrong PIN can be given before it is blocked; unknownTries if it is verified.
func (s *Session) tries() (int, error) {
	_, err := s.ask(insVerify, refPIN)
	if err == nil {
		return unknownTries, nil
	}
	if n, ok := triesIn(err); ok {
		return n, nil
	}
	return 0, fmt.Errorf("cannot read how many tries the PIN has left: %w", meaning(err, ErrRejected))
}

// triesIn reads 63CX and 6983 (3.2.1). Firmware before 1.0.4 has 63XX instead (yubikit/piv.py, _retries_from_sw).
func triesIn(err error) (int, bool) {
	status, _ := errors.AsType[hw.Status](err)
	switch {
	case status == hw.StatusAuthBlocked:
		return 0, true
	case status>>4 == 0x63c:
		return int(status & 0x0f), true
	case status>>8 == 0x63:
		return int(status & 0xff), true
	}
	return 0, false
}

// spare returns a PINError if a wrong PIN would block it, or if it is blocked already.
func (s *Session) spare() error {
	tries, err := s.tries()
	switch {
	case err != nil:
		return err
	case tries == 0:
		return pinError(ErrPINBlocked, 0)
	case tries == 1:
		return pinError(ErrLastTry, 1)
	}
	return nil
}

// padded is a PIN or PUK as it goes to the key, to be wiped.
func padded(pin *oath.Secret) []byte {
	value := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	copy(value, pin.Bytes())
	return value
}

// verify gives the key the PIN.
func (s *Session) verify(pin *oath.Secret) error {
	if err := CheckPIN(pin); err != nil {
		return err
	}
	value := padded(pin)
	defer oath.Wipe(value)
	s.opened = true
	_, err := s.ask(insVerify, refPIN, value...)
	if err == nil {
		return nil
	}
	switch n, ok := triesIn(err); {
	case ok && n == 0:
		return pinError(ErrPINBlocked, 0)
	case ok:
		return pinError(ErrWrongPIN, n)
	}
	return fmt.Errorf("cannot verify the PIN: %w", meaning(err, ErrRejected))
}

// neighbours are applications to select instead of PIV, so that it forgets the PIN. A key may have any of them
// disabled. Management comes last, for a NEO gets stuck in it (yubikit/management.py).
var neighbours = [][]byte{
	{0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01},       // OATH
	{0xa0, 0x00, 0x00, 0x06, 0x47, 0x2f, 0x00, 0x01}, // FIDO U2F
	{0xd2, 0x76, 0x00, 0x01, 0x24, 0x01},             // OpenPGP
	{0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01},       // OTP
	{0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17}, // Management
}

// leave has the key forget the PIN, if one was sent: it selects another application. A SELECT that fails would leave
// PIV selected (3.1.1), so the next one is tried. A key that was reset or pulled out has forgotten already.
func (s *Session) leave() error {
	if !s.opened {
		return nil
	}
	for _, aid := range neighbours {
		_, err := s.link.Exchange(hw.SelectCommand(aid))
		if err == nil || errors.Is(err, hw.ErrReset) || errors.Is(err, hw.ErrRemoved) {
			return nil
		}
		if !refused(err) {
			return hw.WithHint(fmt.Errorf("%w: %w", ErrStillVerified, err), "pull the key out")
		}
	}
	return hw.WithHint(ErrStillVerified, "pull the key out, and enable another of its applications: ykman config usb")
}
