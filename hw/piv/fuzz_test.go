package piv

import (
	"bytes"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/oath"
)

// stranger is a card whose answers are anything.
type stranger struct{ answers [][]byte }

func (s *stranger) Transmit([]byte) ([]byte, error) {
	if len(s.answers) == 0 {
		return nil, hw.ErrRemoved
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return bytes.Clone(answer), nil
}

// FuzzAnswers: no answer of a card makes the client panic, loop, or return a secret of another length.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("\x90\x00"))
	f.Add([]byte("\x90\x00\xff\xff\x63\xc3\xff\xff\x90\x00\xff\xff\x7c\x22\x82\x20" + string(make([]byte, 32)) + "\x90\x00"))
	f.Add([]byte("\x90\x00\xff\xff\x05\x07\x01\x90\x00\xff\xff\x6d\x00\xff\xff\x63\xc3\xff\xff\x01\x01\xff\x90\x00"))
	pin := oath.CopySecret([]byte("123456"))
	f.Fuzz(func(t *testing.T, b []byte) {
		script := func() *stranger { return &stranger{bytes.Split(b, []byte{0xff, 0xff})} }
		if state, err := Look(script()); err == nil {
			_, _ = state.Plan(Wish{Protect: true}) // what it says is not the card's affair
		}
		_ = Use(script(), Target{Slot: 0x82, Point: make([]byte, pointLen)}, pin, func(*Key) error { return nil })
		s, err := Select(script())
		if err != nil {
			return
		}
		k := &Key{session: s, pin: pin}
		if shared, err := k.SharedSecret(make([]byte, pointLen)); err == nil && len(shared) != sharedLen {
			t.Errorf("a secret of %d bytes", len(shared))
		}
		_ = Secure(script(), Changes{PIN: pin, NewPIN: pin, PUK: pin, NewPUK: pin, Protect: true})
		if chain, err := s.Attest(0x82); err == nil && len(chain) != 2 {
			t.Errorf("a chain of %d", len(chain))
		}
	})
}

func FuzzCertificate(f *testing.F) {
	f.Add([]byte("\x70\x02\x30\x00\x71\x01\x00\xfe\x00"))
	f.Add([]byte("\x71\x01\x01\x70\x00"))
	f.Fuzz(func(t *testing.T, object []byte) {
		der, err := certificateIn(object)
		if err != nil {
			return
		}
		if slot, err := ParseSlot(0x82, der); err == nil && len(slot.Point) != pointLen {
			t.Errorf("a point of %d bytes", len(slot.Point))
		}
		isProtected(object)
	})
}
