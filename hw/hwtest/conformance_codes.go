package hwtest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/mgmt"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

func (s *suite) testSelect() {
	var first, second ykoath.Info
	s.open(func(o *ykoath.Session) { first = o.Info() })
	s.open(func(o *ykoath.Session) { second = o.Info() })
	if first.Soft != s.target.Soft {
		s.Errorf("marked as soft: %v", first.Soft)
	}
	if first.DeviceID() == "" || first.DeviceID() != second.DeviceID() {
		s.Errorf("device ids %q and %q", first.DeviceID(), second.DeviceID())
	}
	if first.PasswordSet() || first.Version == (ykoath.Version{}) {
		s.Errorf("an empty key says %+v", first)
	}
}

func (s *suite) testManagement() {
	s.must(s.target.Transact(func(card hw.Card) error {
		info, err := mgmt.Read(card)
		if errors.Is(err, mgmt.ErrAbsent) {
			err = nil
			// Nitrokey shows its serial number in the OATH application.
			if session, selectErr := ykoath.Select(card); selectErr == nil {
				info.Serial = session.Info().Serial
			}
		}
		if info.Serial != s.target.Serial && info.Serial != 0 {
			s.Errorf("serial number %d, want %d", info.Serial, s.target.Serial)
		}
		return err
	}))
}

func (s *suite) testEmpty() {
	s.open(func(o *ykoath.Session) {
		if ids := s.ids(o); len(ids) != 0 {
			s.Errorf("an empty key lists %q", ids)
		}
		if answers, err := o.CalculateAll(oath.Challenge(1)); len(answers) != 0 || err != nil {
			s.want("CALCULATE ALL of an empty key", err, ykoath.ErrNotSupported)
		}
		_, err := o.Calculate("nobody", oath.Challenge(1))
		s.want("CALCULATE of an absent account", err, ykoath.ErrNoSuchCredential)
		s.want("DELETE of an absent account", o.Delete("nobody"), ykoath.ErrNoSuchCredential)
	})
}

// RFC 6238, appendix B: the seed is these digits, repeated to the length of the hash.
const rfcSeed = "1234567890123456789012345678901234567890123456789012345678901234"

var rfcCodes = []struct {
	step  uint64
	codes map[oath.Algorithm]string
}{
	{0x1, map[oath.Algorithm]string{oath.SHA1: "94287082", oath.SHA256: "46119246", oath.SHA512: "90693936"}},
	{0x23523ec, map[oath.Algorithm]string{oath.SHA1: "07081804", oath.SHA256: "68084774", oath.SHA512: "25091201"}},
	{0x23523ed, map[oath.Algorithm]string{oath.SHA1: "14050471", oath.SHA256: "67062674", oath.SHA512: "99943326"}},
	{0x273ef07, map[oath.Algorithm]string{oath.SHA1: "89005924", oath.SHA256: "91819424", oath.SHA512: "93441116"}},
	{0x3f940aa, map[oath.Algorithm]string{oath.SHA1: "69279037", oath.SHA256: "90698825", oath.SHA512: "38618901"}},
	{0x27bc86aa, map[oath.Algorithm]string{oath.SHA1: "65353130", oath.SHA256: "77737706", oath.SHA512: "47863826"}},
}

// testVectors holds codes of all lengths and algorithms against those of the RFC.
func (s *suite) testVectors() {
	for _, algorithm := range []oath.Algorithm{oath.SHA1, oath.SHA256, oath.SHA512} {
		for digits := 6; digits <= 8; digits++ {
			a := totp(algorithm.String())
			a.Algorithm, a.Digits = algorithm, digits
			s.Run(a.Name, func(t *testing.T) { (&suite{t, s.target}).testVector(a) })
		}
	}
}

func (s *suite) testVector(a oath.Account) {
	s.open(func(o *ykoath.Session) {
		err := tryPut(o, ykoath.Put{Account: a}, rfcSeed[:a.Algorithm.Size()])
		if a.Algorithm == oath.SHA512 && !o.Info().Features().SHA512 || errors.Is(err, ykoath.ErrNotSupported) {
			s.want("PUT", err, ykoath.ErrNotSupported)
			return
		}
		s.must(err)
		for _, vector := range rfcCodes {
			full, err := o.Calculate(a.ID(), oath.Challenge(vector.step))
			s.must(err)
			truncated, err := o.CalculateTruncated(a.ID(), oath.Challenge(vector.step))
			s.must(err)
			want := vector.codes[a.Algorithm][8-a.Digits:]
			if a.Code(full.Truncated) != want || a.Code(truncated.Truncated) != want || full.Digits != a.Digits {
				s.Errorf("step %x: %d digits %s, truncated %s, want %s", vector.step, full.Digits, a.Code(full.Truncated), a.Code(truncated.Truncated), want)
			}
			if truncated.MAC != nil {
				s.Errorf("step %x: a truncated answer with a MAC", vector.step)
			}
		}
		s.must(o.Delete(a.ID()))
	})
}

// testSeeds holds seeds of all lengths, around the hash's block above all, against the HMAC.
func (s *suite) testSeeds() {
	for _, algorithm := range []oath.Algorithm{oath.SHA1, oath.SHA256, oath.SHA512} {
		block := algorithm.BlockSize()
		for _, length := range []int{1, 2, 10, 13, 14, 15, 20, block - 1, block, block + 1, 200} {
			a, seed := totp("seed"), strings.Repeat("\x00\xa5\xff", 100)[:length]
			a.Algorithm = algorithm
			s.open(func(o *ykoath.Session) {
				err := tryPut(o, ykoath.Put{Account: a}, seed)
				if errors.Is(err, ykoath.ErrNotSupported) {
					return
				}
				s.must(err)
				s.proves(o, a.ID(), a, seed)
				s.must(o.Delete(a.ID()))
			})
		}
	}
}

// testNames checks that names come back byte for byte, and that what is listed is what was written.
func (s *suite) testNames() {
	accounts := []oath.Account{
		{Name: "x"},
		{Name: "a name of its own"},
		{Issuer: "Größe & Söhne", Name: "jürgen@例え.jp"},
		{Issuer: "slashes", Name: "1/2/3"},
		{Issuer: "period", Name: "15", Period: 15},
		{Issuer: "period", Name: "60", Period: 60},
		{Issuer: "period", Name: "a day", Period: 24 * 60 * 60},
		{Issuer: "long", Name: strings.Repeat("n", oath.MaxIDLen-len("long:"))},
		{Issuer: "Steam", Name: "gabe"},
		{Issuer: "counter", Name: "1", Type: oath.HOTP},
		{Name: "counter without issuer", Type: oath.HOTP},
	}
	var want []ykoath.Entry
	s.open(func(o *ykoath.Session) {
		for i, a := range accounts {
			a.Type, a.Algorithm, a.Digits = max(a.Type, oath.HOTP), oath.SHA1+oath.Algorithm(i%2), 6
			if accounts[i].Type == 0 {
				a.Type = oath.TOTP
				a.Period = max(a.Period, 1)
				if accounts[i].Period == 0 {
					a.Period = oath.DefaultPeriod
				}
			}
			s.put(o, a, a.ID())
			want = append(want, ykoath.Entry{ID: a.ID(), Type: a.Type, Algorithm: a.Algorithm})
			if a.Type == oath.TOTP {
				s.proves(o, a.ID(), a, a.ID())
			}
		}
	})
	s.open(func(o *ykoath.Session) {
		got, err := o.List()
		s.must(err)
		byID := func(a, b ykoath.Entry) int { return strings.Compare(a.ID, b.ID) }
		slices.SortFunc(got, byID)
		slices.SortFunc(want, byID)
		if !slices.Equal(got, want) {
			s.Errorf("listed %v, want %v", got, want)
		}
	})
}

// testHOTP checks that codes come one after the other, in one session and over several. Some keys cannot begin at 0
// (CanoKey).
func (s *suite) testHOTP() {
	a := oath.Account{Name: "counter", Type: oath.HOTP, Algorithm: oath.SHA1, Digits: 6}
	for _, start := range []uint32{0, 1, 0x01020304} {
		s.open(func(o *ykoath.Session) { s.must(tryPut(o, ykoath.Put{Account: a, Counter: start}, rfcSeed[:20])) })
		code := func(counter uint64) string {
			return a.Code(oath.Truncate(oath.HMAC(a.Algorithm, []byte(rfcSeed[:20]), oath.Challenge(counter))))
		}
		next := uint64(start)
		for range 3 {
			s.open(func(o *ykoath.Session) {
				for range 2 {
					response, err := o.CalculateTruncated(a.ID(), nil)
					s.must(err)
					got := a.Code(response.Truncated)
					if next == 0 && got == code(1) {
						next++
					}
					if got != code(next) {
						s.Errorf("counter %d of %d: %s, want %s", next, start, got, code(next))
					}
					next++
				}
			})
		}
		s.open(func(o *ykoath.Session) { s.must(o.Delete(a.ID())) })
	}
}
