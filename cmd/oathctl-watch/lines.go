package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/oathd/oathd/internal/words"
	"github.com/oathd/oathd/ipc/api"
)

// inLines is for terminals that cannot move the cursor. What happens is told line by line, and a name that is
// typed is answered with its code.
func (w watch) inLines(ctx context.Context) error {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot read from the terminal: %w", err)
	}
	defer tty.Close()
	defer context.AfterFunc(ctx, func() { _ = tty.SetReadDeadline(time.Unix(1, 0)) })()
	return w.converse(ctx, tty, tty)
}

// converse answers the lines that it reads until they end, or ctx does.
func (w watch) converse(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	t := &talk{watch: w, out: out}
	var feeding sync.WaitGroup
	feeding.Go(func() { feed(ctx, w.client, t.hear) })
	defer feeding.Wait()
	defer cancel()
	t.say("A name is answered with its code, nothing with the list; Ctrl-D ends.")
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if name := strings.TrimSpace(lines.Text()); name != "" {
			t.answer(ctx, name)
		} else {
			t.list()
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("cannot read from the terminal: %w", err)
	}
	return nil
}

// talk is what is said and known meanwhile.
type talk struct {
	watch
	mu   sync.Mutex
	out  io.Writer
	last *listed
	lost bool
}

func (t *talk) say(lines ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range lines {
		fmt.Fprintln(t.out, t.look.Render(line))
	}
}

// hear tells what the feed brings.
func (t *talk) hear(msg tea.Msg) {
	switch msg := msg.(type) {
	case listed:
		first := t.remember(&msg)
		if first {
			t.list()
		}
	case happened:
		t.say(words.Event(api.Event(msg)))
	case gone:
		if t.remember(nil) {
			t.say(msg.err.Error(), "waiting for it")
		}
	}
}

// remember keeps the list, and reports whether it is the first one of a daemon, or the first time that there is none.
func (t *talk) remember(l *listed) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	news = (l == nil) != t.lost || l != nil && t.last == nil
	t.last, t.lost = l, l == nil
	return news
}

// list tells the accounts.
func (t *talk) list() {
	t.mu.Lock()
	last := t.last
	t.mu.Unlock()
	if last == nil {
		return
	}
	for _, account := range last.accounts {
		if strings.Contains(strings.ToLower(account.Label()), strings.ToLower(t.filter)) {
			t.say(account.Label() + "  on " + keysOf(account))
		}
	}
}

// answer asks for one code. What is typed here is what may ask for a touch.
func (t *talk) answer(ctx context.Context, name string) {
	code, err := t.client.Code(ctx, api.CodeRequest{Account: name})
	if err != nil {
		t.say(problem(err))
		return
	}
	t.say(words.Code(code, time.Now())...)
}
