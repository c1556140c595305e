package line

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

const (
	// fixedHeader is the length of a message's header up to its array of fields (D-Bus Specification, "Message Format").
	fixedHeader = 16
	// maxMessage bounds a message that is read, maxFields the array in it: whoever is to be answered sends a few
	// hundred bytes.
	maxMessage = 256 << 10
	// keptBuffer is how much room is kept between messages.
	keptBuffer = 4 << 10
	// maxFiles is how many descriptors the kernel passes at once (SCM_MAX_FD).
	maxFiles = 253
)

// wire is the connection below godbus. Left to itself, godbus (5.2.4) panics in a goroutine of its own when a
// message holds an array of file descriptors, keeps descriptors open that no value of a message refers to, and reads messages of
// 128 MiB: any program on the bus could end or swell the daemon. So godbus gets a stream without descriptors
// and without oversized messages, and claim puts in the descriptors where they belong.
type wire struct {
	*net.UnixConn
	// begun says that the handshake is over and messages follow.
	begun bool
	// rest is what godbus has not read yet of the message under way; files came with it, -1 where claimed.
	rest  []byte
	files []int

	buffer  [keptBuffer]byte
	control [64 + 4*maxFiles]byte
}

var begin = []byte("BEGIN\r\n")

// Write sends p. Before the handshake ends it asks for descriptors to be passed, which godbus does only on
// connections that it reads itself. A bus that cannot pass them refuses, and all else works.
func (w *wire) Write(p []byte) (int, error) {
	if !w.begun && bytes.Equal(p, begin) {
		w.begun = true
		if _, err := w.UnixConn.Write([]byte("NEGOTIATE_UNIX_FD\r\n")); err != nil {
			return 0, err
		}
		if err := w.skipLine(); err != nil {
			return 0, err
		}
	}
	return w.UnixConn.Write(p)
}

// skipLine reads the answer of the bus, which sends no more until it is told to begin.
func (w *wire) skipLine() error {
	for line := w.buffer[:0]; !bytes.HasSuffix(line, []byte("\n")); {
		n, err := w.UnixConn.Read(w.buffer[len(line):])
		if err != nil {
			return err
		}
		if line = w.buffer[:len(line)+n]; len(line) == len(w.buffer) {
			return errors.New("the bus does not end its line")
		}
	}
	return nil
}

// Read reads of the message under way, or of the next one.
func (w *wire) Read(p []byte) (int, error) {
	if !w.begun {
		return w.UnixConn.Read(p)
	}
	if len(w.rest) == 0 {
		if err := w.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// next reads the next message that is not too long, and its descriptors: they come with its own bytes, as no
// more than these are asked for. Those of the message before that nobody has claimed are closed.
func (w *wire) next() error {
	for {
		w.closeFiles()
		head := w.buffer[:fixedHeader]
		if err := w.fill(head); err != nil {
			return err
		}
		length, err := messageLength(head)
		if err != nil {
			return err
		}
		if length > maxMessage {
			if err := w.discard(length - fixedHeader); err != nil {
				return err
			}
			continue
		}
		message := w.buffer[:]
		if length > keptBuffer {
			message = make([]byte, length)
			copy(message, head)
		}
		w.rest = message[:length]
		return w.fill(w.rest[fixedHeader:])
	}
}

// messageLength reads the length of a whole message from the beginning of its header.
func messageLength(head []byte) (int64, error) {
	var order binary.ByteOrder
	switch head[0] {
	case 'l':
		order = binary.LittleEndian
	case 'B':
		order = binary.BigEndian
	default:
		return 0, fmt.Errorf("cannot read a message with the byte order %q", head[0])
	}
	body, fields := int64(order.Uint32(head[4:])), int64(order.Uint32(head[12:]))
	return fixedHeader + (fields+7)&^7 + body, nil
}

// fill reads until p is full, and keeps the descriptors that come along.
func (w *wire) fill(p []byte) error {
	for len(p) > 0 {
		n, controls, _, _, err := w.ReadMsgUnix(p, w.control[:])
		w.keepFiles(w.control[:controls])
		if err != nil {
			return err
		}
		if n == 0 {
			return net.ErrClosed
		}
		p = p[n:]
	}
	return nil
}

func (w *wire) discard(length int64) error {
	for length > 0 {
		part := w.buffer[:min(length, keptBuffer)]
		if err := w.fill(part); err != nil {
			return err
		}
		length -= int64(len(part))
	}
	return nil
}

func (w *wire) keepFiles(controls []byte) {
	messages, err := unix.ParseSocketControlMessage(controls)
	if err != nil {
		return
	}
	for _, m := range messages {
		if files, err := unix.ParseUnixRights(&m); err == nil {
			w.files = append(w.files, files...)
		}
	}
}

func (w *wire) closeFiles() {
	for _, fd := range w.files {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	w.files = w.files[:0]
}

// receive makes a message fit for godbus. It is called for each before the next one is read.
func (w *wire) receive(m *dbus.Message) {
	w.claim(m)
	divert(m)
}

// divert leaves a call to the handler that godbus would answer by itself, and wrongly: it gives the id of the bus for that of the
// machine ("org.freedesktop.DBus.Peer"). Without its interface godbus does not know it.
func divert(m *dbus.Message) {
	family, _ := m.Headers[dbus.FieldInterface].Value().(string)
	member, _ := m.Headers[dbus.FieldMember].Value().(string)
	if m.Type == dbus.TypeMethodCall && family == "org.freedesktop.DBus.Peer" && member == "GetMachineId" {
		delete(m.Headers, dbus.FieldInterface)
	}
}

// claim puts files in the place of those of a message's arguments that are indices of descriptors. Whoever
// handles the message closes them.
func (w *wire) claim(m *dbus.Message) {
	for i, argument := range m.Body {
		index, ok := argument.(dbus.UnixFDIndex)
		if !ok || int64(index) >= int64(len(w.files)) || w.files[index] < 0 {
			continue
		}
		// A descriptor that does not block can be given a deadline.
		_ = unix.SetNonblock(w.files[index], true)
		m.Body[i] = os.NewFile(uintptr(w.files[index]), "passed over D-Bus")
		w.files[index] = -1
	}
}
