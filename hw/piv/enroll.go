package piv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/oathd/oathd/oath"
)

// Enrollment says which slot to set up, and with what.
type Enrollment struct {
	// Reader is the reader's name, as in hw.Slot.
	Reader string
	// Serial is what the key in it has to have; 0 if that is not known.
	Serial uint32
	// Slot is the retired slot, as planned. It has to be empty still, or one that Enroll did not get done with.
	Slot byte
	// Name is for the certificate; "" makes it "age identity " and the key's tag, as age-plugin-yubikey does.
	Name string

	// PIN is always needed. The caller owns the secrets.
	PIN *oath.Secret
	// ManagementKey is the key itself, 16, 24 or 32 bytes. If nil, the one is used that the key keeps behind the
	// PIN, or else the factory's.
	ManagementKey *oath.Secret
}

// Step is where a set-up is.
type Step string

// The steps, in order.
const (
	// StepGenerate: the key makes a key, which takes it less than a second.
	StepGenerate Step = "generate"
	// StepTouch: the key blinks and wants to be touched, to sign the certificate.
	StepTouch Step = "touch"
	// StepCertificate: the certificate is written.
	StepCertificate Step = "certificate"
)

// Enroller sets up slots in a child process.
type Enroller struct {
	// Args are the arguments, argv[0] included, with which this program ends up in ServeEnroll.
	Args []string
}

// Enroll sets up a slot on a key behind pcscd: a key made on the card with PIN and touch policy "always", and a
// certificate that marks it. It takes the card exclusively meanwhile, so no transaction may be open in this process.
// Nothing else on the key is touched, unless the enrollment asks for it. progress, if not nil, is called at each step.
//
// When ctx ends the child is killed, and the card free again. What it did not get done with, then or after a failure, is marked on
// the key (State.Unfinished), and done anew by the next call.
//
// Errors: ErrPINForm; a *PINError; ErrManagementKey, ErrTouchTimeout, ErrTooOld, ErrSlotTaken, ErrOtherKey, ErrNotBehindPCSCD,
// ErrNoApplet, ErrRejected; hw.ErrHeld, hw.ErrRemoved, hw.ErrReset, hw.ErrRefused, hw.ErrUnavailable; ctx's.
func (e Enroller) Enroll(ctx context.Context, in Enrollment, progress func(Step)) (Slot, error) {
	slot, err := e.enroll(ctx, in, progress)
	if err != nil {
		return Slot{}, fmt.Errorf("cannot set up slot %02x: %w", in.Slot, err)
	}
	return slot, nil
}

func (e Enroller) enroll(ctx context.Context, in Enrollment, progress func(Step)) (Slot, error) {
	if err := in.check(); err != nil {
		return Slot{}, err
	}
	child := exec.CommandContext(ctx, "/proc/self/exe")
	child.Args = e.Args
	var complaint bytes.Buffer
	child.Stderr = &complaint
	stdin, err := child.StdinPipe()
	if err != nil {
		return Slot{}, err
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		return Slot{}, err
	}
	if err := child.Start(); err != nil {
		return Slot{}, fmt.Errorf("cannot start a process for it: %w", err)
	}
	// A child that ends early is found out by what it leaves unsaid.
	_ = writeRequest(stdin, in.request(), in.secrets())
	_ = stdin.Close()
	der, err := readReplies(stdout, progress)
	ended := child.Wait()
	switch {
	case ctx.Err() != nil:
		return Slot{}, ctx.Err()
	case errors.Is(err, errUnsaid):
		return Slot{}, fmt.Errorf("%w: %v: %s", err, ended, bytes.TrimSpace(complaint.Bytes()))
	case err != nil:
		return Slot{}, err
	}
	return ParseSlot(in.Slot, der)
}

// check finds what can be seen to be wrong before the key is asked.
func (in Enrollment) check() error {
	if in.Slot < firstRetired || in.Slot > lastRetired {
		return fmt.Errorf("%02x is no retired slot: they are %02x to %02x", in.Slot, firstRetired, lastRetired)
	}
	if err := CheckPIN(in.PIN); err != nil {
		return err
	}
	return checkManagementKey(in.ManagementKey)
}

func (in Enrollment) request() request {
	return request{Reader: in.Reader, Serial: in.Serial, Slot: in.Slot, Name: in.Name}
}

func (in Enrollment) secrets() secrets {
	return secrets{pin: in.PIN, management: in.ManagementKey}
}

// errUnsaid: the child's output ended before there was a result in it.
var errUnsaid = errors.New("the process for it ended without a result")

// readReplies reports the steps, and returns the certificate or the error.
func readReplies(r io.Reader, progress func(Step)) ([]byte, error) {
	lines := json.NewDecoder(r)
	for {
		var line reply
		if err := lines.Decode(&line); err != nil {
			return nil, errUnsaid
		}
		switch {
		case line.Error != nil:
			return nil, line.Error.err()
		case line.Certificate != nil:
			return line.Certificate, nil
		case progress != nil:
			progress(line.Step)
		}
	}
}
