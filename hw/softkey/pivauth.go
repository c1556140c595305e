package softkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"math/big"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// The dynamic authentication template (SP 800-73-4, part 2, table 7).
const (
	tagAuthTemplate   = 0x7c
	tagWitness        = 0x80
	tagAuthChallenge  = 0x81
	tagAuthResponse   = 0x82
	tagExponentiation = 0x85
)

// touchCacheTime is how long a touch lasts under the policy "cached".
const touchCacheTime = 15 * time.Second

// template is what GENERAL AUTHENTICATE carries.
type template []tlv.TLV

func authTemplate(data []byte) (template, bool) {
	e := elements(data)
	content, ok := e.take(tagAuthTemplate)
	if !ok {
		return nil, false
	}
	list, err := tlv.Parse(content)
	return list, err == nil
}

// get returns the value of a tag; an empty one asks for something, and is not a value.
func (t template) get(tag byte) []byte {
	v, _ := tlv.Find(t, tag)
	return v
}

func (t template) asks(tag byte) bool {
	v, ok := tlv.Find(t, tag)
	return ok && len(v) == 0
}

// answers reports whether the template has the answer to an earlier challenge in it.
func (t template) answers() bool { return t.get(tagWitness) != nil || t.get(tagAuthResponse) != nil }

// authReply is a template with one element.
func authReply(tag byte, value []byte) effect {
	return done(tlv.Append(nil, tagAuthTemplate, tlv.Append(nil, tag, value...)...))
}

// authenticate answers GENERAL AUTHENTICATE (part 2, 3.2.4, and appendix A).
func (a *pivApplet) authenticate(c command) effect {
	t, ok := authTemplate(c.data)
	if !ok {
		return fail(hw.StatusWrongData)
	}
	if c.p2 == slotManagement {
		return a.authenticateManagement(c.p1, t)
	}
	k, status := a.usable(c)
	if status != hw.StatusOK {
		return fail(status)
	}
	answer, err := k.use(t)
	if err != nil {
		return fail(hw.StatusWrongData)
	}
	if k.Touch == touchCached && time.Since(a.touchedAt) >= touchCacheTime {
		a.touchedAt = time.Now() // it was touched, or this would not be executed
	}
	return authReply(tagAuthResponse, answer)
}

// authenticateManagement does one step of either way to show knowledge of the management key: mutual
// (the key's witness decrypted, and the client's challenge), or the client's alone (part 2, appendix A.1).
func (a *pivApplet) authenticateManagement(alg byte, t template) effect {
	if alg == 0 {
		alg = alg3DES // SP 800-78-4, table 6-2
	}
	block := a.state.PIV.Management.cipher()
	challenge := a.challenge
	a.challenge = nil
	switch {
	case alg != a.state.PIV.Management.Algorithm:
		return fail(statusWrongP1P2)
	case t.asks(tagWitness):
		a.challenge = randomBytes(block.BlockSize())
		return authReply(tagWitness, encrypt(block, a.challenge))
	case t.asks(tagAuthChallenge):
		a.challenge = randomBytes(block.BlockSize())
		return authReply(tagAuthChallenge, a.challenge)
	case challenge == nil:
		return fail(hw.StatusConditions)
	}
	own := t.get(tagAuthChallenge)
	if a.managed = t.proves(block, challenge); !a.managed || own != nil && len(own) != block.BlockSize() {
		a.managed = false
		return fail(hw.StatusAuthRequired)
	}
	if own == nil {
		return done(nil)
	}
	return authReply(tagAuthResponse, encrypt(block, own))
}

// proves reports whether the client knows the key: it decrypted the witness, or encrypted the challenge.
func (t template) proves(block cipher.Block, challenge []byte) bool {
	if witness := t.get(tagWitness); witness != nil {
		return subtle.ConstantTimeCompare(witness, challenge) == 1
	}
	return subtle.ConstantTimeCompare(t.get(tagAuthResponse), encrypt(block, challenge)) == 1
}

// cipher returns the block cipher of the key.
func (m pivManagement) cipher() cipher.Block {
	newCipher := aes.NewCipher
	if m.Algorithm == alg3DES {
		newCipher = des.NewTripleDESCipher
	}
	block, err := newCipher(m.Key)
	if err != nil {
		panic("softkey: " + err.Error()) // the length was checked when the key was set
	}
	return block
}

func encrypt(block cipher.Block, b []byte) []byte {
	out := make([]byte, block.BlockSize())
	block.Encrypt(out, b)
	return out
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// use does what the template asks of the private key: with 81 a signature or a raw RSA operation, with 85 a
// key agreement (part 2, appendix A.3 to A.5).
func (k *pivKey) use(t template) ([]byte, error) {
	input, point := t.get(tagAuthChallenge), t.get(tagExponentiation)
	switch key := k.key().(type) {
	case *rsa.PrivateKey:
		if len(input) == key.Size() {
			m := new(big.Int).SetBytes(input)
			return m.Exp(m, key.D, key.N).FillBytes(make([]byte, key.Size())), nil
		}
	case *ecdsa.PrivateKey:
		if size := (key.Params().BitSize + 7) / 8; len(input) > 0 && len(input) <= size {
			return ecdsa.SignASN1(rand.Reader, key, input)
		}
		if point != nil {
			agreeing, err := key.ECDH()
			if err != nil {
				return nil, err
			}
			return agree(agreeing, point)
		}
	case ed25519.PrivateKey:
		if input != nil {
			return ed25519.Sign(key, input), nil
		}
	case *ecdh.PrivateKey:
		if point != nil {
			return agree(key, point)
		}
	}
	return nil, errNoSuchKey
}

func agree(key *ecdh.PrivateKey, point []byte) ([]byte, error) {
	public, err := key.Curve().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return key.ECDH(public)
}
