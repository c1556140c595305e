package importer

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

// manySeed is the seed that the exports in many have.
const manySeed = "ONZXG43TONZXG43TONZXG43TONZXG43T"

// TestNoTrace looks through the whole memory of the process for seeds that were read and wiped, and finds none, neither as
// they are nor as they were written. A signal saves registers, with a part of a seed in them, so only what is found
// three times counts.
func TestNoTrace(t *testing.T) {
	var traced []string
	for name, form := range many {
		if strings.Contains(form(1), manySeed) { // else it does not write base32
			traced = append(traced, name)
		}
	}
	for range 3 {
		var all []needle
		for _, name := range traced {
			all = append(all, readHidden(t, name, many[name](20))...)
		}
		runtime.GC()
		if traced = search(t, all); traced == nil {
			return
		}
		slices.Sort(traced)
		traced = slices.Compact(traced)
	}
	t.Errorf("a trace of the seed is left by %q", traced)
}

// needle is the beginning of a seed's bytes or letters, masked so that it is not found itself.
type needle struct {
	format string
	masked [10]byte
}

const mask = 0x5a

func newNeedle(format string, text []byte) needle {
	n := needle{format: format}
	for i := range n.masked {
		n.masked[i] = text[i] ^ mask
	}
	return n
}

// readHidden reads an export in which the seed is one that nobody has seen.
func readHidden(t *testing.T, name, form string) []needle {
	t.Helper()
	owner, letters := oath.NewSecret(20), oath.NewSecret(len(manySeed)) // a stack that grows would leave a copy behind
	defer owner.Wipe()
	defer letters.Wipe()
	seed, text := owner.Bytes(), letters.Bytes()
	rand.Read(seed)
	base32.StdEncoding.Encode(text, seed)
	hidden := []needle{newNeedle(name, seed), newNeedle(name, text)}
	data := []byte(form)
	defer clear(data)
	for rest := data; ; {
		i := bytes.Index(rest, []byte(manySeed))
		if i < 0 {
			break
		}
		copy(rest[i:], text)
		rest = rest[i+len(manySeed):]
	}
	export, err := Read(data, Options{})
	defer export.Wipe()
	if err != nil || len(export.Entries) != 20 || !bytes.Equal(export.Entries[19].Seed.Bytes(), seed) {
		t.Errorf("%s: %d entries, %v", export.Format, len(export.Entries), err)
	}
	if name == "aegis" && len(search(t, hidden)) == 0 {
		t.Error("the seed is not found while it is there: this test cannot fail")
	}
	return hidden
}

// search returns the formats of the needles in all memory that can be written (proc(5), maps and mem), but for the race
// detector's own.
func search(t *testing.T, all []needle) []string {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	var found []string
	chunk := make([]byte, 1<<20)
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var rights string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); err != nil || !strings.HasPrefix(rights, "rw") || to-from > 1<<32 {
			continue
		}
		for at := from; at < to; at += int64(len(chunk)) - 9 {
			size, _ := memory.ReadAt(chunk[:min(int64(len(chunk)), to-at)], at)
			for _, n := range all {
				if n.in(chunk[:size]) {
					found = append(found, n.format)
				}
			}
			clear(chunk) // which is memory, too
		}
	}
	return found
}

func (n needle) in(chunk []byte) bool {
	first := []byte{n.masked[0] ^ mask, n.masked[1] ^ mask, n.masked[2] ^ mask}
	for {
		i := bytes.Index(chunk, first)
		if i < 0 {
			return false
		}
		if n.begins(chunk[i:]) {
			return true
		}
		chunk = chunk[i+1:]
	}
}

func (n needle) begins(text []byte) bool {
	for i, c := range n.masked {
		if i >= len(text) || text[i] != c^mask {
			return false
		}
	}
	return true
}
