package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/hw/hwtest"
)

// How quick a person is who is in no hurry.
const (
	wordsAMinute = 200
	forAnAnswer  = 3 * time.Second
	forATouch    = 3 * time.Second
)

// person is somebody at a terminal, who reads everything and answers what is asked.
type person struct {
	t       *testing.T
	screen  *os.File
	unread  string
	said    string
	words   int
	answers int
	asked   []string
	program *exec.Cmd
	began   time.Time
}

// atTerminal starts oathctl in a directory of its own, at a terminal (pty(7)) where somebody sits.
func (d *daemon) atTerminal(t *testing.T, args ...string) *person {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	terminal, err := otherEnd(screen)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	p := &person{t: t, screen: screen, program: exec.CommandContext(t.Context(), filepath.Join(d.bin, "oathctl"), args...), began: time.Now()}
	p.program.Dir, p.program.Env = t.TempDir(), append(d.env, "TERM=dumb")
	p.program.Stdin, p.program.Stdout, p.program.Stderr = terminal, terminal, terminal
	p.program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.program.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// otherEnd opens what the program has of a terminal. It leaves the screen as it is, so that reading it can end in time.
func otherEnd(screen *os.File) (*os.File, error) {
	raw, err := screen.SyscallConn()
	if err != nil {
		return nil, err
	}
	var n int
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			n, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil || failed != nil {
		return nil, fmt.Errorf("cannot open a terminal: %w, %w", err, failed)
	}
	return os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
}

// answer reads until the question, and answers it.
func (p *person) answer(question, text string) {
	p.t.Helper()
	before := p.words
	p.read(func() int {
		if i := strings.Index(p.unread, question); i >= 0 {
			return i + len(question)
		}
		return -1
	})
	p.asked = append(p.asked, fmt.Sprintf("%3d words before %q", p.words-before, question))
	if _, err := fmt.Fprintln(p.screen, text); err != nil {
		p.t.Fatal(err)
	}
	p.said = text
	p.answers++
}

// read reads until end finds one in what is unread, and counts the words, but for those that the person typed.
func (p *person) read(end func() int) {
	p.t.Helper()
	_ = p.screen.SetReadDeadline(time.Now().Add(patience))
	for room := make([]byte, 4096); end() < 0; {
		n, err := p.screen.Read(room)
		if err != nil {
			p.t.Fatalf("oathctl ended, or waits: %v; unread is\n%s", err, p.unread)
		}
		p.unread += string(room[:n])
	}
	n := end()
	p.words += len(strings.Fields(strings.TrimPrefix(p.unread[:n], p.said)))
	p.unread, p.said = p.unread[n:], ""
}

// leave waits for the last words, and returns how long the machine took for everything. What is told at the end keeps nobody from
// answering, and is not counted.
func (p *person) leave(last string) time.Duration {
	p.t.Helper()
	words := p.words
	p.read(func() int { return strings.Index(p.unread, last) })
	p.words = words
	if err := p.program.Wait(); err != nil {
		p.t.Fatalf("%v; %s", err, p.unread)
	}
	return time.Since(p.began)
}

var recoveryKey = regexp.MustCompile(`AGE-SECRET-KEY-1( [0-9A-Z]{1,4})+`)

// mostForAnEscrow is how long who reads every word may take to make an escrow. What the machine takes is told, but not held: it may be busy.
const mostForAnEscrow = 2 * time.Minute

// TestEscrowByHand makes an escrow as a person does who has two new keys and a printer: a paper, a slot on each key, a first
// drill with all three, the recovery key pasted from the page that is about to be printed (who types it needs longer).
func TestEscrowByHand(t *testing.T) {
	b := newBenchOf(t, release(t))
	p := b.atTerminal(t, "escrow", "init")
	p.answer("[oathd-recovery.html] ", "")
	p.answer("or nothing] ", "all")
	p.answer("A passphrase too? [y/N] ", "n")
	p.answer("Do it? [y/N] ", "y")
	p.answer("PIN of daily (not shown): ", hwtest.FactoryPIN)
	p.answer("PIN of spare (not shown): ", hwtest.FactoryPIN)
	p.answer("Try now whether it opens? [y/N] ", "y")
	page, err := os.ReadFile(filepath.Join(p.program.Dir, "oathd-recovery.html"))
	if err != nil {
		t.Fatal(err)
	}
	p.answer("Try recovery paper  (", "y")
	p.answer("Recovery key (not shown): ", recoveryKey.FindString(string(page)))
	machine := p.leave("recovery paper opens the escrow: ")

	touches := 2 * len(b.keys) // the slot's certificate, and the drill; these keys touch themselves, and nobody is told
	p.words += touches * len(strings.Fields("touch daily: it blinks"))
	reading := time.Duration(p.words) * time.Minute / wordsAMinute
	doing := time.Duration(p.answers)*forAnAnswer + time.Duration(touches)*forATouch
	t.Logf("%s\n%d words, read in %.0f s; %d answers and %d touches, given in %.0f s; the machine took %.1f s",
		strings.Join(p.asked, "\n"), p.words, reading.Seconds(), p.answers, touches, doing.Seconds(), machine.Seconds())
	if all := reading + doing; all >= mostForAnEscrow {
		t.Errorf("a person takes %v for an escrow, want less than %v", all.Round(time.Second), mostForAnEscrow)
	}
}
