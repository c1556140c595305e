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

// yardstick returns the one of the ledger.
func (a *Agent) yardstick() yardstick { return *a.standard.Load() }

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
// only truncates. The digits that it returns are what the key told. It may wait for a touch.
func (y yardstick) ask(s *ykoath.Session, id string, acc oath.Account) (prints, int, error) {
	first, err := s.Calculate(id, y.challenge(0))
	if err != nil {
		return prints{}, 0, err
	}
	if first.MAC != nil {
		return y.ofAnswer(acc, first), first.Digits, nil
	}
	truncated := [truncatedSteps]uint32{first.Truncated}
	for n := 1; n < truncatedSteps; n++ {
		r, err := s.Calculate(id, y.challenge(n))
		if err != nil {
			return prints{}, 0, err
		}
		truncated[n] = r.Truncated
	}
	acc.Digits = first.Digits
	return prints{t4: y.t4(acc, truncated)}, first.Digits, nil
}

// known reports whether the fingerprints say anything.
func (p prints) known() bool { return p.full != nil || p.t4 != nil }

// each lists the fingerprints that are known. The two kinds never look alike, so one index holds both.
func (p prints) each() []string {
	var list []string
	for _, print := range [][]byte{p.full, p.t4} {
		if print != nil {
			list = append(list, string(print))
		}
	}
	return list
}

// printsOf returns a seed's fingerprints.
func printsOf(s ledger.Seed) prints { return prints{s.Full, s.T4} }

// sameness is what comparing two pairs of fingerprints can tell.
type sameness int

const (
	incomparable sameness = iota // each is of another kind
	same
	different
)

// compare holds two pairs of fingerprints against each other.
func (p prints) compare(q prints) sameness {
	x, y := p.full, q.full
	if x == nil || y == nil {
		x, y = p.t4, q.t4
	}
	switch {
	case x == nil || y == nil:
		return incomparable
	case subtle.ConstantTimeCompare(x, y) == 1:
		return same
	}
	return different
}
