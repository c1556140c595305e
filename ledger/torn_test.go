package ledger

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

const (
	// sector is what a disk writes whole, page what SQLite writes at a time.
	sector = 512
	page   = 4096
)

// torn are the ways in which a power cut can leave a write that was under way, once the sectors up to here had reached the disk: the file
// has not grown yet; it has, over nothing, or over what was on the disk before; or the sectors came in another order.
var torn = map[string]func(was, is []byte, here int) []byte{
	"cut off": func(_, is []byte, here int) []byte { return bytes.Clone(is[:here]) },
	"nothing behind it": func(_, is []byte, here int) []byte {
		return append(bytes.Clone(is[:here]), make([]byte, len(is)-here)...)
	},
	"something else behind it": func(_, is []byte, here int) []byte {
		return append(bytes.Clone(is[:here]), bytes.Repeat([]byte{0xa5}, len(is)-here)...)
	},
	"all but this sector": func(was, is []byte, here int) []byte {
		some := bytes.Clone(is)
		clear(some[here:min(here+sector, len(some))])
		copy(some[here:], was[min(here, len(was)):min(here+sector, len(was))])
		return some
	},
}

// still is a ledger as it is on the disk, its log, and what is in it.
type still struct {
	file, log []byte
	book      *Book
}

func stillOf(t *testing.T, l *Ledger) still {
	t.Helper()
	return still{read(t, l.path), read(t, l.path+"-wal"), load(t, l)}
}

// opens lays a ledger out on the disk and returns what is found in it; the audit log has to be whole.
func opens(t *testing.T, file, log []byte) *Book {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	write(t, path, file)
	write(t, path+"-wal", log)
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, intact, err := l.Audit(t.Context()); err != nil || !intact {
		t.Fatalf("the audit log is intact: %t, %v", intact, err)
	}
	return load(t, l)
}

// TestTornCommit cuts the power in the middle of a commit: the ledger is as it was before.
func TestTornCommit(t *testing.T) {
	t.Parallel()
	l, _ := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	was := stillOf(t, l)
	change(t, l, "fill", func(tx *Tx) error { return fill(tx, 5) })
	is := stillOf(t, l)
	if reflect.DeepEqual(was.book, is.book) || len(is.log) <= len(was.log) || !bytes.Equal(was.file, is.file) {
		t.Fatalf("the commit was not written to the log: %d bytes, then %d", len(was.log), len(is.log))
	}
	tried := 0
	for how, tear := range torn {
		for here := len(was.log); here < len(is.log); here += 5 * sector {
			log := tear(was.log, is.log, here)
			if bytes.Equal(log, is.log) {
				continue // the sector was one of zeros
			}
			if got := opens(t, is.file, log); !reflect.DeepEqual(got, was.book) {
				t.Errorf("%d bytes, %s: got %+v", here-len(was.log), how, *got)
			}
			tried++
		}
	}
	if got := opens(t, is.file, is.log); !reflect.DeepEqual(got, is.book) {
		t.Errorf("whole: got %+v", *got)
	}
	t.Logf("tried %d torn commits", tried)
}

// TestTornCheckpoint cuts the power while what is in the log is written to the ledger: nothing is lost of it.
func TestTornCheckpoint(t *testing.T) {
	t.Parallel()
	l, path := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	was := stillOf(t, l)
	if err := l.Close(); err != nil { // which writes it there
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Fatal("the log is still there")
	}
	is := read(t, path)
	tried := 0
	for at := 0; at < len(is); at += page {
		before, after := part(was.file, at), part(is, at)
		if bytes.Equal(before, after) {
			continue // not written
		}
		for how, tear := range torn {
			for here := 0; here < page; here += 3 * sector {
				half := tear(before, after, here)
				half = append(half, rest(before, len(half))...)
				file := slices.Concat(is[:at], half, rest(was.file, at+page))
				if got := opens(t, file, was.log); !reflect.DeepEqual(got, was.book) {
					t.Errorf("page %d, %d bytes, %s: got %+v", at/page, here, how, *got)
				}
				tried++
			}
		}
	}
	t.Logf("tried %d torn checkpoints", tried)
	if tried == 0 {
		t.Error("no page was written")
	}
}

// part is one page of a file, empty past its end; rest is all from there on.
func part(file []byte, at int) []byte { return rest(file[:min(at+page, len(file))], at) }
func rest(file []byte, at int) []byte { return file[min(at, len(file)):] }

// TestTornStart cuts the power while the first ledger is made: it is begun anew, for it had nothing in it yet.
func TestTornStart(t *testing.T) {
	l, path := fresh(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole := read(t, path)
	for here := 0; here < len(whole); here += 11 * sector {
		t.Run(fmt.Sprint(here), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			write(t, path+".new", whole[:here])
			write(t, path+".new-journal", whole[here:])
			same(t, load(t, reopen(t, path)), Book{})
		})
	}
}
