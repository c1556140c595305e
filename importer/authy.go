package importer

import (
	"bytes"
	"crypto/aes"
	"crypto/sha1"
	"errors"
	"slices"
	"strings"

	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// authy is what Authy keeps on Android, in two files: com.authy.storage.tokens.authenticator.xml for other
// services' accounts, com.authy.storage.tokens.authy.xml for those of Authy's own kind (Aegis, AuthyImporter.java).
var authy = format{
	Format: Format{Name: "authy", Program: "Authy", Kind: "Android XML", Encrypted: true},
	detect: func(in *input) bool { return in.opensXML(authyPrefix) },
	read:   readAuthy,
}

const authyPrefix = "com.authy.storage.tokens."

// authyRounds are the rounds of PBKDF2 that Authy has used, which the file does not say: 100,000 since 2024
// (github.com/alexzorin/authy, issue 30).
var authyRounds = []int{1000, 100_000}

// authyPeriod is the period of codes of Authy's own kind, in seconds.
const authyPeriod = 10

// authyProbes is how many accounts are tried before a password counts as wrong: an account keeps the password with
// which it was encrypted, so it may be right for others.
const authyProbes = 3

type authyToken struct {
	Name           string `json:"name"`
	OriginalName   string `json:"originalName"`
	OriginalIssuer string `json:"originalIssuer"`
	Digits         int    `json:"digits"`
	// DecryptedSecret is base32; SecretSeed, of Authy's own kind, hexadecimal.
	DecryptedSecret secretText `json:"decryptedSecret"`
	SecretSeed      secretText `json:"secretSeed"`
	// EncryptedSecret is base64 of AES-256-CBC, without an IV, of the base32. The salt is used as it is written.
	EncryptedSecret string `json:"encryptedSecret"`
	Salt            string `json:"salt"`

	// opened is the seed out of EncryptedSecret.
	opened  *oath.Secret
	problem error
}

func readAuthy(in *input) ([]Entry, error) {
	tokens, err := authyTokens(in)
	if err != nil {
		return nil, err
	}
	err = unlockAuthy(in, tokens)
	var entries []Entry
	for _, t := range tokens {
		entries = append(entries, t.record().entry())
	}
	return entries, err
}

func authyTokens(in *input) ([]*authyToken, error) {
	list, err := in.preferences()
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if strings.HasPrefix(p.name, authyPrefix) && strings.HasSuffix(p.name, ".key") {
			return authyArray(p.text)
		}
	}
	return nil, errors.New("there are no accounts in it")
}

func authyArray(array []byte) ([]*authyToken, error) {
	if err := checkJSON(array); err != nil {
		return nil, err
	}
	var tokens []*authyToken
	for item := range jsonItems(array) {
		t := new(authyToken)
		t.problem = unmarshal(item, t)
		if tokens = append(tokens, t); len(tokens) > maxEntries {
			return nil, errTooMany
		}
	}
	return tokens, nil
}

// unlockAuthy asks for a password if there are encrypted accounts.
func unlockAuthy(in *input, tokens []*authyToken) error {
	var locked []*authyToken
	for _, t := range tokens {
		if t.locked() {
			locked = append(locked, t)
		}
	}
	if len(locked) == 0 {
		return nil
	}
	_, err := in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		return &oath.Secret{}, openAuthy(in.limits, locked, password)
	})
	return err
}

// openAuthy opens the accounts that the password opens; it is wrong if there are none among the first.
func openAuthy(l limits, locked []*authyToken, password *oath.Secret) error {
	rounds, spent, opened := slices.Clone(authyRounds), 0, false
	for i, t := range locked {
		if i == authyProbes && !opened {
			break
		}
		for j, n := range rounds {
			spent += n
			if err := l.allow(0, uint64(spent)); err != nil {
				return err
			}
			if t.open(l, password, n) {
				opened = true
				rounds[0], rounds[j] = rounds[j], rounds[0]
				break
			}
		}
	}
	if !opened {
		return ErrPassword
	}
	return nil
}

func (t *authyToken) locked() bool {
	return t.problem == nil && t.EncryptedSecret != "" && len(t.DecryptedSecret.bytes()) == 0 && len(t.SecretSeed.bytes()) == 0
}

func (t *authyToken) open(l limits, password *oath.Secret, rounds int) bool {
	box, err := fromBase64("encrypted secret", t.EncryptedSecret)
	if err != nil {
		return false
	}
	key, err := l.pbkdf2(sha1.New, password, []byte(t.Salt), rounds, 32)
	if err != nil {
		return false
	}
	defer key.Wipe()
	text, err := openCBC(key, make([]byte, aes.BlockSize), box)
	if err != nil {
		return false
	}
	defer text.Wipe()
	t.opened, err = otpauth.DecodeSecret(bytes.TrimSpace(text.Bytes()))
	return err == nil
}

func (t *authyToken) record() record {
	r := record{kind: kindTOTP, digits: t.Digits}
	defer t.DecryptedSecret.wipe()
	defer t.SecretSeed.wipe()
	if seed := t.SecretSeed.bytes(); len(seed) > 0 {
		r.issuer, r.period = t.Name, authyPeriod
		r.hex(seed)
		return r
	}
	r.issuer, r.name = t.names()
	switch {
	case t.opened != nil:
		r.seed(t.opened, nil)
	case t.locked():
		r.problem = errors.New("this password does not decrypt its secret")
	default:
		r.base32(t.DecryptedSecret.bytes())
	}
	if t.problem != nil {
		r.problem = t.problem
	}
	return r
}

// names tells issuer and name apart: Authy shows "GitHub: alice", or what somebody wrote instead.
func (t *authyToken) names() (issuer, name string) {
	before, after, found := strings.Cut(t.OriginalName, ":")
	if !found {
		before, after = "", t.OriginalName
	}
	issuer = instead(t.OriginalIssuer, before)
	name = strings.TrimLeft(strings.TrimPrefix(t.Name, issuer), ": -")
	return issuer, instead(name, after)
}
