package softkey

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
)

// exchange is one recorded command with its answer.
type exchange struct{ command, answer []byte }

// readTranscript reads the Transmit lines of a recording: "on START END Transmit COMMAND ANSWER".
func readTranscript(t *testing.T, path string) []exchange {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []exchange
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 6 || f[3] != "Transmit" {
			continue
		}
		var e exchange
		if e.command, err = hex.DecodeString(f[4]); err != nil {
			t.Fatal(err)
		}
		if e.answer, err = hex.DecodeString(f[5]); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// recordedSalts returns the salts of the SELECTs, in order: what the key's generator gave.
func recordedSalts(list []exchange) *bytes.Buffer {
	var salts bytes.Buffer
	for _, e := range list {
		if i := bytes.Index(e.answer, []byte{tagName, saltLen}); e.command[1] == insSelect && e.command[2] == p1SelectByName && i >= 0 {
			salts.Write(e.answer[i+2 : i+2+saltLen])
		}
	}
	salts.Write(make([]byte, 10*saltLen)) // for RESETs that no SELECT follows
	return &salts
}

// TestTranscripts replays what a real YubiKey 5.4.3 was asked, and compares the answers byte by byte.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(need.Samples(t, "transcripts"), "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			list := readTranscript(t, file)
			k, err := New(Options{Personality: "yubikey-5.4", Random: recordedSalts(list)})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				answer, err := k.Transmit(e.command)
				if err != nil {
					t.Fatal(err)
				}
				if got := withoutMarker(answer); !bytes.Equal(got, e.answer) {
					t.Errorf("%x:\n got %x\nwant %x", e.command, got, e.answer)
				}
			}
		})
	}
}

// withoutMarker removes the marker of a soft key, the one thing that a real one does not answer.
func withoutMarker(answer []byte) []byte {
	return bytes.Replace(answer, append([]byte{TagSoft, byte(len(SoftMarker))}, SoftMarker...), nil, 1)
}
