package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// fullDisk mounts a small file system on which a backup lies, and fills it; room empties it again.
func fullDisk(t *testing.T) (dir string, room func()) {
	t.Helper()
	dir = t.TempDir()
	need.SmallDisk(t, dir, "256k")
	backup, ballast := filepath.Join(dir, "backup.tar"), filepath.Join(dir, "ballast")
	if err := os.WriteFile(backup, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("a megabyte fits: %v", err)
	}
	return dir, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	list, err := os.ReadDir(dir)
	for _, entry := range list {
		got = append(got, entry.Name())
	}
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("there is %q, %v; want %q", got, err, want)
	}
}

// TestNoRoomForAPaper: no key is made that nobody could print.
func TestNoRoomForAPaper(t *testing.T) {
	dir, room := fullDisk(t)
	paper := filepath.Join(dir, "paper.html")
	term, _, _ := fakeTerminal()
	made, page := false, []byte("<p>AGE-SECRET-KEY-1</p>")
	request := func(context.Context) (api.Escrow, *oath.Secret, error) {
		made = true
		if text, err := os.ReadFile(paper); err != nil || !bytes.Contains(text, []byte("There is no key on this paper")) {
			t.Errorf("until then the paper says %.200q, %v", text, err)
		}
		return api.Escrow{Exists: true}, oath.CopySecret(page), nil
	}
	_, err := (&app{term: term}).make(t.Context(), paper, request)
	if made || api.CodeOf(err) != api.CodeBadRequest || !strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
		t.Errorf("%v; a key was made: %t", err, made)
	}
	wantFiles(t, dir, "backup.tar", "ballast")
	room()
	m, err := (&app{term: term}).make(t.Context(), paper, request)
	if err != nil || !made || m.Paper != paper {
		t.Fatalf("%v, %+v", err, m)
	}
	if got, err := os.ReadFile(paper); err != nil || !bytes.Equal(got, page) {
		t.Errorf("%v, the paper says %q", err, got)
	}
}

// TestNoRoomForABackup: the one that is there stays.
func TestNoRoomForABackup(t *testing.T) {
	dir, room := fullDisk(t)
	path, content := filepath.Join(dir, "backup.tar"), bytes.Repeat([]byte("b"), 64<<10)
	if err := replaceFile(path, content); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, make([]byte, 4096)) {
		t.Errorf("%v, %d bytes are there", err, len(old))
	}
	wantFiles(t, dir, "backup.tar", "ballast")
	room()
	if err := replaceFile(path, content); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%v, %d bytes are there", err, len(got))
	}
	wantFiles(t, dir, "backup.tar")
}
