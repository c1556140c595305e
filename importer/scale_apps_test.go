package importer

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// uriForm is a line of many.
const uriForm = "otpauth://totp/Example:user%[1]d@example.org?secret=%[2]s&issuer=Example"

// manyApps makes the data of n accounts as apps keep or export it. What is behind a blank tells apart the forms of one
// format.
var manyApps = map[string]func(t testing.TB, n int) string{
	"google-sqlite": func(t testing.TB, n int) string {
		return databaseOf(t, n, "CREATE TABLE accounts (_id INTEGER PRIMARY KEY, email TEXT, secret TEXT, counter INTEGER, type INTEGER, issuer TEXT)",
			"INSERT INTO accounts (email, secret, counter, type, issuer) VALUES (?, ?, 0, 0, 'Example')")
	},
	"microsoft-sqlite": func(t testing.TB, n int) string {
		return databaseOf(t, n, "CREATE TABLE accounts (_id INTEGER PRIMARY KEY, name TEXT, username TEXT, oath_secret_key TEXT, account_type INTEGER)",
			"INSERT INTO accounts (username, oath_secret_key, account_type, name) VALUES (?, ?, 0, 'Example')")
	},
	"authenticator-plus": func(t testing.TB, n int) string {
		return zipWith(t, plusList, repeat(n, "\n", uriForm))
	},
	"winauth": func(_ testing.TB, n int) string {
		return repeat(n, "\r\n", "otpauth://totp/Example:user%[1]d@example.org?secret=%[2]s&digits=6&issuer=Example&icon=WinAuth")
	},
	"winauth zip": func(t testing.TB, n int) string {
		return zipWith(t, "winauth.txt", repeat(n, "\r\n", uriForm))
	},
	"pass-otp": func(_ testing.TB, n int) string { return "password\n" + repeat(n, "\n", uriForm) },
	"duo": func(_ testing.TB, n int) string {
		return "[" + repeat(n, ",", `{"version":1.0,"accountType":"OtpAccount","name":"Example:user%[1]d@example.org","otpGenerator":{"otpSecret":"%[2]s"},"pkey":"%[1]d"}`) + "]"
	},
	"steam": func(_ testing.TB, n int) string {
		return `{"accounts":{` + repeat(n, ",", `"%[1]d":{"steamid":"%[1]d","shared_secret":"c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=","account_name":"user%[1]d@example.org"}`) + "}}"
	},
	"totp-authenticator": func(t testing.TB, n int) string {
		list := "[" + repeat(n, ",", `{"base":32,"digits":"6","period":"30","issuer":"Example","key":"%[2]s","name":"user%[1]d@example.org","isFavorite":false}`) + "]"
		var escaped bytes.Buffer
		if err := xml.EscapeText(&escaped, []byte(list)); err != nil {
			t.Fatal(err)
		}
		return `<?xml version="1.0"?><map><string name="` + totpPreference + `">` + escaped.String() + "</string></map>"
	},
}

// few are formats that are not read by the thousands: a file of Battle.net holds one account, and what is inside of ente
// Auth's is a list of URIs.
var few = []string{"battle-net", "ente"}

// databaseOf makes a database of n accounts: insert gets a name and a secret.
func databaseOf(t testing.TB, n int, create, insert string) string {
	const script = `
import os, sqlite3, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    db = sqlite3.connect(folder + "/db")
    db.execute(sys.argv[2])
    db.executemany(sys.argv[3], [("user%d@example.org" % i, "ONZXG43TONZXG43TONZXG43TONZXG43T") for i in range(int(sys.argv[1]))])
    db.commit()
    sys.stdout.buffer.write(open(folder + "/db", "rb").read())
`
	return string(python(t, script, strconv.Itoa(n), create, insert))
}

// zipWith makes an archive with one file.
func zipWith(t testing.TB, name, content string) string {
	return string(zipOf(t, zip.FileHeader{Name: name, Method: zip.Deflate}, []byte(content)))
}

// TestTenThousandAccountsOfApps is TestTenThousandAccounts for the other formats.
func TestTenThousandAccountsOfApps(t *testing.T) {
	const n = 10_000 / patience
	for name, form := range manyApps {
		t.Run(name, func(t *testing.T) {
			format, _, _ := strings.Cut(name, " ")
			readMany(t, format, []byte(form(t, n)), n)
		})
	}
}

// TestInProportion wants four times as many accounts to take four times as many allocations: what is looked at again and
// again for each account would show.
func TestInProportion(t *testing.T) {
	forms := maps.Clone(manyApps)
	for name, form := range many {
		forms[name] = func(_ testing.TB, n int) string { return form(n) }
	}
	for name, form := range forms {
		few, all := allocations(t, form(t, 100)), allocations(t, form(t, 400))
		if all > 4*few+few/2 {
			t.Errorf("%s: %d allocations for 100 accounts, %d for 400", name, few, all)
		}
	}
}

// allocations counts what reading an export takes from the heap.
func allocations(t *testing.T, data string) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, err := Read([]byte(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	e.Wipe()
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

// TestMany wants each format to be read by the thousands in the tests above.
func TestMany(t *testing.T) {
	known := slices.Concat(few, slices.Collect(maps.Keys(many)))
	for name := range manyApps {
		format, _, _ := strings.Cut(name, " ")
		known = append(known, format)
	}
	for _, f := range Formats() {
		if !slices.Contains(known, f.Name) {
			t.Errorf("nobody reads 10,000 accounts of %s", f.Name)
		}
	}
}

// BenchmarkRead tells how many accounts are read in a second.
func BenchmarkRead(b *testing.B) {
	const n = 10_000
	data := make(map[string][]byte)
	for name, form := range many {
		data[name] = []byte(form(n))
	}
	for name, form := range manyApps {
		data[name] = []byte(form(b, n))
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e, err := Read(data[name], Options{})
				if err != nil {
					b.Fatal(err)
				}
				e.Wipe()
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "accounts/s")
		})
	}
}
