package importer

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
)

// python runs a script with arguments and returns what it prints.
func python(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(need.Program(t, "/usr/bin/python3", "python3"), append([]string{"-c", script}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// writeDatabases makes databases of all sorts and prints, for each, a line with the whole file in base64 and
// one with what SQLite reads from it.
const writeDatabases = `
import base64, os, random, sqlite3, tempfile
random.seed(5)
def value():
    kind = random.randrange(8)
    if kind == 0: return None
    if kind == 1: return random.choice([0, 1, -1, 127, -128, 128, 32767, -32769, 1 << 23, -(1 << 31), 1 << 40, -(1 << 47), (1 << 63) - 1, -(1 << 63)])
    if kind == 2: return os.urandom(random.choice([0, 1, 50]))
    if kind == 3: return "x" * random.choice([450, 470, 500, 1000, 4050, 4100] + [70000] * (size > 512))
    return random.choice(["", "text", "Zoë", "line\nbreak"])
def show(v):
    if v is None: return "0:"
    return "%d:" % v if isinstance(v, int) else "0:" + base64.b64encode(v.encode() if isinstance(v, str) else v).decode()
for size in 512, 4096, 65536:
    for rows in 0, 1, 40, 150:
        with tempfile.TemporaryDirectory() as folder:
            db = sqlite3.connect(folder + "/db")
            db.execute("PRAGMA page_size=%d" % size)
            db.execute("PRAGMA auto_vacuum=%d" % (rows == 40))
            for i in range(rows // 20): db.execute("CREATE TABLE other%d (a DEFAULT 'a, (b', CHECK (a > 1))" % i)
            db.execute('''CREATE TABLE "accounts" ("first" TEXT DEFAULT ', (', [second one] INTEGER CHECK (1 IN (1, 2)), third, CONSTRAINT c UNIQUE (third, "first"))''')
            rows = [[value() for _ in range(3)] for _ in range(rows)]
            # The constraint's index wants no row twice.
            for i, row in enumerate(rows): db.execute("INSERT INTO accounts VALUES (?, ?, ?)", row[:2] + [i if row[2] is None else row[2]]) if row[0] is None or row[2] is None else db.execute("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)", row)
            db.execute("ALTER TABLE accounts ADD COLUMN fourth TEXT")
            db.execute("INSERT INTO accounts VALUES ('a', 2, 'new', 'late')")
            db.execute("DELETE FROM accounts WHERE rowid % 7 = 3")
            db.commit()
            print(base64.b64encode(open(folder + "/db", "rb").read()).decode())
            print(" ".join(",".join(show(v) for v in row) for row in db.execute("SELECT * FROM accounts ORDER BY rowid")))
`

// TestDatabases holds what is read against what SQLite reads.
func TestDatabases(t *testing.T) {
	out := bufio.NewScanner(bytes.NewReader(python(t, writeDatabases)))
	out.Buffer(nil, 1<<30)
	n := 0
	for ; out.Scan(); n++ {
		data, err := base64.StdEncoding.AppendDecode(nil, out.Bytes())
		if err != nil || !out.Scan() {
			t.Fatal(err)
		}
		got, err := rowsOf(data)
		if err != nil || got != out.Text() {
			t.Errorf("database %d, %d bytes, page size %d: %v\n%.2000s\nwant\n%.2000s", n, len(data), int(data[16])<<8|int(data[17]), err, got, out.Text())
		}
	}
	if n != 12 {
		t.Errorf("there were %d databases", n)
	}
}

// rowsOf writes the rows of the table accounts as the script does.
func rowsOf(data []byte) (string, error) {
	in := &input{data: data}
	defer in.wipe()
	var rows []string
	_, err := in.tableEntries("ACCOUNTS", func(get func(string) value) Entry {
		var row []string
		for _, column := range []string{"first", "second one", "third", "fourth"} {
			v := get(column)
			row = append(row, fmt.Sprintf("%d:%s", v.number, base64.StdEncoding.EncodeToString(v.text)))
		}
		rows = append(rows, strings.Join(row, ","))
		return Entry{}
	})
	return strings.Join(rows, " "), err
}

// TestDamagedDatabase changes each byte, and cuts the file at each place.
func TestDamagedDatabase(t *testing.T) {
	data := fixture(t, "google_sqlite.db")
	for i := range data {
		broken := bytes.Clone(data)
		broken[i] ^= []byte{0x01, 0x80, 0xff}[i%3]
		e, _ := Read(broken, Options{Format: "google-sqlite"})
		if len(e.Entries) > 30 {
			t.Errorf("byte %d: %d entries", i, len(e.Entries))
		}
		e.Wipe()
		e, err := Read(data[:i], Options{Format: "google-sqlite"})
		if err == nil && len(e.Entries) != 9 {
			t.Errorf("%d of %d bytes: %d entries, and nobody noticed", i, len(data), len(e.Entries))
		}
		e.Wipe()
	}
}

// TestDatabaseLoops builds databases whose pages refer to themselves and to each other.
func TestDatabaseLoops(t *testing.T) {
	data := fixture(t, "google_sqlite.db")
	const size, root = 512, 3
	for page := range len(data) / size {
		for target := range len(data) / size {
			broken := bytes.Clone(data)
			start := page * size
			if page == 0 {
				start = 100
			}
			// An interior page without cells but its rightmost: it leads to target.
			copy(broken[start:], []byte{pageInterior, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(target + 1)})
			e, err := Read(broken, Options{Format: "google-sqlite"})
			if len(e.Entries) > 9 || page+1 == root && target+1 == root && err == nil {
				t.Errorf("page %d leads to %d: %d entries, %v", page+1, target+1, len(e.Entries), err)
			}
			e.Wipe()
		}
	}
}

func TestColumns(t *testing.T) {
	for sql, want := range map[string]string{
		"":                     "map[]",
		"CREATE TABLE t (a)":   "map[a:0]",
		"CREATE TABLE t (a, b": "map[a:0 b:1]",
		"CREATE TABLE t (A int(1,2) DEFAULT ',)', b)":                                    "map[a:0 b:1]",
		"CREATE TABLE t (`a b`\tTEXT,[c],\n\"d\",'e', PRIMARY KEY (a, b)) WITHOUT ROWID": "map[a b:0 c:1 d:2 e:3]",
		"CREATE TABLE t (,,a)": "map[a:0]",
	} {
		if got := fmt.Sprint(columns(sql)); got != want {
			t.Errorf("%q: %s, want %s", sql, got, want)
		}
	}
	if n := len(columns("CREATE TABLE t (" + strings.Repeat("abcdefghij", 1) + manyColumns(5000))); n != maxColumns {
		t.Errorf("%d columns", n)
	}
}

func manyColumns(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",c%d", i)
	}
	return b.String()
}

// TestDatabaseClaims writes lengths into a row that no database has.
func TestDatabaseClaims(t *testing.T) {
	for _, payload := range [][]byte{
		nil, {0}, {1}, {0xff, 0xff}, {2, 0x0a}, {2, 0x0b}, {3, 0xbf, 0xff, 0xff}, {10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		append([]byte{0x8f, 0x52}, make([]byte, 2000)...), // 2,000 columns and no more
	} {
		_, err := values(payload)
		if fine := len(payload) == 2002 || len(payload) == 1 && payload[0] == 1; (err == nil) != fine {
			t.Errorf("%x: %v", payload[:min(len(payload), 12)], err)
		}
	}
	if _, err := values(append([]byte{0x8f, 0x53}, make([]byte, 2001)...)); !errors.Is(err, errDatabase) {
		t.Errorf("2,001 columns: %v", err)
	}
}

func FuzzDatabase(f *testing.F) {
	f.Add(fixture(f, "google_sqlite.db"))
	f.Add(fixture(f, "microsoft_sqlite.db")[:8192])
	f.Fuzz(func(t *testing.T, data []byte) {
		e, _ := Read(append([]byte(sqliteMagic), data...), Options{Format: "google-sqlite"})
		e.Wipe()
		e, _ = Read(data, Options{Format: "google-sqlite"})
		e.Wipe()
	})
}
