package softkey

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
)

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	s, err := OpenStore(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func storedKey(t *testing.T, s *Store, o Options) (*Key, client) {
	t.Helper()
	k, err := s.Key(o)
	if err != nil {
		t.Fatal(err)
	}
	c := client{TB: t, card: k, le: true}
	c.ok(c.selectOATH())
	return k, c
}

// TestStore: what two keys keep in one file is there again, byte for byte.
func TestStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	s := openStore(t, path)
	_, c := storedKey(t, s, Options{Personality: "yubikey-5.4", Serial: 1})
	_, d := storedKey(t, s, Options{Personality: "canokey", Serial: 2})
	for _, name := range []string{"a", "b\xff", "c"} {
		c.ok(c.put(totp(name)))
	}
	c.ok(c.delete("a"))
	c.ok(c.put(newCredential{name: "h", kind: 0x11})) // takes the free place
	c.ok(c.calculate(1, "h", nil))
	inc := totp("i")
	inc.property = propIncreasing
	c.ok(c.put(inc))
	c.ok(c.calculate(1, "i", challengeOf(9)))
	c.ok(c.setCode(0x21, secretCode))
	d.ok(d.put(totp("other")))
	selected := c.ok(c.selectOATH())

	s = openStore(t, path)
	_, c = storedKey(t, s, Options{Serial: 1})
	again := c.ok(c.selectOATH())
	if !bytes.Equal(c.tag(again, tagName), c.tag(selected, tagName)) {
		t.Error("another salt")
	}
	c.ok(c.unlock(again, secretCode))
	if got, want := c.names(), []string{"h", "b\xff", "c", "i"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := c.code(c.calculate(1, "h", nil)); got != 287082 {
		t.Errorf("the second code is %06d", got)
	}
	c.want(c.calculate(1, "i", challengeOf(8)), hw.StatusAuthRequired)
	_, d = storedKey(t, s, Options{Serial: 2, Personality: "canokey"})
	if got := d.names(); !slices.Equal(got, []string{"other"}) {
		t.Errorf("the other key has %q", got)
	}
}

func TestStoreFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	_, c := storedKey(t, openStore(t, path), Options{Serial: 1})
	c.ok(c.put(totp("x")))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), warning) {
		t.Errorf("no warning in it: %v\n%s", err, b)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files are left: %v", left)
	}
}

// TestStoreFails: what cannot be saved did not happen.
func TestStoreFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, c := storedKey(t, openStore(t, filepath.Join(dir, "state.json")), Options{Personality: "yubikey-5.4", Serial: 1})
	c.ok(c.put(totp("kept")))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c.want(c.put(totp("lost")), hw.StatusMemory)
	c.want(c.delete("kept"), hw.StatusMemory)
	c.want(c.rename("kept", "renamed"), hw.StatusMemory)
	c.want(c.send(insReset, 0xde, 0xad), hw.StatusMemory)
	if got := c.names(); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("%q", got)
	}
}

func TestStoreRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"keys": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{broken, dir} {
		if _, err := OpenStore(path); err == nil {
			t.Errorf("%s is read without an error", path)
		}
	}
	s := openStore(t, filepath.Join(dir, "state.json"))
	storedKey(t, s, Options{Personality: "neo", Serial: 1})
	if _, err := s.Key(Options{Personality: "canokey", Serial: 1}); err == nil {
		t.Error("a NEO came back as a CanoKey")
	}
	if _, err := s.Key(Options{Personality: "unknown", Serial: 2}); err == nil {
		t.Error("an unknown personality")
	}
	nowhere := openStore(t, filepath.Join(dir, "no", "such", "state.json"))
	if _, err := nowhere.Key(Options{Serial: 3}); err == nil {
		t.Error("a state that cannot be written is no error")
	}
}

// TestClone: a clone has what the key has, and from then on neither changes the other.
func TestClone(t *testing.T) {
	k, c := open(t, Options{Serial: 7, Personality: "yubikey-5.4"})
	c.ok(c.put(totp("one")))
	twin, err := k.Clone()
	if err != nil || twin.Serial() != 7 || twin.Personality() != k.Personality() {
		t.Fatalf("%v, %d, %s", err, twin.Serial(), twin.Personality())
	}
	d := client{TB: t, card: twin}
	c.ok(c.put(totp("two")))
	d.ok(d.selectOATH())
	d.ok(d.delete("one"))
	if mine, its := c.names(), d.names(); !slices.Equal(mine, []string{"one", "two"}) || len(its) != 0 {
		t.Errorf("the key has %q, its clone %q", mine, its)
	}
}
