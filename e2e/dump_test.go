package e2e

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
)

// needles are what is looked for in a process's memory: all forms of some secrets, in pieces, for a piece of a seed is as bad
// as the whole.
type needles struct {
	secrets, forms int
	// at has the pieces by their first four bytes, may says whether there are any with these first two.
	at  map[uint32][]needle
	may [1 << 16]bool
}

type needle struct {
	name  string
	piece []byte
}

// Pieces are so long that none is in memory by chance, and so close that what is 20 bytes long has a whole one in it.
const (
	pieceLen  = 12
	pieceStep = 8
)

// forms are what a secret can look like. Those with xor are the pads of HMAC (RFC 2104), in which libraries leave its key.
func forms(secret []byte) map[string][]byte {
	plain := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	return map[string][]byte{
		"raw":             secret,
		"xor 36":          xor(secret, 0x36),
		"xor 5c":          xor(secret, 0x5c),
		"base32":          []byte(plain),
		"base32, lower":   []byte(strings.ToLower(plain)),
		"hex":             []byte(hex.EncodeToString(secret)),
		"hex, upper":      []byte(strings.ToUpper(hex.EncodeToString(secret))),
		"base64":          []byte(base64.RawStdEncoding.EncodeToString(secret)),
		"base64 in a URL": []byte(base64.RawURLEncoding.EncodeToString(secret)),
		"base32, xor 36":  xor([]byte(plain), 0x36),
		"base32, xor 5c":  xor([]byte(plain), 0x5c),
		"in UTF-16":       wide(secret),
	}
}

func xor(b []byte, with byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= with
	}
	return out
}

func wide(b []byte) []byte {
	out := make([]byte, 2*len(b))
	for i, c := range b {
		out[2*i] = c
	}
	return out
}

// needlesOf makes the needles of secrets by their names.
func needlesOf(secrets map[string][]byte) *needles {
	n := &needles{secrets: len(secrets), at: map[uint32][]needle{}}
	for name, secret := range secrets {
		all := forms(secret)
		n.forms = len(all)
		for form, b := range all {
			n.add(name+", "+form, b)
		}
	}
	return n
}

func (n *needles) add(name string, b []byte) {
	size := min(pieceLen, len(b))
	for i := 0; ; i += pieceStep {
		last := i+size >= len(b)
		if last {
			i = len(b) - size
		}
		piece := b[i : i+size]
		first := binary.LittleEndian.Uint32(piece)
		n.at[first] = append(n.at[first], needle{name, piece})
		n.may[uint16(first)] = true
		if last {
			return
		}
	}
}

// in calls found for each needle in b. It is not watched by the race detector, which would take it ten times as long.
//
//go:norace
func (n *needles) in(b []byte, found func(at int, name string)) {
	for i := 0; i+4 <= len(b); i++ {
		if !n.may[binary.LittleEndian.Uint16(b[i:])] {
			continue
		}
		for _, needle := range n.at[binary.LittleEndian.Uint32(b[i:])] {
			if bytes.HasPrefix(b[i:], needle.piece) {
				found(i, needle.name)
			}
		}
	}
}

// mapping is a part of a process's memory, as /proc/PID/smaps tells of it.
type mapping struct {
	from, to int64
	name     string
	readable bool
	// undumped: it is left out of core dumps (madvise(2), MADV_DONTDUMP).
	undumped bool
}

func mappings(t testing.TB, pid int) (all []mapping) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok {
			all[len(all)-1].undumped = slices.Contains(strings.Fields(flags), "dd")
			continue
		}
		var m mapping
		var rights string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &m.from, &m.to, &rights); n != 3 {
			continue
		}
		m.readable, m.name = rights[0] == 'r', strings.Join(fields[5:], " ")
		all = append(all, m)
	}
	return all
}

// dump is what a search has found.
type dump struct {
	// size counts the bytes that were searched, apart those of them that core dumps leave out.
	size, apart int
	// open has the needles that were found, and where; shut has those that were found in what core dumps leave out.
	open, shut map[string]string
}

// String says what was searched.
func (d dump) String() string {
	return fmt.Sprintf("%.1f MB, and %d KB that core dumps leave out", float64(d.size-d.apart)/1e6, d.apart>>10)
}

// search looks for the needles in all that can be read of a process's memory.
func (n *needles) search(t testing.TB, pid int) dump {
	t.Helper()
	memory, pages := openOf(t, pid, "mem"), openOf(t, pid, "pagemap")
	defer memory.Close()
	defer pages.Close()
	d := dump{open: map[string]string{}, shut: map[string]string{}}
	for _, m := range mappings(t, pid) {
		if !m.readable || m.name == "[vsyscall]" { // which is the kernel's
			continue
		}
		found, size, err := n.searchMapping(memory, pages, m)
		if err != nil {
			t.Fatalf("cannot read %x-%x %s: %v", m.from, m.to, m.name, err)
		}
		d.size += size
		if m.undumped {
			d.apart += size
			maps.Copy(d.shut, found)
		} else {
			maps.Copy(d.open, found)
		}
	}
	return d
}

func openOf(t testing.TB, pid int, name string) *os.File {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, name))
	need.That(t, !errors.Is(err, fs.ErrPermission), "the right to read another process's memory: run it as root (%v)", err)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	pageLen = 4096
	// longest is how many pages are read at a time.
	longest = 256
)

// searchMapping searches the pages of a mapping that there are, a run of them at a time. Each begins within the one before, so that
// no piece is cut in two.
func (n *needles) searchMapping(memory, pages *os.File, m mapping) (found map[string]string, size int, err error) {
	there, err := present(pages, m)
	if err != nil {
		return nil, 0, err
	}
	found = map[string]string{}
	buffer := make([]byte, (longest+1)*pageLen)
	for first := 0; first < len(there); first++ {
		run := 0
		for run <= longest && first+run < len(there) && there[first+run] {
			run++
		}
		if run == 0 {
			continue
		}
		at := m.from + int64(first)*pageLen
		if _, err := memory.ReadAt(buffer[:run*pageLen], at); err != nil {
			return nil, 0, err
		}
		n.in(buffer[:run*pageLen], func(i int, name string) {
			found[name] = fmt.Sprintf("at %x, in %x-%x %s", at+int64(i), m.from, m.to, m.name)
		})
		run = min(run, longest)
		first += run - 1
		size += run * pageLen
	}
	return found, size, nil
}

// present tells of each page of a mapping whether it is in memory, or swapped out: most are reserved only (the kernel's
// admin-guide/mm/pagemap.rst).
func present(pages *os.File, m mapping) ([]bool, error) {
	entries := make([]byte, (m.to-m.from)/pageLen*8)
	if _, err := pages.ReadAt(entries, m.from/pageLen*8); err != nil {
		return nil, err
	}
	there := make([]bool, len(entries)/8)
	for i := range there {
		there[i] = entries[8*i+7]&0xc0 != 0
	}
	return there, nil
}

// names lists what is found in b.
func (n *needles) names(b []byte) map[string]bool {
	found := map[string]bool{}
	n.in(b, func(_ int, name string) { found[name] = true })
	return found
}

// TestNeedles: each form of a secret is found, and so is its end alone.
func TestNeedles(t *testing.T) {
	secret := []byte("a seed of 24 byte\xff\x00s here")
	n := needlesOf(map[string][]byte{"seed": secret, "PIN": []byte("12345678")})
	for form, b := range forms(secret) {
		for _, part := range [][]byte{b, b[len(b)-20:]} {
			found := n.names(slices.Concat([]byte("before"), part))
			if !found["seed, "+form] && !(form == "base64 in a URL" && found["seed, base64"]) {
				t.Errorf("%s, %d bytes of it: found %v", form, len(part), found)
			}
		}
	}
	if found := n.names([]byte("a PIN: 1234567, xx")); len(found) > 0 {
		t.Errorf("found %v", found)
	}
	if found := n.names([]byte("PIN=12345678")); !found["PIN, raw"] {
		t.Errorf("found %v", found)
	}
}
