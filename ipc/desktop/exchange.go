package desktop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"

	"github.com/oathd/oathd/oath"
)

// keyExchange is the algorithm by which secrets go over the bus encrypted (Secret Service API, "Transfer of Secrets"): whoever
// watches the bus sees none, and none is ever in the buffers of a library.
const keyExchange = "dh-ietf1024-sha256-aes128-cbc-pkcs7"

// prime is that of the second Oakley group (RFC 2409, 6.2), whose generator is 2.
var prime, _ = new(big.Int).SetString("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"+
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381"+
	"FFFFFFFFFFFFFFFF", 16)

const (
	// privateBytes is how long our exponent is, groupBytes how long the numbers of the group are.
	privateBytes = 32
	groupBytes   = 128
	// maxSealed bounds what is decrypted: a keyring may hold anything.
	maxSealed = 1 << 10
)

// exchange is our half of one.
type exchange struct{ private *big.Int }

func newExchange() (x exchange, public []byte) {
	b := make([]byte, privateBytes)
	rand.Read(b)
	x.private = new(big.Int).SetBytes(b)
	oath.Wipe(b)
	return x, new(big.Int).Exp(big.NewInt(2), x.private, prime).FillBytes(make([]byte, groupBytes))
}

// agree returns the key that both sides have, and forgets our half.
func (x exchange) agree(public []byte) (*oath.Secret, error) {
	defer clear(x.private.Bits())
	theirs, last := new(big.Int).SetBytes(public), new(big.Int).Sub(prime, big.NewInt(1))
	if theirs.Cmp(big.NewInt(1)) <= 0 || theirs.Cmp(last) >= 0 {
		return nil, errors.New("the keyring's half of the key exchange is none")
	}
	shared := new(big.Int).Exp(theirs, x.private, prime)
	defer clear(shared.Bits())
	b := shared.FillBytes(make([]byte, groupBytes))
	defer oath.Wipe(b)
	key, err := hkdf.Key(sha256.New, b, nil, "", aes.BlockSize)
	if err != nil {
		return nil, err
	}
	return oath.TakeSecret(key), nil
}

// seal encrypts a secret with a fresh vector.
func seal(key, plain *oath.Secret) (vector, sealed []byte, err error) {
	block, err := aes.NewCipher(key.Bytes())
	if err != nil {
		return nil, nil, err
	}
	pad := aes.BlockSize - plain.Len()%aes.BlockSize
	padded := oath.NewSecret(plain.Len() + pad)
	defer padded.Wipe()
	for i := copy(padded.Bytes(), plain.Bytes()); i < padded.Len(); i++ {
		padded.Bytes()[i] = byte(pad)
	}
	vector, sealed = make([]byte, aes.BlockSize), make([]byte, padded.Len())
	rand.Read(vector)
	cipher.NewCBCEncrypter(block, vector).CryptBlocks(sealed, padded.Bytes())
	return vector, sealed, nil
}

// unseal decrypts a secret.
func unseal(key *oath.Secret, vector, sealed []byte) (*oath.Secret, error) {
	if len(vector) != aes.BlockSize || len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 || len(sealed) > maxSealed {
		return nil, fmt.Errorf("the secret is %d bytes long, its vector %d", len(sealed), len(vector))
	}
	block, err := aes.NewCipher(key.Bytes())
	if err != nil {
		return nil, err
	}
	padded := oath.NewSecret(len(sealed))
	defer padded.Wipe()
	b := padded.Bytes()
	cipher.NewCBCDecrypter(block, vector).CryptBlocks(b, sealed)
	pad := int(b[len(b)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, errors.New("the secret is not padded as it must be")
	}
	return oath.CopySecret(b[:len(b)-pad]), nil
}
