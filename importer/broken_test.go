package importer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/oath"
)

// encrypted are fixtures that want the password.
var encrypted = []string{
	"aegis_encrypted.json", "2fas_encrypted_v4.2fas", "andotp_encrypted.bin", "andotp_encrypted_old.bin", "ente_encrypted.txt",
	"stratum_encrypted.stratum", "stratum_legacy.authpro", "otpclient_v1.enc", "otpclient_v2.enc", "otpclient_v3.enc",
	"pskc_encrypted.xml", "rfc6030_figure6.xml",
}

func TestPasswords(t *testing.T) {
	failure := errors.New("nobody there")
	for _, name := range encrypted {
		data, asked := fixture(t, name), 0
		_, err := Read(data, Options{Password: func() (*oath.Secret, error) {
			if asked++; asked > 1 {
				return nil, failure
			}
			return oath.CopySecret([]byte("wrong")), nil
		}})
		if !errors.Is(err, failure) || asked != 2 {
			t.Errorf("%s: asked %d times, %v", name, asked, err)
		}
		if _, err := Read(data, Options{}); !errors.Is(err, ErrPasswordNeeded) {
			t.Errorf("%s: without a password %v", name, err)
		}
	}
}

func TestThreePasswords(t *testing.T) {
	for _, name := range []string{"pskc_encrypted.xml", "aegis_encrypted.json"} {
		asked := 0
		_, err := Read(fixture(t, name), Options{Password: func() (*oath.Secret, error) {
			asked++
			return oath.CopySecret([]byte("wrong")), nil
		}})
		if !errors.Is(err, ErrPassword) || asked != attempts {
			t.Errorf("%s: asked %d times, %v", name, asked, err)
		}
	}
}

func TestSecondPassword(t *testing.T) {
	for _, name := range []string{"aegis_encrypted.json", "andotp_encrypted.bin"} {
		passwords := []string{"wrong", "test"}
		export, err := Read(fixture(t, name), Options{Password: func() (*oath.Secret, error) {
			next := passwords[0]
			passwords = passwords[1:]
			return oath.CopySecret([]byte(next)), nil
		}})
		if err != nil || lines(export.Entries) != strings.Join(some, "\n")+"\n" {
			t.Errorf("%s: %v, %s", name, err, lines(export.Entries))
		}
		export.Wipe()
	}
}

// TestFormatByName reads as what somebody says it is.
func TestFormatByName(t *testing.T) {
	for _, f := range fixtures {
		if slices.Contains(encrypted, f.file) && f.format != "andotp" {
			continue // it takes its time
		}
		export, err := Read(fixture(t, f.file), Options{Format: f.format, Password: password(instead(f.password, "test"))})
		if err != nil || export.Format != f.format || len(export.Entries) != len(f.entries) {
			t.Errorf("%s as %s: %d entries, %v", f.file, f.format, len(export.Entries), err)
		}
		export.Wipe()
	}
	for _, f := range Formats() {
		if export, err := Read([]byte("<not what it says"), Options{Format: f.Name, Password: password("test")}); err == nil && len(export.Problems()) == 0 {
			t.Errorf("%s takes anything: %+v", f.Name, export)
		}
	}
}

// allFixtures returns what is in testdata, but for the programs that made it.
func allFixtures(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for _, file := range files {
		if ext := filepath.Ext(file); ext != ".py" && ext != ".java" {
			list = append(list, fixture(t, filepath.Base(file)))
		}
	}
	return list
}

// seedsOfFixtures are parts of the seeds in the fixtures, as they are and as they are written.
var seedsOfFixtures = []string{
	"JBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQ", "MFRGGZDFMZTWQ2LK", "KRUGS4ZANFZSA3TP", "ONXW2ZJAMRQXIYJA", "Hello!\xde\xad", "MTIzNDU2Nzg5MDEy", "SGVsbG8h3q2+7w",
}

// checkRead reads with costs that a test can pay, and looks at what comes back.
func checkRead(t *testing.T, data []byte, format string) {
	t.Helper()
	before := bytes.Clone(data)
	export, err := read(data, Options{Format: format, Password: password("test")}, limits{memory: 2 << 20, work: 3_000})
	defer export.Wipe()
	if err != nil {
		checkError(t, err)
		return
	}
	if export.Format == "" {
		t.Error("an export without a format")
	}
	for _, e := range export.Entries {
		checkEntry(t, e)
	}
	if !bytes.Equal(data, before) {
		t.Error("reading changed the data")
	}
}

func checkEntry(t *testing.T, e Entry) {
	t.Helper()
	if e.Problem != nil {
		checkError(t, e.Problem)
		if e.Seed != nil && !renamable(e.Problem) {
			t.Errorf("a seed in spite of %v", e.Problem)
		}
		return
	}
	if err := e.Account.Validate(); err != nil || e.Seed.Len() == 0 {
		t.Errorf("%+v with a seed of %d bytes: %v", e.Account, e.Seed.Len(), err)
	}
	if e.Account.Type == oath.TOTP && e.Counter != 0 {
		t.Errorf("%+v counts", e.Account)
	}
}

func checkError(t *testing.T, err error) {
	t.Helper()
	for _, seed := range seedsOfFixtures {
		if strings.Contains(err.Error(), seed) {
			t.Errorf("an error tells a seed: %v", err)
		}
	}
}

// TestAbsurdCosts has exports ask for hashes that nobody could wait for, or has memory for.
func TestAbsurdCosts(t *testing.T) {
	change := func(name string, pairs ...string) []byte {
		data := fixture(t, name)
		changed := []byte(strings.NewReplacer(pairs...).Replace(string(data)))
		if bytes.Equal(changed, data) {
			t.Fatalf("%s has nothing of %q", name, pairs)
		}
		return changed
	}
	patch := func(name string, at int, value uint32, order binary.ByteOrder) []byte {
		data := fixture(t, name)
		order.PutUint32(data[at:], value)
		return data
	}
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"aegis n", change("aegis_encrypted.json", `"n": 1024`, `"n": 1073741824`), "1024 are granted"},
		{"aegis n beyond 64 bits", change("aegis_encrypted.json", `"n": 1024`, `"n": 4611686018427387904`), "mean nothing"},
		{"aegis r", change("aegis_encrypted.json", `"r": 8`, `"r": 1048576`), "at most 1024"},
		{"aegis p", change("aegis_encrypted.json", `"n": 1024`, `"n": 1048576`, `"p": 1`, `"p": 1000`), "30 are granted"},
		{"aegis n not a power", change("aegis_encrypted.json", `"n": 1024`, `"n": 1000`), "mean nothing"},
		{"ente memory", change("ente_encrypted.txt", `"memLimit": 8388608`, `"memLimit": 1099511627776`), "1024 are granted"},
		{"ente passes", change("ente_encrypted.txt", `"opsLimit": 2`, `"opsLimit": 1000000`), "30 are granted"},
		{"ente negative", change("ente_encrypted.txt", `"opsLimit": 2`, `"opsLimit": -1`), "mean nothing"},
		{"otpclient memory", patch("otpclient_v3.enc", 65, 0xffffffff, binary.BigEndian), "mean nothing"},
		{"otpclient 2 GiB", patch("otpclient_v3.enc", 65, 2<<20, binary.BigEndian), "1024 are granted"},
		{"otpclient passes", patch("otpclient_v2.enc", 64, 1<<30, binary.LittleEndian), "30 are granted"},
		{"pskc iterations", change("pskc_encrypted.xml", ">1000<", ">2000000000<"), "30 are granted"},
		{"pskc key length", change("pskc_encrypted.xml", ">16<", ">1000000000<"), "mean nothing"},
	} {
		begin := worked(t)
		_, err := Read(test.data, Options{Password: password("test")})
		if took := worked(t) - begin; err == nil || !strings.Contains(err.Error(), test.want) || took > time.Second {
			t.Errorf("%s: %v after %v, want %q", test.name, err, took, test.want)
		}
	}
}

func TestBroken(t *testing.T) {
	deep := strings.Repeat(`{"db":`, 100_000) + strings.Repeat("}", 100_000)
	for _, test := range []struct{ name, format, data, want string }{
		{"deep JSON", "aegis", deep, "deeper than 64"},
		{"deep JSON of no format", "", deep, "no known format"},
		{"UTF-16 cut off", "", "\xff\xfe[\x00]", "middle of a character"},
		{"UTF-16 of 2fas", "2fas", "\xfe\xff\x00[\x00]", "not of the form"},
		{"no list in a vault", "", `{"version":1,"header":{},"db":{}}`, "no entries"},
		{"a vault that is a number", "", `{"version":1,"header":{},"db":7}`, "no entries"},
		{"a vault without passwords", "", `{"version":1,"header":{"slots":[{"type":2}],"params":{}},"db":"AAAA"}`, "no password opens it"},
		{"a vault of too many passwords", "", `{"version":1,"header":{"slots":[` + strings.Repeat(`{"type":1,"n":2,"r":1,"p":1},`, 8) + `{"type":1}],"params":{}},"db":"AAAA"}`, "more than 8 passwords"},
		{"a vault that is not base64", "", `{"version":1,"header":{"slots":[],"params":{}},"db":"*"}`, "not base64"},
		{"2FAS of the future", "", `{"services":[],"schemaVersion":5}`, "schema is 5"},
		{"2FAS in two parts", "", `{"services":[],"schemaVersion":4,"servicesEncrypted":"AA==:AA=="}`, "2 parts"},
		{"2FAS in no base64", "", `{"services":[],"schemaVersion":4,"servicesEncrypted":"AA==:*:AA=="}`, "salt is not base64"},
		{"2FAS without tag", "", `{"services":[],"schemaVersion":4,"servicesEncrypted":"AA==:AA==:AA=="}`, "cut off"},
		{"2FAS without nonce", "", `{"services":[],"schemaVersion":4,"servicesEncrypted":"AA==:AA==:"}`, "nonce has 0 bytes"},
		{"Stratum without salt", "", "AUTHENTICATORPRO", "cut off"},
		{"Stratum without blocks", "", "AuthenticatorPro" + strings.Repeat("x", 40), "whole number of blocks"},
		{"ente without header", "", `{"kdfParams":{"memLimit":8192,"opsLimit":1,"salt":""},"encryptedData":"","encryptionNonce":""}`, "nonce has 0 bytes"},
		{"OTPClient of the future", "", "OTPClient\x00\x00\x00\x04" + strings.Repeat("\x00", 60), "neither 2 nor 3"},
		{"OTPClient cut off", "", "OTPClient\x00\x00\x00\x03", "neither 2 nor 3"},
		{"andOTP of nothing", "andotp", "x", "cut off"},
		{"PSKC without keys", "", "<KeyContainer/>", "no key"},
		{"PSKC cut off", "", "<KeyContainer><Key>", "cut off"},
		{"PSKC for a certificate", "", "<KeyContainer><EncryptionKey><X509Data/></EncryptionKey><Key><Secret><EncryptedValue><CipherValue>AA==</CipherValue></EncryptedValue></Secret></Key></KeyContainer>", "certificate"},
		{"only comments", "otpauth", "# nothing\n\n", "no URI"},
	} {
		export, err := Read([]byte(test.data), Options{Format: test.format, Password: password("test")})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v, want %q", test.name, export, err, test.want)
		}
	}
}

// FuzzRead gives every format whatever comes along, with a password at hand. Number 0 finds out the format.
func FuzzRead(f *testing.F) {
	list := append([]Format{{}}, Formats()...)
	for i, data := range allFixtures(f) {
		f.Add(data, byte(0))
		f.Add(data[:min(len(data), 200)], byte(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, number byte) { checkRead(t, data, list[int(number)%len(list)].Name) })
}
