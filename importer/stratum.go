package importer

import (
	"crypto/sha1"

	"github.com/oathd/oathd/oath"
)

// stratum is the backup of Stratum, which was Authenticator Pro (github.com/stratumauth/app, doc/BACKUP_FORMAT.md).
var stratum = format{
	Format: Format{Name: "stratum", Program: "Stratum, Authenticator Pro", Kind: "JSON", Encrypted: true},
	detect: func(in *input) bool {
		return in.begins(stratumMagic) || in.begins(stratumOldMagic) || in.object("Authenticators")
	},
	read: readStratum,
}

// The two encrypted forms: magic, salt, nonce, box.
const (
	stratumMagic    = "AUTHENTICATORPRO"
	stratumOldMagic = "AuthenticatorPro"

	stratumSalt, stratumNonce = 16, 12
	// Argon2id with 3 passes over 64 MiB in 4 lanes.
	stratumPasses, stratumMemory, stratumLanes = 3, 64 << 10, 4

	stratumOldSalt, stratumOldIV = 20, 16
	stratumOldRounds             = 64_000
)

func readStratum(in *input) ([]Entry, error) {
	data := in.data
	var err error
	switch {
	case in.begins(stratumMagic):
		data, err = in.openStratum(stratumSalt, stratumNonce, openStratum)
	case in.begins(stratumOldMagic):
		data, err = in.openStratum(stratumOldSalt, stratumOldIV, openStratumOld)
	}
	if err != nil {
		return nil, err
	}
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	return jsonEntries(jsonAt(data, "Authenticators"), (*stratumEntry).entry), nil
}

// opener decrypts a box with what stands before it.
type opener func(l limits, password *oath.Secret, salt, nonce, box []byte) (*oath.Secret, error)

func (in *input) openStratum(salt, nonce int, open opener) ([]byte, error) {
	rest := in.data[len(stratumMagic):]
	if len(rest) < salt+nonce {
		return nil, tooShort(len(in.data), len(stratumMagic)+salt+nonce)
	}
	return in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		return open(in.limits, password, rest[:salt], rest[salt:salt+nonce], rest[salt+nonce:])
	})
}

func openStratum(l limits, password *oath.Secret, salt, nonce, box []byte) (*oath.Secret, error) {
	key, err := l.argon2id(password, salt, stratumPasses, stratumMemory, stratumLanes, 32)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return openGCM(key, nonce, box, nil)
}

func openStratumOld(l limits, password *oath.Secret, salt, iv, box []byte) (*oath.Secret, error) {
	key, err := l.pbkdf2(sha1.New, password, salt, stratumOldRounds, 32)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	plain, err := openCBC(key, iv, box)
	if err != nil {
		return nil, err
	}
	// Nothing but the padding tells a wrong key, and every 256th passes that.
	if checkJSON(plain.Bytes()) != nil {
		plain.Wipe()
		return nil, ErrPassword
	}
	return plain, nil
}

// What the numbers of Type and Algorithm mean.
var (
	stratumKinds      = []string{"", kindHOTP, kindTOTP, "mOTP", kindSteam, "Yandex"}
	stratumAlgorithms = []string{"SHA1", "SHA256", "SHA512"}
)

// stratumEntry is one element of Authenticators.
type stratumEntry struct {
	Type      uint64     `json:"Type"`
	Issuer    string     `json:"Issuer"`
	Username  string     `json:"Username"`
	Secret    secretText `json:"Secret"`
	Algorithm uint64     `json:"Algorithm"`
	Digits    numberText `json:"Digits"`
	Period    numberText `json:"Period"`
	Counter   numberText `json:"Counter"`
}

func (e *stratumEntry) entry() Entry {
	r := record{
		issuer: e.Issuer, name: e.Username, kind: choice(stratumKinds, e.Type, "type "),
		algorithm: choice(stratumAlgorithms, e.Algorithm, "number "),
	}
	e.Secret.take(r.base32)
	r.numbers(e.Digits, e.Period, e.Counter)
	return r.entry()
}
