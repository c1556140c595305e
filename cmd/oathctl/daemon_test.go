package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

// running is a daemon that a test started.
type running struct {
	cmd    *exec.Cmd
	client *client.Client
	// ended is closed once it has said its last word.
	ended chan struct{}
}

// startDaemon starts oathd and waits until it has seen its soft keys. lookup finds environment variables.
func startDaemon(ctx context.Context, env []string, socket string, args ...string) (*running, error) {
	d := &running{cmd: exec.CommandContext(ctx, "oathd", args...), client: &client.Client{Socket: socket}, ended: make(chan struct{})}
	path, err := lookPath(env, "oathd")
	if err != nil {
		return nil, err
	}
	d.cmd.Path, d.cmd.Err, d.cmd.Env = path, nil, env
	log, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	said := ""
	for !strings.Contains(said, "msg=ready") {
		if !lines.Scan() {
			return nil, fmt.Errorf("oathd did not start: %s: %w", said, d.cmd.Wait())
		}
		said += lines.Text() + "\n"
	}
	go func() {
		defer close(d.ended)
		_, _ = io.Copy(io.Discard, log)
	}()
	return d, d.waitForKeys(ctx)
}

// waitForKeys waits until every soft key that is plugged in is known.
func (d *running) waitForKeys(ctx context.Context) error {
	soft, err := d.client.SoftKeys(ctx)
	if err != nil {
		return err
	}
	return (&app{client: d.client}).untilNoticed(ctx, api.SoftKeys{Keys: soft})
}

// stop ends the daemon in good order.
func (d *running) stop() error {
	if d.cmd.ProcessState != nil {
		return nil
	}
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	<-d.ended
	return d.cmd.Wait()
}

func lookPath(env []string, name string) (string, error) {
	for _, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			for _, dir := range filepath.SplitList(path) {
				if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
					return filepath.Join(dir, name), nil
				}
			}
		}
	}
	return "", fmt.Errorf("no %s in PATH", name)
}
