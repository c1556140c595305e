package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// wait is the flag --wait: how long to wait for a key to be plugged in.
type wait struct {
	text    string
	given   time.Duration
	forever bool
}

// String returns what was given, "" for nothing.
func (w *wait) String() string { return w.text }

// Type names the value in the help.
func (w *wait) Type() string { return "DURATION" }

// Set reads a duration or "forever".
func (w *wait) Set(s string) error {
	if s == "forever" {
		*w = wait{text: s, forever: true}
		return nil
	}
	d, err := time.ParseDuration(s)
	if s == "0" {
		d, err = 0, nil
	}
	if err != nil || d < 0 {
		return errors.New(`it is a time like 30s or 5m, 0, or "forever"`)
	}
	*w = wait{text: s, given: d}
	return nil
}

// duration returns how long to wait: without the flag for ever if somebody is there, else not at all.
func (w *wait) duration(somebody bool) (d time.Duration, forever bool) {
	if w.text == "" {
		return 0, somebody
	}
	return w.given, w.forever
}

// seconds is duration as an AddRequest has it: -1 is for ever, and no time is rounded down to none.
func (w *wait) seconds(somebody bool) int {
	d, forever := w.duration(somebody)
	if forever {
		return -1
	}
	return int((d + time.Second - 1) / time.Second)
}

// keyNews are the events after which a request that lacked a key may succeed.
var keyNews = map[api.EventKind]bool{api.EventKeyIn: true, api.EventKeyChanged: true, api.EventAccounts: true}

// untilKey calls f, and again whenever a key is plugged in for as long as f lacks one and --wait lets it.
func (a *app) untilKey(ctx context.Context, f func(context.Context) error) error {
	err := f(ctx)
	d, forever := a.wait.duration(a.term.asks)
	if !lacksKey(err) || d == 0 && !forever {
		return err
	}
	waiting, cancel := ctx, func() {}
	if !forever {
		waiting, cancel = context.WithTimeout(ctx, d)
	}
	defer cancel()
	return a.retry(ctx, waiting, err, f)
}

// retry listens until waiting ends; missing is the error to return then.
func (a *app) retry(ctx, waiting context.Context, missing error, f func(context.Context) error) error {
	events, err := a.client.Events(waiting)
	if err != nil {
		return missing
	}
	// The key may have come before the subscription.
	if missing = f(ctx); !lacksKey(missing) {
		return missing
	}
	a.term.say(missing.Error(), "waiting for a key (Ctrl-C gives up)")
	for event, err := range events {
		if err != nil {
			return missing
		}
		if !keyNews[event.Kind] {
			continue
		}
		if missing = f(ctx); !lacksKey(missing) {
			return missing
		}
	}
	return missing
}

func lacksKey(err error) bool { return api.CodeOf(err) == api.CodeKeyAbsent }

// patience is how long a request may take before the user is told what it waits for.
const patience = 300 * time.Millisecond

// explaining makes f say, if it takes long, which keys want to be touched; where none does, otherwise is called,
// if it is not nil.
func (a *app) explaining(f func(context.Context) error, otherwise func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		looking, cancel := context.WithCancel(ctx)
		var look sync.WaitGroup
		look.Go(func() {
			select {
			case <-looking.Done():
			case <-time.After(patience):
				if !a.sayWhoWaits(looking) && otherwise != nil {
					otherwise(looking)
				}
			}
		})
		err := f(ctx)
		cancel()
		look.Wait()
		return err
	}
}

func (a *app) sayWhoWaits(ctx context.Context) (said bool) {
	keys, err := a.client.Keys(ctx)
	if err != nil {
		return false // the request itself will say what is wrong
	}
	for _, key := range keys {
		if len(key.Waiting) > 0 {
			a.term.say(fmt.Sprintf("touch %s: it blinks", keyName(key.Label, key.Soft)))
			said = true
		}
	}
	return said
}

// interrupted is the error of a user who gave up.
func interrupted() error {
	return &api.Error{Code: api.CodeCanceled, Message: "cannot go on: interrupted"}
}
