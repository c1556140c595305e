package pcsc

// #cgo pkg-config: libpcsclite
// #include <stdlib.h>
// #include <winscard.h>
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/ebfe/scard"
)

// The way of a code is spoken without the binding ebfe/scard, which makes a buffer of 64 KiB for each command: pages that the
// kernel has to clear took longer than what the daemon does itself.

// session is a PC/SC context. It serves one call at a time.
type session struct {
	context C.SCARDCONTEXT
	// answer is where the answers of cards are received: there is one at a time.
	answer [C.MAX_BUFFER_SIZE_EXTENDED]byte
}

// result is a call's error, as the binding has it.
func result(code C.LONG) error {
	if code == C.SCARD_S_SUCCESS {
		return nil
	}
	return scard.Error(uint32(code))
}

func newSession() (*session, error) {
	s := new(session)
	if err := result(C.SCardEstablishContext(C.SCARD_SCOPE_SYSTEM, nil, nil, &s.context)); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *session) release() error { return result(C.SCardReleaseContext(s.context)) }

// card is a shared connection to a card, good for one goroutine.
type card struct {
	handle   C.SCARDHANDLE
	protocol C.DWORD
	buffer   []byte
}

// connect opens the card in a reader.
func (s *session) connect(reader string) (*card, error) {
	name := C.CString(reader)
	defer C.free(unsafe.Pointer(name))
	c := &card{buffer: s.answer[:]}
	err := result(C.SCardConnect(s.context, name, C.SCARD_SHARE_SHARED, C.SCARD_PROTOCOL_ANY, &c.handle, &c.protocol))
	return c, err
}

func (c *card) reconnect() error {
	return result(C.SCardReconnect(c.handle, C.SCARD_SHARE_SHARED, C.SCARD_PROTOCOL_ANY, C.SCARD_LEAVE_CARD, &c.protocol))
}

// again goes on with a card that was reset, in a transaction. If there was one already it is the same.
func (c *card) again() error {
	if err := c.reconnect(); err != nil {
		return err
	}
	return c.begin()
}

func (c *card) begin() error { return result(C.SCardBeginTransaction(c.handle)) }

// end leaves the card as it is, as disconnect does.
func (c *card) end() error { return result(C.SCardEndTransaction(c.handle, C.SCARD_LEAVE_CARD)) }

func (c *card) disconnect() error { return result(C.SCardDisconnect(c.handle, C.SCARD_LEAVE_CARD)) }

// counter is pcscd's count of what was plugged into the reader and pulled out of it.
func (c *card) counter() (uint16, error) {
	var state C.DWORD
	if err := result(C.SCardStatus(c.handle, nil, nil, &state, nil, nil, nil)); err != nil {
		return 0, err
	}
	return counterOf(uint32(state)), nil
}

// transmit sends a command, which is not empty, and returns the answer, which is good until the next.
func (c *card) transmit(command []byte) ([]byte, error) {
	if c.protocol == C.SCARD_PROTOCOL_T0 {
		return exchangeT0(command, c.send)
	}
	return c.send(command)
}

// send is transmit without what the protocol adds.
func (c *card) send(command []byte) ([]byte, error) {
	var header *C.SCARD_IO_REQUEST
	switch c.protocol {
	case C.SCARD_PROTOCOL_T0:
		header = &C.g_rgSCardT0Pci
	case C.SCARD_PROTOCOL_T1:
		header = &C.g_rgSCardT1Pci
	default:
		return nil, fmt.Errorf("the card speaks neither T=0 nor T=1 (protocol %d)", c.protocol)
	}
	length := C.DWORD(len(c.buffer))
	err := result(C.SCardTransmit(c.handle, header, (*C.BYTE)(&command[0]), C.DWORD(len(command)), nil, (*C.BYTE)(&c.buffer[0]), &length))
	if err != nil {
		return nil, err
	}
	return c.buffer[:length], nil
}
