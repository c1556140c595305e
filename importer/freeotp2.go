package importer

import (
	"crypto/sha1"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/oathd/oathd/oath"
)

// freeOTPCipher is the only cipher that FreeOTP 2 uses, in Java's words.
const freeOTPCipher = "AES/GCM/NoPadding"

// freeOTPKey is an encrypted key of FreeOTP 2 (EncryptedKey.java).
type freeOTPKey struct {
	Cipher string      `json:"mCipher"`
	Text   publicBytes `json:"mCipherText"`
	// MParameters is the DER of a sequence: the nonce, and the tag's length.
	Parameters publicBytes `json:"mParameters"`
	// MToken says what the key is for; the encryption binds it.
	Token string `json:"mToken"`
}

// freeOTPMaster is the key that encrypts all others, encrypted with the password (MasterKey.java).
type freeOTPMaster struct {
	Algorithm  string      `json:"mAlgorithm"`
	Iterations int         `json:"mIterations"`
	Salt       publicBytes `json:"mSalt"`
	Key        freeOTPKey  `json:"mEncryptedKey"`
}

var freeOTPHashes = map[string]func() hash.Hash{
	"PBKDF2withHmacSHA1": sha1.New, "PBKDF2withHmacSHA512": sha512.New,
}

func readFreeOTP2(in *input) ([]Entry, error) {
	pairs, err := readJavaMap(in.data)
	if err != nil {
		return nil, err
	}
	values := make(map[string][]byte)
	for _, p := range pairs {
		values[p.key] = p.value
	}
	master, err := openFreeOTPMaster(in, values["masterKey"])
	if err != nil {
		return nil, err
	}
	defer master.Wipe()
	var entries []Entry
	seen := map[string]bool{"masterKey": true}
	for _, p := range pairs {
		if id := strings.TrimSuffix(p.key, "-token"); !seen[id] {
			seen[id] = true
			entries = append(entries, freeOTP2Entry(master, values[id], values[id+"-token"]))
		}
	}
	return entries, nil
}

func openFreeOTPMaster(in *input, text []byte) (*oath.Secret, error) {
	var m freeOTPMaster
	if err := unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("cannot read its master key: %w", err)
	}
	newHash := freeOTPHashes[m.Algorithm]
	if newHash == nil {
		return nil, fmt.Errorf("its password hash %s is none that FreeOTP uses", short(m.Algorithm))
	}
	master, err := in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		key, err := in.limits.pbkdf2(newHash, password, m.Salt, m.Iterations, 32)
		if err != nil {
			return nil, err
		}
		defer key.Wipe()
		return m.Key.open(key)
	})
	return oath.CopySecret(master), err
}

// open returns ErrPassword if key does not fit.
func (k *freeOTPKey) open(key *oath.Secret) (*oath.Secret, error) {
	if k.Cipher != freeOTPCipher {
		return nil, fmt.Errorf("its cipher %s is none that FreeOTP uses", short(k.Cipher))
	}
	var parameters struct {
		Nonce []byte
		Tag   int `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(k.Parameters, &parameters); err != nil {
		return nil, errors.New("the parameters of its cipher mean nothing")
	}
	return openGCM(key, parameters.Nonce, k.Text, []byte(k.Token))
}

func freeOTP2Entry(master *oath.Secret, locked, token []byte) Entry {
	if token == nil {
		return Entry{Problem: errors.New("there is its secret, but not what it is for")}
	}
	return jsonEntry(token, func(t *freeOTPToken) Entry {
		r := t.record(0)
		r.seed(openFreeOTPSeed(master, locked))
		return r.entry()
	})
}

// openFreeOTPSeed reads {"key": "…"}, with a freeOTPKey as JSON in the string.
func openFreeOTPSeed(master *oath.Secret, locked []byte) (*oath.Secret, error) {
	var outer struct {
		Key string `json:"key"`
	}
	var k freeOTPKey
	if unmarshal(locked, &outer) != nil || unmarshal([]byte(outer.Key), &k) != nil {
		return nil, errors.New("cannot read its encrypted secret")
	}
	seed, err := k.open(master)
	if errors.Is(err, ErrPassword) {
		return nil, errors.New("the master key does not decrypt its secret")
	}
	return seed, err
}
