package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// managerPatience is how long a service manager may keep us waiting. It is told what is good to know, and nothing depends on it.
const managerPatience = 100 * time.Millisecond

// manager is the service manager that started the daemon (sd_notify(3)); nil if none did.
type manager struct {
	conn *net.UnixConn
	log  *slog.Logger
	said string
}

// serviceManager returns the manager that listens at the address in $NOTIFY_SOCKET. It is ours alone: what the daemon starts is
// not to speak for it.
func serviceManager(log *slog.Logger) *manager {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	_ = os.Unsetenv("NOTIFY_SOCKET")
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		log.Warn("cannot tell the service manager that the daemon is ready", "error", err)
		return nil
	}
	return &manager{conn: conn, log: log}
}

// tell says one thing, unless it was the last one that was said.
func (m *manager) tell(state string) {
	if m == nil || state == m.said {
		return
	}
	_ = m.conn.SetWriteDeadline(time.Now().Add(managerPatience))
	if _, err := m.conn.Write([]byte(state)); err != nil {
		m.log.Debug("cannot tell the service manager", "state", state, "error", err)
		return
	}
	m.said = state
}

// follow keeps the manager informed of how the daemon is, which "systemctl status" shows, until ctx ends.
func (m *manager) follow(ctx context.Context, core *agent.Agent) {
	if m == nil {
		return
	}
	events := core.Events(ctx)
	m.tell("STATUS=" + statusLine(core.Status(), len(core.Accounts(""))))
	for e := range events {
		switch e.Kind {
		case api.EventKeyIn, api.EventKeyOut, api.EventAccounts, api.EventTrouble, api.EventTroubleOver, api.EventSkipped:
			m.tell("STATUS=" + statusLine(core.Status(), len(core.Accounts(""))))
		}
	}
	m.tell("STOPPING=1")
}

func (m *manager) close() {
	if m != nil {
		_ = m.conn.Close()
	}
}

// statusLine says in one line how the daemon is. It names nothing: others can read it.
func statusLine(s api.Status, accounts int) string {
	if s.Trouble != "" {
		return strings.ReplaceAll(s.Trouble, "\n", "; ") // a line break would end the message
	}
	line := fmt.Sprintf("%s plugged in, %s", count(s.Keys, "key"), count(accounts, "account"))
	if s.OpenIntents > 0 {
		line += fmt.Sprintf(", %s to finish (oathctl resume)", count(s.OpenIntents, "write"))
	}
	return line
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
