package escrow

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

// The stanza of an X25519 recipient and its label (C2SP, age.md, "The X25519 recipient type").
const (
	stanzaX25519 = "X25519"
	labelX25519  = "age-encryption.org/v1/X25519"
	scalarLen    = 32
)

// secretKey is an X25519 identity of age in locked memory. age's own keeps its key in plain memory, out of reach.
type secretKey struct{ scalar *oath.Secret }

func newSecretKey() secretKey {
	k := secretKey{oath.NewSecret(scalarLen)}
	rand.Read(k.scalar.Bytes())
	return k
}

// parseSecretKey reads an "AGE-SECRET-KEY-1…", in capitals as age wants it.
func parseSecretKey(text []byte) (secretKey, error) {
	if lower, _ := cases(text); lower {
		return secretKey{}, errors.New("it is written in small letters")
	}
	prefix, data, err := decodeBech32(text)
	if err != nil {
		return secretKey{}, err
	}
	if prefix != prefixSecretKey || len(data) != scalarLen {
		oath.Wipe(data)
		return secretKey{}, errors.New("it is something else")
	}
	return secretKey{oath.TakeSecret(data)}, nil
}

// text returns the key as an "AGE-SECRET-KEY-1…".
func (k secretKey) text() *oath.Secret {
	return oath.TakeSecret(upperCase(encodeBech32(prefixSecretKey, k.scalar.Bytes())))
}

// pair returns the key as crypto/ecdh has it, with the public half, which costs as much as an exchange. The caller forgets it.
func (k secretKey) pair() (pair, error) {
	private, err := ecdh.X25519().NewPrivateKey(k.scalar.Bytes())
	return pair{private}, err
}

// recipient returns the public half, "age1…".
func (k secretKey) recipient() (string, error) {
	p, err := k.pair()
	if err != nil {
		return "", err
	}
	defer p.forget()
	return string(encodeBech32(prefixRecipient, p.private.PublicKey().Bytes())), nil
}

// Unwrap implements age.Identity.
func (k secretKey) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	p, err := k.pair()
	if err != nil {
		return nil, err
	}
	defer p.forget()
	return p.Unwrap(stanzas)
}

// pair is a secretKey in use: crypto/ecdh keeps a copy in plain memory.
type pair struct{ private *ecdh.PrivateKey }

// Unwrap implements age.Identity. A stanza has nothing that tells whose it is, so all are tried.
func (p pair) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type != stanzaX25519 {
			continue
		}
		fileKey, err := unwrapX25519(p.private, s)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return fileKey, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

// forget overwrites crypto/ecdh's copy, which has no method for that. A test notices when another Go keeps it elsewhere.
func (p pair) forget() {
	if copied := reflect.ValueOf(p.private).Elem().FieldByName("privateKey"); copied.IsValid() {
		oath.Wipe(copied.Bytes())
	}
}

func unwrapX25519(private *ecdh.PrivateKey, s *age.Stanza) ([]byte, error) {
	if len(s.Args) != 1 || len(s.Body) != wrappedLen {
		return nil, errors.New("malformed stanza X25519")
	}
	share, err := decodeArg(s.Args[0], scalarLen)
	if err != nil {
		return nil, err
	}
	point, err := ecdh.X25519().NewPublicKey(share)
	if err != nil {
		return nil, err
	}
	shared, err := private.ECDH(point)
	if err != nil {
		return nil, err
	}
	defer oath.Wipe(shared)
	wrap, err := deriveCipher(shared, append(share, private.PublicKey().Bytes()...), labelX25519)
	if err != nil {
		return nil, err
	}
	return orIncorrect(wrap.Open(nil, wrapNonce[:], s.Body, nil))
}

// NewRecoveryKey draws the key for a recovery paper: its text, "AGE-SECRET-KEY-1…", and the recipient, "age1…".
func NewRecoveryKey() (key *oath.Secret, recipient string, err error) {
	k := newSecretKey()
	defer k.scalar.Wipe()
	recipient, err = k.recipient()
	if err != nil {
		return nil, "", fmt.Errorf("cannot make a recovery key: %w", err)
	}
	return k.text(), recipient, nil
}

// parseRecovery reads a recovery key as people type it: with blanks and line breaks anywhere, in small
// letters too.
func parseRecovery(typed []byte) (secretKey, error) {
	clean := oath.NewSecret(len(typed))
	defer clean.Wipe()
	n := 0
	for _, c := range typed {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			clean.Bytes()[n] = c
			n++
		}
	}
	text := clean.Bytes()[:n]
	if _, upper := cases(text); !upper {
		upperCase(text)
	}
	k, err := parseSecretKey(text)
	if err != nil {
		return secretKey{}, fmt.Errorf("cannot read the recovery key: %w: %w", ErrMistyped, err)
	}
	return k, nil
}
