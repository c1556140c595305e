package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/internal/need"
)

// captive names the variable that makes this test binary a process that confines itself and does what the variable says.
const captive = "CONFINE_TEST_DO"

func TestMain(m *testing.M) {
	if what := os.Getenv(captive); what != "" {
		os.Exit(captivity(what))
	}
	var err error
	if built, err = os.MkdirTemp("", "confine"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(status)
}

// built is the directory for what the tests build.
var built string

// plain builds these tests as the released programs are built, without cgo, which Landlock takes.
var plain = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "captive")
	c := exec.Command("go", "test", "-c", "-o", path, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return path, nil
})

// confined runs a captive and returns what it says.
func confined(t *testing.T, what string, env ...string) (string, error) {
	t.Helper()
	path, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path)
	c.Env = append(os.Environ(), captive+"="+what)
	c.Env = append(c.Env, env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// wayOut is something that a confined process must not be able to do.
type wayOut struct {
	name string
	try  func() error
	// landlock says that Landlock alone must keep it from that, too.
	landlock bool
}

// waysOut are tried with a directory of the test's, in which is the file "known", which the process has open, and with the
// address of a listener.
func waysOut(dir, address string) []wayOut {
	in := func(name string) string { return filepath.Join(dir, name) }
	opened := func(f *os.File, err error) error {
		if err == nil {
			_ = f.Close()
		}
		return err
	}
	dialed := func(network, address string) error {
		c, err := net.Dial(network, address)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	call := func(number uintptr, arguments ...uintptr) error {
		arguments = append(arguments, 0, 0, 0)
		if _, _, errno := syscall.RawSyscall(number, arguments[0], arguments[1], arguments[2]); errno != 0 {
			return errno
		}
		return nil
	}
	return []wayOut{
		{"open another file", func() error { return opened(os.Open(in("other"))) }, true},
		{"open the same file again", func() error { return opened(os.Open(in("known"))) }, true},
		{"open it to write", func() error { return opened(os.OpenFile(in("known"), os.O_WRONLY, 0)) }, true},
		{"make a file", func() error { return opened(os.Create(in("new"))) }, true},
		{"make a directory", func() error { return os.Mkdir(in("new"), 0o700) }, true},
		{"list a directory", func() error { _, err := os.ReadDir(dir); return err }, true},
		{"remove a file", func() error { return os.Remove(in("other")) }, true},
		{"rename a file", func() error { return os.Rename(in("other"), in("new")) }, true},
		{"make a link", func() error { return os.Symlink("x", in("new")) }, true},
		{"look at a file", func() error { _, err := os.Stat(in("other")); return err }, false},
		{"change a file's mode", func() error { return os.Chmod(in("other"), 0o777) }, false},
		{"look at another process", func() error { return opened(os.Open(fmt.Sprintf("/proc/%d/mem", os.Getppid()))) }, true},
		{"start a program", func() error { return exec.Command("/bin/true").Run() }, true},
		{"become a program", func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) }, true},
		{"fork", func() error { return call(unix.SYS_CLONE, uintptr(unix.SIGCHLD)) }, false},
		{"connect by TCP", func() error { return dialed("tcp", address) }, false},
		{"listen on TCP", func() error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				_ = l.Close()
			}
			return err
		}, false},
		{"send by UDP", func() error { return dialed("udp", address) }, false},
		{"connect to a Unix socket", func() error { return dialed("unix", in("socket")) }, false},
		{"make a pair of sockets", func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }, false},
		{"signal the parent", func() error { return unix.Kill(os.Getppid(), 0) }, false},
		{"signal a thread of the parent", func() error { return unix.Tgkill(os.Getppid(), os.Getppid(), 0) }, false},
		{"trace the parent", func() error { return unix.PtraceAttach(os.Getppid()) }, false},
		{"read the parent's memory", func() error {
			_, err := unix.ProcessVMReadv(os.Getppid(), []unix.Iovec{{Base: new(byte), Len: 1}}, []unix.RemoteIovec{{Base: 1, Len: 1}}, 0)
			return err
		}, false},
		{"make a file in memory", func() error { _, err := unix.MemfdCreate("x", 0); return err }, false},
		{"get a descriptor of the parent's", func() error { return call(unix.SYS_PIDFD_OPEN, uintptr(os.Getppid())) }, false},
		{"control a terminal", func() error { _, err := unix.IoctlGetTermios(0, unix.TCGETS); return err }, false},
		{"use io_uring", func() error { return call(unix.SYS_IO_URING_SETUP, 1) }, false},
		{"load a BPF program", func() error { return call(unix.SYS_BPF, 0) }, false},
		{"enter a namespace", func() error { return unix.Unshare(unix.CLONE_NEWUSER) }, false},
		{"raise a limit", func() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}) }, false},
		{"show the memory again", func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }, false},
		{"change the filter", func() error { return call(unix.SYS_SECCOMP, seccompSetModeFilter) }, false},
	}
}

// captivity is what happens in the confined process. It returns the exit status, and prints what went wrong.
func captivity(what string) int {
	known, err := os.Open(filepath.Join(os.Getenv("DIR"), "known"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	// Some threads are older than the walls.
	threads := newThreads(4)
	budget := Budget{Memory: 256 << 20, CPU: time.Minute}
	if what == "spin" {
		budget.CPU = time.Second
	}
	var w Walls
	switch what {
	case "landlock":
		w.Landlock, err = landlock()
	case "filter":
		w.Filter, err = true, filter()
	default:
		w, err = Enter(budget)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	switch what {
	case "swallow":
		return swallow()
	case "spin":
		for {
		}
	case "live":
		return live(known)
	}
	return breakOut(w, threads, what == "landlock")
}

// breakOut tries all ways out, on threads that are older than the walls and on new ones.
func breakOut(w Walls, old *threads, landlockOnly bool) int {
	fmt.Printf("Landlock %t, filter %t\n", w.Landlock > 0, w.Filter)
	status := 0
	for _, some := range []*threads{old, newThreads(2)} {
		some.each(func() {
			for _, out := range waysOut(os.Getenv("DIR"), os.Getenv("ADDRESS")) {
				if landlockOnly && !out.landlock {
					continue
				}
				if err := out.try(); !errors.Is(err, fs.ErrPermission) {
					fmt.Printf("could %s: %v\n", out.name, err)
					status = 1
				}
			}
		})
	}
	return status
}

// threads run things one after the other, each on a thread of its own.
type threads struct{ work []chan func() }

func newThreads(n int) *threads {
	t := &threads{}
	for range n {
		work := make(chan func())
		t.work = append(t.work, work)
		go func() {
			// Never unlocked: the thread is this goroutine's.
			runtime.LockOSThread()
			for f := range work {
				f()
			}
		}()
	}
	return t
}

func (t *threads) each(f func()) {
	for _, work := range t.work {
		done := make(chan struct{})
		work <- func() { defer close(done); f() }
		<-done
	}
}

// live does what an importer does.
func live(known *os.File) int {
	var text [5]byte
	n, err := known.Read(text[:])
	var all sync.WaitGroup
	sums := make([]int, 8)
	for i := range sums {
		all.Go(func() {
			runtime.LockOSThread()
			buf := make([]byte, 4<<20)
			for j := range buf {
				sums[i] += int(buf[j]) + 1
			}
		})
	}
	all.Wait()
	fmt.Printf("%s %v %v\n", text[:n], err, slices.Min(sums) == 4<<20)
	return 0
}

// swallow takes more memory than there is to be had.
func swallow() int {
	var all [][]byte
	for range 64 {
		b := make([]byte, 16<<20)
		for i := range b {
			b[i] = 1
		}
		all = append(all, b)
	}
	fmt.Println("had", len(all))
	return 0
}

// cell is a directory as waysOut wants it, and what names it to a captive.
func cell(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"known", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("hello"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tcp.Close() })
	local, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = local.Close() })
	return []string{"DIR=" + dir, "ADDRESS=" + tcp.Addr().String()}
}

func TestNoWayOut(t *testing.T) {
	for what, want := range map[string]string{
		"enter": "Landlock true, filter true\n", "landlock": "Landlock true, filter false\n", "filter": "Landlock false, filter true\n",
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := landlockVersion(); err != nil {
				need.That(t, what != "landlock", "Landlock (%v)", err)
				want = strings.Replace(want, "Landlock true", "Landlock false", 1)
			}
			out, err := confined(t, what, cell(t)...)
			if err != nil || out != want {
				t.Errorf("%v, %s", err, out)
			}
		})
	}
}

// TestWaysOutAreOpen wants every way to be one that a free process can go: else its being shut says nothing. Left out is what
// takes root, or would end or change this process.
func TestWaysOutAreOpen(t *testing.T) {
	shut := []string{
		"become a program", "fork", "trace the parent", "read the parent's memory", "look at another process", "load a BPF program",
		"enter a namespace", "raise a limit", "change the filter", "control a terminal", "use io_uring", "show the memory again",
		"signal a thread of the parent",
	}
	for i, out := range waysOut("", "") {
		if slices.Contains(shut, out.name) {
			continue
		}
		env := cell(t)
		dir, address := strings.TrimPrefix(env[0], "DIR="), strings.TrimPrefix(env[1], "ADDRESS=")
		if err := waysOut(dir, address)[i].try(); err != nil {
			t.Errorf("cannot %s even here: %v", out.name, err)
		}
	}
}

func TestLifeInside(t *testing.T) {
	out, err := confined(t, "live", cell(t)...)
	if err != nil || out != "hello <nil> true\n" {
		t.Errorf("%v, %s", err, out)
	}
}

func TestBudget(t *testing.T) {
	out, err := confined(t, "swallow", cell(t)...)
	if err == nil || !strings.Contains(out, "out of memory") {
		t.Errorf("memory: %v, %.300s", err, out)
	}
	_, err = confined(t, "spin", cell(t)...)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("time: %v", err)
	}
}
