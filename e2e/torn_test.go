package e2e

import (
	"bytes"
	"os"
	"testing"
)

// tears are what a power cut makes of the bytes that were being written.
var tears = []func(last []byte) []byte{
	func(last []byte) []byte { return last[:len(last)/2] },
	func(last []byte) []byte {
		return append(bytes.Clone(last[:len(last)/3]), make([]byte, len(last)-len(last)/3)...)
	},
	func(last []byte) []byte {
		return append(bytes.Repeat([]byte{0xa5}, 512), last[min(512, len(last)):]...)
	},
}

// TestTorn kills the daemon at each commit of every deed as the power does: the commit has reached the disk in part, the next
// command no key.
func TestTorn(t *testing.T) {
	atEach(t, commits, "%d commits were torn", func(t *testing.T, d deed, i, _ int) bool { return tornAt(t, d, i+1, tears[i%len(tears)]) })
}

// tornAt tears the nth commit, and sees that another daemon goes on from the one before. It reports whether there were so many.
func tornAt(t *testing.T, d deed, n int, tear func([]byte) []byte) bool {
	t.Helper()
	s := d.stage(t).doom().enter(t, d.out...)
	log := s.ledger() + "-wal"
	var before []byte
	s.fate.committing = func() { before, _ = os.ReadFile(log) }
	if _, dead, err := s.attempt(n, func() error { return d.do(s) }); !dead {
		s.expect(err)
		return false
	}
	last, grown := bytes.CutPrefix(read(t, log), before)
	if !grown || len(last) == 0 {
		t.Fatalf("the commit was not written behind the %d bytes that were in the log", len(before))
	}
	write(t, log, append(before, tear(last)...))
	s.reborn()
	s.expect(s.sound(d.gone...))
	s.recovers(d)
	return true
}
