package vpcd

import (
	"net"
	"syscall"
)

// acknowledging makes the kernel acknowledge at once what comes over a TCP connection: vpcd 3.3
// sends length and body in two writes, and with delayed acknowledgements the second waits 40 ms for
// the first's.
func acknowledging(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	c := &quickConn{TCPConn: tcp, raw: raw}
	c.acknowledgeAtOnce()
	return c
}

// quickConn is a connection that acknowledges what it reads at once.
type quickConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Read reads, and renews TCP_QUICKACK: the kernel drops it by itself (tcp(7)).
func (c *quickConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.acknowledgeAtOnce()
	return n, err
}

// acknowledgeAtOnce is best effort: without it the card is only slow.
func (c *quickConn) acknowledgeAtOnce() {
	_ = c.raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
