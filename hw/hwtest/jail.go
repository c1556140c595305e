package hwtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// jailName is the name under which a test binary runs itself again as the keeper of a private pcscd.
const jailName = "oathd-hwtest-jail"

// jailSocket is where pcscd listens inside the jail. The path is compiled into pcscd.
const jailSocket = "/run/pcscd/pcscd.comm"

func init() {
	if os.Args[0] != jailName {
		return
	}
	if err := runJail(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "hwtest:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// jail is the process that lives in a mount and a network namespace of its own, starts and stops
// pcscd there and dials its readers. It ends, and pcscd with it, when the test at the other end of
// control goes away.
type jail struct {
	pcscd, config string
	control       *net.UnixConn
	process       *exec.Cmd
	log           *tail
}

// runJail answers the requests "start", "stop", "kill" and "dial PORT", one datagram each, with a datagram
// that holds an error's text, or nothing.
func runJail(pcscd, config string) error {
	if err := furnish(); err != nil {
		return err
	}
	// In a chroot that is not a mount point the mounts above may have spread to the host.
	defer func() { _ = unix.Unmount("/run", unix.MNT_DETACH) }()
	conn, err := net.FileConn(os.NewFile(3, "control"))
	if err != nil {
		return fmt.Errorf("cannot use the control socket: %w", err)
	}
	j := &jail{pcscd: pcscd, config: config, control: conn.(*net.UnixConn)}
	defer j.end(syscall.SIGKILL)
	request := make([]byte, 64)
	for {
		n, err := j.control.Read(request)
		if err != nil || n == 0 {
			return nil
		}
		if err := j.serve(string(request[:n])); err != nil {
			return err
		}
	}
}

// furnish gives the namespaces what pcscd needs: a /run of its own, and a loopback device. The drivers of
// USB readers are hidden, so that a test never reaches a real key.
func furnish() error {
	err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: a chroot that is not a mount point
		return fmt.Errorf("cannot make the mounts private: %w", err)
	}
	for _, dir := range []string{"/run", usbDrivers} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=1m"); err != nil {
			return fmt.Errorf("cannot mount a private %s: %w", dir, err)
		}
	}
	if err := os.Mkdir("/run/pcscd", 0o755); err != nil {
		return err
	}
	return loopbackUp()
}

func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open a socket: %w", err)
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("cannot bring up the loopback device: %w", err)
	}
	return nil
}

// serve does one request and answers it.
func (j *jail) serve(request string) error {
	var rights []byte
	verb, argument, _ := strings.Cut(request, " ")
	var err error
	switch verb {
	case "start":
		err = j.start()
	case "stop":
		err = j.end(syscall.SIGTERM)
	case "kill":
		err = j.end(syscall.SIGKILL)
	case "dial":
		var file *os.File
		if file, err = dial(argument); err == nil {
			defer file.Close()
			rights = unix.UnixRights(int(file.Fd()))
		}
	default:
		err = fmt.Errorf("cannot do %q", request)
	}
	answer := "ok"
	if err != nil {
		answer = err.Error()
	}
	_, _, err = j.control.WriteMsgUnix([]byte(answer), rights, nil)
	return err
}

// start runs pcscd and returns when it is ready.
func (j *jail) start() error {
	if j.process != nil {
		return errors.New("pcscd is already running")
	}
	arguments := []string{"--foreground", "--info", "-c", j.config}
	if knowsPolkit(j.pcscd) {
		arguments = append(arguments, "--disable-polkit")
	}
	process := exec.Command(j.pcscd, arguments...)
	// The jail runs in an init function, hence on the main thread, which lives as long as the process:
	// the signal comes with the jail's end, not earlier.
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := process.StdoutPipe()
	if err != nil {
		return err
	}
	process.Stderr = process.Stdout
	events, err := watchDir(filepath.Dir(jailSocket))
	if err != nil {
		return err
	}
	defer events.Close()
	if err := process.Start(); err != nil {
		return fmt.Errorf("cannot start pcscd: %w", err)
	}
	j.process, j.log = process, newTail()
	go j.log.read(output)
	select {
	case <-listening(events):
		return nil
	case <-j.log.closed:
		_ = j.end(syscall.SIGKILL)
		return fmt.Errorf("pcscd ended at once:\n%s", j.log)
	}
}

// watchDir opens a file that can be read whenever something is created in dir or has its mode changed,
// which is what pcscd does to its socket last.
func watchDir(dir string) (*os.File, error) {
	descriptor, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot use inotify: %w", err)
	}
	if _, err := unix.InotifyAddWatch(descriptor, dir, unix.IN_CREATE|unix.IN_ATTRIB); err != nil {
		unix.Close(descriptor)
		return nil, fmt.Errorf("cannot watch %s: %w", dir, err)
	}
	return os.NewFile(uintptr(descriptor), "inotify"), nil
}

// listening closes the channel when pcscd accepts connections. Its goroutine ends then, or when
// events is closed.
func listening(events *os.File) <-chan struct{} {
	ready := make(chan struct{})
	go func() {
		event := make([]byte, 4<<10)
		for {
			if conn, err := net.Dial("unix", jailSocket); err == nil {
				conn.Close()
				close(ready)
				return
			}
			if _, err := events.Read(event); err != nil {
				return
			}
		}
	}()
	return ready
}

// end sends pcscd a signal and waits for its end.
func (j *jail) end(signal syscall.Signal) error {
	if j.process == nil {
		return nil
	}
	err := j.process.Process.Signal(signal)
	<-j.log.closed
	_ = j.process.Wait() // its status is the signal, or of no interest
	j.process = nil
	return err
}

// dial connects to a port of a reader.
func dial(port string) (*os.File, error) {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*net.TCPConn).File()
}

// knowsPolkit reports whether this pcscd asks polkit, which refuses even root where no system bus runs
// (pcsc-lite 2 on Debian 13; not compiled in on Debian 12, which does not know the option either).
func knowsPolkit(pcscd string) bool {
	help, _ := exec.Command(pcscd, "--help").CombinedOutput()
	return bytes.Contains(help, []byte("--disable-polkit"))
}

// tail keeps the last lines of a log.
type tail struct {
	closed chan struct{} // when the log has ended
	mutex  sync.Mutex
	lines  []string
}

func newTail() *tail { return &tail{closed: make(chan struct{})} }

// read follows the log to its end.
func (l *tail) read(log io.Reader) {
	defer close(l.closed)
	scanner := bufio.NewScanner(log)
	for scanner.Scan() {
		l.add(scanner.Text())
	}
}

func (l *tail) add(line string) {
	const kept = 30
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.lines) == kept {
		l.lines = slices.Delete(l.lines, 0, 1)
	}
	l.lines = append(l.lines, line)
}

// String returns the last lines.
func (l *tail) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return strings.Join(l.lines, "\n")
}
