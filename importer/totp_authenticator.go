package importer

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/oathd/oathd/oath"
)

// totpAuthenticator is TOTP Authenticator's backup, and the app's preferences on Android
// (Aegis, TotpAuthenticatorImporter.java). The backup is base64 of AES-256-CBC with a zero initialization vector and the
// SHA-256 of the password as its key, which is always the same where the user chose none.
var totpAuthenticator = format{
	Format: Format{Name: "totp-authenticator", Program: "TOTP Authenticator", Kind: "text, XML", Encrypted: true},
	detect: func(in *input) bool { return in.opensXML("<map", totpPreference) || isBase64Blocks(in.data) },
	read:   readTOTPAuthenticator,
}

const (
	// totpPreference is the preference that holds the accounts.
	totpPreference = "STATIC_TOTP_CODES_LIST"
	// totpPassword is the app's own password.
	totpPassword = "TotpAuthenticator"
)

// isBase64Blocks reports whether data is base64 of whole AES blocks and nothing else: the backup has no
// other mark.
func isBase64Blocks(data []byte) bool {
	characters, padding := 0, 0
	for _, c := range data {
		switch {
		case c == '\r' || c == '\n':
		case c == '=':
			padding++
		case padding > 0 || !isBase64(c):
			return false
		default:
			characters++
		}
	}
	return characters > 0 && padding <= 2 && (characters+padding)%4 == 0 && characters*3/4%aes.BlockSize == 0
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

func readTOTPAuthenticator(in *input) ([]Entry, error) {
	if in.opens("<") {
		return readTOTPPreferences(in)
	}
	plain, err := in.openTOTPBackup()
	if err != nil {
		return nil, err
	}
	// The accounts are the name of the only member, whose value is a time.
	if err := checkJSON(plain); err != nil {
		return nil, err
	}
	name := firstString(bytes.TrimLeft(bytes.TrimSpace(plain), "{ \t\r\n"))
	list := oath.NewSecret(len(name))
	return totpEntries(unquote(in.own(list)[:0], name))
}

// firstString returns what is inside the string with which JSON text begins.
func firstString(text []byte) []byte {
	if len(text) == 0 || text[0] != '"' {
		return nil
	}
	return text[1 : quotedLen(text)-1]
}

func readTOTPPreferences(in *input) ([]Entry, error) {
	preferences, err := in.preferences()
	if err != nil {
		return nil, err
	}
	for _, p := range preferences {
		if p.name == totpPreference {
			return totpEntries(p.text)
		}
	}
	return nil, fmt.Errorf("the preference %s is not in it", totpPreference)
}

// openTOTPBackup tries the app's own password before it asks for another.
func (in *input) openTOTPBackup() ([]byte, error) {
	box := make([]byte, base64.StdEncoding.DecodedLen(len(in.data)))
	n, err := base64.StdEncoding.Decode(box, in.data)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	own := oath.CopySecret([]byte(totpPassword))
	defer own.Wipe()
	if plain, err := openTOTP(own, box[:n]); err == nil {
		return in.own(plain), nil
	} else if !errors.Is(err, ErrPassword) {
		return nil, err
	}
	return in.decrypt(func(password *oath.Secret) (*oath.Secret, error) { return openTOTP(password, box[:n]) })
}

// openTOTP decrypts a backup. Its padding alone would take one wrong password in 256.
func openTOTP(password *oath.Secret, box []byte) (*oath.Secret, error) {
	sum := sha256.Sum256(password.Bytes())
	key := oath.TakeSecret(sum[:])
	defer key.Wipe()
	plain, err := openCBC(key, make([]byte, aes.BlockSize), box)
	if err != nil {
		return nil, err
	}
	if !json.Valid(plain.Bytes()) {
		plain.Wipe()
		return nil, ErrPassword
	}
	return plain, nil
}

// totpEntries reads a JSON array of accounts.
func totpEntries(array []byte) ([]Entry, error) {
	if err := checkJSON(array); err != nil {
		return nil, fmt.Errorf("the list of its accounts: %w", err)
	}
	return jsonEntries(array, (*totpAccount).entry), nil
}

// totpAccount is an account of TOTP Authenticator. There is no algorithm: the app knows SHA1 alone. Digits and
// period are those of the QR code, so they are the service's, and are believed, as Stratum does; Aegis found that the app
// itself shows 6 digits and 30 seconds all the same. Where the account was typed in they are empty.
type totpAccount struct {
	Name, Issuer   string
	Base           int
	Key            secretText
	Digits, Period numberText
}

func (a *totpAccount) entry() Entry {
	r := record{issuer: a.Issuer, name: a.Name, kind: kindTOTP}
	if r.issuer == "Unknown" {
		r.issuer = ""
	}
	switch a.Base {
	case 16:
		a.Key.take(r.hex)
	case 32:
		a.Key.take(r.base32)
	case 64:
		a.Key.take(r.base64)
	default:
		a.Key.wipe()
		r.seed(nil, fmt.Errorf("its secret is written to base %d: 16, 32 and 64 are known", a.Base))
	}
	r.numbers(a.Digits, a.Period, "")
	return r.entry()
}
