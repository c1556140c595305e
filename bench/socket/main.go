// Socket measures what a cached code over the daemon's socket costs, against an empty handler of net/http in the
// same run: the median time of a request on one connection, and the throughput over many.
//
//	go run ./bench/socket -oathd bin/oathd
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/oath"
)

// What is to be reached: a request at most maxTime times as long as the empty handler's, and minRate of its throughput.
const (
	maxTime = 1.3
	minRate = 0.65
)

// conns is over how many connections the throughput is measured.
const conns = 64

func main() {
	var o options
	flag.StringVar(&o.oathd, "oathd", "bin/oathd", "the daemon to measure")
	flag.IntVar(&o.rounds, "rounds", 51, "how many pairs of measurements; their median counts")
	flag.IntVar(&o.requests, "requests", 500, "how many requests on one connection make a measurement")
	flag.DurationVar(&o.burst, "burst", 100*time.Millisecond, "how long a measurement over many connections takes")
	empty := flag.String("empty", "", "serve the empty handler on this socket (for the program itself)")
	flag.Parse()
	run := o.run
	if *empty != "" {
		run = func() error { return serveEmpty(*empty) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/socket:", err)
		os.Exit(1)
	}
}

type options struct {
	oathd            string
	rounds, requests int
	burst            time.Duration
}

// run starts both servers, measures them in turn, and prints the ratios.
func (o options) run() error {
	dir, err := os.MkdirTemp("", "oathd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	oathd, stop, err := startDaemon(o.oathd, dir)
	if err != nil {
		return err
	}
	defer stop()
	empty := filepath.Join(dir, "empty.sock")
	stop, err = start(exec.Command("/proc/self/exe", "-empty", empty), empty)
	if err != nil {
		return err
	}
	defer stop()

	times, err := o.pairs(oathd, empty, o.median)
	if err != nil {
		return err
	}
	rates, err := o.pairs(oathd, empty, o.throughput)
	if err != nil {
		return err
	}
	report("a code from memory over one kept connection, p50, beside an empty handler of net/http", times, "µs", times.ratio() <= maxTime, fmt.Sprintf("at most %.2f", maxTime))
	report(fmt.Sprintf("and over %d connections, throughput", conns), rates, "/s", rates.ratio() >= minRate, fmt.Sprintf("at least %.2f", minRate))
	return nil
}

// report prints a line of a Markdown table.
func report(what string, p pairs, unit string, reached bool, want string) {
	verdict := "reached"
	if !reached {
		verdict = "missed"
	}
	fmt.Printf("| %s | %.1f %s | %.1f %s | %.2f | %s | %s |\n", what, middle(p.oathd), unit, middle(p.empty), unit, p.ratio(), want, verdict)
}

// pairs are measurements of both servers, each taken right after its counterpart.
type pairs struct{ oathd, empty []float64 }

// ratio is the median of the pairs' ratios: a busy moment of the machine spoils one pair, not the result.
func (p pairs) ratio() float64 {
	ratios := make([]float64, len(p.oathd))
	for i := range ratios {
		ratios[i] = p.oathd[i] / p.empty[i]
	}
	return middle(ratios)
}

func middle(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

func (o options) pairs(oathd, empty string, measure func(socket string) (float64, error)) (p pairs, err error) {
	for range o.rounds {
		a, err := measure(oathd)
		if err != nil {
			return p, err
		}
		b, err := measure(empty)
		if err != nil {
			return p, err
		}
		p.oathd, p.empty = append(p.oathd, a), append(p.empty, b)
	}
	return p, nil
}

// median is the p50 of requests one after the other on one connection, in microseconds.
func (o options) median(socket string) (float64, error) {
	c, err := dial(socket)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	times := make([]float64, o.requests)
	for i := range times {
		began := time.Now()
		if err := c.ask(); err != nil {
			return 0, err
		}
		times[i] = float64(time.Since(began)) / float64(time.Microsecond)
	}
	return middle(times), nil
}

// throughput is how many requests a second are answered over many connections.
func (o options) throughput(socket string) (float64, error) {
	counts, failures := make(chan int, conns), make(chan error, conns)
	began := time.Now()
	for range conns {
		go func() {
			n, err := hammer(socket, began.Add(o.burst))
			counts <- n
			failures <- err
		}()
	}
	total := 0
	var err error
	for range conns {
		total += <-counts
		err = errors.Join(err, <-failures)
	}
	return float64(total) / time.Since(began).Seconds(), err
}

func hammer(socket string, end time.Time) (n int, err error) {
	c, err := dial(socket)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for ; time.Now().Before(end); n++ {
		if err := c.ask(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// startDaemon starts oathd with a soft key that has an account, and takes a first code.
func startDaemon(program, dir string) (socket string, stop func(), err error) {
	socket = filepath.Join(dir, "run", "oathd.sock")
	daemon := exec.Command(program, "--soft-keys=1", "--socket="+socket)
	daemon.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir)
	if stop, err = start(daemon, socket); err != nil {
		return "", nil, err
	}
	if err := furnish(&client.Client{Socket: socket}); err != nil {
		stop()
		return "", nil, err
	}
	return socket, stop, nil
}

// furnish writes an account to the first soft key.
func furnish(c *client.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	key := "1000001"
	if err := eventually(ctx, func() error { _, err := c.Key(ctx, key); return err }); err != nil {
		return err
	}
	if _, err := c.Adopt(ctx, key, api.AdoptRequest{}); err != nil {
		return err
	}
	seed := oath.CopySecret([]byte("12345678901234567890"))
	defer seed.Wipe()
	_, err := c.Add(ctx, api.AddRequest{To: []string{key}, Accounts: []api.NewAccount{{
		Issuer: "GitHub", Name: "octocat", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30,
	}}}, []*oath.Secret{seed}, nil)
	return err
}

// start starts a server and waits until it listens.
func start(server *exec.Cmd, socket string) (stop func(), err error) {
	server.Stdout, server.Stderr = os.Stderr, io.Discard
	if err := server.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = eventually(ctx, func() error {
		c, err := net.Dial("unix", socket)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// eventually repeats f until it succeeds or ctx ends.
func eventually(ctx context.Context, f func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		<-tick.C
	}
}

// serveEmpty is what oathd is measured against.
func serveEmpty(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}
