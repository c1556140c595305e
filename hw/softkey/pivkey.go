package softkey

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// The algorithms (SP 800-78-4, table 6-2; from RSA-3072 on Yubico's, firmware 5.7).
const (
	alg3DES    = 0x03
	algAES128  = 0x08
	algAES192  = 0x0a
	algAES256  = 0x0c
	algRSA1024 = 0x06
	algRSA2048 = 0x07
	algP256    = 0x11
	algP384    = 0x14
	algRSA3072 = 0x05
	algRSA4096 = 0x16
	algEd25519 = 0xe0
	algX25519  = 0xe1
)

// pivAlgorithm is a kind of private key.
type pivAlgorithm struct {
	since    firmware
	generate func() (crypto.PrivateKey, error)
	// parse reads the private key of IMPORT.
	parse func([]tlv.TLV) (crypto.PrivateKey, error)
}

var pivAlgorithms = map[byte]pivAlgorithm{
	algRSA1024: rsaAlgorithm(1024, firmware{}),
	algRSA2048: rsaAlgorithm(2048, firmware{}),
	algRSA3072: rsaAlgorithm(3072, firmware{5, 7, 0}),
	algRSA4096: rsaAlgorithm(4096, firmware{5, 7, 0}),
	algP256:    ecAlgorithm(elliptic.P256(), firmware{}),
	algP384:    ecAlgorithm(elliptic.P384(), firmware{4, 0, 0}),
	algEd25519: {
		since: firmware{5, 7, 0},
		generate: func() (crypto.PrivateKey, error) {
			_, private, err := ed25519.GenerateKey(rand.Reader)
			return private, err
		},
		parse: func(list []tlv.TLV) (crypto.PrivateKey, error) {
			seed, _ := tlv.Find(list, tagImportEd25519)
			if len(seed) != ed25519.SeedSize {
				return nil, errNoSuchKey
			}
			return ed25519.NewKeyFromSeed(seed), nil
		},
	},
	algX25519: {
		since:    firmware{5, 7, 0},
		generate: func() (crypto.PrivateKey, error) { return ecdh.X25519().GenerateKey(rand.Reader) },
		parse: func(list []tlv.TLV) (crypto.PrivateKey, error) {
			scalar, _ := tlv.Find(list, tagImportX25519)
			return ecdh.X25519().NewPrivateKey(scalar)
		},
	},
}

// The tags of IMPORT ASYMMETRIC KEY (Yubico). An RSA key comes as p, q, dP, dQ and qInv, tags 01 to 05.
const (
	tagImportP       = 0x01
	tagImportQ       = 0x02
	tagImportScalar  = 0x06
	tagImportEd25519 = 0x07
	tagImportX25519  = 0x08

	tagGenerate    = 0xac // the template of GENERATE (part 2, table 10)
	tagAlgorithmID = 0x80
	tagPINPolicy   = 0xaa // Yubico
	tagTouchPolicy = 0xab // Yubico

	rsaExponent = 65537
)

var errNoSuchKey = errors.New("these bytes are no such key")

func rsaAlgorithm(bits int, since firmware) pivAlgorithm {
	return pivAlgorithm{
		since:    since,
		generate: func() (crypto.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) },
		parse: func(list []tlv.TLV) (crypto.PrivateKey, error) {
			p, _ := tlv.Find(list, tagImportP)
			q, _ := tlv.Find(list, tagImportQ)
			if len(p) != bits/16 || len(q) != bits/16 {
				return nil, errNoSuchKey
			}
			return rsaFromPrimes(new(big.Int).SetBytes(p), new(big.Int).SetBytes(q))
		},
	}
}

func rsaFromPrimes(p, q *big.Int) (*rsa.PrivateKey, error) {
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	d := new(big.Int).ModInverse(big.NewInt(rsaExponent), phi)
	if d == nil {
		return nil, errNoSuchKey
	}
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: rsaExponent},
		D:         d,
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	return key, key.Validate()
}

func ecAlgorithm(curve elliptic.Curve, since firmware) pivAlgorithm {
	return pivAlgorithm{
		since:    since,
		generate: func() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(curve, rand.Reader) },
		parse: func(list []tlv.TLV) (crypto.PrivateKey, error) {
			scalar, _ := tlv.Find(list, tagImportScalar)
			return ecdsa.ParseRawPrivateKey(curve, scalar)
		},
	}
}

// generate answers GENERATE ASYMMETRIC KEY PAIR (part 2, 3.3.2).
func (a *pivApplet) generate(c command) effect {
	e := elements(c.data)
	template, _ := e.take(tagGenerate)
	list, err := tlv.Parse(template)
	id, ok := tlv.Find(list, tagAlgorithmID)
	if err != nil || !ok || len(id) != 1 {
		return fail(hw.StatusWrongData)
	}
	return a.store(c, id[0], originGenerated, list, func(alg pivAlgorithm) (crypto.PrivateKey, error) { return alg.generate() })
}

// importKey answers IMPORT ASYMMETRIC KEY (Yubico).
func (a *pivApplet) importKey(c command) effect {
	list, err := tlv.Parse(c.data)
	if err != nil {
		return fail(hw.StatusWrongData)
	}
	return a.store(c, c.p1, originImported, list, func(alg pivAlgorithm) (crypto.PrivateKey, error) { return alg.parse(list) })
}

// store puts the key that obtain yields into the slot that c names, and answers with its public half if
// it was made here.
func (a *pivApplet) store(c command, id, origin byte, list []tlv.TLV, obtain func(pivAlgorithm) (crypto.PrivateKey, error)) effect {
	alg, known := pivAlgorithms[id]
	k := &pivKey{Algorithm: id, Origin: origin}
	switch {
	case !a.version.hasSlot(c.p2):
		return fail(statusWrongP1P2)
	case !known, !a.version.atLeast(alg.since[0], alg.since[1]), !k.setPolicies(a.version, c.p2, list):
		return fail(hw.StatusWrongData)
	}
	private, err := obtain(alg)
	if err != nil {
		return fail(hw.StatusWrongData)
	}
	if k.Private, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return fail(hw.StatusMemory)
	}
	a.state.PIV.Keys[pivSlot(c.p2)] = k
	answer := effect{status: hw.StatusOK, changed: true}
	if origin == originGenerated {
		answer.data = publicTemplate(k.public())
	}
	return answer
}

// setPolicies takes the policies from the TLVs of a command, or else the slot's defaults; it reports
// whether the firmware knows them (docs.yubico.com/yesdk/users-manual/application-piv/pin-touch-policies.html).
func (k *pivKey) setPolicies(v firmware, slot byte, list []tlv.TLV) bool {
	k.PIN, k.Touch = pinOnce, touchNever
	switch slot {
	case slotSignature:
		k.PIN = pinAlways
	case slotCardAuth, slotAttestation:
		k.PIN = pinNever
	}
	pin, touch := policy(list, tagPINPolicy), policy(list, tagTouchPolicy)
	if pin != policyDefault {
		k.PIN = pin
	}
	if touch != policyDefault {
		k.Touch = touch
	}
	switch {
	case !v.atLeast(4, 0):
		return pin == policyDefault && touch == policyDefault
	case touch == touchCached && !v.atLeast(4, 3):
		return false
	}
	return pin <= pinAlways && touch <= touchCached
}

// policy returns the policy with that tag, the default if there is none.
func policy(list []tlv.TLV, tag byte) byte {
	if v, ok := tlv.Find(list, tag); ok && len(v) == 1 {
		return v[0]
	}
	return policyDefault
}

// key returns the private key.
func (k *pivKey) key() crypto.PrivateKey {
	private, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		panic(fmt.Sprintf("softkey: a private key that this package wrote cannot be read: %v", err))
	}
	return private
}

// public returns the public key's TLVs (part 2, table 11).
func (k *pivKey) public() []byte {
	switch key := k.key().(type) {
	case *rsa.PrivateKey:
		b := tlv.Append(nil, 0x81, key.N.Bytes()...)
		return tlv.Append(b, 0x82, big.NewInt(int64(key.E)).Bytes()...)
	case *ecdsa.PrivateKey:
		point, _ := key.PublicKey.Bytes() // the curves are ones that it knows
		return tlv.Append(nil, 0x86, point...)
	case ed25519.PrivateKey:
		return tlv.Append(nil, 0x86, key.Public().(ed25519.PublicKey)...)
	case *ecdh.PrivateKey:
		return tlv.Append(nil, 0x86, key.PublicKey().Bytes()...)
	}
	return nil
}

// publicTemplate puts the tag 7F49 around a public key; its tag has two bytes.
func publicTemplate(public []byte) []byte {
	return append([]byte{0x7f}, tlv.Append(nil, 0x49, public...)...)
}

// moveKey answers MOVE KEY: P1 is where to, FF for nowhere, and P2 where from (Yubico, firmware 5.7). The
// certificate stays where it is.
func (a *pivApplet) moveKey(c command) effect {
	keys := a.state.PIV.Keys
	from, to := pivSlot(c.p2), pivSlot(c.p1)
	switch {
	case !a.version.hasSlot(c.p2), c.p1 != 0xff && (!a.version.hasSlot(c.p1) || c.p2 == slotAttestation):
		return fail(statusWrongP1P2)
	case keys[from] == nil:
		return fail(statusNoReference)
	case c.p1 == 0xff:
	case keys[to] != nil:
		return fail(hw.StatusConditions)
	default:
		keys[to] = keys[from]
	}
	delete(keys, from)
	return effect{status: hw.StatusOK, changed: true}
}

// managementLengths are the lengths of management keys.
var managementLengths = map[byte]int{alg3DES: 24, algAES128: 16, algAES192: 24, algAES256: 32}

// setManagement answers SET MANAGEMENT KEY: algorithm, 9B, length, key. P2 says whether using it takes a
// touch (Yubico).
func (a *pivApplet) setManagement(c command) effect {
	touch := map[uint16]byte{0xffff: touchNever, 0xfffe: touchAlways, 0xfffd: touchCached}[c.params()]
	if touch == 0 || len(c.data) < 3 {
		return fail(statusWrongP1P2)
	}
	alg := c.data[0]
	e := elements(c.data[1:])
	key, ok := e.take(slotManagement)
	if !ok || len(key) != managementLengths[alg] || alg != alg3DES && !a.version.atLeast(5, 4) {
		return fail(hw.StatusWrongData)
	}
	a.state.PIV.Management = pivManagement{Algorithm: alg, Key: bytes.Clone(key), Touch: touch}
	return effect{status: hw.StatusOK, changed: true}
}
