package importer

import (
	"github.com/oathd/oathd/oath"
)

// enteAuth is the encrypted export of ente Auth (github.com/ente-io/ente, auth: export.dart); the plain one is read
// as otpauth.
var enteAuth = format{
	Format: Format{Name: "ente", Program: "ente Auth", Kind: "JSON", Encrypted: true},
	detect: func(in *input) bool { return in.object("kdfParams", "encryptedData", "encryptionNonce") },
	read:   readEnte,
}

// enteExport is the envelope. libsodium's memLimit is in bytes.
type enteExport struct {
	Params struct {
		Memory int    `json:"memLimit"`
		Passes int    `json:"opsLimit"`
		Salt   string `json:"salt"`
	} `json:"kdfParams"`
	Data  string `json:"encryptedData"`
	Nonce string `json:"encryptionNonce"`
}

func readEnte(in *input) ([]Entry, error) {
	if !in.outline().valid {
		return readURILines(in)
	}
	var export enteExport
	if err := unmarshal(in.data, &export); err != nil {
		return nil, err
	}
	plain, err := export.open(in)
	if err != nil {
		return nil, err
	}
	return readURILines(in.inner(plain))
}

func (e enteExport) open(in *input) ([]byte, error) {
	salt, err := fromBase64("salt", e.Params.Salt)
	if err != nil {
		return nil, err
	}
	header, err := fromBase64("nonce", e.Nonce)
	if err != nil {
		return nil, err
	}
	box, err := fromBase64("encrypted text", e.Data)
	if err != nil {
		return nil, err
	}
	return in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		key, err := in.limits.argon2id(password, salt, e.Params.Passes, e.Params.Memory>>10, 1, 32)
		if err != nil {
			return nil, err
		}
		defer key.Wipe()
		return openSecretStream(key, header, box)
	})
}
