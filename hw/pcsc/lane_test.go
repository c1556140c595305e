package pcsc

import (
	"errors"
	"testing"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
)

// resetCard answers as pcscd does while another program resets the card: each command gets the next error, nil for 9000.
type resetCard struct {
	errs  []error
	sent  []byte // the instructions
	stays bool
	began int
}

func (c *resetCard) transmit(command []byte) ([]byte, error) {
	c.sent = append(c.sent, command[1])
	err := c.errs[0]
	c.errs = c.errs[1:]
	return []byte{0x90, 0}, err
}

func (c *resetCard) counter() (uint16, error) { return 1, nil }

func (c *resetCard) again() error {
	if !c.stays {
		return scard.ErrNoSmartcard
	}
	c.began++
	return nil
}

// TestResetAsItBegins: a SELECT that begins a transaction is sent once more, and nothing else is.
func TestResetAsItBegins(t *testing.T) {
	const insList = 0xa1
	for name, test := range map[string]struct {
		card     *resetCard
		commands []byte
		want     error
		sent     int
	}{
		"reset":            {&resetCard{errs: []error{scard.ErrResetCard, nil}, stays: true}, []byte{insSelect}, nil, 2},
		"no protocol":      {&resetCard{errs: []error{scard.ErrProtoMismatch, nil}, stays: true}, []byte{insSelect}, nil, 2},
		"no power":         {&resetCard{errs: []error{scard.ErrNotTransacted, nil}, stays: true}, []byte{insSelect}, nil, 2},
		"reset twice":      {&resetCard{errs: []error{scard.ErrProtoMismatch, scard.ErrProtoMismatch}, stays: true}, []byte{insSelect}, hw.ErrReset, 2},
		"gone":             {&resetCard{errs: []error{scard.ErrNotTransacted}}, []byte{insSelect}, hw.ErrRemoved, 1},
		"not a SELECT":     {&resetCard{errs: []error{scard.ErrResetCard}, stays: true}, []byte{insList}, hw.ErrReset, 1},
		"in the middle":    {&resetCard{errs: []error{nil, scard.ErrNotTransacted}, stays: true}, []byte{insSelect, insList}, hw.ErrRemoved, 2},
		"a second SELECT":  {&resetCard{errs: []error{nil, scard.ErrResetCard}, stays: true}, []byte{insSelect, insSelect}, hw.ErrReset, 2},
		"nothing is wrong": {&resetCard{errs: []error{nil, nil}}, []byte{insSelect, insList}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			transaction := &transaction{card: test.card, current: func(uint16) bool { return true }}
			var err error
			for _, ins := range test.commands {
				_, err = transaction.Transmit([]byte{0, ins, 0, 0, 0})
			}
			if !errors.Is(err, test.want) || len(test.card.sent) != test.sent {
				t.Errorf("%v after commands %x; want %v after %d", err, test.card.sent, test.want, test.sent)
			}
		})
	}
}
