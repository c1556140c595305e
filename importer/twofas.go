package importer

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/oathd/oathd/oath"
)

// twoFAS is the backup of 2FAS, schemas 1 to 4 (github.com/twofas/2fas-android, BackupContent.kt).
var twoFAS = format{
	Format: Format{Name: "2fas", Program: "2FAS", Kind: "JSON", Encrypted: true},
	detect: func(in *input) bool {
		return in.object("services", "schemaVersion") || in.object("servicesEncrypted", "schemaVersion")
	},
	read: read2FAS,
}

// The newest schema that is known, and what its encryption costs.
const (
	schema2FAS = 4
	rounds2FAS = 10_000
)

func read2FAS(in *input) ([]Entry, error) {
	if err := checkJSON(in.data); err != nil {
		return nil, err
	}
	var head struct {
		Schema    int    `json:"schemaVersion"`
		Encrypted string `json:"servicesEncrypted"`
	}
	if err := unmarshal(in.data, &head); err != nil {
		return nil, err
	}
	if head.Schema < 1 || head.Schema > schema2FAS {
		return nil, fmt.Errorf("its schema is %d, those from 1 to %d are known", head.Schema, schema2FAS)
	}
	list := jsonAt(in.data, "services")
	if head.Encrypted != "" {
		var err error
		if list, err = open2FAS(in, head.Encrypted); err != nil {
			return nil, err
		}
	}
	return jsonEntries(list, (*service2FAS).entry), nil
}

// open2FAS decrypts "ciphertext:salt:iv", each in base64.
func open2FAS(in *input, text string) ([]byte, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return nil, fmt.Errorf("its encrypted services have %d parts, there must be 3", len(parts))
	}
	var decoded [3][]byte
	for i, what := range []string{"encrypted text", "salt", "initialization vector"} {
		var err error
		if decoded[i], err = fromBase64(what, parts[i]); err != nil {
			return nil, err
		}
	}
	box, salt, iv := decoded[0], decoded[1], decoded[2]
	plain, err := in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		key, err := in.limits.pbkdf2(sha256.New, password, salt, rounds2FAS, 32)
		if err != nil {
			return nil, err
		}
		defer key.Wipe()
		return openGCM(key, iv, box, nil)
	})
	if err != nil {
		return nil, err
	}
	return plain, checkJSON(plain)
}

// service2FAS is one element of the services. Schema 1 has no tokenType and no algorithm.
type service2FAS struct {
	Name   string     `json:"name"`
	Secret secretText `json:"secret"`
	OTP    struct {
		Label     string     `json:"label"`
		Account   string     `json:"account"`
		Issuer    string     `json:"issuer"`
		Digits    numberText `json:"digits"`
		Period    numberText `json:"period"`
		Algorithm string     `json:"algorithm"`
		Counter   numberText `json:"counter"`
		Kind      string     `json:"tokenType"`
	} `json:"otp"`
}

func (s *service2FAS) entry() Entry {
	r := record{
		issuer: instead(s.OTP.Issuer, s.Name), name: s.OTP.Account, kind: instead(s.OTP.Kind, kindTOTP), algorithm: s.OTP.Algorithm,
	}
	if r.name == "" {
		r.issuer, r.name = splitLabel(s.OTP.Label, r.issuer)
	}
	s.Secret.take(r.base32)
	r.numbers(s.OTP.Digits, s.OTP.Period, s.OTP.Counter)
	return r.entry()
}
