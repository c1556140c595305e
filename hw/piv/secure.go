package piv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	pivgo "github.com/go-piv/piv-go/v2/piv"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/oath"
)

// Changes are what Secure is to change; what is nil stays as it is. The caller owns the secrets.
type Changes struct {
	// PIN is always needed. NewPIN replaces it.
	PIN, NewPIN *oath.Secret
	// PUK and NewPUK replace the PUK.
	PUK, NewPUK *oath.Secret
	// Protect replaces the management key by a random one, which is kept on the key behind the PIN, as yubikey-manager and
	// age-plugin-yubikey do. ManagementKey is as Enrollment's.
	Protect       bool
	ManagementKey *oath.Secret
}

// Check finds what can be seen to be wrong before the key is asked: ErrPINForm, ErrManagementKey.
func (c Changes) Check() error {
	required := []*oath.Secret{c.PIN}
	if c.NewPIN != nil {
		required = append(required, c.NewPIN)
	}
	if c.NewPUK != nil {
		required = append(required, c.PUK, c.NewPUK)
	}
	for _, pin := range required {
		if err := CheckPIN(pin); err != nil {
			return err
		}
	}
	return checkManagementKey(c.ManagementKey)
}

// checkManagementKey returns an ErrManagementKey if there is one, and it cannot be one.
func checkManagementKey(key *oath.Secret) error {
	if n := key.Len(); key != nil && n != 16 && n != 24 && n != 32 {
		return hw.WithHint(fmt.Errorf("%w: it has %d bytes", ErrManagementKey, n), "a management key has 16, 24 or 32 bytes, in hexadecimal 32, 48 or 64 digits")
	}
	return nil
}

// Secure changes PUK, PIN and management key, in this order, inside one transaction. It may be repeated. The PIN is checked
// before anything is changed, and neither it nor the PUK is tried if that could block it.
//
// Errors: Check's; ErrNoApplet; a *PINError; ErrManagementKey, ErrPrinted, ErrRejected; the card's; joined with ErrStillVerified
// if the PIN stays open. What was changed before an error stays changed, and the error says so.
func Secure(card hw.Card, c Changes) error {
	if err := c.Check(); err != nil {
		return err
	}
	s, err := Select(card)
	if err != nil {
		return err
	}
	err = s.secure(c)
	return errors.Join(err, s.leave())
}

func (s *Session) secure(c Changes) error {
	if err := s.spare(); err != nil {
		return err
	}
	if err := s.verify(c.PIN); err != nil {
		return err
	}
	done := ""
	if c.NewPUK != nil {
		if err := s.changePUK(c.PUK, c.NewPUK); err != nil {
			return unchanged("the PUK", done, err)
		}
		done = "the PUK"
	}
	pin := c.PIN
	if c.NewPIN != nil {
		if err := s.change(refPIN, c.PIN, c.NewPIN); err != nil {
			return unchanged("the PIN", done, err)
		}
		pin, done = c.NewPIN, "the PIN"
	}
	if c.Protect {
		if err := s.protect(pin, c.ManagementKey); err != nil {
			return unchanged("the management key", done, err)
		}
	}
	return nil
}

// unchanged says what was not changed, and what was changed last before.
func unchanged(what, done string, err error) error {
	if done == "" {
		return fmt.Errorf("cannot change %s: %w", what, err)
	}
	return fmt.Errorf("%s is changed, but %s is not: %w", done, what, err)
}

// changePUK is change for the PUK, whose tries firmware from 5.3 on tells.
func (s *Session) changePUK(old, new *oath.Secret) error {
	metadata, err := s.metadata(refPUK)
	if err != nil && !refused(err) {
		return err
	}
	switch retries, _ := tlv.Find(metadata, tagMetaRetries); {
	case len(retries) == 2 && retries[1] == 0:
		return pinError(ErrPUKBlocked, 0)
	case len(retries) == 2 && retries[1] == 1:
		return pinError(ErrLastPUKTry, 1)
	}
	return s.change(refPUK, old, new)
}

// change replaces a PIN or PUK (3.2.2).
func (s *Session) change(ref byte, old, new *oath.Secret) error {
	both := append(padded(old), padded(new)...)
	defer oath.Wipe(both)
	_, err := s.ask(insChange, uint16(ref), both...)
	switch n, counted := triesIn(err); {
	case err == nil || !counted:
		return meaning(err, ErrRejected)
	case ref == refPUK && n == 0:
		return pinError(ErrPUKBlocked, 0)
	case ref == refPUK:
		return pinError(ErrWrongPUK, n)
	case n == 0:
		return pinError(ErrPINBlocked, 0)
	default:
		return pinError(ErrWrongPIN, n)
	}
}

// The objects of yubikey-manager's way to protect the management key (yubikit/piv.py and ykman/piv.py, PivmanProtectedData): its
// own, which says that it is protected, and one that takes the PIN to read, which has the key.
var (
	objectManager = []byte{0x5f, 0xff, 0x00}
	objectPrinted = []byte{0x5f, 0xc1, 0x09}
)

const (
	tagPrinted    = 0x88
	tagPrintedKey = 0x89
)

// protect replaces the management key. It is kept before it is set: if that is broken off, the old one still works, and doing
// it again goes well.
func (s *Session) protect(pin, given *oath.Secret) error {
	if err := s.verify(pin); err != nil {
		return err
	}
	kept, err := s.kept()
	if err != nil {
		return err
	}
	defer kept.Wipe()
	alg, err := s.managementAlgorithm()
	if err != nil {
		return err
	}
	old, err := s.manage(alg, given, kept)
	if err != nil {
		return err
	}
	key := oath.NewSecret(len(old))
	defer key.Wipe()
	rand.Read(key.Bytes())
	if err := s.put(objectPrinted, tlv.Append(nil, tagPrinted, tlv.Append(nil, tagPrintedKey, key.Bytes()...)...)); err != nil {
		return err
	}
	if err := s.markProtected(); err != nil {
		return err
	}
	const noTouch = 0xffff
	data := append([]byte{alg, refManagement, byte(key.Len())}, key.Bytes()...)
	defer oath.Wipe(data)
	_, err = s.ask(insSetKey, noTouch, data...)
	return meaning(err, ErrRejected)
}

// kept returns the management key that is kept behind the PIN, nil if none is.
func (s *Session) kept() (*oath.Secret, error) {
	object, err := s.object(objectPrinted...)
	if errors.Is(err, hw.StatusFileNotFound) || err == nil && len(object) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, meaning(err, ErrRejected)
	}
	defer oath.Wipe(object)
	list, ok := inside(object, tagPrinted)
	if !ok || slices.ContainsFunc(list, func(t tlv.TLV) bool { return t.Tag != tagPrintedKey }) {
		return nil, ErrPrinted
	}
	key, _ := tlv.Find(list, tagPrintedKey)
	return oath.CopySecret(key), nil
}

// markProtected sets the flag by which yubikey-manager knows that the key is kept behind the PIN. What else is in its object
// stays.
func (s *Session) markProtected() error {
	object, err := s.object(objectManager...)
	if err != nil && !refused(err) {
		return err
	}
	list, _ := inside(object, tagManager)
	flags, _ := tlv.Find(list, tagManagerFlags)
	marked := tlv.Append(nil, tagManagerFlags, append(slices.Clone(flags), 0)[0]|flagProtected)
	for _, t := range list {
		if t.Tag != tagManagerFlags {
			marked = tlv.Append(marked, t.Tag, t.Value...)
		}
	}
	return s.put(objectManager, tlv.Append(nil, tagManager, marked...))
}

// put writes a data object, and wipes content.
func (s *Session) put(object, content []byte) error {
	defer oath.Wipe(content)
	data := tlv.Append(tlv.Append(nil, tagTagList, object...), tagObject, content...)
	defer oath.Wipe(data)
	_, err := s.ask(insPutData, paramsData, data...)
	return meaning(err, ErrRejected)
}

// The algorithms of a management key (SP 800-78-4, table 6-1).
const (
	alg3DES   = 0x03
	algAES128 = 0x08
	algAES192 = 0x0a
	algAES256 = 0x0c
)

// managementAlgorithm asks for it where the firmware tells; it was 3DES before.
func (s *Session) managementAlgorithm() (byte, error) {
	metadata, err := s.metadata(refManagement)
	if refused(err) {
		return alg3DES, nil
	}
	if err != nil {
		return 0, err
	}
	alg, _ := tlv.Find(metadata, tagMetaAlgorithm)
	if len(alg) != 1 {
		return 0, fmt.Errorf("%w: a management key without an algorithm", hw.ErrMalformed)
	}
	return alg[0], nil
}

// manage shows the key that we know its management key, and returns which one that is: the given one, or else the kept one or
// the factory's. There is no limit to the tries.
func (s *Session) manage(alg byte, given, kept *oath.Secret) ([]byte, error) {
	candidates := [][]byte{kept.Bytes(), pivgo.DefaultManagementKey}
	if given != nil {
		candidates = [][]byte{given.Bytes()}
	}
	for _, key := range candidates {
		ok, err := s.authenticate(alg, key)
		if ok || err != nil {
			return key, err
		}
	}
	return nil, hw.WithHint(ErrManagementKey, "%s", managementHint(given != nil))
}

// managementHint says what to do about a management key that the key does not accept.
func managementHint(given bool) string {
	if given {
		return "check the management key that you gave"
	}
	return "it is not the factory's any more, and not kept on the key: give the management key, as it was set with ykman piv access change-management-key"
}

// authenticate answers the key's challenge (3.2.4, appendix A.1). A key of another length than the algorithm's is wrong.
func (s *Session) authenticate(alg byte, key []byte) (ok bool, err error) {
	block, err := managementCipher(alg, key)
	if block == nil || err != nil {
		return false, err
	}
	const tagChallenge = 0x81
	params := uint16(alg)<<8 | refManagement
	answer, err := s.ask(insAuthenticate, params, tlv.Append(nil, tagTemplate, tlv.Append(nil, tagChallenge)...)...)
	if err != nil {
		return false, meaning(err, ErrRejected)
	}
	list, _ := inside(answer, tagTemplate)
	challenge, _ := tlv.Find(list, tagChallenge)
	if len(challenge) != block.BlockSize() {
		return false, fmt.Errorf("%w: a challenge of %d bytes", hw.ErrMalformed, len(challenge))
	}
	response := make([]byte, len(challenge))
	block.Encrypt(response, challenge)
	_, err = s.ask(insAuthenticate, params, tlv.Append(nil, tagTemplate, tlv.Append(nil, tagResponse, response...)...)...)
	if refused(err) {
		return false, nil
	}
	return err == nil, err
}

// managementCipher returns nil if the key has not the algorithm's length.
func managementCipher(alg byte, key []byte) (cipher.Block, error) {
	size, known := map[byte]int{alg3DES: 24, algAES128: 16, algAES192: 24, algAES256: 32}[alg]
	switch {
	case !known:
		return nil, fmt.Errorf("%w: management keys of algorithm %02x", ErrNotSupported, alg)
	case len(key) != size:
		return nil, nil
	case alg == alg3DES:
		return des.NewTripleDESCipher(key)
	}
	return aes.NewCipher(key)
}
