package importer

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/oathd/oathd/oath"
)

// cheap are limits under which the hash of a password costs nothing to speak of: what costs more is refused.
var cheap = limits{memory: 1 << 20, work: 2000}

// victim is a file of testdata, the password that opens it, and what is in it, under cheap limits.
type victim struct {
	name, password string
	data           []byte
	// entries is empty where the limits do not admit the file.
	entries string
	// secrets are its seeds in all letters in which one could be written.
	secrets []string
}

// victims are all files of testdata but the scripts that make them.
var victims = sync.OnceValue(func() (list []victim) {
	files, _ := filepath.Glob("testdata/*")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if ext := filepath.Ext(file); err == nil && ext != ".py" && ext != ".java" && ext != ".sh" {
			list = append(list, newVictim(data, filepath.Base(file)))
		}
	}
	return list
})

func newVictim(data []byte, name string) victim {
	s := victim{name: name, data: data}
	for _, s.password = range []string{"test", "testtest", "qwerty"} {
		e, err := read(data, Options{Password: password(s.password)}, cheap)
		if err != nil {
			continue
		}
		s.entries = lines(e.Entries)
		for _, entry := range e.Entries {
			s.secrets = append(s.secrets, spellings(entry.Seed)...)
		}
		e.Wipe()
		break
	}
	return s
}

// spellings are the ways to write the first ten bytes of a seed.
func spellings(seed *oath.Secret) []string {
	b := seed.Bytes()
	if len(b) < 10 {
		return nil
	}
	return []string{base32.StdEncoding.EncodeToString(b[:10]), hex.EncodeToString(b[:10]), base64.StdEncoding.EncodeToString(b[:9]), string(b[:10])}
}

// try reads data, and complains about what no input may lead to: much memory, much time, and an error that
// tells a secret.
func (s victim) try(t *testing.T, what, format string, data []byte) {
	t.Helper()
	begin, before := worked(t), allocated()
	e, err := read(data, Options{Format: format, Password: password(s.password)}, cheap)
	defer e.Wipe()
	if grown, most := allocated()-before, uint64(64<<20+4*len(data)); grown > most {
		t.Errorf("%s, %s as %q: %d kB allocated, at most %d", s.name, what, format, grown>>10, most>>10)
	}
	if took := worked(t) - begin; took > patience*2*time.Second {
		t.Errorf("%s, %s as %q: it took %v", s.name, what, format, took)
	}
	s.silent(t, err)
	for _, problem := range e.Problems() {
		s.silent(t, problem)
	}
}

// silent complains about an error that tells a secret.
func (s victim) silent(t *testing.T, err error) {
	t.Helper()
	if err == nil || len(s.secrets) == 0 {
		return
	}
	said := strings.ToUpper(err.Error())
	for _, secret := range s.secrets {
		if strings.Contains(said, strings.ToUpper(secret)) {
			t.Errorf("%s: an error tells a secret: %v", s.name, err)
		}
	}
}

// allocated returns how many bytes the heap has handed out so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// places are at most n indexes, spread over a length.
func places(length, n int) []int {
	var list []int
	for i := range min(length, n) {
		list = append(list, i*length/min(length, n))
	}
	return list
}

var aNumber = regexp.MustCompile(`[0-9]+`)

// TestDamage cuts each sample off, changes bytes of it, and has its lengths, counts and costs be a gigabyte.
func TestDamage(t *testing.T) {
	const n = 16
	for _, s := range victims() {
		for _, i := range places(len(s.data), n) {
			s.try(t, fmt.Sprintf("the first %d bytes", i), "", s.data[:i])
			broken := bytes.Clone(s.data)
			broken[i] ^= []byte{0x01, 0x10, 0x80, 0xff}[i%4]
			s.try(t, fmt.Sprintf("byte %d changed", i), "", broken)
		}
		if utf8.Valid(s.data) {
			found := aNumber.FindAllIndex(s.data, -1)
			for _, i := range places(len(found), n) {
				broken := slices.Concat(s.data[:found[i][0]], []byte("1073741824"), s.data[found[i][1]:])
				s.try(t, fmt.Sprintf("the number at %d a gigabyte", found[i][0]), "", broken)
			}
			continue
		}
		for i := range min(len(s.data)-4, 2*n) {
			for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
				broken := slices.Concat(s.data[:i], order.AppendUint32(nil, 1<<30), s.data[i+4:])
				s.try(t, fmt.Sprintf("a gigabyte at %d", i), "", broken)
			}
		}
	}
}

// TestTakenForAnother reads each sample as each format.
func TestTakenForAnother(t *testing.T) {
	for _, s := range victims() {
		for _, f := range Formats() {
			s.try(t, "taken for another", f.Name, s.data)
		}
	}
}

// TestNonsense reads as each format what somebody could send to do harm.
func TestNonsense(t *testing.T) {
	noise := make([]byte, 1<<14)
	chacha := rand.NewChaCha8([32]byte{})
	_, _ = chacha.Read(noise)
	for what, data := range map[string]string{
		"nothing":           "",
		"a mark alone":      "\xef\xbb\xbf",
		"half of UTF-16":    "\xff\xfe[",
		"zeros":             strings.Repeat("\x00", 1<<14),
		"ones":              strings.Repeat("\xff", 1<<14),
		"noise":             string(noise),
		"deep arrays":       strings.Repeat("[", 100_000),
		"deep objects":      strings.Repeat(`{"a":`, 100_000),
		"deep, and closed":  strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"deep, in a string": `{"a":"` + strings.Repeat(`[{\"a\":`, 100_000) + `"}`,
		"deep elements":     strings.Repeat("<map>", 20_000),
		"entities":          `<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><map><string name="x">` + strings.Repeat("&b;&amp;&#x41;", 10_000) + "</string></map>",
		"quotes":            strings.Repeat(`"`, 20_000),
		"commas":            "login_totp,name\n" + strings.Repeat(",", 20_000),
		"empty lines":       strings.Repeat("otpauth://\n", 2_000),
		"percents":          "otpauth://totp/" + strings.Repeat("%", 100_000),
		"numbers":           "[" + strings.Repeat("1,", 5_000) + "1]",
		"nulls":             `{"services":[` + strings.Repeat("null,", 2_000) + "null]}",
		"a database":        sqliteMagic + strings.Repeat("\x02\x01", 1<<14),
		"an archive":        zipMagic + string(noise) + zipDirectory + string(noise[:42]) + "PK\x05\x06\x00\x00\x00\x00\xff\xff\xff\xff\x2e\x00\x00\x00\x04\x00\x01\x00\x00\x00",
		"Java":              "\xac\xed\x00\x05" + strings.Repeat("sr\x00\x01a", 20_000),
		"Java's references": "\xac\xed\x00\x05" + strings.Repeat("ur\x00\x02[B\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00xp\x40\x00\x00\x00", 1000),
	} {
		s := victim{name: what, password: "test"}
		s.try(t, "", "", []byte(data))
		for _, f := range Formats() {
			s.try(t, "", f.Name, []byte(data))
		}
	}
}

// TestNothing wants an error for a file of no bytes, whatever it is said to be.
func TestNothing(t *testing.T) {
	for _, f := range Formats() {
		if e, err := Read(nil, Options{Format: f.Name, Password: password("test")}); err == nil {
			t.Errorf("%s: %d entries of nothing", f.Name, len(e.Entries))
		}
	}
}

// TestOtherEncodings reads each text as Windows programs save it.
func TestOtherEncodings(t *testing.T) {
	n := 0
	for _, s := range victims() {
		if !utf8.Valid(s.data) || s.entries == "" {
			continue
		}
		n++
		text := strings.TrimPrefix(string(s.data), "\ufeff")
		for what, data := range map[string][]byte{
			"UTF-8 with a mark":    []byte("\ufeff" + text),
			"UTF-16 little-endian": encodeUTF16(binary.LittleEndian, "\ufeff"+text),
			"UTF-16 big-endian":    encodeUTF16(binary.BigEndian, "\ufeff"+text),
		} {
			e, err := read(data, Options{Password: password(s.password)}, cheap)
			if got := lines(e.Entries); err != nil || got != s.entries {
				t.Errorf("%s in %s: %v\n%s", s.name, what, err, got)
			}
			e.Wipe()
		}
	}
	if n < 20 {
		t.Errorf("there were %d texts", n)
	}
}

func encodeUTF16(order binary.AppendByteOrder, text string) (data []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return data
}

// TestVictims wants enough of them to be read under cheap limits, so that the tests above damage something that is whole.
func TestVictims(t *testing.T) {
	n := 0
	for _, s := range victims() {
		if s.entries != "" {
			n++
		}
	}
	if n < 30 {
		t.Errorf("%d samples are read", n)
	}
}

// crowds are exports of as many accounts as fit, each as short as it can be.
var crowds = map[string][3]string{
	"otpauth":             {"otpauth://\n", "x\n", ""},
	"winauth":             {"", "x\n", ""},
	"pass-otp":            {"", "otpauth://\n", ""},
	"duo":                 {"[", "{},", "{}]"},
	"steam":               {`{"accounts":{`, `"":0,`, `"":0}}`},
	"aegis":               {`{"version":1,"header":{},"db":{"entries":[`, "{},", "{}]}}"},
	"bitwarden":           {`{"encrypted":false,"items":[`, `{"login":{"totp":0}},`, "{}]}"},
	"1password":           {`{"accounts":[{"vaults":[{"items":[`, `{"details":{"sections":[{"fields":[{"value":{"totp":"a"}}]}]}},`, "{}]}]}]}"},
	"proton-pass":         {`{"vaults":{"":{"items":[`, `{"data":{"content":{"totpUri":"a"}}},`, "{}]}}}"},
	"keepassxc":           {"Group,Title,Username,TOTP\n", ",,,b\n", ""},
	"authy":               {"<map><string name='com.authy.storage.tokens.authenticator.key'>[", "{},", "{}]</string></map>"},
	"freeotp":             {"<map>", `<string name="a">{}</string>`, "</map>"},
	"totp-authenticator":  {"<map><string name='" + totpPreference + "'>[", "{},", "{}]</string></map>"},
	"pskc":                {"<KeyContainer>", "<Key/>", "</KeyContainer>"},
	"gnome-authenticator": {"[", "{},", "{}]"},
}

// TestCrowds wants more entries than anybody has to be refused before they fill the memory.
func TestCrowds(t *testing.T) {
	for name, c := range crowds {
		if patience > 1 && name != "otpauth" && name != "duo" && name != "keepassxc" {
			continue // with the race detector the others take 15 seconds
		}
		data := []byte(c[0] + strings.Repeat(c[1], maxEntries+1) + c[2])
		grown := peak(t, func() {
			if e, err := read(data, Options{Format: name}, cheap); !errors.Is(err, ErrLimit) {
				t.Errorf("%s: %d entries, %v", name, len(e.Entries), err)
			}
		})
		if most := (64<<20 + 4*len(data)) * patience; grown > most {
			t.Errorf("%s: %d kB for %d kB, at most %d", name, grown>>10, len(data)>>10, most>>10)
		}
	}
}

// TestSwarms has one entry, or what is around the entries, consist of more parts than any has.
func TestSwarms(t *testing.T) {
	parts := strings.Repeat("{},", maxValues)
	var batches strings.Builder
	for i := range maxBatches + 1 {
		message := append([]byte("\x0a\x06\x0a\x01s\x12\x01a\x18\x01\x20\x00\x28"), binary.AppendUvarint(nil, uint64(i))...)
		fmt.Fprintf(&batches, "otpauth-migration://offline?data=%s\n", url.QueryEscape(base64.StdEncoding.EncodeToString(message)))
	}
	for _, c := range []struct{ format, data string }{
		{"aegis", `{"version":1,"header":{"slots":[` + parts + `{}],"params":{}},"db":"AAAA"}`},
		{"1password", `{"accounts":[{"vaults":[{"items":[{"overview":{},"details":{"loginFields":[` + parts + `{}],"sections":[{"fields":[{"value":{"totp":"a"}}]}]}}]}]}]}`},
		{"proton-pass", `{"vaults":{"a":{"items":[{"data":{"content":{"totpUri":"a"},"extraFields":[` + parts + `{}]}}]}}}`},
		{"andotp", `[{"secret":"A","label":"x","type":"TOTP","algorithm":"SHA1","tags":[` + strings.Repeat(`"",`, maxValues) + `""]}]`},
		{"totp-authenticator", "<map>" + strings.Repeat("<string name=''></string>", 2*maxEntries+1) + "</map>"},
		{"google-migration", batches.String()},
	} {
		e, err := read([]byte(c.data), Options{Format: c.format, Password: password("test")}, cheap)
		for _, problem := range e.Problems() {
			err = problem
		}
		if !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %d entries, %v", c.format, len(e.Entries), err)
		}
		e.Wipe()
	}
}
