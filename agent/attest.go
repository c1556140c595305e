package agent

import (
	"context"
	"errors"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/ipc/api"
)

// attest has a key show what its maker signed of its escrow slot; nil where it has none, or cannot. A signature that is good and of
// another key is an error: this one pretends.
//
// It says nothing of a key that was never enrolled, and a program can show certificates that it has seen. Only who has the key
// itself can use the slot, as each drill does.
func (a *Agent) attest(ctx context.Context, k *keyView) (*api.Attestation, error) {
	var slot piv.Slot
	var chain [][]byte
	err := k.w.do(ctx, func(card hw.Card) (err error) {
		slot, chain, err = attestation(card)
		return err
	}, asIs)
	if errors.Is(err, hw.ErrRemoved) || ctx.Err() != nil {
		return nil, cardError(err, "cannot look at the attestation of %s", k.Label)
	}
	if err != nil || chain == nil {
		return nil, nil
	}
	told, err := piv.VerifyAttestation(chain, slot, a.options.Attestors)
	if err != nil {
		return &api.Attestation{Trouble: err.Error()}, nil
	}
	if k.Serial != 0 && told.Serial != 0 && told.Serial != k.Serial {
		return nil, refuse(api.CodeProofFailed, "somebody may have made it look like your key: do not use it",
			"cannot trust %s: it says that its serial number is %d, and its attestation is that of the key %d", k.Label, k.Serial, told.Serial)
	}
	return &api.Attestation{Serial: told.Serial, Firmware: told.Version.String(), PIN: told.PIN != piv.PINNever, Touch: told.Touch != piv.TouchNever}, nil
}

// attestation has a card vouch for its first escrow slot; chain is nil if it has none.
func attestation(card hw.Card) (slot piv.Slot, chain [][]byte, err error) {
	state, err := piv.Look(card)
	if err != nil || len(state.Escrow) == 0 {
		return piv.Slot{}, nil, err
	}
	s, err := piv.Select(card)
	if err != nil {
		return piv.Slot{}, nil, err
	}
	slot = state.Escrow[0]
	chain, err = s.Attest(slot.ID)
	return slot, chain, err
}
