package peer

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

func TestAdmit(t *testing.T) {
	for _, uid := range []uint32{1000, 0} {
		if err := Admit(uid, 1000); err != nil {
			t.Errorf("uid %d: %v", uid, err)
		}
	}
	for _, uid := range []uint32{1, 1001, 65534, 1<<32 - 1} {
		err := Admit(uid, 1000)
		if api.CodeOf(err) != api.CodeForbidden {
			t.Errorf("uid %d: %v", uid, err)
		}
		e, _ := errors.AsType[*api.Error](err)
		if asUser := strings.Contains(e.Hint, "sudo -u '#1000'"); e.Hint == "" || asUser != (uid == overflow) {
			t.Errorf("uid %d is told %q", uid, e.Hint)
		}
	}
	if err := Admit(1000, 0); api.CodeOf(err) != api.CodeForbidden {
		t.Errorf("root's daemon serves uid 1000: %v", err)
	}
}

func TestParseStat(t *testing.T) {
	for _, test := range []struct {
		stat, name string
		parent     int32
	}{
		{"7 (zsh) S 6 7 7 0", "zsh", 6},
		{"7 (a) b (c) S 6 7", "a) b (c", 6},
		{"7 (a\x1b[31m\nb\x7f) S 6 7", "a[31mb", 6},
		{"7 (\xff\xfe) S 6 7", "?", 6},
		{"7 () S 6 7", "?", 6},
		{"7 (Web Content) R 1 7", "Web Content", 1},
	} {
		name, parent, err := parseStat([]byte(test.stat))
		if err != nil || name != test.name || parent != test.parent {
			t.Errorf("%q: %q, %d, %v", test.stat, name, parent, err)
		}
	}
	for _, stat := range []string{"", "7", "7 (zsh", "7 )zsh(", "7 (zsh)", "7 (zsh) S", "7 (zsh) S x"} {
		if name, parent, err := parseStat([]byte(stat)); err == nil {
			t.Errorf("%q: %q, %d without an error", stat, name, parent)
		}
	}
}

func TestName(t *testing.T) {
	own, _, err := process(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	if got := Name(int32(child.Process.Pid)); !strings.HasSuffix(got+" ", own+" ") && !strings.Contains(got, " ← "+own) {
		t.Errorf("the child of %q is %q", own, got)
	}
	if n := strings.Count(Name(int32(child.Process.Pid)), "←"); n >= maxAncestry {
		t.Errorf("%d ancestors", n)
	}
	for _, pid := range []int32{0, 1, -1, 1 << 30} {
		if got := Name(pid); !strings.HasPrefix(got, "pid ") {
			t.Errorf("process %d is %q", pid, got)
		}
	}
}
