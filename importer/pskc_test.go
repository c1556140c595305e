package importer

import (
	"strings"
	"testing"
)

const hotpKey = `<Key Id="k" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp"><Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret></Data></Key>`

func TestPSKCKeys(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"", "", "hotp |k SHA1 6 0 0 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"},
		{`<Data>`, `<UserId>alice</UserId><Data>`, "hotp |alice "},
		{`<Data>`, `<UserId>alice</UserId><FriendlyName xml:lang="en">A token</FriendlyName><Data>`, "hotp |A token "},
		{`<Data>`, `<Issuer>Example</Issuer><Data>`, "hotp Example|k "},
		{`</Secret>`, `</Secret><Counter><PlainValue> 12 </PlainValue></Counter>`, "6 0 12 GEZ"},
		{`</Secret>`, `</Secret><Counter><PlainValue>many</PlainValue></Counter>`, "PROBLEM cannot read its counter: it is not a number"},
		{`</Secret>`, `</Secret><TimeInterval><PlainValue>long</PlainValue></TimeInterval>`, "PROBLEM cannot read its time interval: it is not a number"},
		{`</Secret>`, `</Secret><Counter><PlainValue>-1</PlainValue></Counter>`, "PROBLEM the counter -1"},
		{`:hotp"`, `#totp"`, "totp |k SHA1 6 30 0 GEZ"},
		{`:hotp"`, `:ocra"`, `PROBLEM no security key computes codes of this kind: "ocra"`},
		{`<Data>`, `<AlgorithmParameters><Suite>HMAC-SHA512</Suite><ResponseFormat Encoding="DECIMAL" Length="8"/></AlgorithmParameters><Data>`, "SHA512 8 0 0 GEZ"},
		{`<Data>`, `<AlgorithmParameters><ResponseFormat Encoding="ALPHANUMERIC" Length="8"/></AlgorithmParameters><Data>`, `PROBLEM unusable number of digits: its codes are written as "ALPHANUMERIC"`},
		{`<Data>`, `<AlgorithmParameters><ResponseFormat Length="six"/></AlgorithmParameters><Data>`, `PROBLEM unusable number of digits: "six"`},
		{`MTIz`, "\n MT\tIz ", "0 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"},
		{`MTIz`, "*", "PROBLEM its secret is not base64"},
		{`MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=`, "", "PROBLEM it has no secret"},
	} {
		export, err := Read([]byte("<KeyContainer>"+strings.Replace(hotpKey, test.old, test.new, 1)+"</KeyContainer>"), Options{})
		if err != nil || !strings.Contains(lines(export.Entries), test.want) {
			t.Errorf("%q: %q, %v, want %q", test.new, lines(export.Entries), err, test.want)
		}
		export.Wipe()
	}
}

func TestPSKCPackages(t *testing.T) {
	export, err := Read([]byte(`<KeyContainer>
		<KeyPackage><DeviceInfo><Manufacturer>Acme</Manufacturer></DeviceInfo>`+hotpKey+`</KeyPackage>
		<KeyPackage>`+hotpKey+`</KeyPackage></KeyContainer>`), Options{})
	if got := lines(export.Entries); err != nil || !strings.HasPrefix(got, "hotp Acme|k ") || !strings.Contains(got, "\nhotp |k ") {
		t.Errorf("%q, %v", got, err)
	}
	export.Wipe()
}

// TestPSKCEncryption changes what the RFC's example says of its encryption.
func TestPSKCEncryption(t *testing.T) {
	figure := string(fixture(t, "rfc6030_figure7.xml"))
	for _, test := range []struct{ old, new, want string }{
		{"pkcs-5v2-0#pbkdf2\"", "scrypt\"", "only PBKDF2 is known"},
		{"<PRF/>", `<PRF Algorithm="x#hmac-md5"/>`, "derived with"},
		{"<PRF/>", `<PRF Algorithm="x#hmac-sha256"/>`, "password is wrong"},
		{"Ej7/PEpyEpw=", "*", "salt is not base64"},
		{">1000<", ">many<", "mean nothing"},
		{">16<", ">24<", "its key has 24 bytes, aes128-cbc needs 16"},
		{"xmlenc#aes128-cbc", "xmlenc#tripledes-cbc", "only AES-CBC is known"},
		{"#hmac-sha1", "#hmac-md5", "which is not known"},
		{"LP6xMvjtypbfT9PdkJhBZ+D6O4w=", "AAAAMvjtypbfT9PdkJhBZ+D6O4w=", "password is wrong"},
		{"LP6xMvjtypbfT9PdkJhBZ+D6O4w=", "*", "MAC is not base64"},
		{"oTvo+S22nsmS2Z/", "*", "encrypted value is not base64"},
		{"2GTTnLwM3I4e5IO5FkufoOEiOhNj91fhKRQBtBJYluUDsPOLTfUvoU2dStyOwYZx", "2GTTnLwM3I4e5IO5FkufoA==", "cut off"},
	} {
		changed := strings.Replace(figure, test.old, test.new, 1)
		if _, err := Read([]byte(changed), Options{Password: password("qwerty")}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.new, err, test.want)
		}
	}
}

// TestPSKCWithoutMAC reads containers of programs that leave out what the RFC wants, or encrypt the counter too.
func TestPSKCWithoutMAC(t *testing.T) {
	figure := string(fixture(t, "rfc6030_figure7.xml"))
	from, to := strings.Index(figure, "<pskc:ValueMAC>"), strings.Index(figure, "</pskc:ValueMAC>")
	export, err := Read([]byte(figure[:from]+"<pskc:ValueMAC>"+figure[to:]), Options{Password: password("qwerty")})
	if got := lines(export.Entries); err != nil || !strings.Contains(got, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") {
		t.Errorf("%q, %v", got, err)
	}
	export.Wipe()
}

func TestPSKCNumbers(t *testing.T) {
	c := &pskcCrypt{}
	if n, err := c.number(&pskcValue{}); n != 0 || err != nil {
		t.Errorf("nothing is %d, %v", n, err)
	}
	for text, want := range map[string]int64{"7": 7, "\x00\x00\x01\x00": 256, "\x00\x00\x00\x00\x00\x00\x00\x09": 9} {
		if n, err := bigEndian([]byte(text)); n != want || err != nil {
			t.Errorf("%q is %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "123456789x"} {
		if n, err := bigEndian([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}
