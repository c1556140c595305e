package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

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

// milliseconds is a metric of that unit.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// line is a connection to the daemon that is kept. Between request and answer there is no goroutine of ours.
type line struct {
	b    *testing.B
	conn net.Conn
	in   *bufio.Reader
}

func (d *daemon) line(b *testing.B) *line {
	b.Helper()
	conn, err := net.Dial("unix", d.client.Socket)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &line{b, conn, bufio.NewReader(conn)}
}

// ask sends a request and returns the answer's body.
func (l *line) ask(request []byte) []byte {
	if _, err := l.conn.Write(request); err != nil {
		l.b.Fatal(err)
	}
	answer, err := http.ReadResponse(l.in, nil)
	if err != nil {
		l.b.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		l.b.Fatalf("%.60q: %s, %v: %s", request, answer.Status, err, body)
	}
	return body
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
