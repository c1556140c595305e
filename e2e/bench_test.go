package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// pairs are two measurements that were taken in turn, so that a busy machine slows both alike.
type pairs struct{ ours, theirs []time.Duration }

// inTurn takes n pairs. Who comes first changes, as who comes second finds the machine as the other left it.
func inTurn(n int, ours, theirs func(i int) time.Duration) (p pairs) {
	for i := range n {
		var our, their time.Duration
		if i%2 == 0 {
			our, their = ours(i), theirs(i)
		} else {
			their, our = theirs(i), ours(i)
		}
		p.ours, p.theirs = append(p.ours, our), append(p.theirs, their)
	}
	return p
}

// ratio is the median of the pairs' quotients: how many of theirs one of ours takes.
func (p pairs) ratio() float64 {
	quotients := make([]float64, len(p.ours))
	for i := range p.ours {
		quotients[i] = float64(p.ours[i]) / float64(p.theirs[i])
	}
	return median(quotients)
}

// row prints a line of the table in docs/benchmarks.md: what was measured, of us and of what is beside us, their ratio, and
// what it is to be.
func row(b *testing.B, what, ours, theirs, ratio, limit string, reached bool) {
	b.Helper()
	verdict := "reached"
	if !reached {
		verdict = "missed"
	}
	fmt.Printf("\n| %s | %s | %s | %s | %s | %s |\n", what, ours, theirs, ratio, limit, verdict)
}

// atMost prints the row of times that are to be at most so many times their counterparts.
func (p pairs) atMost(b *testing.B, limit float64, what string) {
	b.Helper()
	ratio := p.ratio()
	b.ReportMetric(ratio, "ratio")
	row(b, what, words(median(p.ours)), words(median(p.theirs)), fmt.Sprintf("%.2f", ratio), fmt.Sprintf("at most %.2f", limit), ratio <= limit)
}

// words is a time as people write it.
func words(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// median is the value in the middle.
func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// took is how long it takes.
func took(what func()) time.Duration {
	begin := time.Now()
	what()
	return time.Since(begin)
}

// line is a connection to the daemon that is kept. It blocks in the kernel, and no poller knows of it, as in a C program: what
// is measured is the daemon, not a client's scheduler.
type line struct {
	b    *testing.B
	file *os.File
	in   *bufio.Reader
}

func (d *daemon) line(b *testing.B) *line {
	b.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), d.client.Socket)
	b.Cleanup(func() { _ = file.Close() })
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: d.client.Socket}); err != nil {
		b.Fatal(err)
	}
	return &line{b, file, bufio.NewReader(file)}
}

// time is how long the daemon takes to answer, until the first of it is there: it writes an answer in one piece.
func (l *line) time(request []byte) time.Duration {
	begin := time.Now()
	if _, err := l.file.Write(request); err != nil {
		l.b.Fatal(err)
	}
	if _, err := l.in.Peek(1); err != nil {
		l.b.Fatal(err)
	}
	return time.Since(begin)
}

// read returns the answer's body.
func (l *line) read() string {
	answer, err := http.ReadResponse(l.in, nil)
	if err != nil {
		l.b.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		l.b.Fatalf("%s, %v: %s", answer.Status, err, body)
	}
	return string(body)
}

// ask is how long it takes until the whole answer is read.
func (l *line) ask(request []byte) time.Duration {
	return took(func() {
		l.time(request)
		l.read()
	})
}

// get is the request for a document.
func get(path string) []byte { return []byte("GET " + path + " HTTP/1.1\r\nHost: oathd\r\n\r\n") }

// askCode is the request for a code.
func askCode(b *testing.B, r api.CodeRequest) []byte {
	b.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Appendf(nil, "POST /v1/code HTTP/1.1\r\nHost: oathd\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", api.JSONType, len(body), body)
}

// stock adopts the key and writes n accounts to it, "KEY:account I".
func (d *daemon) stock(b *testing.B, serial uint32, n int) (names []string) {
	b.Helper()
	key := fmt.Sprint(serial)
	d.do("key", "adopt", key, "--label", "key "+key)
	r := api.AddRequest{To: []string{key}}
	var seeds []*oath.Secret
	for i := range n {
		account := api.NewAccount{Issuer: key, Name: fmt.Sprint("account ", i), Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30}
		r.Accounts = append(r.Accounts, account)
		names = append(names, key+":"+account.Name)
		seeds = append(seeds, oath.TakeSecret(bytes.Repeat(fmt.Appendf(nil, "%05d", (int(serial)*1000+i)%100000), 4)))
	}
	if report, err := d.client.Add(b.Context(), r, seeds, nil); err != nil || len(report.Accounts) != n {
		b.Fatalf("cannot write the accounts: %v, %+v", err, report)
	}
	return names
}
