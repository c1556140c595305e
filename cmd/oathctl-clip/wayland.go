package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// wayland is a connection to a compositor, by which the clipboard is held without a window and without the focus. Tools do that too,
// but say nothing of what they copy: Klipper (Plasma 5.27) keeps it in its history then, and puts it back into a clipboard that is emptied.
// Only wl-copy 2.3 can have it told, which is newer than Debian 13.
//
// The protocol is wlr-data-control-unstable-v1, or ext-data-control-v1, which has the same requests and events in the same order.
type wayland struct {
	conn *net.UnixConn
	// in and files have come and are not yet taken.
	in    []byte
	files []int
}

// The objects of the connection. The first is the protocol's, the rest is numbered as it is made.
const (
	display uint32 = iota + 1
	registry
	listed
	seat
	manager
	device
	source
	held
)

// managers are what gives the clipboard to who has no window, the better first.
var managers = []string{"ext_data_control_manager_v1", "zwlr_data_control_manager_v1"}

const (
	// secretHint tells clipboard managers, and so KDE's, whether to keep what is copied.
	secretHint = "x-kde-passwordManagerHint"
	// maxMessage bounds a message, which has its size in 16 bits.
	maxMessage = 1 << 16
)

// texts are the types that text is asked for by; X11 programs know the last three.
var texts = []string{"text/plain;charset=utf-8", "text/plain", "UTF8_STRING", "STRING", "TEXT"}

// dialWayland connects to the compositor of the environment.
func dialWayland() (*wayland, error) {
	path := os.Getenv("WAYLAND_DISPLAY")
	if !filepath.IsAbs(path) {
		path = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), path)
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &wayland{conn: conn}, nil
}

// take makes the clipboard's content ours.
func (w *wayland) take() error {
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	globals, err := w.globals()
	if err != nil {
		return err
	}
	bound := ""
	for _, name := range managers {
		if _, there := globals[name]; there && bound == "" {
			bound = name
		}
	}
	if _, there := globals["wl_seat"]; !there || bound == "" {
		return errors.New("this desktop gives the clipboard to windows alone")
	}
	w.request(registry, 0, globals["wl_seat"], "wl_seat", uint32(1), seat)
	w.request(registry, 0, globals[bound], bound, uint32(1), manager)
	w.request(manager, 1, device, seat)
	w.request(manager, 0, source)
	for _, kind := range append(texts, secretHint) {
		w.request(source, 0, kind)
	}
	w.request(device, 0, source)
	w.request(display, 0, held)
	return w.until(held, func(event) {})
}

// globals asks for what the compositor has, and by which numbers.
func (w *wayland) globals() (map[string]uint32, error) {
	found := map[string]uint32{}
	w.request(display, 1, registry)
	w.request(display, 0, listed)
	err := w.until(listed, func(e event) {
		if e.object == registry && e.code == 0 && len(e.body) >= 8 {
			found[text(e.body[4:])] = binary.NativeEndian.Uint32(e.body)
		}
	})
	return found, err
}

// hold gives the text to whoever pastes, until somebody else copies, or the moment has come; never is 1970.
func (w *wayland) hold(content []byte, moment time.Time) error {
	deadline := moment
	if moment.Unix() == 0 {
		deadline = time.Time{}
	}
	if err := w.conn.SetDeadline(deadline); err != nil {
		return err
	}
	for {
		e, err := w.event()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		case e.object == source && e.code == 1: // cancelled
			return nil
		case e.object == source && e.code == 0 && len(w.files) > 0:
			w.give(text(e.body), content)
		}
	}
}

// give writes the content, or the hint, to the next of the files that came. A pipe has room for as little as that.
func (w *wayland) give(kind string, content []byte) {
	fd := w.files[0]
	w.files = w.files[1:]
	if kind == secretHint {
		content = []byte("secret")
	}
	_ = unix.SetNonblock(fd, true)
	_, _ = unix.Write(fd, content) // who does not read gets nothing
	_ = unix.Close(fd)
}

// request sends a request, whose arguments are numbers and strings. That it failed shows as the answer is awaited.
func (w *wayland) request(object uint32, code uint16, args ...any) {
	m := binary.NativeEndian.AppendUint32(nil, object)
	m = append(m, 0, 0, 0, 0)
	for _, arg := range args {
		switch v := arg.(type) {
		case uint32:
			m = binary.NativeEndian.AppendUint32(m, v)
		case string: // with a zero, padded to words
			m = binary.NativeEndian.AppendUint32(m, uint32(len(v)+1))
			m = append(m, v...)
			m = append(m, make([]byte, 4-len(v)%4)...)
		}
	}
	binary.NativeEndian.PutUint32(m[4:], uint32(len(m))<<16|uint32(code))
	_, _ = w.conn.Write(m)
}

// event is what the compositor says: object and code tell what of.
type event struct {
	object uint32
	code   uint16
	body   []byte
}

// until takes events until the callback is called.
func (w *wayland) until(callback uint32, take func(event)) error {
	for {
		e, err := w.event()
		if err != nil {
			return err
		}
		switch {
		case e.object == callback:
			return nil
		case e.object == display && e.code == 0 && len(e.body) >= 8: // the end of the connection
			return fmt.Errorf("the compositor: %s", text(e.body[8:]))
		}
		take(e)
	}
}

// event waits for the next.
func (w *wayland) event() (event, error) {
	for {
		if len(w.in) >= 8 {
			word := binary.NativeEndian.Uint32(w.in[4:])
			size := int(word >> 16)
			switch {
			case size < 8:
				return event{}, errors.New("the compositor speaks another language")
			case size <= len(w.in):
				e := event{binary.NativeEndian.Uint32(w.in), uint16(word), w.in[8:size:size]}
				w.in = w.in[size:]
				return e, nil
			}
		}
		if err := w.read(); err != nil {
			return event{}, err
		}
	}
}

func (w *wayland) read() error {
	const maxFiles = 28 // libwayland's
	b, control := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*maxFiles))
	n, controls, _, _, err := w.conn.ReadMsgUnix(b, control)
	if err != nil {
		return err
	}
	w.in = append(w.in, b[:n]...)
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil {
		return err
	}
	for i := range messages {
		if files, err := unix.ParseUnixRights(&messages[i]); err == nil {
			w.files = append(w.files, files...)
		}
	}
	return nil
}

// text reads a string, "" where there is none.
func text(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	n := int(binary.NativeEndian.Uint32(b))
	if n < 1 || n > len(b)-4 {
		return ""
	}
	return string(b[4 : 4+n-1])
}
