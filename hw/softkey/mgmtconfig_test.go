package softkey

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
)

// configure sends WRITE CONFIG, its elements in hexadecimal.
func (c client) configure(elements string) answer {
	c.Helper()
	c.ok(c.send(insSelect, p1SelectByName, 0, aidManagement...))
	data := unhex(elements)
	return c.send(insWriteConfig, 0, 0, append([]byte{byte(len(data))}, data...)...)
}

func TestWriteConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	o := Options{Personality: "yubikey-5.4", Serial: 0xcb85b7}
	_, c := storedKey(t, openStore(t, path), o)
	c.ok(c.put(totp("ada")))

	c.ok(c.configure("03020010" + "0e020020" + "06020102" + "07010a" + "080180" + "0c00")) // PIV over USB, OATH over NFC
	const page = "2e0102023f030200100204" + "00cb85b7" + "0401010503050403" + "06020102" + "07010a" + "080180" + "0d02023f0e020020" + "0a0100" + "0f0100"
	if got := fmt.Sprintf("%x", c.ok(c.send(insReadConfig, 0, 0))); got != page {
		t.Errorf("\n got %s\nwant %s", got, page)
	}
	c.want(c.selectOATH(), hw.StatusFileNotFound)
	c.ok(c.send(insSelect, p1SelectByName, 0, aidPIV...))

	o.Contactless = true
	k, err := openStore(t, path).Key(o)
	if err != nil {
		t.Fatal(err)
	}
	nfc := client{TB: t, card: k, le: true}
	nfc.ok(nfc.selectOATH())
	nfc.want(nfc.send(insSelect, p1SelectByName, 0, aidPIV...), hw.StatusFileNotFound)

	c.ok(c.configure("03020030"))
	c.ok(c.selectOATH())
	if names := c.names(); len(names) != 1 {
		t.Errorf("after it was switched off and on: %q", names)
	}
}

func TestConfigLock(t *testing.T) {
	code, other, none := strings.Repeat("01", 16), strings.Repeat("02", 16), strings.Repeat("00", 16)
	_, c := open(t, Options{Personality: "yubikey-5.7"})
	c.ok(c.configure("0a10" + code))
	if page := c.ok(c.send(insReadConfig, 0, 0)); !bytes.Contains(page, []byte{tagConfigLock, 1, 1}) {
		t.Errorf("does not say that it is locked: %x", page)
	}
	c.want(c.configure("07010a"), hw.StatusAuthRequired)
	c.want(c.configure("0b10"+other+"07010a"), hw.StatusAuthRequired)
	c.ok(c.configure("0b10" + code + "0a10" + other))
	c.want(c.configure("0b10"+code+"0a10"+none), hw.StatusAuthRequired)
	c.ok(c.configure("0b10" + other + "0a10" + none))
	c.ok(c.configure("07010a"))
}

func TestWriteConfigRefuses(t *testing.T) {
	_, c := open(t, Options{Personality: "yubikey-5.7"})
	for what, elements := range map[string]string{
		"what it does not have": "03020031", "what it does not have, over NFC": "0e020230", "to be out of reach": "03020000",
		"one byte": "030130", "a short code": "0a0101", "an unknown element": "550101", "cut off": "0302",
	} {
		c.want(c.configure(elements), hw.StatusWrongData)
		c.ok(c.selectOATH())
		if t.Failed() {
			t.Fatal(what)
		}
	}
	c.ok(c.send(insSelect, p1SelectByName, 0, aidManagement...))
	c.want(c.send(insWriteConfig, 0, 0), hw.StatusWrongData)
	c.want(c.send(insWriteConfig, 0, 0, 9, tagAnswerTimeout, 1, 1), hw.StatusWrongData)
	_, c = open(t, Options{Personality: "yubikey-4.3"})
	c.want(c.configure("07010a"), hw.StatusInsUnknown)
}
