package escrow

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func (s *safe) backup() *Backup {
	return &Backup{Vault: s.Vault, Made: noon, Audit: "41 8f3a…", Ledger: []byte("{\"keys\":[]}\n"), Rows: s.rows}
}

// archive returns a safe's backup as a file.
func (s *safe) archive(t testing.TB) []byte {
	t.Helper()
	archive, err := s.backup().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// inOrder sorts rows as newSafe has them.
func inOrder(rows []Row) []Row {
	place := map[Entry]int{github: 0, bank: 1, notes: 2}
	slices.SortFunc(rows, func(a, b Row) int { return place[a.Entry] - place[b.Entry] })
	return rows
}

func TestBackup(t *testing.T) {
	s := newSafe(t)
	archive := s.archive(t)
	b, err := ParseBackup(archive)
	if err != nil {
		t.Fatal(err)
	}
	if b.Audit != "41 8f3a…" || !b.Made.Equal(noon) || string(b.Ledger) != "{\"keys\":[]}\n" || !reflect.DeepEqual(b.Vault, s.Vault) {
		t.Errorf("%+v", b)
	}
	if want := "#       Serial: 12345678, Slot: 1\n#         Name: blue key\n#    Recipient: " + s.Recipients[0].Public + "\nAGE-PLUGIN-YUBIKEY-1"; !strings.Contains(b.Vault.Identities(), want) {
		t.Errorf("%s", b.Vault.Identities())
	}
	again, err := b.Marshal()
	if err != nil || !bytes.Equal(again, archive) {
		t.Errorf("another file comes of it, %v", err)
	}
	holds(t, s.unlock(t, b.Vault), inOrder(b.Rows))
}

// TestOldBackup opens the backup that the first version made.
func TestOldBackup(t *testing.T) {
	archive, err := os.ReadFile(filepath.Join("testdata", "backup-1.tar"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseBackup(archive)
	if err != nil {
		t.Fatal(err)
	}
	paper, err := os.ReadFile(filepath.Join("testdata", "backup-1.recovery.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []*Identity{must(t)(Recovery(secret(string(paper)))), Passphrase(secret("correct horse"))} {
		o, err := b.Vault.Unlock("test", id)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		holds(t, o, inOrder(b.Rows))
	}
}

// TestBackupIsTar has archive/tar read it.
func TestBackupIsTar(t *testing.T) {
	s := newSafe(t)
	var names []string
	r := tar.NewReader(bytes.NewReader(s.archive(t)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != 0o600 || !h.ModTime.Equal(noon) || h.Typeflag != tar.TypeReg || h.Format != tar.FormatUSTAR {
			t.Errorf("%+v", h)
		}
		names = append(names, h.Name)
		text, err := io.ReadAll(r)
		if err != nil || bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
			t.Errorf("%s is no text: %v", h.Name, err)
		}
	}
	want := "README.txt backup.txt vault.txt vault-key.age vault-key-passphrase.age identities.txt ledger.json accounts.json " +
		"runbooks/aaaaaaaaaa.age seeds/aaaaaaaaaa.age seeds/bbbbbbbbbb.age SHA256SUMS"
	if got := strings.ReplaceAll(strings.Join(names, " "), tarDir, ""); got != want {
		t.Errorf("%s", got)
	}
}

// TestFlippedBackup flips a bit of every byte, and cuts the file off.
func TestFlippedBackup(t *testing.T) {
	archive := newSafe(t).archive(t)
	for i := range archive {
		_, err := ParseBackup(flip(archive, i))
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	for n := 0; n < len(archive); n += 100 {
		_, err := ParseBackup(archive[:n])
		wants(t, fmt.Sprintf("the first %d bytes", n), err, ErrDamaged)
	}
	_, err := ParseBackup(append(archive, make([]byte, tarBlock)...))
	wants(t, "a block more", err, ErrDamaged)
	_, err = ParseBackup(make([]byte, maxBackup+1))
	wants(t, "megabytes", err, ErrDamaged)
}

// TestForgedBackup changes files and computes new sums, as who means it would.
func TestForgedBackup(t *testing.T) {
	s, other := newSafe(t), newSafe(t)
	for name, test := range map[string]struct {
		change func([]file) []file
		want   error
	}{
		"nothing":            {func(f []file) []file { return f }, nil},
		"a README in German": {func(f []file) []file { return with(f, nameReadme, "Lies mich.") }, nil},
		"a newer backup":     {func(f []file) []file { return with(f, nameBackup, "oathd backup 2\n") }, ErrNewer},
		"a newer vault":      {func(f []file) []file { return with(f, nameVault, "oathd vault 2\n") }, ErrNewer},
		"no files":           {func(f []file) []file { return nil }, ErrDamaged},
		"a file less":        {func(f []file) []file { return f[:len(f)-1] }, ErrDamaged},
		"no README":          {func(f []file) []file { return f[1:] }, ErrDamaged},
		"a file more":        {func(f []file) []file { return append(f, file{"virus.exe", nil}) }, ErrDamaged},
		"a file twice":       {func(f []file) []file { return append(f, f[len(f)-1]) }, ErrDamaged},
		"another order":      {func(f []file) []file { f[0], f[1] = f[1], f[0]; return f }, ErrDamaged},
		"another date": {func(f []file) []file {
			return with(f, nameBackup, "oathd backup 1\nvault: "+s.ID+"\nmade: 2026-05-12T12:00:01Z\naudit: 41 8f3a…\n")
		}, ErrDamaged},
		"a date in words": {func(f []file) []file { return with(f, nameBackup, "oathd backup 1\nmade: noon\n") }, ErrDamaged},
		"another vault's id": {func(f []file) []file {
			return with(f, nameBackup, strings.Replace(s.backup().head(), s.ID, other.ID, 1))
		}, ErrDamaged},
		"no wrapped key":      {func(f []file) []file { return without(f, nameWrapped) }, ErrDamaged},
		"no passphrase":       {func(f []file) []file { return without(f, namePassphrase) }, ErrDamaged},
		"a key without armor": {func(f []file) []file { return with(f, nameWrapped, string(s.Wrapped)) }, ErrDamaged},
		"blanks in the armor": {func(f []file) []file { return with(f, nameWrapped, "\n"+string(enarmor(s.Wrapped))) }, ErrDamaged},
		"no ledger":           {func(f []file) []file { return without(f, nameLedger) }, ErrDamaged},
		"no accounts":         {func(f []file) []file { return with(f, nameAccounts, "[]") }, ErrDamaged},
		"accounts in words":   {func(f []file) []file { return with(f, nameAccounts, "all of them") }, ErrDamaged},
		"an unknown field":    {func(f []file) []file { return with(f, nameAccounts, `[{"kind":"seed","colour":"red"}]`) }, ErrDamaged},
		"an id that climbs":   {func(f []file) []file { return with(f, nameAccounts, `[{"kind":"runbook","id":"../../../x"}]`) }, ErrDamaged},
		"an account missing":  {func(f []file) []file { return with(f, nameAccounts, `[{"kind":"runbook","id":"cccccccccc"}]`) }, ErrDamaged},
		"a payload in clear":  {func(f []file) []file { return with(f, bank.path(), "the seed") }, ErrDamaged},
	} {
		b := s.backup()
		files, err := b.files()
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseBackup(pack(test.change(files)))
		if test.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if test.want != nil {
			wants(t, name, err, test.want)
		}
	}
	outside := append([]file{}, file{"/etc/passwd", nil})
	_, err := ParseBackup(packTar(append(outside, file{nameSums, sums(outside)}), noon))
	wants(t, "a file elsewhere", err, ErrDamaged)
}

// pack is Marshal without its checks.
func pack(files []file) []byte {
	files = append(slices.Clone(files), file{nameSums, sums(files)})
	for i := range files {
		files[i].name = tarDir + files[i].name
	}
	return packTar(files, noon)
}

func with(files []file, name, content string) []file {
	for i := range files {
		if files[i].name == name {
			files[i].content = []byte(content)
		}
	}
	return files
}

func without(files []file, name string) []file {
	return slices.DeleteFunc(files, func(f file) bool { return f.name == name })
}

// TestSwappedRows has a backup in which somebody exchanged two payloads.
func TestSwappedRows(t *testing.T) {
	s := newSafe(t)
	b := s.backup()
	b.Rows = []Row{{github, s.rows[1].Ciphertext}, {bank, s.rows[0].Ciphertext}}
	archive, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseBackup(archive)
	if err != nil {
		t.Fatal(err)
	}
	o := s.unlock(t, read.Vault)
	for _, row := range read.Rows {
		if _, err := o.Get(row); !isMismatch(err, "account") {
			t.Errorf("%v", err)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	s := newSafe(t)
	for name, change := range map[string]func(*Backup){
		"a row twice":             func(b *Backup) { b.Rows = append(b.Rows, b.Rows[0]) },
		"a row without an id":     func(b *Backup) { b.Rows = []Row{{}} },
		"a line break in a head":  func(b *Backup) { b.Audit = "41\nmade: never" },
		"an account that is none": func(b *Backup) { b.Rows = []Row{{Entry: Entry{Kind: Seed, ID: "aaaaaaaaaa"}}} },
	} {
		b := s.backup()
		b.Rows = slices.Clone(b.Rows)
		change(b)
		if _, err := b.Marshal(); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestEmptyBackup(t *testing.T) {
	s := newSafe(t)
	archive, err := (&Backup{Vault: s.Vault, Made: noon}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ParseBackup(archive); err != nil || len(b.Rows) != 0 {
		t.Errorf("%+v, %v", b, err)
	}
}

// FuzzBackup puts anything into one file of a backup whose sums are right.
func FuzzBackup(f *testing.F) {
	s := newSafe(f)
	files, err := s.backup().files()
	if err != nil {
		f.Fatal(err)
	}
	for i, file := range files {
		if file.name != nameReadme {
			f.Add(uint(i), file.content)
		}
	}
	f.Fuzz(func(t *testing.T, i uint, content []byte) {
		changed := slices.Clone(files)
		changed[i%uint(len(files))].content = content
		b, err := ParseBackup(pack(changed))
		if err != nil {
			return
		}
		if _, err := b.Marshal(); err != nil {
			t.Errorf("%q in %s: cannot be written again: %v", content, changed[i%uint(len(files))].name, err)
		}
	})
}

func FuzzTar(f *testing.F) {
	f.Add(packTar(nil, noon))
	f.Add(packTar([]file{{"a", []byte("b")}}, noon))
	f.Fuzz(func(t *testing.T, archive []byte) {
		if files, at, err := unpackTar(archive); err == nil && !bytes.Equal(packTar(files, at), archive) {
			t.Errorf("unpacked %q", archive)
		}
	})
}

// TestTar has files of the sizes around a block's.
func TestTar(t *testing.T) {
	var files []file
	for _, n := range []int{0, 1, 511, 512, 513} {
		files = append(files, file{fmt.Sprintf("%x", sha256.Sum256([]byte{byte(n)})), bytes.Repeat([]byte("x"), n)})
	}
	got, at, err := unpackTar(packTar(files, time.Unix(1, 0)))
	if err != nil || at.Unix() != 1 || len(got) != len(files) {
		t.Fatalf("%d files of %v, %v", len(got), at, err)
	}
	for i := range files {
		if got[i].name != files[i].name || !bytes.Equal(got[i].content, files[i].content) {
			t.Errorf("%s became %s", files[i].name, got[i].name)
		}
	}
}
