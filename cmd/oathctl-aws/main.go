// Command oathctl-aws does at AWS what "oathctl aws" is asked for: oathctl-aws VERB REQUEST, both as internal/kin has them. It says on
// standard output, a JSON document a line, what happens on the way and what came of it.
//
// It is a program of its own because the AWS SDK would cost every start of oathctl milliseconds, and because a seed passes through the
// SDK, which keeps copies that nobody can wipe: with the process they are gone, and no other process may look into this one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/awsmfa"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "cannot keep others from the memory:", err)
		os.Exit(1)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout))
}

// run does the verb and returns the exit status.
func run(ctx context.Context, args []string, out io.Writer) int {
	p := &printer{out: json.NewEncoder(out)}
	if len(args) != 2 || verbs[args[0]] == nil {
		fmt.Fprintln(os.Stderr, "usage: oathctl aws VERB (oathctl-aws is started by it)")
		return 2
	}
	done, err := verbs[args[0]](ctx, []byte(args[1]), p.say)
	if err != nil {
		failure, ok := errors.AsType[*api.Error](err)
		if !ok {
			failure = &api.Error{Code: api.CodeInternal, Message: err.Error()}
		}
		p.say(kin.AWSLine{Error: failure})
		return 1
	}
	text, err := json.Marshal(done)
	if err != nil {
		return 1
	}
	p.say(kin.AWSLine{Done: text})
	if p.err != nil {
		return 1
	}
	return 0
}

// printer says one line at a time.
type printer struct {
	mu  sync.Mutex
	out *json.Encoder
	err error
}

func (p *printer) say(line kin.AWSLine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, p.out.Encode(line))
}

// verb does what a request asks for.
type verb = func(ctx context.Context, request []byte, tell func(kin.AWSLine)) (any, error)

var verbs = map[string]verb{
	"enroll": doing(func(r kin.AWSEnroll) kin.AWSAccess { return r.AWSAccess }, func(ctx context.Context, a *awsmfa.AWS, r kin.AWSEnroll) (any, error) { return a.Enroll(ctx, r) }),
	"resync": doing(func(r kin.AWSResync) kin.AWSAccess { return r.AWSAccess }, func(ctx context.Context, a *awsmfa.AWS, r kin.AWSResync) (any, error) { return a.Resync(ctx, r) }),
	"credentials": doing(func(r kin.AWSObtain) kin.AWSAccess { return r.AWSAccess }, func(ctx context.Context, a *awsmfa.AWS, r kin.AWSObtain) (any, error) {
		return a.Credentials(ctx, r)
	}),
	"coverage": doing(func(r kin.AWSAccess) kin.AWSAccess { return r }, func(ctx context.Context, a *awsmfa.AWS, _ kin.AWSAccess) (any, error) { return a.Coverage(ctx) }),
}

// doing reads the request, opens the way to AWS and to oathd, and does f.
func doing[R any](access func(R) kin.AWSAccess, f func(context.Context, *awsmfa.AWS, R) (any, error)) verb {
	return func(ctx context.Context, text []byte, tell func(kin.AWSLine)) (any, error) {
		var r R
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("cannot read the request: %w", err)
		}
		a, err := awsmfa.Open(ctx, access(r).Profile, &client.Client{Socket: access(r).Socket}, tell)
		if err != nil {
			return nil, err
		}
		return f(ctx, a, r)
	}
}
