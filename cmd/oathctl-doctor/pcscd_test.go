package main

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/internal/need"
)

// TestPCSCD has a real pcscd that runs, is stopped, and is killed.
func TestPCSCD(t *testing.T) {
	s := newStage(t, "now")
	s.want("pcscd", kin.VerdictBroken, "the PC/SC service is not running", "start the pcscd that listens at "+os.Getenv("PCSCLITE_CSOCK_NAME"))
	p := hwtest.StartPCSCD(t, 1)
	t.Setenv("PCSCLITE_CSOCK_NAME", p.Socket())
	s.want("pcscd", kin.VerdictOK, "shows readers: 2", "")
	p.Stop()
	s.want("pcscd", kin.VerdictBroken, "the PC/SC service is not running", "start the pcscd")
	p.Start()
	p.Kill()
	s.want("pcscd", kin.VerdictBroken, "the PC/SC service is not running", "start the pcscd")
}

func TestSoftKeysNeedNoPCSCD(t *testing.T) {
	s := newStage(t, "now")
	s.daemon("now")
	s.want("pcscd", kin.VerdictNone, "soft keys", "")
}

// commands of pcscd's protocol (pcsc-lite, winscard_msg.h), and what a refused client gets from it (pcsclite.h).
const (
	cmdEstablish = 0x01
	cmdVersion   = 0x11

	securityViolation = 0x8010006a
	serviceStopped    = 0x8010001e
)

// fakePCSCD greets libpcsclite, and gives answers to its commands: a return value for each. It says nothing to others.
func fakePCSCD(t *testing.T, answers map[uint32]uint32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pcscd.comm")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	t.Setenv("PCSCLITE_CSOCK_NAME", path)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn, answers)
		}
	}()
}

// answer serves a connection until the client closes it. The commands that it knows have three numbers, of which the last one is
// the return value.
func answer(conn net.Conn, answers map[uint32]uint32) {
	defer conn.Close()
	for {
		var head [8]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.NativeEndian.Uint32(head[:]))
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		value, known := answers[binary.NativeEndian.Uint32(head[4:])]
		if !known || len(body) != 12 {
			continue
		}
		binary.NativeEndian.PutUint32(body[8:], value)
		if _, err := conn.Write(body); err != nil {
			return
		}
	}
}

// TestRefusedByPolkit has a pcscd that refuses as one with polkit does: Debian 12's is built without.
func TestRefusedByPolkit(t *testing.T) {
	s := newStage(t, "now")
	fakePCSCD(t, map[uint32]uint32{cmdVersion: 0, cmdEstablish: securityViolation})
	s.want("pcscd", kin.VerdictBroken, "refuses access to this session", "/etc/polkit-1/rules.d/60-pcsc.rules")
	t.Setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
	s.want("pcscd", kin.VerdictBroken, "this session came over SSH", "/etc/polkit-1/rules.d/60-pcsc.rules")
}

func TestLingering(t *testing.T) {
	name := userName(os.Getuid())
	root := t.TempDir()
	if l := lookAtLogin(root); l.lingers {
		t.Errorf("got %+v", l)
	}
	files(t, root, map[string]string{"var/lib/systemd/linger/" + name: ""})
	s := sight{login: lookAtLogin(root), self: kin.SelfCheck{Bay: "pcsc", PCSC: &kin.Fault{Message: "no", Hint: "rule"}, Refused: true}}
	wantOne(t, checkPCSCD(s), kin.VerdictBroken, "your services linger", "rule")
}

// TestOtherVersion has a pcscd that greets as one does to which libpcsclite is too new, or too old.
func TestOtherVersion(t *testing.T) {
	s := newStage(t, "now")
	fakePCSCD(t, map[uint32]uint32{cmdVersion: serviceStopped})
	s.want("pcscd", kin.VerdictBroken, "not in the version of libpcsclite", "sudo systemctl restart pcscd")
}

// TestHangingPCSCD has a pcscd that never answers. "oathd check" gives it five seconds.
func TestHangingPCSCD(t *testing.T) {
	s := newStage(t, "now")
	fakePCSCD(t, nil)
	s.want("pcscd", kin.VerdictBroken, "pcscd does not answer", "sudo systemctl restart pcscd")
}

// scdaemonPath is where Debian has it.
const scdaemonPath = "/usr/lib/gnupg/scdaemon"

// TestHeldByScdaemon has GnuPG's scdaemon take the key for itself, as it does without "pcsc-shared".
func TestHeldByScdaemon(t *testing.T) {
	s := newStage(t, "now")
	need.Program(t, scdaemonPath, "scdaemon")
	p := hwtest.StartPCSCD(t, 1)
	t.Setenv("PCSCLITE_CSOCK_NAME", p.Socket())
	key, err := softkey.New(softkey.Options{Serial: 5701301})
	if err != nil {
		t.Fatal(err)
	}
	p.Plug(key, 0)
	if found := s.find("held"); found != nil {
		t.Errorf("nobody holds it: %+v", found)
	}
	startScdaemon(t)("SERIALNO undefined") // its OpenPGP application is not on a soft key
	s.want("held", kin.VerdictBroken, "the key in "+p.Reader(0), "scdaemon is running: put the lines “disable-ccid” and “pcsc-shared”")
}

// startScdaemon starts GnuPG's scdaemon with a home of its own and without its own driver, and returns what asks it.
func startScdaemon(t *testing.T) (ask func(command string)) {
	t.Helper()
	home, err := os.MkdirTemp("", "gnupg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	cmd := exec.Command(scdaemonPath, "--server", "--homedir", home, "--disable-ccid")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	lines := newReplies(out)
	lines.next(t)
	return func(command string) {
		if _, err := io.WriteString(in, command+"\n"); err != nil {
			t.Fatal(err)
		}
		if reply := lines.next(t); !strings.HasPrefix(reply, "OK") {
			t.Fatalf("scdaemon says %q to %s", reply, command)
		}
	}
}
