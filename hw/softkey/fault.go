package softkey

import (
	"bytes"

	"github.com/oathd/oathd/hw"
)

// FaultKind is a way in which hardware fails.
type FaultKind int

const (
	// FaultPulled: the key is pulled out before it executes the command (hw.ErrRemoved).
	FaultPulled FaultKind = iota + 1
	// FaultDies: the key executes the command and is gone before it answers (hw.ErrRemoved).
	FaultDies
	// FaultReset: another program resets the card before the command is executed (hw.ErrReset).
	FaultReset
	// FaultStatus: the key answers Fault.Status and executes nothing.
	FaultStatus
	// FaultFull: a PUT finds no room. It counts PUTs alone.
	FaultFull
	// FaultTouch: the touch comes as Fault.Touch says, whatever the key's own mode is. It counts
	// commands that need a touch alone.
	FaultTouch
	// FaultAnswer: the command is executed, and Fault.Answer changes what comes back, status word
	// included.
	FaultAnswer
)

// Always, as Fault.Times, lets a fault strike until Heal.
const Always = -1

// Fault is something that is going to happen to a key.
type Fault struct {
	Kind FaultKind
	// INS limits the fault to commands of one instruction; 0 means any. A4 means CALCULATE ALL and not
	// SELECT, which has the same number.
	INS byte
	// After is how many such commands pass unharmed first.
	After int
	// Times is how often the fault strikes then; 0 means once.
	Times int
	// Status is the status word of FaultStatus.
	Status hw.Status
	// Touch is the mode of FaultTouch: TouchNever, or a duration.
	Touch TouchMode
	// Answer changes a copy of the answer, for FaultAnswer.
	Answer func(answer []byte) []byte
}

// Fail lets f happen; several faults may wait at a time.
func (k *Key) Fail(f Fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Kind == FaultFull {
		f.INS = insPut
	}
	k.faults = append(k.faults, &f)
}

// Heal drops all faults.
func (k *Key) Heal() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults = nil
}

// strikes are the faults that strike one command.
type strikes []Fault

// strike returns the faults that strike this command; k.mu is held.
func (k *Key) strike(apdu []byte, touch bool) strikes {
	var hit strikes
	left := k.faults[:0]
	for _, f := range k.faults {
		if f.due(apdu, touch) {
			hit = append(hit, *f)
		}
		if f.Times != 0 {
			left = append(left, f)
		}
	}
	k.faults = left
	return hit
}

// due counts the command, and reports whether the fault strikes it.
func (f *Fault) due(apdu []byte, touch bool) bool {
	switch {
	case f.INS != 0 && (len(apdu) < 2 || apdu[1] != f.INS || selects(apdu)):
		return false
	case f.Kind == FaultTouch && !touch:
		return false
	case f.After > 0:
		f.After--
		return false
	}
	if f.Times > 0 {
		f.Times--
	}
	return true
}

func (s strikes) find(kind FaultKind) *Fault {
	for i := range s {
		if s[i].Kind == kind {
			return &s[i]
		}
	}
	return nil
}

func (s strikes) touchMode(own TouchMode) TouchMode {
	if f := s.find(FaultTouch); f != nil {
		return f.Touch
	}
	return own
}

func (s strikes) finish(answer []byte) []byte {
	if f := s.find(FaultAnswer); f != nil {
		return f.Answer(bytes.Clone(answer))
	}
	return answer
}
