package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStart starts the daemon with two soft keys of its own, until it says that it is ready.
func BenchmarkStart(b *testing.B) {
	const limit = 50 * time.Millisecond
	arguments := []string{"--soft-keys", "2"}
	d := start(b, release(b), os.Environ(), arguments...)
	for b.Loop() {
		var starts []time.Duration
		for range 25 {
			d.stop(syscall.SIGTERM)
			starts = append(starts, took(func() { d.run(arguments) }))
		}
		ready := median(starts)
		b.ReportMetric(float64(ready)/float64(time.Millisecond), "ms")
		row(b, "start to ready, soft keys", words(ready), "", "", "at most "+words(limit), ready <= limit)
	}
}

// BenchmarkBare takes a code from oathctl, which finds it in the daemon's memory, and runs a bare program that connects to
// the same socket and prints a line.
func BenchmarkBare(b *testing.B) {
	d := start(b, release(b), os.Environ(), "--soft-keys", "1")
	d.present(fmt.Sprint(firstSoft))
	name, bare := d.stock(b, firstSoft, 1)[0], d.bare(b)
	for b.Loop() {
		inTurn(300,
			func(int) time.Duration { return took(func() { d.do("code", name) }) },
			func(int) time.Duration { return took(bare) },
		).atMost(b, 1.8, "`oathctl code NAME`, warm, whole process, beside a bare static Go program that connects and prints a line")
	}
}

// bare returns what runs a bare static Go program that connects to the daemon and prints a line.
func (d *daemon) bare(b *testing.B) func() {
	b.Helper()
	dir := b.TempDir()
	compile(b, dir, []string{"-trimpath", "-ldflags=-s -w"}, "CGO_ENABLED=0", "./e2e/testdata/bare")
	return func() {
		if out, err := exec.Command(filepath.Join(dir, "bare"), d.client.Socket).Output(); err != nil || len(out) == 0 {
			b.Fatalf("%v, %s", err, out)
		}
	}
}

// BenchmarkTab completes the name of an account, as a shell does while somebody waits.
func BenchmarkTab(b *testing.B) {
	const limit = 20 * time.Millisecond
	d := start(b, release(b), os.Environ(), "--soft-keys", "1")
	d.present(fmt.Sprint(firstSoft))
	d.stock(b, firstSoft, 1)
	for b.Loop() {
		var tabs []time.Duration
		for range 100 {
			tabs = append(tabs, took(func() { d.do("__complete", "code", fmt.Sprint(firstSoft)) }))
		}
		tab := median(tabs)
		b.ReportMetric(float64(tab)/float64(time.Millisecond), "ms")
		row(b, "completion of an account's name, whole process", words(tab), "", "", "at most "+words(limit), tab <= limit)
	}
}
