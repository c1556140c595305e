package piv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/oath"
)

// Enrollment says which slot to set up, and with what.
type Enrollment struct {
	// Reader is the reader's name, as in hw.Slot.
	Reader string
	// Serial is what the key in it has to have; 0 if that is not known.
	Serial uint32
	// Slot is the retired slot, as planned. It has to be empty still.
	Slot byte
	// Name is for the certificate; "" makes it "age identity " and the key's tag, as age-plugin-yubikey does.
	Name string
	// Unfinished: the slot may have a key without a certificate, which an earlier set-up made and did not
	// get done with; it is replaced.
	Unfinished bool

	// PIN is always needed. The caller owns these secrets.
	PIN *oath.Secret
	// ManagementKey is the key itself, 16, 24 or 32 bytes. If nil, the one is used that the key keeps behind the
	// PIN, or else the factory's.
	ManagementKey *oath.Secret
	// NewPIN, if not nil, replaces the PIN once the slot is made.
	NewPIN *oath.Secret
	// PUK and NewPUK, if not nil, replace the PUK then.
	PUK, NewPUK *oath.Secret
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
	// StepPINs: the PIN or PUK is replaced.
	StepPINs Step = "pins"
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
// When ctx ends the child is killed, and the card free again; the slot may then have a key without a certificate, as
// after any failure from StepTouch on.
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
	required := []*oath.Secret{in.PIN}
	if in.NewPIN != nil {
		required = append(required, in.NewPIN)
	}
	if in.NewPUK != nil {
		required = append(required, in.PUK, in.NewPUK)
	}
	for _, pin := range required {
		if err := CheckPIN(pin); err != nil {
			return err
		}
	}
	if n := in.ManagementKey.Len(); in.ManagementKey != nil && n != 16 && n != 24 && n != 32 {
		return hw.WithHint(fmt.Errorf("%w: it has %d bytes", ErrManagementKey, n), "a management key has 16, 24 or 32 bytes, in hexadecimal 32, 48 or 64 digits")
	}
	return nil
}

func (in Enrollment) request() request {
	return request{Reader: in.Reader, Serial: in.Serial, Slot: in.Slot, Name: in.Name, Unfinished: in.Unfinished}
}

func (in Enrollment) secrets() secrets {
	return secrets{pin: in.PIN, management: in.ManagementKey, newPIN: in.NewPIN, puk: in.PUK, newPUK: in.NewPUK}
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
