package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

const (
	soakCycles = 1_000
	soakCodes  = 1_000_000

	// maxRSS bounds the daemon's memory, growth what it may differ by from one moment to another.
	maxRSS = 25 << 20
	growth = 2 << 20

	// closing is how many connections, with a goroutine each, the daemon may not yet have seen the end of.
	closing = 5
)

// TestSoak plugs a key in and out a thousand times and takes a million codes. What the daemon holds then,
// memory, threads, descriptors and goroutines, is what it held in the beginning.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of work; run without -short")
	}
	bin := release(t)
	_, _, idle := soak(t, bin, 0, 0)
	before, after, goroutines := soak(t, bin, soakCycles, soakCodes)
	t.Logf("before %v, after %v; goroutines %d, %d in a daemon that did little", before, after, goroutines, idle)
	if after.rss > before.rss+growth || after.rss > maxRSS {
		t.Errorf("RSS was %d KiB and is %d KiB; it may grow by %d and be %d", before.rss>>10, after.rss>>10, growth>>10, maxRSS>>10)
	}
	if goroutines > idle+closing {
		t.Errorf("%d goroutines, %d in a daemon that did little", goroutines, idle)
	}
	if after.files > before.files+closing {
		t.Errorf("%d open files, %d before", after.files, before.files)
	}
}

// soak puts a daemon to work, after some to warm it up, and measures it before and after.
func soak(t *testing.T, bin string, cycles, codes int) (before, after footprint, goroutines int) {
	t.Helper()
	d := start(t, bin, os.Environ(), "--soft-keys", "2")
	d.present("1000001", "1000002")
	d.do("key", "adopt", "1000001", "--label", "daily")
	d.do("key", "adopt", "1000002", "--label", "spare")
	d.do("add", "--qr", picture)
	d.cycle(10)
	d.takeCodes(10_000)
	before = d.footprint()
	d.cycle(cycles)
	d.takeCodes(codes)
	return before, d.footprint(), d.goroutines()
}

// cycle pulls the first key and plugs it in again, n times, and waits for each to be noticed.
func (d *daemon) cycle(n int) {
	d.t.Helper()
	if n == 0 {
		return
	}
	events, err := d.client.Events(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	moves := []struct {
		move api.SoftMove
		seen api.EventKind
	}{{api.SoftPull, api.EventKeyOut}, {api.SoftPlug, api.EventKeyIn}}
	at := 0
	move := func() {
		if _, err := d.client.MoveSoft(d.t.Context(), "1000001", moves[at%2].move); err != nil {
			d.t.Fatal(err)
		}
	}
	move()
	for e, err := range events {
		switch {
		case err != nil:
			d.t.Fatal(err)
		case e.Kind != moves[at%2].seen:
			continue
		}
		if at++; at == 2*n {
			return
		}
		move()
	}
}

// batch is how many requests takeCodes sends before it reads their answers.
const batch = 50

// takeCodes asks for n codes over one connection. It writes the requests by hand, for the client of
// net/http would take longer to ask than the daemon to answer.
func (d *daemon) takeCodes(n int) {
	d.t.Helper()
	conn, err := net.Dial("unix", d.client.Socket)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	body := `{"account":"amazon"}`
	request := fmt.Sprintf("POST /v1/code HTTP/1.1\r\nHost: oathd\r\nContent-Type: %s\r\nAccept: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		api.JSONType, len(body), body)
	answers := bufio.NewReader(conn)
	for ; n > 0; n -= batch {
		if _, err := io.WriteString(conn, strings.Repeat(request, batch)); err != nil {
			d.t.Fatal(err)
		}
		for range batch {
			d.readCode(answers)
		}
	}
}

var sixDigits = regexp.MustCompile(`^\d{6}\n$`)

func (d *daemon) readCode(r *bufio.Reader) {
	d.t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	code, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !sixDigits.Match(code) {
		d.t.Fatalf("%s: %q, %v", response.Status, code, err)
	}
}

// footprint is what a process holds.
type footprint struct{ rss, threads, files int }

func (f footprint) String() string {
	return fmt.Sprintf("%d KiB RSS, %d threads, %d files", f.rss>>10, f.threads, f.files)
}

var statusLine = regexp.MustCompile(`(?m)^(VmRSS|Threads):\s+(\d+)`)

// footprint reads it from the kernel.
func (d *daemon) footprint() footprint {
	d.t.Helper()
	proc := fmt.Sprintf("/proc/%d/", d.process.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		d.t.Fatal(err)
	}
	values := map[string]int{}
	for _, m := range statusLine.FindAllStringSubmatch(string(status), -1) {
		values[m[1]], _ = strconv.Atoi(m[2])
	}
	files, _ := os.ReadDir(proc + "fd") // closed to other users than root, as the daemon is not dumpable
	return footprint{values["VmRSS"] << 10, values["Threads"], len(files)}
}

var goroutine = regexp.MustCompile(`(?m)^goroutine \d+ .*\[`)

// goroutines ends the daemon with SIGQUIT, upon which it lists its goroutines, and counts them.
func (d *daemon) goroutines() int {
	d.t.Helper()
	return len(goroutine.FindAllString(d.stop(syscall.SIGQUIT), -1))
}
