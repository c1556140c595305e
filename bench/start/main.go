// Command start measures what starting oathctl costs: whole processes, from fork to exit, each beside a bare static Go
// program that connects and prints one line, taken in turn. It prints rows of a Markdown table, and ends with status 1 if
// a number is missed.
//
//	scripts/build && go run ./bench/start -bin bin
//
// Where a start spends its time is shown by: GODEBUG=inittrace=1 bin/oathctl code NAME
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/oath"
)

const (
	// maxRatio is what "oathctl code NAME" may cost beside the bare program.
	maxRatio = 1.8
	// maxTab is how long a shell may wait for the completion of a name.
	maxTab = 20 * time.Millisecond
	// serial is the first soft key's.
	serial = "1000001"
	// patience bounds the daemon's start.
	patience = 10 * time.Second
)

func main() {
	bin := flag.String("bin", "bin", "the directory of the programs to measure")
	rounds := flag.Int("rounds", 500, "how often each program is started")
	flag.Parse()
	if err := run(*bin, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench/start:", err)
		os.Exit(1)
	}
}

func run(bin string, rounds int) error {
	dir, err := os.MkdirTemp("", "oathd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bare := filepath.Join(dir, "bare")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bare, "./bench/start/bare")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("cannot build the bare program: %w", err)
	}
	socket := filepath.Join(dir, "run", "oathd.sock")
	stop, err := startDaemon(filepath.Join(bin, "oathd"), dir, socket)
	if err != nil {
		return err
	}
	defer stop()
	return measure(filepath.Join(bin, "oathctl"), bare, socket, rounds)
}

func measure(oathctl, bare, socket string, rounds int) error {
	times, err := inTurn(rounds,
		[]string{bare, socket},
		[]string{oathctl, "--socket", socket, "code", "GitHub:octocat"},
		[]string{oathctl, "--socket", socket, "__complete", "code", "Git"},
	)
	if err != nil {
		return err
	}
	base, code, tab := times[0], times[1], times[2]
	return errors.Join(
		report("`oathctl code NAME`, warm, whole process, beside a bare Go program", code, base, ratio(code, base) <= maxRatio, fmt.Sprintf("at most %.1f", maxRatio)),
		report("completion of an account's name, whole process, beside the same", tab, base, median(tab) <= maxTab, fmt.Sprintf("under %d ms", maxTab.Milliseconds())),
	)
}

// report prints a row. A number that is missed is an error too.
func report(what string, times, base []time.Duration, reached bool, want string) error {
	verdict, err := "reached", error(nil)
	if !reached {
		verdict, err = "missed", fmt.Errorf("%s: missed", what)
	}
	fmt.Printf("| %s | %.2f ms | %.2f ms | %.2f | %s | %s |\n", what, milliseconds(median(times)), milliseconds(median(base)), ratio(times, base), want, verdict)
	return err
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// inTurn runs the commands one after the other, many times over, and returns how long each run of each took.
func inTurn(rounds int, commands ...[]string) ([][]time.Duration, error) {
	times := make([][]time.Duration, len(commands))
	for range rounds {
		for i, args := range commands {
			c := exec.Command(args[0], args[1:]...)
			begun := time.Now()
			if err := c.Run(); err != nil {
				return nil, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
			}
			times[i] = append(times[i], time.Since(begun))
		}
	}
	return times, nil
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// ratio is the median of the rounds' ratios: a busy moment of the machine spoils a round, not the result.
func ratio(times, base []time.Duration) float64 {
	ratios := make([]float64, len(times))
	for i := range times {
		ratios[i] = float64(times[i]) / float64(base[i])
	}
	return slices.Sorted(slices.Values(ratios))[len(ratios)/2]
}

// startDaemon starts oathd with a soft key that has an account, whose code it has in memory.
func startDaemon(program, dir, socket string) (stop func(), err error) {
	daemon := exec.Command(program, "--soft-keys=1", "--ledger=:memory:", "--socket="+socket)
	daemon.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir)
	if err := daemon.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := furnish(ctx, &client.Client{Socket: socket}); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

func furnish(ctx context.Context, c *client.Client) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := c.Adopt(ctx, serial, api.AdoptRequest{})
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the daemon does not see its key: %w", err)
		}
		<-tick.C
	}
	seed := oath.CopySecret([]byte("12345678901234567890"))
	defer seed.Wipe()
	account := api.NewAccount{Issuer: "GitHub", Name: "octocat", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30}
	_, err := c.Add(ctx, api.AddRequest{Accounts: []api.NewAccount{account}, To: []string{serial}}, []*oath.Secret{seed}, nil)
	return err
}
