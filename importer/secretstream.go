package importer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/poly1305"

	"github.com/oathd/oathd/oath"
)

// What libsodium's crypto_secretstream_xchacha20poly1305 calls HEADERBYTES, ABYTES and TAG_FINAL.
const (
	streamHeader   = 24
	streamOverhead = 17
	streamFinal    = 3
)

// openSecretStream decrypts a stream of libsodium's crypto_secretstream_xchacha20poly1305 that is one
// final chunk (libsodium, crypto_secretstream_xchacha20poly1305.c).
func openSecretStream(key *oath.Secret, header, box []byte) (*oath.Secret, error) {
	if len(header) != streamHeader {
		return nil, fmt.Errorf("its nonce has %d bytes, there must be %d", len(header), streamHeader)
	}
	if len(box) < streamOverhead {
		return nil, tooShort(len(box), streamOverhead)
	}
	subkey, err := chacha20.HChaCha20(key.Bytes(), header[:16])
	if err != nil {
		return nil, errors.New("its key is not one for XChaCha20")
	}
	defer oath.Wipe(subkey)
	nonce := binary.LittleEndian.AppendUint32(nil, 1) // the number of the chunk
	nonce = append(nonce, header[16:]...)
	return openChunk(subkey, nonce, box)
}

// openChunk checks and decrypts tag, text and authenticator.
func openChunk(key, nonce, box []byte) (*oath.Secret, error) {
	stream, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	if err != nil {
		return nil, errors.New("its key is not one for ChaCha20")
	}
	// The first block of the key stream is the authenticator's key, the second hides the tag.
	var blocks [2][64]byte
	stream.XORKeyStream(blocks[0][:], blocks[0][:])
	defer oath.Wipe(blocks[0][:])
	blocks[1][0] = box[0]
	stream.XORKeyStream(blocks[1][:], blocks[1][:])
	tag := blocks[1][0]
	blocks[1][0] = box[0]

	text, sum := box[1:len(box)-poly1305.TagSize], box[len(box)-poly1305.TagSize:]
	mac := poly1305.New((*[32]byte)(blocks[0][:32]))
	mac.Write(blocks[1][:])
	mac.Write(text)
	// libsodium pads by the length itself and not by what is missing to a whole block; the format stays that way.
	mac.Write(make([]byte, len(text)%16))
	mac.Write(binary.LittleEndian.AppendUint64(nil, 0)) // no additional data
	mac.Write(binary.LittleEndian.AppendUint64(nil, uint64(64+len(text))))
	if !mac.Verify(sum) {
		return nil, ErrPassword
	}
	if tag != streamFinal {
		return nil, errors.New("it is cut off: there is no final part")
	}
	plain := oath.NewSecret(len(text))
	stream.XORKeyStream(plain.Bytes(), text)
	return plain, nil
}
