package agent

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// truncatedSteps is how many consecutive codes stand in for a full HMAC on keys that never give
// one: four codes of six digits are 80 bits, beyond any chance.
const truncatedSteps = 4

// prints are the fingerprints of one credential; each half is nil where it isn't known.
type prints struct{ full, t4 []byte }

// yardstick turns HMACs of the ledger's fixed step into fingerprints that mean nothing elsewhere.
type yardstick struct {
	salt []byte
	step uint64
}

func (b *book) yardstick() yardstick { return yardstick{b.salt, b.step} }

// challenge returns the fingerprint step's challenge, plus n.
func (y yardstick) challenge(n int) []byte { return oath.Challenge(y.step + uint64(n)) }

// ofSeed computes both fingerprints of a seed that is at hand.
func (y yardstick) ofSeed(acc oath.Account, seed []byte) prints {
	var truncated [truncatedSteps]uint32
	var full []byte
	for n := range truncated {
		mac := oath.HMAC(acc.Algorithm, seed, y.challenge(n))
		truncated[n] = oath.Truncate(mac)
		if n == 0 {
			full = y.full(acc, mac)
		}
		oath.Wipe(mac)
	}
	return prints{full, y.t4(acc, truncated)}
}

// full binds what the HMAC does not say: type, algorithm, digits, period.
func (y yardstick) full(acc oath.Account, mac []byte) []byte { return y.digest("full", acc, mac) }

// t4 compares what the digits show, not the 31 bits below them, for some keys cut their answers
// to the digits and some do not.
func (y yardstick) t4(acc oath.Account, truncated [truncatedSteps]uint32) []byte {
	modulus := uint32(1)
	for range acc.Digits {
		modulus *= 10
	}
	var b []byte
	for _, t := range truncated {
		b = binary.BigEndian.AppendUint32(b, t%modulus)
	}
	return y.digest("t4", acc, b)
}

func (y yardstick) digest(kind string, acc oath.Account, answer []byte) []byte {
	h := sha256.New()
	h.Write(y.salt)
	h.Write([]byte(kind))
	h.Write([]byte{byte(acc.Type), byte(acc.Algorithm), byte(acc.Digits)})
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(acc.Period)))
	h.Write(answer)
	return h.Sum(nil)
}

// ofAnswer makes the fingerprint of one full answer to the fingerprint step. Without a full HMAC it
// has nothing to say.
func (y yardstick) ofAnswer(acc oath.Account, r ykoath.Response) prints {
	if r.MAC == nil {
		return prints{}
	}
	acc.Digits = r.Digits
	return prints{full: y.full(acc, r.MAC)}
}

// ask has a key answer the fingerprint step for one credential: one CALCULATE, or four where the key
// only truncates. The account returned has the digits that the key told. It may wait for a touch.
func (y yardstick) ask(s *ykoath.Session, id string, acc oath.Account) (prints, oath.Account, error) {
	first, err := s.Calculate(id, y.challenge(0))
	if err != nil {
		return prints{}, acc, err
	}
	acc.Digits = first.Digits
	if first.MAC != nil {
		return y.ofAnswer(acc, first), acc, nil
	}
	truncated := [truncatedSteps]uint32{first.Truncated}
	for n := 1; n < truncatedSteps; n++ {
		r, err := s.Calculate(id, y.challenge(n))
		if err != nil {
			return prints{}, acc, err
		}
		truncated[n] = r.Truncated
	}
	return prints{t4: y.t4(acc, truncated)}, acc, nil
}

// known reports whether the fingerprints say anything.
func (p prints) known() bool { return p.full != nil || p.t4 != nil }

// matches reports whether p and the seed's fingerprints agree, and whether they can be compared at all.
func (p prints) matches(s ledger.Seed) (same, comparable bool) {
	switch {
	case p.full != nil && s.Full != nil:
		return equal(p.full, s.Full), true
	case p.t4 != nil && s.T4 != nil:
		return equal(p.t4, s.T4), true
	}
	return false, false
}

func equal(x, y []byte) bool { return subtle.ConstantTimeCompare(x, y) == 1 }

// seedOf finds the seed with these fingerprints.
func (b *book) seedOf(p prints) (ledger.Seed, bool) {
	for _, s := range b.seeds {
		if same, _ := p.matches(s); same {
			return s, true
		}
	}
	return ledger.Seed{}, false
}

// learnSeed finds or makes the seed with these fingerprints, and keeps what they add to it.
func (d *draft) learnSeed(p prints) (ledger.Seed, error) {
	s, ok := d.seedOf(p)
	if !ok {
		s = ledger.Seed{ID: ledger.NewID()}
	}
	if ok && (s.Full != nil || p.full == nil) && (s.T4 != nil || p.t4 == nil) {
		return s, nil
	}
	if s.Full == nil {
		s.Full = p.full
	}
	if s.T4 == nil {
		s.T4 = p.t4
	}
	return s, d.putSeed(s)
}
