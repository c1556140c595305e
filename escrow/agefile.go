package escrow

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/oathd/oathd/oath"
)

// Sizes of the age format (C2SP, age.md, "Payload").
const (
	fileNonceLen = 16
	// maxPlaintext is one chunk, and more than anything here takes.
	maxPlaintext = 64 << 10
)

// lastChunk is the nonce of a payload's first chunk that is also its last.
var lastChunk = [chacha20poly1305.NonceSize]byte{chacha20poly1305.NonceSize - 1: 1}

// audience is all recipients of a file as one. It keeps the file key, which age.Encrypt gives to nobody else.
type audience struct {
	recipients []age.Recipient
	fileKey    []byte
}

// Wrap implements age.Recipient. None of our recipients has labels; a passphrase, which has, stands alone.
func (a *audience) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	a.fileKey = fileKey
	var all []*age.Stanza
	for _, r := range a.recipients {
		stanzas, err := r.Wrap(fileKey)
		if err != nil {
			return nil, err
		}
		all = append(all, stanzas...)
	}
	return all, nil
}

// encrypt returns plaintext as an age file. age writes the header; the one chunk is sealed here, from where
// the plaintext lies, for age's writer would keep a copy of it on the heap.
func encrypt(plaintext *oath.Secret, recipients ...age.Recipient) ([]byte, error) {
	if plaintext.Len() > maxPlaintext {
		return nil, fmt.Errorf("cannot encrypt %d bytes, %d fit", plaintext.Len(), maxPlaintext)
	}
	all := &audience{recipients: recipients}
	var file bytes.Buffer
	if _, err := age.Encrypt(&file, all); err != nil {
		return nil, fmt.Errorf("cannot encrypt: %w", err)
	}
	defer oath.Wipe(all.fileKey)
	head := file.Bytes()
	chunk, err := chunkCipher(all.fileKey, head[len(head)-fileNonceLen:])
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt: %w", err)
	}
	return chunk.Seal(head, lastChunk[:], plaintext.Bytes(), nil), nil
}

// decrypt returns the plaintext of an age file of one chunk. Its error wraps age.ErrIncorrectIdentity if the
// file is not for this identity, what the card said if it was the card, and ErrDamaged for anything else.
func decrypt(file []byte, id age.Identity) (*oath.Secret, error) {
	header, err := age.ExtractHeader(bytes.NewReader(file))
	if err != nil || !bytes.HasPrefix(file, header) {
		return nil, damaged("it is no age file")
	}
	fileKey, err := age.DecryptHeader(header, id)
	if cause, ok := errors.AsType[*cardError](err); ok {
		return nil, cause.Unwrap()
	}
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, err
	}
	if err != nil {
		return nil, damaged("%w", err)
	}
	defer oath.Wipe(fileKey)
	return openChunk(fileKey, file[len(header):])
}

func openChunk(fileKey, body []byte) (*oath.Secret, error) {
	size := len(body) - fileNonceLen - chacha20poly1305.Overhead
	if size < 0 || size > maxPlaintext {
		return nil, damaged("%d bytes after the header", len(body))
	}
	chunk, err := chunkCipher(fileKey, body[:fileNonceLen])
	if err != nil {
		return nil, damaged("%w", err)
	}
	plaintext := oath.NewSecret(size)
	if _, err := chunk.Open(plaintext.Bytes()[:0], lastChunk[:], body[fileNonceLen:], nil); err != nil {
		plaintext.Wipe()
		return nil, damaged("its content is not what was encrypted")
	}
	return plaintext, nil
}

func chunkCipher(fileKey, nonce []byte) (cipher.AEAD, error) {
	return deriveCipher(fileKey, nonce, "payload")
}

// deriveCipher returns the ChaCha20-Poly1305 whose key HKDF-SHA256 makes of a secret, as age does everywhere.
func deriveCipher(secret, salt []byte, info string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, salt, info, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	defer oath.Wipe(key)
	return chacha20poly1305.New(key)
}

// Every key that wraps a file key is used once, so that its nonce is zero (C2SP, age.md).
var wrapNonce [chacha20poly1305.NonceSize]byte

// wrappedLen is the length of a wrapped file key: 16 bytes and a tag. It is checked before decrypting, as the
// format asks for: a longer one could be made to open under many keys.
const wrappedLen = 16 + chacha20poly1305.Overhead

// cardError marks an error as the card's, so that it is not taken for a damaged file.
type cardError struct{ cause error }

func (e *cardError) Error() string { return e.cause.Error() }
func (e *cardError) Unwrap() error { return e.cause }
