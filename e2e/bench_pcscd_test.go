package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
)

// behindPCSCD starts a real pcscd with so many soft keys, 1 and up, and a daemon that has seen them.
func behindPCSCD(b *testing.B, keys int, args ...string) (*daemon, *hwtest.PCSCD) {
	b.Helper()
	pcscd := hwtest.StartPCSCD(b, keys)
	var serials []string
	for i := range keys {
		k, err := softkey.New(softkey.Options{Serial: uint32(i + 1), Personality: "yubikey-5.7"})
		if err != nil {
			b.Fatal(err)
		}
		pcscd.Plug(k, 2*i) // the first of an entry's two readers
		serials = append(serials, fmt.Sprint(i+1))
	}
	d := start(b, release(b), pcscd.Env(), args...)
	d.present(serials...)
	return d, pcscd
}

// BenchmarkYkman takes a code of one account from oathctl, which finds it in the daemon's memory, and from ykman, which
// asks the key: whole processes, the same key behind the same pcscd. Beside it stands what a bare program would reach, for how long a
// process takes to start is the machine's.
func BenchmarkYkman(b *testing.B) {
	d, pcscd := behindPCSCD(b, 1)
	name, ykman, bare := d.stock(b, 1, 1)[0], pcscd.Ykman(b, 0), d.bare(b)
	code := func(int) time.Duration { return took(func() { ykman.Run("oath", "accounts", "code", name) }) }
	for b.Loop() {
		p := inTurn(20, code, func(int) time.Duration { return took(func() { d.do("code", name) }) })
		ratio := p.ratio()
		b.ReportMetric(ratio, "ratio")
		row(b, "`ykman oath accounts code NAME`, beside `oathctl code NAME`, warm; whole processes, one key",
			words(median(p.ours)), words(median(p.theirs)), fmt.Sprintf("%.0f", ratio), "at least 45", ratio >= 45)
		p = inTurn(20, code, func(int) time.Duration { return took(bare) })
		fmt.Printf("\n| the same, beside a bare static Go program that connects and prints a line | %s | %s | %.0f | the machine's | |\n",
			words(median(p.ours)), words(median(p.theirs)), p.ratio())
	}
}

// BenchmarkCold has two C programs ask for codes that the daemon does not have in memory: one the daemon, over one connection, the
// other the key. Each account is asked for once: what is asked for again in its 30 seconds is not cold.
func BenchmarkCold(b *testing.B) {
	const keys, accounts = 4, 64
	d, pcscd := behindPCSCD(b, keys)
	var names []string
	var others []*asker
	cold := compileC(b, "cold", "$(pkg-config --cflags --libs libpcsclite)")
	for i := range keys {
		names = append(names, d.stock(b, uint32(i+1), accounts)...)
		others = append(others, runAsker(b, pcscd.Env(), cold, pcscd.Reader(2*i)))
	}
	us := runAsker(b, nil, compileC(b, "ask", ""), d.client.Socket)
	for b.Loop() {
		codes := make([][2]string, len(names))
		ask := func(i, who int, a *asker) (t time.Duration) {
			settle()
			t, codes[i][who] = a.ask(names[i])
			return t
		}
		p := inTurn(len(names),
			func(i int) time.Duration { return ask(i, 0, us) },
			func(i int) time.Duration { return ask(i, 1, others[i/accounts]) })
		sameColdCodes(b, codes)
		p.atMost(b, 1.15, "a code that is in nobody's memory, request to answer, beside a C program that asks the key")
	}
}

// settle lets what came before give the card back, which is not timed: both answer first.
func settle() { <-time.After(2 * time.Millisecond) }

// sameColdCodes wants the daemon's codes to be the other program's, but for one at the end of a step.
func sameColdCodes(b *testing.B, codes [][2]string) {
	b.Helper()
	differ := 0
	for _, c := range codes {
		if c[0] != c[1] {
			differ++
		}
	}
	if differ > 1 {
		b.Errorf("%d of %d codes differ", differ, len(codes))
	}
}

// compileC makes a program of bench/cold.
func compileC(b *testing.B, name, flags string) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), name)
	command := "gcc -O2 -o " + program + " ../bench/cold/" + name + ".c " + flags
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", command, err, out)
	}
	return program
}

// asker is a running program of bench/cold: it asks for the code of each account that it is told.
type asker struct {
	b   *testing.B
	in  io.Writer
	out *bufio.Reader
}

func runAsker(b *testing.B, env []string, program, whom string) *asker {
	b.Helper()
	cmd := exec.Command(program, whom)
	cmd.Env, cmd.Stderr = env, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &asker{b, in, bufio.NewReader(out)}
}

// ask returns the code of an account, and how long the program says that it took.
func (a *asker) ask(name string) (time.Duration, string) {
	if _, err := fmt.Fprintln(a.in, name); err != nil {
		a.b.Fatal(err)
	}
	var nanoseconds time.Duration
	var code string
	if _, err := fmt.Fscan(a.out, &nanoseconds, &code); err != nil {
		a.b.Fatalf("bench/cold: %v", err)
	}
	return nanoseconds, code
}

// BenchmarkIdle has two keys plugged in, and a bus, and nobody who asks.
func BenchmarkIdle(b *testing.B) {
	const maxSwitches, maxMemory = 10, maxRSS >> 20
	d, _ := behindPCSCD(b, 2, "--dbus", privateBus(b))
	for serial := range uint32(2) {
		d.stock(b, serial+1, 5)
	}
	<-time.After(5 * time.Second) // the last look at the readers, and the last connection
	for b.Loop() {
		before := d.switches()
		<-time.After(time.Minute)
		n, memory := d.switches()-before, float64(d.footprint().rss)/(1<<20)
		b.ReportMetric(float64(n), "switches")
		row(b, "idle for 60 s, two keys behind pcscd, on a bus: voluntary context switches of all threads",
			fmt.Sprint(n), "", "", fmt.Sprint("at most ", maxSwitches), n <= maxSwitches)
		row(b, "and resident memory", fmt.Sprintf("%.1f MiB", memory), "", "", fmt.Sprintf("at most %d MiB", maxMemory), memory <= maxMemory)
	}
}
