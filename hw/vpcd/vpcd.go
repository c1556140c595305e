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
	card.Power(false) // the last command may have given it power again
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
	s := seat{card: card}
	for body := range messages {
		answer, err := s.handle(body)
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

// seat is where the card is in the reader.
type seat struct {
	card Card
	// off: the reader took power away.
	off bool
}

// power takes power away from the card, or gives it.
func (s *seat) power(on bool) {
	s.off = !on
	s.card.Power(on)
}

// handle returns the answer to one message, nil if it has none. A card that is sent a command without power gets it: pcscd takes power away
// for one program and gives it anew, and in between it sends what another program asks for (SCARD_UNPOWER_CARD, seen with 1.9.9). The wire has no
// word for a card that is there and does not answer.
func (s *seat) handle(body []byte) ([]byte, error) {
	if len(body) == 1 {
		return s.control(body[0])
	}
	if s.off {
		s.power(true)
	}
	answer, err := s.card.Transmit(body)
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

func (s *seat) control(code byte) ([]byte, error) {
	switch code {
	case controlOff:
		s.power(false)
	case controlOn:
		s.power(true)
	case controlReset:
		s.power(false)
		s.power(true)
	case controlATR:
		return s.card.ATR(), nil
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
