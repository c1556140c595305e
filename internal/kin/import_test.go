package kin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

func secret(text string) *oath.Secret { return oath.TakeSecret([]byte(text)) }

// TestBothSides lets one side tell the other, with a wrong password and a right one on the way.
func TestBothSides(t *testing.T) {
	said, says := io.Pipe()
	hears, answers := io.Pipe()
	side := ImportSide{In: hears, Out: says}
	var passwords []string
	ended := make(chan error, 1)
	go func() {
		for range 2 {
			p, err := side.Password()
			if err != nil {
				ended <- err
				return
			}
			passwords = append(passwords, string(p.Bytes()))
			p.Wipe()
		}
		ended <- side.Found(Imported{
			Format: "aegis", Program: "Aegis", Landlock: 7, Notes: []string{"note"}, Batches: []ImportedBatch{{ID: -1, Size: 2, Indexes: []int{1}}},
			Entries: []ImportedEntry{{Name: "a", Type: "totp", Seed: secret("seed\n1")}, {Name: "b", Problem: "odd"}, {Name: "c", Type: "hotp", Counter: 3, Seed: secret("s2")}},
		})
	}()
	found, err := converse(said, answers, func(again bool) (*oath.Secret, error) {
		if again {
			return secret(""), nil
		}
		return secret("p\u00e4ss"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if e := found.Entries; len(e) != 3 || string(e[0].Seed.Bytes()) != "seed\n1" || e[1].Seed.Len() != 0 || string(e[2].Seed.Bytes()) != "s2" || e[2].Counter != 3 {
		t.Errorf("%+v", found)
	}
	if strings.Join(passwords, ",") != "p\u00e4ss," || found.Batches[0].ID != -1 || found.Landlock != 7 || found.Notes[0] != "note" {
		t.Errorf("%q, %+v", passwords, found)
	}
	found.Wipe()
}

// frame is what the program says, as it travels.
func frame(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
}

// TestLedAstray takes what no program of ours would say.
func TestLedAstray(t *testing.T) {
	for said, want := range map[string]string{
		"":                                 "unexpected EOF",
		"\x00\x00":                         "unexpected EOF",
		frame("{}")[:5]:                    "unexpected EOF",
		frame("{}"):                        "not of this version",
		frame("cake"):                      "not of this version",
		"\xff\xff\xff\xff":                 "more accounts than are read",
		frame(`{"error":{"message":"m"}}`): "m",
		frame(`{"imported":{"entries":[{"seed_bytes":4}]}}`) + "abc":    "unexpected EOF",
		frame(`{"imported":{"entries":[{"seed_bytes":-1}]}}`):           "not one",
		frame(`{"imported":{"entries":[{"seed_bytes":1000000000}]}}`):   "not one",
		frame(`{"password":true}`) + frame(`{"password":true}`) + "...": "tired",
	} {
		asked := 0
		found, err := converse(strings.NewReader(said), io.Discard, func(bool) (*oath.Secret, error) {
			if asked++; asked == 2 {
				return nil, errors.New("tired")
			}
			return secret("x"), nil
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %q", said, found, err, want)
		}
	}
}

// FuzzConverse holds that whatever the program says ends, and leaves no more than it said.
func FuzzConverse(f *testing.F) {
	f.Add([]byte(frame(`{"imported":{"entries":[{"seed_bytes":4}]}}`) + "seed"))
	f.Add([]byte(frame(`{"password":true}`) + frame(`{"error":{"message":"m"}}`)))
	f.Fuzz(func(t *testing.T, said []byte) {
		found, err := converse(bytes.NewReader(said), io.Discard, func(bool) (*oath.Secret, error) { return secret("x"), nil })
		if err != nil {
			return
		}
		total := 0
		for _, e := range found.Entries {
			total += e.Seed.Len()
		}
		found.Wipe()
		if total > len(said) {
			t.Errorf("%d bytes of seeds from %d bytes", total, len(said))
		}
	})
}

func TestTooManyQuestions(t *testing.T) {
	asked := 0
	_, err := converse(strings.NewReader(strings.Repeat(frame(`{"password":true}`), 100)), io.Discard, func(bool) (*oath.Secret, error) {
		asked++
		return secret("x"), nil
	})
	if err == nil || asked != maxImportAsked {
		t.Errorf("%v after %d questions", err, asked)
	}
}

func TestALongPassword(t *testing.T) {
	err := answer(io.Discard, false, func(bool) (*oath.Secret, error) { return oath.NewSecret(maxImportPassword + 1), nil })
	if err == nil {
		t.Error("it was sent")
	}
}

// TestDeaths runs programs that end without a word.
func TestDeaths(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	if _, err := Import(t.Context(), file, "", nil); err == nil || !strings.Contains(err.Error(), "oathctl-import") {
		t.Errorf("without the program: %v", err)
	}
	for script, want := range map[string]string{
		"kill -KILL $$": "takes longer to read than is granted",
		"echo 'fatal error: runtime: out of memory' >&2; exit 2": "more memory to read than is granted",
		"exit 0":                  "ended in the middle",
		"echo secret >&2; exit 3": "cannot deal with it: exit status 3",
	} {
		if err := os.WriteFile(filepath.Join(dir, "oathctl-import"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := Import(t.Context(), file, "", nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", script, err)
		}
		if _, err := ImportFormats(t.Context()); err == nil {
			t.Errorf("%s lists formats", script)
		}
	}
}
