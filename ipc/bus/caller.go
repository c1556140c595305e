package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/peer"
)

// maxCalls is how many calls of one caller may be under way: more than a program has accounts to show, few
// enough that one which never stops asking harms nobody.
const maxCalls = 256

// caller is a program on the bus that has called. It is known by its unique name, which the bus never gives
// to another, until it leaves the bus.
type caller struct {
	sender string
	// ctx ends when the program leaves the bus, or the bus goes away.
	ctx    context.Context
	cancel context.CancelFunc
	// meet finds out who it is, once; it returns why the caller is not to be served.
	meet func() error
	// name is found out when it is first asked for, as it costs some reads in /proc.
	name func() agent.Caller
	// offers are the results of its searches.
	offers offers
	// rate bounds its activations; each has its own, or one could keep all others from theirs.
	rate bucket
	// running counts its calls under way; guarded by callers.mu.
	running int
}

// callers are the programs that have called on this connection.
type callers struct {
	conn *dbus.Conn

	mu     sync.Mutex
	known  map[string]*caller
	closed bool
	calls  sync.WaitGroup
}

// errOver answers calls that come while the daemon ends.
var errOver = &api.Error{Code: api.CodeCanceled, Message: "cannot answer: the daemon ends"}

// enter counts a call in, and returns who makes it, or why it is not to be served.
func (cs *callers) enter(sender string) (*caller, error) {
	c, err := cs.count(sender)
	if err != nil {
		return nil, err
	}
	if err := c.meet(); err != nil {
		cs.leave(c)
		return nil, err
	}
	return c, nil
}

func (cs *callers) count(sender string) (*caller, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		return nil, errOver
	}
	c := cs.known[sender]
	if c == nil {
		c = cs.newCaller(sender)
		cs.known[sender] = c
	}
	if c.running == maxCalls {
		return nil, &api.Error{Code: api.CodeBusy, Message: "cannot answer: too many calls at once", Hint: "wait for some of them to end"}
	}
	c.running++
	cs.calls.Add(1)
	return c, nil
}

// leave counts a call out.
func (cs *callers) leave(c *caller) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.running--
	cs.calls.Done()
}

func (cs *callers) newCaller(sender string) *caller {
	c := &caller{sender: sender}
	c.ctx, c.cancel = context.WithCancel(cs.conn.Context())
	var uid, pid uint32
	c.meet = sync.OnceValue(func() (err error) {
		if uid, pid, err = cs.ask(c); err != nil {
			cs.drop(sender)
			return err
		}
		return peer.Admit(uid, uint32(os.Getuid()))
	})
	c.name = sync.OnceValue(func() agent.Caller {
		return agent.Caller{Name: peer.Name(int32(pid)), UID: uid, PID: int32(pid)}
	})
	return c
}

// ask has the bus tell when the caller leaves, and then who it is: in this order, so that no leaving is
// missed of one that was still there to be asked about.
func (cs *callers) ask(c *caller) (uid, pid uint32, err error) {
	cs.tell("AddMatch", ownerRule(c.sender))
	return credentials(c.ctx, cs.conn, c.sender)
}

// credentials asks the bus for what the kernel told it of a program (SO_PEERCRED).
func credentials(ctx context.Context, conn *dbus.Conn, sender string) (uid, pid uint32, err error) {
	var all map[string]dbus.Variant
	if err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionCredentials", 0, sender).Store(&all); err != nil {
		return 0, 0, forbidden("cannot tell who calls: %v", err)
	}
	uid, ok := all["UnixUserID"].Value().(uint32)
	if !ok {
		return 0, 0, forbidden("the bus does not tell who calls")
	}
	pid, _ = all["ProcessID"].Value().(uint32)
	return uid, pid, nil
}

func forbidden(format string, args ...any) error {
	return &api.Error{Code: api.CodeForbidden, Message: "cannot answer: " + fmt.Sprintf(format, args...)}
}

// ownerRule matches the signal that says that a program leaves. One rule for each caller, not one for all names, lets
// the daemon sleep while strangers come and go.
func ownerRule(sender string) string {
	return fmt.Sprintf("type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'", sender)
}

// tell calls a method of the bus that needs no answer.
func (cs *callers) tell(method, argument string) {
	cs.conn.BusObject().Go("org.freedesktop.DBus."+method, dbus.FlagNoReplyExpected, nil, argument)
}

// drop forgets a program that has left, and cancels what it waits for.
func (cs *callers) drop(sender string) {
	cs.mu.Lock()
	c := cs.known[sender]
	delete(cs.known, sender)
	cs.mu.Unlock()
	if c != nil {
		c.cancel()
		cs.tell("RemoveMatch", ownerRule(sender))
	}
}

// close takes no more calls, and waits at most so long for those under way, which the end of the connection has
// cancelled.
func (cs *callers) close(timeout time.Duration) error {
	cs.mu.Lock()
	cs.closed = true
	cs.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		cs.calls.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(timeout):
		return errors.New("calls did not end in time")
	}
}
