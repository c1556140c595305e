package ledger

import (
	"context"
	"database/sql/driver"
	"io"
	"net"
	"os"
	"sync"
)

// mortal is a connector whose commits ask a test for leave, before and after. The answer may be SIGKILL.
type mortal struct{ driver.Connector }

func (m mortal) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := m.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return mortalConn{c.(conn)}, nil
}

// conn is what database/sql makes use of in a connection of modernc.org/sqlite.
type conn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type mortalConn struct{ conn }

func (c mortalConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.conn.BeginTx(ctx, o)
	return mortalTx{tx}, err
}

type mortalTx struct{ driver.Tx }

func (t mortalTx) Commit() error {
	ask()
	err := t.Tx.Commit()
	ask()
	return err
}

// line is the connection on which this process asks for leave, one commit at a time.
var line struct {
	sync.Mutex
	net.Conn
}

// ask waits until the test lets this process live on. It does not survive the test.
func ask() {
	line.Lock()
	defer line.Unlock()
	var err error
	if line.Conn == nil {
		line.Conn, err = net.Dial("unixpacket", os.Getenv("MORTAL_SOCKET"))
	}
	if err == nil {
		_, err = io.WriteString(line, "commit")
	}
	if err == nil {
		_, err = line.Read(make([]byte, 1))
	}
	if err != nil {
		os.Exit(3)
	}
}
