package importer

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/oathd/oathd/oath"
)

// andOTP is the backup of andOTP (github.com/andOTP/andOTP, EncryptionHelper.java, EntryThumbnail.java), whose
// encrypted forms have no mark at all.
var andOTP = format{
	Format: Format{Name: "andotp", Program: "andOTP", Kind: "JSON", Encrypted: true},
	detect: func(in *input) bool {
		// What is no secret came bit by bit. OTPClient's database is alike, but for the name of the algorithm.
		return in.array("secret", "label") && (in.array("period") || in.array("counter") || in.array("thumbnail")) && !in.array("algo")
	},
	read: readAndOTP,
}

// andOTPEncrypted is its encrypted form.
var andOTPEncrypted = format{Format: andOTP.Format, detect: looksRandom, read: readAndOTPEncrypted}

// The lengths in an encrypted backup. The new form is iterations (4 bytes, big-endian), salt, nonce and
// box; the old one nonce and box.
const (
	andOTPSalt  = 12
	andOTPNonce = 12
	andOTPTag   = 16
	andOTPHead  = 4 + andOTPSalt
	// maxAndOTPRounds tells a count of iterations from bytes that mean something else, as Aegis does.
	maxAndOTPRounds = 10_000_000
)

func readAndOTP(in *input) ([]Entry, error) {
	if err := checkJSON(in.data); err != nil {
		return readAndOTPEncrypted(in)
	}
	return jsonEntries(in.data, (*andOTPEntry).entry), nil
}

func readAndOTPEncrypted(in *input) ([]Entry, error) {
	plain, err := in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		return openAndOTP(in, password)
	})
	if err != nil {
		return nil, err
	}
	if err := checkJSON(plain); err != nil {
		return nil, err
	}
	return jsonEntries(plain, (*andOTPEntry).entry), nil
}

// openAndOTP tries the old form, which costs nothing, and then the new one.
func openAndOTP(in *input, password *oath.Secret) (*oath.Secret, error) {
	if least := andOTPNonce + andOTPTag; len(in.data) < least {
		return nil, tooShort(len(in.data), least)
	}
	hash := sha256.Sum256(password.Bytes())
	old := oath.TakeSecret(hash[:])
	defer old.Wipe()
	plain, err := openGCM(old, in.data[:andOTPNonce], in.data[andOTPNonce:], nil)
	if err == nil || len(in.data) < andOTPHead+andOTPNonce+andOTPTag {
		return plain, err
	}
	rounds := binary.BigEndian.Uint32(in.data)
	if rounds < 1 || rounds > maxAndOTPRounds {
		return nil, err
	}
	key, err := in.limits.pbkdf2(sha1.New, password, in.data[4:andOTPHead], int(rounds), 32)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	box := in.data[andOTPHead:]
	return openGCM(key, box[:andOTPNonce], box[andOTPNonce:], nil)
}

// andOTPEntry is one element of the backup. Old versions have no issuer, and the first ones neither type nor algorithm
// (Entry.java has defaults for all that is not there).
type andOTPEntry struct {
	Secret    secretText `json:"secret"`
	Issuer    *string    `json:"issuer"`
	Label     string     `json:"label"`
	Type      string     `json:"type"`
	Algorithm string     `json:"algorithm"`
	Digits    numberText `json:"digits"`
	Period    numberText `json:"period"`
	Counter   numberText `json:"counter"`
	Tags      []string   `json:"tags"`
}

func (e *andOTPEntry) entry() Entry {
	issuer, name, found := strings.Cut(e.Label, " - ")
	switch {
	case e.Issuer != nil:
		issuer, name = *e.Issuer, e.Label
	case !found:
		issuer, name = "", e.Label
	}
	return e.named(issuer, name)
}

func (e *andOTPEntry) named(issuer, name string) Entry {
	r := record{issuer: issuer, name: name, kind: instead(e.Type, kindTOTP), algorithm: e.Algorithm}
	e.Secret.take(r.base32)
	r.numbers(e.Digits, e.Period, e.Counter)
	return r.entry()
}

// gnomeAuthenticator is the old backup of GNOME Authenticator (gitlab.gnome.org/World/Authenticator,
// src/backup/legacy.rs): andOTP's, but that the issuer is the first tag. What it writes today is read as aegis or otpauth.
var gnomeAuthenticator = format{
	Format: Format{Name: "gnome-authenticator", Program: "GNOME Authenticator", Kind: "JSON"},
	detect: func(in *input) bool { return andOTP.detect(in) && in.array("tags") && looksLikeGNOME(in) },
	read: func(in *input) ([]Entry, error) {
		if err := checkJSON(in.data); err != nil {
			return nil, err
		}
		return jsonEntries(in.data, (*andOTPEntry).gnome), nil
	},
}

// looksLikeGNOME tells its backup from those of andOTP's first versions, which have no issuer either: they put it into
// the label, and write when an account was used, which GNOME's does not know.
func looksLikeGNOME(in *input) bool {
	var first struct {
		Issuer   *string  `json:"issuer"`
		LastUsed int64    `json:"last_used"`
		Tags     []string `json:"tags"`
	}
	err := unmarshal(firstItem(in.data), &first)
	return err == nil && first.Issuer == nil && first.LastUsed == 0 && len(first.Tags) > 0 && !in.has(" - ")
}

func (e *andOTPEntry) gnome() Entry {
	issuer := ""
	if len(e.Tags) > 0 {
		issuer = e.Tags[0]
	}
	return e.named(issuer, e.Label)
}
