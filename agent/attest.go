package agent

import (
	"context"
	"errors"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/ipc/api"
)

// attest has a key show what its maker signed of an escrow slot, of the first that it has where none is given; nil where there is none,
// or it cannot. A signature that is good and of another key is an error: this one pretends.
//
// It says nothing of a key that was never enrolled, and a program can show certificates that it has seen. Only who has the key
// itself can use the slot, as each drill does.
func (a *Agent) attest(ctx context.Context, k *keyView, slot *piv.Slot) (*api.Attestation, error) {
	var chain [][]byte
	err := k.w.do(ctx, func(card hw.Card) (err error) {
		if slot == nil {
			slot, err = firstEscrow(card)
		}
		if slot != nil {
			chain, err = attestation(card, slot.ID)
		}
		return err
	}, asIs)
	if err == nil {
		err = ctx.Err() // both may have come
	}
	switch {
	case err != nil && (errors.Is(err, hw.ErrRemoved) || ctx.Err() != nil):
		return nil, cardError(err, "cannot look at the attestation of %s", k.Label)
	case err != nil || chain == nil:
		return nil, nil
	}
	told, err := piv.VerifyAttestation(chain, *slot, a.options.Attestors)
	if err != nil {
		return &api.Attestation{Trouble: err.Error()}, nil
	}
	if k.Serial != 0 && told.Serial != 0 && told.Serial != k.Serial {
		return nil, refuse(api.CodeProofFailed, "somebody may have made it look like your key: do not use it",
			"cannot trust %s: it says that its serial number is %d, and its attestation is that of the key %d", k.Label, k.Serial, told.Serial)
	}
	return &api.Attestation{Serial: told.Serial, Firmware: told.Version.String(), PIN: told.PIN != piv.PINNever, Touch: told.Touch != piv.TouchNever}, nil
}

// firstEscrow returns nil for a card without an escrow slot.
func firstEscrow(card hw.Card) (*piv.Slot, error) {
	state, err := piv.Look(card)
	if err != nil || len(state.Escrow) == 0 {
		return nil, err
	}
	return &state.Escrow[0], nil
}

// attestation has a card vouch for a slot.
func attestation(card hw.Card, slot byte) ([][]byte, error) {
	s, err := piv.Select(card)
	if err != nil {
		return nil, err
	}
	return s.Attest(slot)
}
