package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asProgram makes the test binary be oathctl-clip.
const asProgram = "OATHCTL_CLIP_TEST"

func TestMain(m *testing.M) {
	patience = leisure // no tool waits for a window here, and the machine may be busy
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	// The process that waits outlives the one that started it, and becomes ours to wait for.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// desktop is where a tool keeps its clipboard.
type desktop struct {
	t    *testing.T
	tool tool
	env  []string
}

// command is one that sees the desktop and nothing of the machine's own.
func (d desktop) command(name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(d.t.Context(), name, args...)
	c.Env = append([]string{asProgram + "=1", "GORACE=atexit_sleep_ms=0", "HOME=" + d.t.TempDir()}, d.env...)
	return c
}

// copies has oathctl-clip copy and returns what that says.
func (d desktop) copies(text string, life time.Duration) string {
	d.t.Helper()
	until := time.Now().Add(life)
	if life == 0 {
		until = time.Unix(0, 0)
	}
	c := d.command(os.Args[0], "-with", d.tool.name, "-until", strconv.FormatInt(until.Unix(), 10))
	var complaint bytes.Buffer
	c.Stdin, c.Stderr = strings.NewReader(text), &complaint
	out, err := c.Output()
	if err != nil {
		d.t.Fatalf("%v: %s", err, &complaint)
	}
	return strings.TrimSpace(string(out))
}

// others is another program that copies.
func (d desktop) others(text string) {
	d.t.Helper()
	d.with(func() {
		if err := d.tool.take([]byte(text), 0); err != nil {
			d.t.Fatal(err)
		}
	})
}

// content is what is in the clipboard, "" for nothing.
func (d desktop) content() (text string) {
	d.with(func() {
		out, _ := d.tool.run(d.t.Context(), d.tool.paste, nil)
		text = string(out)
	})
	return text
}

// holds waits until the text is in the clipboard: a tool may end before the process that it leaves behind has
// taken the clipboard over.
func (d desktop) holds(text string) {
	d.t.Helper()
	got := ""
	for end := time.Now().Add(leisure); time.Now().Before(end); {
		if got = d.content(); got == text {
			return
		}
	}
	d.t.Errorf("the clipboard holds %q, want %q", got, text)
}

// with runs f in the desktop's environment.
func (d desktop) with(f func()) {
	for _, v := range d.env {
		name, value, _ := strings.Cut(v, "=")
		defer restore(name)()
		_ = os.Setenv(name, value)
	}
	f()
}

func restore(name string) func() {
	old, was := os.LookupEnv(name)
	return func() {
		if was {
			_ = os.Setenv(name, old)
		} else {
			_ = os.Unsetenv(name)
		}
	}
}

// waiters are the processes of this test that wait to empty a clipboard, or hold it meanwhile.
func waiters(t *testing.T) (pids []int) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		text, _ := os.ReadFile(line)
		args := strings.Split(string(text), "\x00")
		if len(args) > 1 && (args[1] == "-clear" || args[1] == "-hold") && isChild(filepath.Dir(line)) {
			pid, _ := strconv.Atoi(strings.Split(line, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// isChild reports whether a process, given as its directory in /proc, is a child of this one; processes whose parent
// has ended become that, see TestMain.
func isChild(process string) bool {
	status, _ := os.ReadFile(process + "/status")
	return strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid()))
}

// awaitWaiters returns when every process that waits has ended.
func awaitWaiters(t *testing.T) {
	t.Helper()
	for _, pid := range waiters(t) {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			t.Fatalf("cannot wait for process %d: %v", pid, err)
		}
	}
}

// dismissWaiters ends them before their time.
func dismissWaiters(t *testing.T) {
	t.Helper()
	for _, pid := range waiters(t) {
		if err := unix.Kill(pid, unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	awaitWaiters(t)
}

// nobodyTells wants the text in no process's arguments or environment.
func nobodyTells(t *testing.T, text string) {
	t.Helper()
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if content, err := os.ReadFile(file); err == nil && strings.Contains(string(content), text) {
				t.Errorf("%s tells the code", file)
			}
		}
	}
}

// timeIsOver does what a process that waits for the end of the text's time does then.
func (d desktop) timeIsOver(text string) {
	d.t.Helper()
	c := d.command(os.Args[0], "-clear", d.tool.name, "-until", "1")
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		d.t.Errorf("%v: %s", err, out)
	}
}

// check copies, looks, and has the clipboard emptied, which must not be if something else is in it.
func (d desktop) check() {
	t := d.t
	t.Helper()
	defer dismissWaiters(t)
	code := fmt.Sprint(700000000 + os.Getpid())
	if got := d.copies(code, time.Hour); got != d.tool.name+" clears" {
		t.Fatalf("it says %q", got)
	}
	nobodyTells(t, code)
	d.holds(code)
	if n := len(waiters(t)); n != 1 {
		t.Errorf("%d processes wait", n)
	}
	d.timeIsOver(code)
	d.holds("")
	d.copies(code, time.Hour)
	d.holds(code)
	d.others("somebody else's")
	d.holds("somebody else's")
	d.timeIsOver(code)
	if got := d.content(); got != "somebody else's" {
		t.Errorf("the clipboard was emptied of what somebody else had copied: %q", got)
	}
}

// checkTime waits until the clipboard is emptied by itself.
func (d desktop) checkTime() {
	d.t.Helper()
	if got := d.copies("287082", 0); got != d.tool.name+" keeps" || len(waiters(d.t)) > 0 {
		d.t.Errorf("for ever: it says %q", got)
	}
	d.copies("755224", time.Second)
	awaitWaiters(d.t)
	if got := d.content(); got == "755224" {
		d.t.Error("the clipboard was not emptied")
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		in   string
		want string
	}{
		{[]string{"755224"}, "x", "usage"},
		{[]string{"-until", "soon"}, "x", "usage"},
		{nil, "", "cannot copy 0 bytes"},
		{nil, strings.Repeat("x", 5000), "cannot copy"},
		{[]string{"-clear", "scissors"}, "x", `with "scissors"`},
	} {
		err := run(test.args, strings.NewReader(test.in), new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.args, err)
		}
	}
}
