// Package hwtest is the test support of everything that touches keys. It owns a private pcscd with
// virtual readers for soft keys, the conformance suite that every kind of key has to pass, and the runner of ykman, the
// independent client that referees both.
//
// Nothing here reaches a real key, unless a test is given its exact serial number.
package hwtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/hw/vpcd"
	"github.com/oathd/oathd/internal/need"
)

const (
	usbDrivers = "/usr/lib/pcsc/drivers"
	vpcdDriver = usbDrivers + "/serial/libifdvpcd.so"

	// firstPort is the port of slot 0; slot n listens on firstPort+n, in a network namespace of its own.
	firstPort = 0x8c7b
	// slotsPerEntry: Debian's build of the driver makes two slots of each entry in reader.conf.
	slotsPerEntry = 2
	// MaxEntries is what pcsc-lite before 2.5.0 can take: 16 readers.
	MaxEntries = 8
)

// PCSCD is a private pcscd whose readers soft keys are plugged into. Its methods end the test when they
// fail, and may be called from several goroutines of it.
type PCSCD struct {
	t       testing.TB
	home    string // HOME of the programs that run beside it
	process *exec.Cmd
	stderr  bytes.Buffer

	asking  sync.Mutex // one request at a time
	control *net.UnixConn

	mutex   sync.Mutex
	plugged map[int]*plug // by slot
	emptied map[int]time.Time
}

// plug is a key in a slot, from Plug to unplug, across restarts of pcscd.
type plug struct {
	card vpcd.Card
	pull func()
}

// StartPCSCD starts a pcscd with 2 × entries empty readers, which ends with the test. It needs
// pcscd and vsmartcard-vpcd, and root or unprivileged user namespaces; where they are missing the
// test is skipped, or, in CI, fails.
func StartPCSCD(t testing.TB, entries int) *PCSCD {
	t.Helper()
	if entries < 1 || entries > MaxEntries {
		t.Fatalf("cannot make a pcscd with %d entries: 1 to %d", entries, MaxEntries)
	}
	program, driver := needPCSCD(t)
	p := &PCSCD{t: t, home: t.TempDir(), plugged: make(map[int]*plug), emptied: make(map[int]time.Time)}
	if err := p.run(program, writeConfig(t, driver, entries)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	p.Start()
	return p
}

// needPCSCD returns the paths of pcscd and of the virtual reader's driver.
func needPCSCD(t testing.TB) (program, driver string) {
	t.Helper()
	program = need.Program(t, "pcscd", "pcscd")
	_, err := os.Stat(vpcdDriver)
	need.That(t, err == nil, "%s (Debian: apt-get install vsmartcard-vpcd)", vpcdDriver)
	return program, vpcdDriver
}

// writeConfig writes one reader.conf with its own copy of the driver per entry: entries that share a
// driver overwrite each other's state.
func writeConfig(t testing.TB, driver string, entries int) string {
	t.Helper()
	dir, config := t.TempDir(), t.TempDir()
	library, err := os.ReadFile(driver)
	if err != nil {
		t.Fatal(err)
	}
	for entry := range entries {
		copied := filepath.Join(dir, fmt.Sprintf("vpcd%d.so", entry))
		port := firstPort + entry*slotsPerEntry
		text := fmt.Sprintf("FRIENDLYNAME %q\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID %d\n",
			entryName(entry), port, copied, port)
		for path, content := range map[string][]byte{
			copied: library,
			filepath.Join(config, fmt.Sprintf("entry%d", entry)): []byte(text),
		} {
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return config
}

// entryName is a name that ykman takes for a YubiKey's.
func entryName(entry int) string { return fmt.Sprintf("Yubico YubiKey CCID %c", 'A'+entry) }

// run starts the jail, without pcscd.
func (p *PCSCD) run(program, config string) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot make a control socket: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return err
	}
	p.control = conn.(*net.UnixConn)
	p.process = &exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        []string{jailName, program, config},
		Env:         append(os.Environ(), "GORACE=atexit_sleep_ms=0"),
		ExtraFiles:  []*os.File{theirs},
		Stderr:      &p.stderr,
		SysProcAttr: namespaces(),
	}
	err = p.process.Start()
	refused := errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC)
	need.That(p.t, !refused, "the right to make namespaces: run it as root, or sudo sysctl kernel.unprivileged_userns_clone=1")
	if err != nil {
		return fmt.Errorf("cannot start a process in its own namespaces: %w", err)
	}
	return nil
}

// namespaces asks for a mount and a network namespace, and for a user namespace that permits them
// where the test does not run as root.
func namespaces() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		attributes.Cloneflags |= unix.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return attributes
}

// close ends the jail, pcscd and the keys.
func (p *PCSCD) close() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, plug := range p.plugged {
		plug.pull()
	}
	p.control.Close()
	if err := p.process.Wait(); err != nil {
		p.t.Errorf("the keeper of pcscd: %v\n%s", err, &p.stderr)
	}
}

// Socket is the path of pcscd's socket, for PCSCLITE_CSOCK_NAME. It stays the same across restarts.
func (p *PCSCD) Socket() string {
	return fmt.Sprintf("/proc/%d/root%s", p.process.Process.Pid, jailSocket)
}

// Use points this process's libpcsclite at p until the test ends, so such tests cannot run in parallel.
//
// libpcsclite reads PCSCLITE_CSOCK_NAME once in a process, so it has to say the same each time: the way to the
// socket leads through the symbolic link UseLink.
func (p *PCSCD) Use(t testing.TB) {
	t.Helper()
	t.Setenv("PCSCLITE_CSOCK_NAME", filepath.Join(UseLink(), filepath.Base(jailSocket)))
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(UseLink())) })
	if err := os.MkdirAll(filepath.Dir(UseLink()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(p.Socket()), UseLink()); err != nil {
		t.Fatal(err)
	}
}

// UseLink is the directory of pcscd's socket for this process: a symbolic link in a directory of its own.
func UseLink() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("oathd-hwtest-%d", os.Getpid()), "pcscd")
}

// Env is an environment for programs that are to use p, with a HOME of their own.
func (p *PCSCD) Env() []string {
	return append(os.Environ(), "PCSCLITE_CSOCK_NAME="+p.Socket(), "HOME="+p.home,
		"XDG_CONFIG_HOME="+filepath.Join(p.home, ".config"), "XDG_DATA_HOME="+filepath.Join(p.home, ".local", "share"))
}

// Reader is the name of a slot's reader.
func (p *PCSCD) Reader(slot int) string {
	return fmt.Sprintf("%s 00 %02X", entryName(slot/slotsPerEntry), slot%slotsPerEntry)
}

// Start starts pcscd after a Stop or Kill and returns when it is ready. The keys that were plugged in still
// are.
func (p *PCSCD) Start() {
	p.t.Helper()
	p.must("start")
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for slot, plug := range p.plugged {
		plug.pull()
		plug.pull = p.insert(plug.card, slot)
	}
}

// Stop ends pcscd as an administrator does: it removes its socket.
func (p *PCSCD) Stop() {
	p.t.Helper()
	p.must("stop")
}

// Kill ends pcscd as a crash does: its socket stays behind.
func (p *PCSCD) Kill() {
	p.t.Helper()
	p.must("kill")
}

// Restart is Stop and Start.
func (p *PCSCD) Restart() {
	p.t.Helper()
	p.Stop()
	p.Start()
}

// unnoticed is for how long an empty reader may not be noticed: pcscd looks every 400 ms.
const unnoticed = time.Second

// Plug puts a key into a slot and returns once pcscd has seen and powered it, within half a
// second. The returned function pulls it out again, which pcscd takes as long to see; a Plug into that slot waits
// for that.
func (p *PCSCD) Plug(card vpcd.Card, slot int) (unplug func()) {
	p.t.Helper()
	p.mutex.Lock()
	noticed := time.After(time.Until(p.emptied[slot].Add(unnoticed)))
	p.mutex.Unlock()
	<-noticed
	inserted := &plug{card: card, pull: p.insert(card, slot)}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.plugged[slot] = inserted
	return func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		if p.plugged[slot] == inserted {
			delete(p.plugged, slot)
		}
		inserted.pull()
		p.emptied[slot] = time.Now()
	}
}

// insert connects card to the slot's port and waits until it is powered.
func (p *PCSCD) insert(card vpcd.Card, slot int) (pull func()) {
	p.t.Helper()
	conn := p.must("dial " + strconv.Itoa(firstPort+slot))
	ctx, cancel := context.WithCancel(context.Background())
	powered := &poweredCard{Card: card, seen: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- vpcd.ServeConn(ctx, conn, powered) }()
	select {
	case <-powered.seen:
	case err := <-done:
		p.t.Fatalf("cannot plug a key into slot %d: %v", slot, err)
	}
	return sync.OnceFunc(func() {
		cancel()
		<-done // how the connection ended is pcscd's affair
	})
}

// poweredCard closes seen when the reader has powered the card and asked for its ATR.
type poweredCard struct {
	vpcd.Card
	on   atomic.Bool
	once sync.Once
	seen chan struct{}
}

// Power notes that the card has power.
func (c *poweredCard) Power(on bool) {
	c.Card.Power(on)
	c.on.Store(on)
}

// ATR is what the reader asks for last.
func (c *poweredCard) ATR() []byte {
	if c.on.Load() {
		c.once.Do(func() { close(c.seen) })
	}
	return c.Card.ATR()
}

// must makes a request of the jail and returns the connection that comes back, if any.
func (p *PCSCD) must(request string) net.Conn {
	p.t.Helper()
	conn, err := p.ask(request)
	if err != nil {
		p.t.Fatalf("cannot %s: %v\n%s", request, err, &p.stderr)
	}
	return conn
}

func (p *PCSCD) ask(request string) (net.Conn, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	if _, err := io.WriteString(p.control, request); err != nil {
		return nil, err
	}
	answer, rights := make([]byte, 8<<10), make([]byte, unix.CmsgSpace(4))
	n, nRights, _, _, err := p.control.ReadMsgUnix(answer, rights)
	if err != nil {
		return nil, err
	}
	if text := string(answer[:n]); text != "ok" {
		return nil, errors.New(text)
	}
	if nRights == 0 {
		return nil, nil
	}
	return received(rights[:nRights])
}

// received makes a connection of a file descriptor that came in a message.
func received(rights []byte) (net.Conn, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	descriptors, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(descriptors[0]), "reader")
	defer file.Close()
	return net.FileConn(file)
}
