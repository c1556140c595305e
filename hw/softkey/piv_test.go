package softkey

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// pivClient speaks to a PIV applet in raw APDUs. That real programs understand it too is hw/hwtest's affair.
type pivClient struct{ client }

// openPIV makes a key and selects its PIV applet.
func openPIV(t testing.TB, o Options) (*Key, pivClient) {
	t.Helper()
	k := newKey(t, o)
	c := pivClient{client{TB: t, card: k, le: true}}
	c.ok(c.selectPIV())
	return k, c
}

func (c pivClient) selectPIV() answer { return c.send(insSelect, p1SelectByName, 0, aidPIV[:5]...) }

// whole fetches the rest of an answer with GET RESPONSE.
func (c pivClient) whole(a answer) []byte {
	c.Helper()
	data := bytes.Clone(a.data)
	for range 100 {
		if a.status>>8 != 0x61 {
			c.ok(a)
			return data
		}
		a = c.send(insGetResponse, 0, 0)
		data = append(data, a.data...)
	}
	c.Fatal("a chain without an end")
	return nil
}

func (c pivClient) verify(pin string) answer {
	c.Helper()
	return c.send(insPIVVerify, 0, slotPIN, pad(pin)...)
}

// tries is VERIFY without data.
func (c pivClient) tries() hw.Status {
	c.Helper()
	return c.send(insPIVVerify, 0, slotPIN).status
}

func pad(pin string) []byte {
	return append([]byte(pin), bytes.Repeat([]byte{0xff}, referenceLen-len(pin))...)
}

// manage authenticates mutually with a management key.
func (c pivClient) manage(alg byte, key []byte) hw.Status {
	c.Helper()
	newCipher := aes.NewCipher
	if alg == alg3DES {
		newCipher = des.NewTripleDESCipher
	}
	block, err := newCipher(key)
	if err != nil {
		c.Fatal(err)
	}
	witness := c.ok(c.send(insPIVAuthenticate, alg, slotManagement, tagAuthTemplate, 2, tagWitness, 0))[4:]
	block.Decrypt(witness, witness)
	challenge := make([]byte, block.BlockSize())
	data := tlv.Append(tlv.Append(nil, tagWitness, witness...), tagAuthChallenge, challenge...)
	a := c.send(insPIVAuthenticate, alg, slotManagement, tlv.Append(nil, tagAuthTemplate, data...)...)
	if a.status == hw.StatusOK && !bytes.Equal(a.data[4:], encryptWith(block, challenge)) {
		c.Error("the key does not know the management key itself")
	}
	return a.status
}

func encryptWith(block cipher.Block, b []byte) []byte {
	out := make([]byte, len(b))
	block.Encrypt(out, b)
	return out
}

// managed authenticates with the factory's management key.
func (c pivClient) managed(k *Key) pivClient {
	c.Helper()
	alg := newPIVState(k.personality.piv).Management.Algorithm
	c.want(answer{status: c.manage(alg, defaultManagement)}, hw.StatusOK)
	return c
}

// generate makes a P-256 key and returns its public half.
func (c pivClient) generate(slot, pin, touch byte) *ecdsa.PublicKey {
	c.Helper()
	return c.point(c.ok(c.tryGenerate(slot, algP256, pin, touch)))
}

func (c pivClient) tryGenerate(slot, alg, pin, touch byte) answer {
	c.Helper()
	data := tlv.Append(nil, tagAlgorithmID, alg)
	if pin != policyDefault {
		data = tlv.Append(data, tagPINPolicy, pin)
	}
	if touch != policyDefault {
		data = tlv.Append(data, tagTouchPolicy, touch)
	}
	return c.send(insPIVGenerate, 0, slot, tlv.Append(nil, tagGenerate, data...)...)
}

// point reads a P-256 key from the answer to GENERATE.
func (c pivClient) point(template []byte) *ecdsa.PublicKey {
	c.Helper()
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), template[5:])
	if err != nil {
		c.Fatalf("%x: %v", template, err)
	}
	return public
}

var digest = sha256.Sum256([]byte("to be signed"))

func (c pivClient) sign(slot byte) answer {
	c.Helper()
	data := tlv.Append(tlv.Append(nil, tagAuthResponse), tagAuthChallenge, digest[:]...)
	return c.send(insPIVAuthenticate, algP256, slot, tlv.Append(nil, tagAuthTemplate, data...)...)
}

func (c pivClient) wantSigned(slot byte, public *ecdsa.PublicKey) {
	c.Helper()
	signature := c.ok(c.sign(slot))
	if !ecdsa.VerifyASN1(public, digest[:], signature[4:]) {
		c.Errorf("%x is no signature of slot %02x", signature, slot)
	}
}

func (c pivClient) putObject(o pivObject, content ...byte) answer {
	c.Helper()
	data := append(tagList(o), tlv.Append(nil, tagObject, content...)...)
	return c.send(insPIVPutData, 0x3f, 0xff, data...)
}

func (c pivClient) getObject(o pivObject) answer {
	c.Helper()
	return c.send(insPIVGetData, 0x3f, 0xff, tagList(o)...)
}

// tagList names an object.
func tagList(o pivObject) []byte {
	tag := bytes.TrimLeft([]byte{byte(o >> 16), byte(o >> 8), byte(o)}, "\x00")
	return tlv.Append(nil, tagTagList, tag...)
}

const certificate9A pivObject = 0x5fc105

func TestPIVPIN(t *testing.T) {
	_, c := openPIV(t, Options{})
	c.want(c.verify("000000"), 0x63c2)
	c.want(c.verify("000000"), 0x63c1)
	c.ok(c.verify("123456"))
	c.want(answer{status: c.tries()}, hw.StatusOK)
	c.want(c.verify("000000"), 0x63c2) // and what was verified is lost
	c.want(answer{status: c.tries()}, 0x63c2)
	c.verify("000000")
	c.want(c.verify("000000"), 0x63c0)
	c.want(c.verify("123456"), hw.StatusAuthBlocked)
	c.want(answer{status: c.tries()}, hw.StatusAuthBlocked)
	c.want(c.send(insPIVResetRetry, 0, slotPIN, append(pad("00000000"), pad("654321")...)...), 0x63c2)
	c.ok(c.send(insPIVResetRetry, 0, slotPIN, append(pad("12345678"), pad("654321")...)...))
	c.ok(c.verify("654321"))
	c.want(c.send(insPIVChange, 0, slotPIN, append(pad("654321"), pad("12345")...)...), hw.StatusWrongData)
	c.want(c.send(insPIVChange, 0, slotPUK, append(pad("00000000"), pad("87654321")...)...), 0x63c2)
	c.ok(c.send(insPIVChange, 0, slotPUK, append(pad("12345678"), pad("87654321")...)...))
	c.want(c.send(insPIVVerify, 0, slotPUK), statusNoReference)
	c.want(c.send(insPIVVerify, 0, slotPIN, 1, 2, 3), hw.StatusWrongLength)
}

// TestPIVForgets: selecting another application or losing power ends what was verified, selecting PIV again does not
// (SP 800-73-4, part 2, 3.1.1).
func TestPIVForgets(t *testing.T) {
	k, c := openPIV(t, Options{})
	tests := map[string]struct {
		between func()
		want    hw.Status
	}{
		"nothing":     {func() {}, hw.StatusOK},
		"PIV":         {func() { c.ok(c.selectPIV()) }, hw.StatusOK},
		"no such app": {func() { c.want(c.send(insSelect, p1SelectByName, 0, 1, 2, 3, 4, 5), hw.StatusFileNotFound) }, hw.StatusOK},
		"OATH":        {func() { c.ok(c.selectOATH()); c.ok(c.selectPIV()) }, 0x63c3},
		"a neighbour": {func() { k.SelectElsewhere(aidManagement); c.ok(c.selectPIV()) }, 0x63c3},
		"power":       {func() { k.Power(false); k.Power(true); c.ok(c.selectPIV()) }, 0x63c3},
	}
	for name, tt := range tests {
		c.managed(k)
		c.ok(c.verify("123456"))
		tt.between()
		if got := c.tries(); got != tt.want {
			t.Errorf("%s: PIN %04X, want %04X", name, uint16(got), uint16(tt.want))
		}
		want := hw.StatusOK
		if tt.want != hw.StatusOK {
			want = hw.StatusAuthRequired
		}
		if got := c.putObject(certificate9A, 1).status; got != want {
			t.Errorf("%s: PUT DATA %04X, want %04X", name, uint16(got), uint16(want))
		}
	}
}

func TestPIVPolicies(t *testing.T) {
	k, c := openPIV(t, Options{})
	c.managed(k)
	never, once, always := c.generate(0x82, pinNever, touchNever), c.generate(0x83, pinOnce, touchNever), c.generate(0x84, pinAlways, touchNever)
	c.wantSigned(0x82, never)
	c.want(c.sign(0x83), hw.StatusAuthRequired)
	c.want(c.sign(0x84), hw.StatusAuthRequired)
	c.ok(c.verify("123456"))
	c.wantSigned(0x83, once)
	c.wantSigned(0x83, once)
	c.want(c.sign(0x84), hw.StatusAuthRequired) // the PIN was not verified right before
	c.ok(c.verify("123456"))
	c.wantSigned(0x84, always)
	c.want(c.sign(0x84), hw.StatusAuthRequired)
	c.tries() // only asks
	c.want(c.sign(0x84), hw.StatusAuthRequired)
	defaults := map[byte]byte{slotAuthentication: pinOnce, slotSignature: pinAlways, slotKeyManagement: pinOnce, slotCardAuth: pinNever, 0x95: pinOnce}
	for slot, want := range defaults {
		c.generate(slot, policyDefault, policyDefault)
		metadata := c.ok(c.send(insPIVMetadata, 0, slot))
		if got := c.tag(metadata, tagMetaPolicy); !bytes.Equal(got, []byte{want, touchNever}) {
			t.Errorf("slot %02x has the policies %x", slot, got)
		}
	}
}

// TestPIVTouch: never, always, and once in 15 seconds.
func TestPIVTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blinks := 0
		k, c := openPIV(t, Options{OnBlink: func(_ *Key, on bool) {
			if on {
				blinks++
			}
		}})
		c.managed(k)
		for slot, touch := range map[byte]byte{0x82: touchNever, 0x83: touchAlways, 0x84: touchCached} {
			c.generate(slot, pinNever, touch)
		}
		blinked := func(slot byte, want int) {
			t.Helper()
			blinks = 0
			if c.sign(slot); blinks != want {
				t.Errorf("slot %02x blinks %d times, want %d", slot, blinks, want)
			}
		}
		blinked(0x82, 0)
		blinked(0x83, 1)
		blinked(0x83, 1)
		blinked(0x84, 1)
		blinked(0x84, 0)
		time.Sleep(touchCacheTime - time.Second)
		blinked(0x84, 0)
		time.Sleep(time.Second)
		blinked(0x84, 1)
		k.Fail(Fault{Kind: FaultTouch, Touch: TouchNever})
		c.want(c.sign(0x83), hw.StatusAuthRequired)
		c.generate(0x83, pinAlways, touchAlways)
		blinked(0x83, 0) // without the PIN there is nothing to touch for
	})
}

func TestPIVManagementKey(t *testing.T) {
	for personality, alg := range map[string]byte{"yubikey-5.7": algAES192, "yubikey-5.4": alg3DES, "yubikey-4.3": alg3DES, "neo": alg3DES} {
		k, c := openPIV(t, Options{Personality: personality})
		c.want(c.putObject(certificate9A, 1), hw.StatusAuthRequired)
		wrong := bytes.Repeat([]byte{7}, 24)
		c.want(answer{status: c.manage(alg, wrong)}, hw.StatusAuthRequired)
		c.want(c.putObject(certificate9A, 1), hw.StatusAuthRequired)
		c.managed(k)
		c.ok(c.putObject(certificate9A, 1))
		set := func(alg byte, n int, touch byte) answer {
			key := bytes.Repeat([]byte{9}, n)
			return c.send(insPIVSetManagement, 0xff, touch, append([]byte{alg, slotManagement, byte(n)}, key...)...)
		}
		c.want(set(algAES128, 24, 0xff), hw.StatusWrongData)
		c.want(set(alg3DES, 24, 0xf0), statusWrongP1P2)
		want := hw.StatusWrongData
		if k.personality.piv.atLeast(5, 4) {
			want = hw.StatusOK
		}
		c.want(set(algAES256, 32, 0xff), want)
	}
}

// TestPIVManagementChallenge: the other way to authenticate, and its steps out of order.
func TestPIVManagementChallenge(t *testing.T) {
	_, c := openPIV(t, Options{Personality: "yubikey-5.4"})
	block, err := des.NewTripleDESCipher(defaultManagement)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() []byte {
		t.Helper()
		return c.ok(c.send(insPIVAuthenticate, 0, slotManagement, tagAuthTemplate, 2, tagAuthChallenge, 0))[4:]
	}
	reply := func(b []byte) answer {
		t.Helper()
		return c.send(insPIVAuthenticate, 0, slotManagement, tlv.Append(nil, tagAuthTemplate, tlv.Append(nil, tagAuthResponse, b...)...)...)
	}
	c.want(reply(make([]byte, 8)), hw.StatusConditions)
	ask()
	c.want(reply(make([]byte, 8)), hw.StatusAuthRequired)
	response := encryptWith(block, ask())
	c.ok(reply(response))
	c.ok(c.putObject(certificate9A, 1))
	c.want(reply(response), hw.StatusConditions) // each challenge is good for once
	c.want(c.send(insPIVAuthenticate, algAES192, slotManagement, tagAuthTemplate, 2, tagWitness, 0), statusWrongP1P2)
}

func TestPIVObjects(t *testing.T) {
	k, c := openPIV(t, Options{})
	c.managed(k)
	c.want(c.getObject(certificate9A), hw.StatusFileNotFound)
	c.ok(c.putObject(certificate9A, 0x70, 1, 7))
	if got := c.ok(c.getObject(certificate9A)); !bytes.Equal(got, []byte{tagObject, 3, 0x70, 1, 7}) {
		t.Errorf("got %x", got)
	}
	c.ok(c.putObject(certificate9A))
	c.want(c.getObject(certificate9A), hw.StatusFileNotFound)
	c.want(c.putObject(0x5fc205, 1), hw.StatusFileNotFound)
	for _, guarded := range []pivObject{objectPrinted, objectFingers, objectFace, objectIris} {
		c.ok(c.putObject(guarded, 1))
		c.want(c.getObject(guarded), hw.StatusAuthRequired)
	}
	c.ok(c.verify("123456"))
	c.ok(c.getObject(objectPrinted))
	if got := c.ok(c.getObject(objectDiscovery)); len(got) != 20 || got[0] != 0x7e {
		t.Errorf("discovery object %x", got)
	}
}

// TestPIVLongObject: command chaining in, GET RESPONSE out, and the longest object.
func TestPIVLongObject(t *testing.T) {
	for _, personality := range []string{"yubikey-5.7", "neo"} {
		k, c := openPIV(t, Options{Personality: personality})
		c.managed(k)
		limit := k.personality.piv.maxObject()
		for _, n := range []int{limit, limit + 1} {
			content := bytes.Repeat([]byte{0xa5}, n)
			data := append(tagList(certificate9A), tlv.Append(nil, tagObject, content...)...)
			var last answer
			for part := range slices.Chunk(data, 255) {
				last = c.transmit(append([]byte{0x10, insPIVPutData, 0x3f, 0xff, byte(len(part))}, part...))
			}
			c.ok(last)
			last = c.transmit([]byte{0, insPIVPutData, 0x3f, 0xff, 0})
			if n > limit {
				c.want(last, hw.StatusNoSpace)
				continue
			}
			c.ok(last)
			if got := c.whole(c.getObject(certificate9A)); !bytes.Equal(got, tlv.Append(nil, tagObject, content...)) {
				t.Errorf("%d bytes came back", len(got))
			}
		}
	}
}

// TestPIVFirmware: what older firmware does not have.
func TestPIVFirmware(t *testing.T) {
	tests := []struct {
		what string
		send func(pivClient) answer
		want map[string]hw.Status
	}{
		{"GET METADATA", func(c pivClient) answer { return c.send(insPIVMetadata, 0, slotPIN) },
			map[string]hw.Status{"yubikey-5.7": 0x9000, "yubikey-5.4": 0x9000, "yubikey-4.3": 0x6d00, "neo": 0x6d00}},
		{"GET SERIAL", func(c pivClient) answer { return c.send(insPIVSerial, 0, 0) },
			map[string]hw.Status{"yubikey-5.7": 0x9000, "yubikey-5.4": 0x9000, "yubikey-4.3": 0x6d00, "neo": 0x6d00}},
		{"ATTEST an empty slot", func(c pivClient) answer { return c.send(insPIVAttest, 0x9a, 0) },
			map[string]hw.Status{"yubikey-5.7": 0x6a80, "yubikey-5.4": 0x6a80, "yubikey-4.3": 0x6a80, "neo": 0x6d00}},
		{"DELETE KEY", func(c pivClient) answer { return c.send(insPIVMoveKey, 0xff, 0x82) },
			map[string]hw.Status{"yubikey-5.7": 0x6a88, "yubikey-5.4": 0x6d00, "yubikey-4.3": 0x6d00, "neo": 0x6d00}},
		{"Ed25519", func(c pivClient) answer { return c.tryGenerate(0x9a, algEd25519, 0, 0) },
			map[string]hw.Status{"yubikey-5.7": 0x9000, "yubikey-5.4": 0x6a80, "yubikey-4.3": 0x6a80, "neo": 0x6a80}},
		{"P-384", func(c pivClient) answer { return c.tryGenerate(0x9a, algP384, 0, 0) },
			map[string]hw.Status{"yubikey-5.7": 0x9000, "yubikey-5.4": 0x9000, "yubikey-4.3": 0x9000, "neo": 0x6a80}},
		{"a retired slot", func(c pivClient) answer { return c.tryGenerate(0x95, algP256, 0, 0) },
			map[string]hw.Status{"yubikey-5.7": 0x9000, "yubikey-5.4": 0x9000, "yubikey-4.3": 0x9000, "neo": 0x6a86}},
		{"touch", func(c pivClient) answer { return c.tryGenerate(0x9a, algP256, pinOnce, touchAlways) },
			map[string]hw.Status{"yubikey-5.7": 0x9000, "yubikey-5.4": 0x9000, "yubikey-4.3": 0x9000, "neo": 0x6a80}},
		{"a policy that there is not", func(c pivClient) answer { return c.tryGenerate(0x9a, algP256, pinOnce, 4) },
			map[string]hw.Status{"yubikey-5.7": 0x6a80, "yubikey-5.4": 0x6a80, "yubikey-4.3": 0x6a80, "neo": 0x6a80}},
	}
	for _, tt := range tests {
		for personality, want := range tt.want {
			k, c := openPIV(t, Options{Personality: personality, Serial: 7})
			c.managed(k)
			if got := tt.send(c).status; got != want {
				t.Errorf("%s of a %s: %04X, want %04X", tt.what, personality, uint16(got), uint16(want))
			}
		}
	}
	k, c := openPIV(t, Options{Serial: 7, HideSerial: true})
	c.managed(k).want(c.send(insPIVSerial, 0, 0), hw.StatusInsUnknown)
	for _, personality := range []string{"nitrokey-3", "canokey", "pico-fido"} {
		c := pivClient{client{TB: t, card: newKey(t, Options{Personality: personality}), le: true}}
		c.want(c.selectPIV(), hw.StatusFileNotFound)
	}
}

func TestPIVMoveKey(t *testing.T) {
	k, c := openPIV(t, Options{})
	c.managed(k)
	public := c.generate(0x82, pinNever, touchNever)
	c.generate(0x83, pinNever, touchNever)
	c.want(c.send(insPIVMoveKey, 0x83, 0x82), hw.StatusConditions)
	c.want(c.send(insPIVMoveKey, 0x82, slotAttestation), statusWrongP1P2)
	c.ok(c.send(insPIVMoveKey, slotAuthentication, 0x82))
	c.wantSigned(slotAuthentication, public)
	c.want(c.sign(0x82), hw.StatusWrongData)
	c.ok(c.send(insPIVMoveKey, 0xff, slotAuthentication))
	c.want(c.send(insPIVMetadata, 0, slotAuthentication), statusNoReference)
}

func TestPIVAgreement(t *testing.T) {
	k, c := openPIV(t, Options{})
	c.managed(k)
	public, err := c.generate(0x82, pinNever, touchNever).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agree := func(point []byte) answer {
		data := tlv.Append(tlv.Append(nil, tagAuthResponse), tagExponentiation, point...)
		return c.send(insPIVAuthenticate, algP256, 0x82, tlv.Append(nil, tagAuthTemplate, data...)...)
	}
	want, err := own.ECDH(public)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ok(agree(own.PublicKey().Bytes()))[4:]; !bytes.Equal(got, want) {
		t.Errorf("agreed on %x, want %x", got, want)
	}
	c.want(agree(make([]byte, 65)), hw.StatusWrongData)
	c.want(c.send(insPIVAuthenticate, algP384, 0x82, tagAuthTemplate, 0), hw.StatusWrongData)
	c.want(c.send(insPIVAuthenticate, algP256, slotAttestation, tagAuthTemplate, 0), hw.StatusWrongData)
	c.want(c.send(insPIVAuthenticate, algP256, 0x82, 0x30, 0), hw.StatusWrongData)
}

func TestPIVReset(t *testing.T) {
	k, c := openPIV(t, Options{})
	c.managed(k)
	attestor := c.whole(c.getObject(objectAttestation))
	c.ok(c.verify("123456"))
	c.want(c.send(insPIVSetRetries, 0, 2), statusWrongP1P2)
	c.ok(c.send(insPIVSetRetries, 2, 1))
	c.want(c.send(insPIVSetRetries, 2, 1), hw.StatusAuthRequired) // it wants the PIN, and forgot it
	c.generate(0x82, pinNever, touchNever)
	c.ok(c.putObject(certificate9A, 1))
	c.want(c.send(insPIVReset, 0, 0), hw.StatusConditions)
	for range 2 {
		c.verify("000000")
	}
	c.want(c.send(insPIVReset, 0, 0), hw.StatusConditions)
	c.send(insPIVChange, 0, slotPUK, append(pad("00000000"), pad("00000000")...)...)
	c.ok(c.send(insPIVReset, 0, 0))
	c.want(answer{status: c.tries()}, 0x63c3)
	c.want(c.putObject(certificate9A, 1), hw.StatusAuthRequired)
	c.want(c.getObject(certificate9A), hw.StatusFileNotFound)
	c.want(c.send(insPIVMetadata, 0, 0x82), statusNoReference)
	if again := c.whole(c.getObject(objectAttestation)); !bytes.Equal(again, attestor) {
		t.Error("another attestation certificate")
	}
	c.ok(c.verify("123456"))
}

// TestPIVImport: what is no key is refused; what was imported cannot be attested.
func TestPIVImport(t *testing.T) {
	k, c := openPIV(t, Options{})
	c.managed(k)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	policies := []byte{tagPINPolicy, 1, pinNever}
	c.ok(c.send(insPIVImport, algP256, 0x82, append(tlv.Append(nil, tagImportScalar, scalar...), policies...)...))
	c.wantSigned(0x82, &private.PublicKey)
	c.want(c.send(insPIVAttest, 0x82, 0), hw.StatusWrongData)
	for alg, data := range map[byte][]byte{
		algP256:    tlv.Append(nil, tagImportScalar, scalar[:31]...),
		algP384:    tlv.Append(nil, tagImportScalar, scalar...),
		algEd25519: tlv.Append(nil, tagImportEd25519, scalar[:31]...),
		algX25519:  tlv.Append(nil, tagImportX25519, scalar[:31]...),
		algRSA1024: tlv.Append(tlv.Append(nil, tagImportP, make([]byte, 64)...), tagImportQ, make([]byte, 64)...),
		algRSA2048: tlv.Append(nil, tagImportP, make([]byte, 64)...),
		0x99:       nil,
	} {
		if got := c.send(insPIVImport, alg, 0x83, data...).status; got != hw.StatusWrongData {
			t.Errorf("algorithm %02x: %04X", alg, uint16(got))
		}
	}
}

// TestPIVStored: the applet's state is in the state file, and what cannot be saved did not happen.
func TestPIVStored(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "state.json")
	reopen := func() (*Key, pivClient) {
		t.Helper()
		k, err := openStore(t, path).Key(Options{Personality: "yubikey-5.7", Serial: 1})
		if err != nil {
			t.Fatal(err)
		}
		c := pivClient{client{TB: t, card: k, le: true}}
		c.ok(c.selectPIV())
		return k, c
	}
	k, c := reopen()
	c.managed(k)
	public := c.generate(0x82, pinNever, touchNever)
	c.ok(c.putObject(certificate9A, 1, 2))
	c.want(c.verify("000000"), 0x63c2)
	attestor := c.whole(c.getObject(objectAttestation))

	k, c = reopen()
	c.wantSigned(0x82, public)
	c.ok(c.getObject(certificate9A))
	c.want(answer{status: c.tries()}, 0x63c2)
	if !bytes.Equal(c.whole(c.getObject(objectAttestation)), attestor) {
		t.Error("another attestation certificate")
	}
	c.managed(k)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c.want(c.putObject(certificate9A, 3), hw.StatusMemory)
	c.want(c.tryGenerate(0x82, algP256, 0, 0), hw.StatusMemory)
	c.want(c.verify("000000"), hw.StatusMemory)
	c.want(answer{status: c.tries()}, 0x63c2)
	c.wantSigned(0x82, public)
	if got := c.ok(c.getObject(certificate9A)); !bytes.Equal(got, []byte{tagObject, 2, 1, 2}) {
		t.Errorf("got %x", got)
	}
}

// TestPIVStateText: references and tags are readable in the file, and nothing else is taken for one.
func TestPIVStateText(t *testing.T) {
	if text, err := pivSlot(0x9a).MarshalText(); err != nil || string(text) != "9a" {
		t.Errorf("%s, %v", text, err)
	}
	for _, text := range []string{"", "9", "9g", "9a9a"} {
		if new(pivSlot).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is a reference", text)
		}
	}
	if text, err := certificate9A.MarshalText(); err != nil || string(text) != "5fc105" {
		t.Errorf("%s, %v", text, err)
	}
	for _, text := range []string{"", "5fc1zz", "5fc10500"} {
		if new(pivObject).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is a tag", text)
		}
	}
}

// FuzzPIV: no sequence of commands makes the applet panic.
func FuzzPIV(f *testing.F) {
	f.Add([]byte("\x87\x0a\x9b\x7c\x02\x80\x00"), []byte("\xcb\x3f\xff\x5c\x03\x5f\xc1\x05"))
	f.Add([]byte("\x20\x00\x80123456\xff\xff"), []byte("\x47\x00\x82\xac\x03\x80\x01\x11"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		k, c := openPIV(t, Options{})
		c.managed(k)
		for _, b := range [][]byte{first, second} {
			if len(b) < 3 || len(b) > 250 || b[0] == insPIVGenerate && bytes.Contains(b, []byte{tagAlgorithmID, 1}) {
				continue // RSA keys take their time
			}
			c.send(b[0], b[1], b[2], b[3:]...)
		}
	})
}
