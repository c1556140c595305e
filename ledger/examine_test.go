package ledger

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
)

func TestExamine(t *testing.T) {
	path := filled(t)
	before := read(t, path)
	found, err := Examine(t.Context(), path)
	if err != nil || found.Old || !found.Intact {
		t.Errorf("%+v, %v", found, err)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("the file was changed")
	}
	left, err := filepath.Glob(path + "?*")
	if err != nil || strings.Join(left, "") != path+".lock" {
		t.Errorf("%v, left behind: %q", err, left)
	}
	if _, err := Examine(t.Context(), path+".not"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no ledger: %v", err)
	}
}

// TestExamineInUse looks at a ledger that a daemon has open, with a commit in the write-ahead log.
func TestExamineInUse(t *testing.T) {
	l, path := fresh(t)
	defer l.Close()
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	if found, err := Examine(t.Context(), path); err != nil || !found.Intact || !bytes.Equal(found.Vault, sample().Vault) {
		t.Errorf("%+v, %v", found, err)
	}
	change(t, l, "fill", func(tx *Tx) error { return fill(tx, 3) })
}

func TestExamineDamaged(t *testing.T) {
	for edit, want := range map[string]error{
		"DELETE FROM meta":                                ErrDamaged,
		"UPDATE accounts SET type = 'motp'":               ErrDamaged,
		"PRAGMA user_version = 99":                        ErrNewer,
		"PRAGMA user_version = 1":                         nil, // an old one
		"UPDATE audit SET what = 'nothing'":               nil, // which shows in Intact
		"DELETE FROM audit WHERE seq > 0":                 nil,
		"UPDATE meta SET head_seq = 1000":                 nil,
		"PRAGMA application_id = 1":                       ErrDamaged,
		"DROP TABLE audit":                                ErrDamaged,
		"PRAGMA foreign_keys = off; DELETE FROM accounts": ErrDamaged,
	} {
		path := filled(t)
		db, err := connectFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(second(db.Exec(edit)), db.Close()); err != nil {
			t.Fatal(err)
		}
		found, err := Examine(context.Background(), path)
		if !errors.Is(err, want) || (err != nil) != (want != nil) || want != nil && hw.Hint(err) == "" {
			t.Errorf("%s: %v, hint %q", edit, err, hw.Hint(err))
		}
		if want == nil && found.Intact {
			t.Errorf("%s: nothing is said", edit)
		}
		if old := edit == "PRAGMA user_version = 1"; found.Old != old {
			t.Errorf("%s: old is %v", edit, found.Old)
		}
	}
	for _, content := range []string{"", "not a ledger, but a text that is longer than the head of a database, a hundred bytes in all, or more than these"} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		write(t, path, []byte(content))
		if _, err := Examine(t.Context(), path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", content, err)
		}
	}
}
