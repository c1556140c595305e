package socket

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

const (
	// slower is how much longer an answer may take while somebody abuses the daemon, who has the same two
	// processors; slack is what the machine may add.
	slower = 10
	slack  = 20 * time.Millisecond
	// tries is how often that is measured until it holds: what else runs on the machine comes and goes, an abuse does not.
	tries = 5

	// maxGrowth bounds what an abuse may cost in memory, that of the abusers in this process included.
	maxGrowth = 16 << 20
)

// TestAbuse does what no honest client does, and meanwhile asks as an honest one: each time on a connection of its own.
func TestAbuse(t *testing.T) {
	for name, abuse := range map[string]func(v *victim){
		"clients that never read":        (*victim).neverRead,
		"500 subscribers":                (*victim).subscribe,
		"connections opened and dropped": (*victim).openAndDrop,
		"half-sent requests":             (*victim).sendHalves,
		"headers of 1 MB":                (*victim).sendHeaders,
		"foreign pages":                  (*victim).pretendToBrowse,
	} {
		t.Run(name, func(t *testing.T) {
			v := newVictim(t)
			usual, before := v.median(), inUse()
			v.abusing = make(chan struct{})
			abuse(v)
			limit := slower*usual + slack
			during, after := v.within(limit), inUse()
			close(v.abusing)
			v.abusers.Wait()
			t.Logf("an answer takes %v, usually %v; memory grew by %d KiB", during, usual, (int64(after)-int64(before))>>10)
			if during > limit {
				t.Errorf("an answer takes %v, where %v is usual", during, usual)
			}
			if after > before+maxGrowth {
				t.Errorf("it takes %d bytes, and took %d before", after, before)
			}
			if got := v.within(limit); got > limit {
				t.Errorf("afterwards an answer takes %v, where %v is usual", got, usual)
			}
		})
	}
}

// victim is a daemon that is abused until abusing is closed.
type victim struct {
	*daemon
	stranger http.Client
	happen   func(api.Event)
	abusing  chan struct{}
	abusers  sync.WaitGroup
}

func newVictim(t *testing.T) *victim {
	subscribe, happen := eventSource()
	v := &victim{daemon: start(t, hello, echo, route{"GET /v1/events", events(subscribe)}), happen: happen}
	v.stranger = http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", v.path)
		},
	}}
	return v
}

// eventSource is a core of which nothing but its events is there; as the core, it never waits for a subscriber.
func eventSource() (subscribe func(context.Context) <-chan api.Event, happen func(api.Event)) {
	var mu sync.Mutex
	subscribers := map[chan api.Event]bool{}
	subscribe = func(ctx context.Context) <-chan api.Event {
		c := make(chan api.Event, 1)
		mu.Lock()
		defer mu.Unlock()
		subscribers[c] = true
		context.AfterFunc(ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			delete(subscribers, c)
			close(c)
		})
		return c
	}
	happen = func(e api.Event) {
		mu.Lock()
		defer mu.Unlock()
		for c := range subscribers {
			select {
			case c <- e:
			default:
			}
		}
	}
	return subscribe, happen
}

// inUse is what this process's memory holds.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// within returns the first median that is within the limit, or the last that was not.
func (v *victim) within(limit time.Duration) (median time.Duration) {
	for range tries {
		if median = v.median(); median <= limit {
			break
		}
	}
	return median
}

// median is how long an honest client waits for an answer, on a new connection.
func (v *victim) median() time.Duration {
	v.t.Helper()
	times := make([]time.Duration, 51)
	for i := range times {
		began := time.Now()
		resp, err := v.stranger.Get("http://oathd/v1/hello")
		if err != nil {
			v.t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			v.t.Fatalf("an honest client is answered %s, %v", resp.Status, err)
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// until repeats f while the abuse lasts.
func (v *victim) until(f func()) {
	v.abusers.Go(func() {
		for {
			select {
			case <-v.abusing:
				return
			default:
				f()
			}
		}
	})
}

// send opens a connection on which nothing is ever read, for as long as the test lasts.
func (v *victim) send(request string) net.Conn {
	c := v.dial()
	_, _ = io.WriteString(c, request)
	return c
}

const listening = "GET /v1/events HTTP/1.1\r\nHost: oathd\r\n\r\n"

// neverRead fills the sockets of clients that do not read.
func (v *victim) neverRead() {
	for range 32 {
		v.send(listening)
		c := v.send("")
		v.until(func() {
			_ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
			_, _ = io.WriteString(c, "GET /v1/hello HTTP/1.1\r\nHost: oathd\r\n\r\n")
		})
	}
	v.until(func() { v.happen(api.Event{Kind: api.EventTrouble, Message: strings.Repeat("x", 1<<10)}) })
}

// subscribe has 500 subscribe. As many as there are seats are told what happens, the others that there are none.
func (v *victim) subscribe() {
	told, refused := 0, 0
	var heads []net.Conn
	for range 500 {
		c := v.send(listening)
		head := make([]byte, len("HTTP/1.1 200"))
		if _, err := io.ReadFull(c, head); err != nil {
			v.t.Fatal(err)
		}
		switch string(head) {
		case "HTTP/1.1 200":
			told++
			heads = append(heads, c)
		case "HTTP/1.1 503":
			refused++
			_ = c.Close()
		default:
			v.t.Fatalf("a subscriber is answered %q", head)
		}
	}
	if told != maxSubscribers || refused != 500-told {
		v.t.Errorf("%d subscribers are told, %d refused", told, refused)
	}
	v.happen(api.Event{Kind: api.EventTrouble, Message: "hear, hear"})
	for _, c := range heads {
		heard := ""
		for buffer := make([]byte, 1<<10); !strings.Contains(heard, "hear, hear"); {
			n, err := c.Read(buffer)
			if err != nil {
				v.t.Fatal(err)
			}
			heard += string(buffer[:n])
		}
	}
	v.until(func() { v.happen(api.Event{Kind: api.EventTrouble}) })
}

// openAndDrop opens and drops 10,000 connections a second, or what the machine can do.
func (v *victim) openAndDrop() {
	tick := time.NewTicker(time.Millisecond)
	v.abusers.Go(func() {
		<-v.abusing
		tick.Stop()
	})
	v.until(func() {
		select {
		case <-v.abusing:
		case <-tick.C:
			for range 10 {
				if c, err := net.Dial("unix", v.path); err == nil {
					_ = c.Close()
				}
			}
		}
	})
}

func (v *victim) sendHalves() {
	for i := range 2 * maxConns {
		v.send(halves[i%len(halves)])
	}
}

// sendHeaders sends headers without end, of which the daemon reads no more than it must.
func (v *victim) sendHeaders() {
	big := "GET /v1/hello HTTP/1.1\r\nHost: oathd\r\nX-Big: " + strings.Repeat("x", 1<<20)
	v.until(func() {
		c, err := net.Dial("unix", v.path)
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := io.WriteString(c, big); err == nil {
			v.t.Error("a header of 1 MB was taken to its end")
		}
	})
}

func (v *victim) pretendToBrowse() {
	for i := range maxConns {
		v.send(fmt.Sprintf("GET /v1/hello HTTP/1.1\r\nHost: evil%d.example\r\nOrigin: https://example.org\r\n\r\n", i))
	}
}
