package ykoath

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
)

// What a refusal means. The errors of this package wrap one of them together with the hw.Status that the
// key gave, if it was the key that refused.
var (
	// ErrNoApplet: there is no OATH application on the card, or it is disabled.
	ErrNoApplet = errors.New("no OATH application on this card")
	// ErrLocked: the command needs the password first.
	ErrLocked = errors.New("the key is locked with a password")
	// ErrWrongPassword: the key does not accept the password.
	ErrWrongPassword = errors.New("wrong password")
	// ErrImpostor: the key took our answer, but could not show that it knows the password itself.
	ErrImpostor = errors.New("the key does not know the password")
	// ErrTouchTimeout: nobody touched the key in time.
	ErrTouchTimeout = errors.New("the key was not touched in time")
	// ErrNoSuchCredential: the key has no credential with that id.
	ErrNoSuchCredential = errors.New("no such account on the key")
	// ErrExists: the id is taken, or writing it would overwrite another one.
	ErrExists = errors.New("an account of that name is already on the key")
	// ErrFull: no room for another credential.
	ErrFull = errors.New("the key is full")
	// ErrNotSupported: the key cannot do that at all, or not with these parameters.
	ErrNotSupported = errors.New("the key does not support this")
	// ErrCorrupt: the key cannot read or write its memory.
	ErrCorrupt = errors.New("the key's memory failed, or the account on it is damaged")
	// ErrRejected: the key refused, for a reason that it does not name.
	ErrRejected = errors.New("the key refused")
)

// refusal joins the meaning and the status word that carried it.
func refusal(meaning error, status hw.Status) error {
	return fmt.Errorf("%w (%w)", meaning, status)
}

// hintFIPS goes with the refusals by which a FIPS key can be meant; it does not tell why.
const hintFIPS = "a FIPS key works over USB only, and takes no account before a password is set (oathctl password set)"

func hinted(err error, status hw.Status) error {
	if status == hw.StatusConditions {
		return hw.WithHint(err, hintFIPS)
	}
	return err
}

// meanings holds for every command that specialMeanings does not name.
var meanings = map[hw.Status]error{
	hw.StatusAuthRequired:       ErrLocked,
	hw.StatusDataInvalid:        ErrNoSuchCredential, // YKOATH, "No such object"
	hw.StatusFileNotFound:       ErrNoSuchCredential, // Nitrokey
	hw.StatusNoSpace:            ErrFull,
	hw.StatusMemory:             ErrCorrupt,
	hw.StatusNotSupported:       ErrNotSupported, // Nitrokey: the algorithm
	hw.StatusConditions:         ErrNotSupported, // FIPS; Nitrokey: what is not built in, as passwords
	hw.StatusInsUnknown:         ErrNotSupported,
	hw.StatusWrongParams:        ErrNotSupported,
	hw.StatusAppletSelectFailed: ErrNoApplet,
}

// specialMeanings are those of one command.
var specialMeanings = map[byte]map[hw.Status]error{
	insPut: {
		hw.StatusNoSpaceNEO:  ErrFull,   // some NEOs instead of 6A84
		hw.StatusWrongLength: ErrFull,   // pico-fido, from 130 accounts on
		hw.StatusAuthBlocked: ErrExists, // Nitrokey
	},
	insRename: {
		hw.StatusAuthBlocked: ErrExists,
	},
	insCalculateAll: {
		// A NEO has 2 KiB for the whole answer, which a few dozen HMACs do not fit into (ykneo-oath).
		hw.StatusNoSpaceNEO: ErrNotSupported,
	},
	insSetCode: {
		hw.StatusDataInvalid: ErrRejected, // YKOATH, "Response doesn't match"
	},
	insValidate: {
		hw.StatusWrongData:    ErrWrongPassword,
		hw.StatusDataInvalid:  ErrWrongPassword, // pico-fido
		hw.StatusAuthRequired: ErrWrongPassword,
	},
}

// meaning says what a status word in answer to an instruction means in the session's present state.
func (s *Session) meaning(ins byte, status hw.Status) error {
	if status == hw.StatusAuthRequired && s.unlocked {
		if m := s.unlockedMeaning(ins); m != nil {
			return m
		}
	}
	if ins == insValidate && status>>8 == 0x63 { // ISO/IEC 7816-4, section 5.6: verification failed
		return ErrWrongPassword
	}
	if m, ok := specialMeanings[ins][status]; ok {
		return m
	}
	if m, ok := meanings[status]; ok {
		return m
	}
	return ErrRejected
}

// unlockedMeaning is what "authentication needed" means where it cannot be the password.
//
// Besides the touch that did not come there is the credential whose challenges may only increase
// (property 01, which other tools can set): it refuses a smaller one, and with it the whole CALCULATE ALL
// (seen on ykneo-oath and CanoKey). One by one the others answer.
func (s *Session) unlockedMeaning(ins byte) error {
	switch {
	case ins == insCalculateAll:
		return ErrNotSupported
	case ins == insReset: // Nitrokey
		return ErrTouchTimeout
	case ins == insCalculate && s.info.Features().Touch:
		return ErrTouchTimeout
	case ins == insCalculate:
		return ErrRejected
	}
	return nil
}
