package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
)

// A mortal oathd is built from the sources that are shipped, but for two lines: through them it reaches its keys, which are in
// the test's process and outlive it, and asks for leave before and after each commit.

// mended are the two lines.
var mended = []struct{ file, from, to string }{
	{"ledger/database.go", "sql.OpenDB(connector)", "sql.OpenDB(mortal{connector})"},
	{"cmd/oathd/daemon.go", "= pcsc.New(d.log), ", "= mortalBay(pcsc.New(d.log)), "},
}

// mortal holds oathd as it was built with the race detector, if the test has it, and unwatched without.
var mortal, unwatched struct {
	once sync.Once
	dir  string
}

// mortals builds it and returns its directory. A start with the race detector takes longer than what is tried by a daemon that is to
// be killed, of which there are more than a thousand: their deeds are watched in peace, and agent's tests are at the same points.
func mortals(t testing.TB, watched bool) string {
	t.Helper()
	m, name, flags := &unwatched, "unwatched", []string(nil)
	if watched {
		m, name, flags = &mortal, "mortal", raceFlags
	}
	m.once.Do(func() {
		m.dir = filepath.Join(filepath.Dir(built), name)
		compile(t, m.dir, append([]string{"-overlay=" + overlay(t)}, flags...), "CGO_ENABLED=1", "./cmd/oathd")
	})
	return m.dir
}

// overlay writes what "go build" is to read in the place of what is there.
func overlay(t testing.TB) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{
		filepath.Join(root, "ledger/mortal.go"):    filepath.Join(root, "e2e/testdata/mortal/ledger.go"),
		filepath.Join(root, "cmd/oathd/mortal.go"): filepath.Join(root, "e2e/testdata/mortal/oathd.go"),
	}
	dir := t.TempDir()
	for i, m := range mended {
		text := string(read(t, filepath.Join(root, m.file)))
		if strings.Count(text, m.from) != 1 {
			t.Fatalf("%s does not have %q once", m.file, m.from)
		}
		replace[filepath.Join(root, m.file)] = filepath.Join(dir, fmt.Sprint(i))
		write(t, filepath.Join(dir, fmt.Sprint(i)), []byte(strings.Replace(text, m.from, m.to, 1)))
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "overlay.json"), list)
	return filepath.Join(dir, "overlay.json")
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fate stands between one oathd and the world: it counts the points that the daemon passes, before and after each command to
// a key and each commit, and kills it at one of them.
type fate struct {
	bay      *softkey.Bay
	listener *net.UnixListener
	kill     func()
	talks    sync.WaitGroup
	// mishap, if set, happens in the place of the daemon's death. committing, if set, happens before a commit, which is the last thing that the
	// daemon does: dies counts commits then, as what two keys are told comes in no certain order.
	mishap, committing func()

	mu sync.Mutex
	// points have passed, and the one with the number dies is the last; 0 for none. commits are those before a commit.
	points, dies int
	commits      []int
	dead         bool
	// last says that the commit which is under way is the last.
	last bool
}

// newFate listens at the path.
func newFate(t testing.TB, path string, bay *softkey.Bay, kill func()) *fate {
	t.Helper()
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	f := &fate{bay: bay, listener: l, kill: kill}
	f.talks.Go(func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			f.talks.Go(func() { f.talk(c) })
		}
	})
	return f
}

// close ends it, after its daemon.
func (f *fate) close() {
	_ = f.listener.Close()
	f.talks.Wait()
}

// begin counts anew, towards the point at which the daemon dies.
func (f *fate) begin(dies int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.points, f.dies, f.commits = 0, dies, nil
}

// end lets the daemon live from now on, if it does, and returns how many points it has passed since begin.
func (f *fate) end() (points int, dead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dies = 0
	return f.points, f.dead
}

// before lists the commits that were about to be made until so many points had passed.
func (f *fate) before(points int) []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.commits), func(n int) bool { return n > points })
}

// pass reports whether the daemon is alive after one more point. What it was about is not done if it is not.
func (f *fate) pass() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed()
}

func (f *fate) passed() bool {
	f.points++
	switch {
	case f.dead || f.points != f.dies || f.committing != nil:
	case f.mishap != nil:
		f.mishap()
	default:
		f.dead = true
		f.kill()
	}
	return !f.dead
}

// passCommit is pass before a commit.
func (f *fate) passCommit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits = append(f.commits, f.points+1)
	if f.committing != nil && len(f.commits) == f.dies {
		f.committing()
		f.last = true
	}
	return f.passed()
}

// passCommitted is pass after a commit.
func (f *fate) passCommitted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last && !f.dead {
		f.dead = true
		f.kill()
	}
	return f.passed()
}

// packet is longer than anything that is said.
const packet = 1 << 16

// talk answers on one connection: leave to commit, the keys that are plugged in, or a transaction with one of them.
func (f *fate) talk(c *net.UnixConn) {
	defer c.Close()
	first := make([]byte, packet)
	n, err := c.Read(first)
	if err != nil {
		return
	}
	switch about := string(first[:n]); about {
	case "commit":
		f.leave(c)
	case `"watch"`:
		f.watch(c)
	default:
		var slot hw.Slot
		if json.Unmarshal(first[:n], &slot) == nil {
			_ = f.bay.Transact(slot, func(card hw.Card) error { return f.commands(c, card) })
		}
	}
}

// leave gives leave to commit, and to go on afterwards.
func (f *fate) leave(c net.Conn) {
	for before := true; before && f.passCommit() || !before && f.passCommitted(); before = !before {
		if _, err := c.Write([]byte{1}); err != nil {
			return
		}
		if _, err := c.Read(make([]byte, packet)); err != nil {
			return
		}
	}
}

func (f *fate) watch(c net.Conn) {
	ctx, stop := context.WithCancel(context.Background())
	f.talks.Go(func() {
		defer stop()
		_, _ = c.Read(make([]byte, 1)) // nothing is said, until the daemon ends
	})
	_ = f.bay.Watch(ctx, func(now hw.Inventory) {
		if list, err := json.Marshal(now.Slots); err == nil {
			_, _ = c.Write(list)
		}
	})
}

// commands passes commands to a card until the daemon ends the transaction, or is killed before the card gets one, or before it
// gets the answer.
func (f *fate) commands(c net.Conn, card hw.Card) error {
	for command := make([]byte, packet); ; {
		n, err := c.Read(command)
		if err != nil || !f.pass() {
			return err
		}
		answer, err := card.Transmit(command[:n])
		if err != nil || !f.pass() {
			return err
		}
		if _, err := c.Write(answer); err != nil {
			return err
		}
	}
}

// scene is a mortal oathd, and keys that it can reach.
type scene struct {
	*daemon
	stage *stage
	bay   *softkey.Bay
	keys  map[string]*softkey.Key
	fate  *fate
}

// stage is what a scene begins with.
type stage struct {
	// ledger is the file, nil if there is none.
	ledger []byte
	// keys are by label. Each has an account of another program, which answers as foreign says.
	keys    map[string]*softkey.Key
	foreign map[string]string
	// paper is the recovery key.
	paper string
	// doomed says that the daemon is there to be killed.
	doomed bool
}

// doom is the stage for a daemon that is there to be killed.
func (s *stage) doom() *stage {
	doomed := *s
	doomed.doomed = true
	return &doomed
}

// enter sets the scene up, with all keys plugged in but those.
func (s *stage) enter(t testing.TB, out ...string) *scene {
	t.Helper()
	sc := s.prepare(t, out...)
	sc.furnish()
	sc.begin()
	return sc
}

// prepare makes the scene without a ledger, and without a daemon.
func (s *stage) prepare(t testing.TB, out ...string) *scene {
	t.Helper()
	sc := &scene{daemon: prepare(t, mortals(t, !s.doomed), os.Environ()), stage: s, bay: softkey.NewBay(), keys: map[string]*softkey.Key{}}
	for label, k := range s.keys {
		k, err := k.Clone()
		if err != nil {
			t.Fatal(err)
		}
		if sc.keys[label] = k; !slices.Contains(out, label) {
			sc.bay.Insert(k)
		}
	}
	// With what it would set for itself, the daemon need not start twice.
	sc.env = append(sc.env, "MORTAL_BAY=yes", "MORTAL_SOCKET="+filepath.Join(sc.dir, "mortal"), "GODEBUG=clobberfree=1,asyncpreemptoff=1")
	t.Cleanup(func() { sc.leave(syscall.SIGKILL) })
	return sc
}

// furnish puts the stage's ledger where the daemon looks for it.
func (s *scene) furnish() {
	s.t.Helper()
	if s.stage.ledger != nil {
		write(s.t, s.ledger(), s.stage.ledger)
	}
}

// leave ends the daemon.
func (s *scene) leave(signal syscall.Signal) {
	s.t.Helper()
	if s.fate == nil {
		return
	}
	if _, dead := s.fate.end(); !dead {
		s.stop(signal)
	}
	s.fate.close()
	s.fate = nil
	if strings.Contains(s.log.String(), "DATA RACE") {
		s.t.Errorf("oathd said:\n%s", &s.log)
	}
}

func (s *scene) ledger() string { return filepath.Join(s.dir, "oathd", "ledger.db") }

// begin runs the daemon and waits until it knows what is plugged in.
func (s *scene) begin() {
	s.t.Helper()
	s.wake()
	s.settle()
}

// wake runs the daemon, with a new fate.
func (s *scene) wake() {
	s.t.Helper()
	s.fate = newFate(s.t, filepath.Join(s.dir, "mortal"), s.bay, func() { s.stop(syscall.SIGKILL) })
	s.run(nil)
}

// settle waits until the daemon knows what is plugged in.
func (s *scene) settle() {
	s.t.Helper()
	var serials []string
	for _, k := range s.bay.Keys() {
		serials = append(serials, fmt.Sprint(k.Serial()))
	}
	s.present(serials...)
}

// attempt does something with a daemon that dies at the nth point, and reports how many it passed, and whether it died.
func (s *scene) attempt(n int, do func() error) (points int, dead bool, err error) {
	s.fate.begin(n)
	err = do()
	points, dead = s.fate.end()
	return points, dead, err
}

// reborn runs another daemon in the place of one that was killed.
func (s *scene) reborn() {
	s.t.Helper()
	s.leave(syscall.SIGKILL)
	s.begin()
}
