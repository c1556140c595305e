// Package vpcd plugs a card that is a program into a real pcscd, through the virtual reader of
// vsmartcard (https://frankmorgner.github.io/vsmartcard/virtualsmartcard/api.html): to pcscd, and to
// every program that uses it, it is a card in a reader.
//
// On the wire each message is a length of two bytes, big endian, and a body. A body of one byte from the
// reader is a control: power off, power on, reset (none is answered) or "what is the ATR", which is
// also how the reader finds out that the card is there. All else is a command APDU. Connecting is
// inserting the card, closing is pulling it out.
package vpcd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/oathd/oathd/hw"
)

// Card is what can be plugged in. Power is called between commands, and may be called with false in
// the middle of a Transmit, which has to end then.
type Card interface {
	hw.Card
	ATR() []byte
	Power(on bool)
}

// The controls (vsmartcard, virtualsmartcard/src/vpcd/vpcd.h).
const (
	controlOff   = 0
	controlOn    = 1
	controlReset = 2
	controlATR   = 4
)

// statusNoDiagnosis answers a command whose card failed in a way that the wire has no word for.
const statusNoDiagnosis hw.Status = 0x6f00

// ErrMalformed says that what came over the connection is not vpcd's language.
var ErrMalformed = errors.New("malformed message from the virtual reader")

// Serve inserts card into the virtual reader that listens on addr (host:port), and answers for it
// until ctx ends; see ServeConn.
func Serve(ctx context.Context, addr string, card Card) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot reach the virtual reader: %w", err)
	}
	return ServeConn(ctx, conn, card)
}

// ServeConn inserts card into the virtual reader at the other end of conn, and answers for it until
// ctx ends; it then pulls the card out and returns nil. If the reader ends the connection, it returns
// an error that wraps io.EOF or the network's; if the card says that it is gone, one that wraps
// hw.ErrRemoved. When it returns, the connection is closed and the card is without power.
func ServeConn(ctx context.Context, conn net.Conn, card Card) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err := serve(acknowledging(conn), card)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("the connection to the virtual reader at %s ended: %w", conn.RemoteAddr(), err)
}

// serve answers until the connection or the card ends, and says which. One goroutine reads, so that
// a connection that ends in the middle of a touch ends the touch.
func serve(conn net.Conn, card Card) error {
	messages := make(chan []byte)
	var (
		reader  sync.WaitGroup
		readErr error
	)
	reader.Go(func() {
		defer close(messages)
		readErr = read(conn, messages)
		card.Power(false)
	})
	err := answerAll(conn, card, messages)
	_ = conn.Close()
	for range messages { // lets the reader go on to the closed connection
	}
	reader.Wait()
	if err == nil {
		err = readErr
	}
	return err
}

// read hands on each message until the connection ends.
func read(conn net.Conn, messages chan<- []byte) error {
	for {
		body, err := readMessage(conn)
		if err != nil {
			return err
		}
		messages <- body
	}
}

func answerAll(conn net.Conn, card Card, messages <-chan []byte) error {
	for body := range messages {
		answer, err := handle(card, body)
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		if err := writeMessage(conn, answer); err != nil {
			return err
		}
	}
	return nil
}

// handle returns the answer to one message, nil if it has none.
func handle(card Card, body []byte) ([]byte, error) {
	if len(body) == 1 {
		return control(card, body[0])
	}
	answer, err := card.Transmit(body)
	switch {
	case errors.Is(err, hw.ErrRemoved):
		return nil, err
	case err != nil:
		return binary.BigEndian.AppendUint16(nil, uint16(statusNoDiagnosis)), nil
	case answer == nil:
		return []byte{}, nil
	}
	return answer, nil
}

func control(card Card, code byte) ([]byte, error) {
	switch code {
	case controlOff:
		card.Power(false)
	case controlOn:
		card.Power(true)
	case controlReset:
		card.Power(false)
		card.Power(true)
	case controlATR:
		return card.ATR(), nil
	default:
		return nil, fmt.Errorf("%w: control %d", ErrMalformed, code)
	}
	return nil, nil
}

func readMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint16(length[:]))
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrMalformed)
	}
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("%w: it ends after its length: %w", ErrMalformed, err)
	}
	return body, nil
}

// writeMessage sends length and body in one piece.
func writeMessage(w io.Writer, body []byte) error {
	if len(body) > 0xffff {
		return fmt.Errorf("%w: an answer of %d bytes", hw.ErrMalformed, len(body))
	}
	message := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(body)), uint16(len(body)))
	_, err := w.Write(append(message, body...))
	return err
}
