package socket

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

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

func TestAncestry(t *testing.T) {
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
	if got := ancestry(int32(child.Process.Pid)); !strings.HasSuffix(got+" ", own+" ") && !strings.Contains(got, " ← "+own) {
		t.Errorf("the child of %q is %q", own, got)
	}
	if n := strings.Count(ancestry(int32(child.Process.Pid)), "←"); n >= maxAncestry {
		t.Errorf("%d ancestors", n)
	}
	for _, pid := range []int32{0, 1, -1, 1 << 30} {
		if got := ancestry(pid); !strings.HasPrefix(got, "pid ") {
			t.Errorf("process %d is %q", pid, got)
		}
	}
}
