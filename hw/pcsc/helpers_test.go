package pcsc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/pcsc"
)

// patience is how long a test waits for something that takes pcscd half a second.
const patience = time.Minute

// usbATR is a YubiKey 5's.
var usbATR = []byte{0x3b, 0xfd, 0x13, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x15, 0x80, 0x73, 0xc0, 0x21, 0xc0, 0x57, 0x59, 0x75, 0x62, 0x69, 0x4b, 0x65, 0x79, 0x40}

// echo is a card that answers each command with itself and 9000, or as answer says.
type echo struct {
	commands atomic.Int32
	answer   func(command []byte) ([]byte, error)
}

func (c *echo) ATR() []byte { return usbATR }
func (c *echo) Power(bool)  {}
func (c *echo) Transmit(command []byte) ([]byte, error) {
	c.commands.Add(1)
	if c.answer != nil {
		return c.answer(command)
	}
	return append(bytes.Clone(command), 0x90, 0x00), nil
}

// eyes are a running Watch.
type eyes struct {
	*pcsc.Bay
	inventories chan hw.Inventory
	stop        func() error
}

// watch opens the eyes for as long as the test runs.
func watch(t testing.TB) *eyes {
	t.Helper()
	e := &eyes{Bay: pcsc.New(slog.New(slog.DiscardHandler)), inventories: make(chan hw.Inventory, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Watch(ctx, func(inventory hw.Inventory) { e.inventories <- inventory }) }()
	e.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return errors.New("Watch does not end")
		}
	})
	t.Cleanup(func() {
		if err := e.stop(); err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return e
}

// until waits for an inventory of which good is true.
func (e *eyes) until(t testing.TB, what string, good func(hw.Inventory) bool) hw.Inventory {
	t.Helper()
	late := time.After(patience)
	var last hw.Inventory
	for {
		select {
		case last = <-e.inventories:
			if good(last) {
				return last
			}
		case <-late:
			t.Fatalf("never seen: %s; last seen: %+v", what, last)
		}
	}
}

func (e *eyes) untilSlots(t testing.TB, n int) []hw.Slot {
	t.Helper()
	return e.until(t, fmt.Sprintf("%d keys", n), func(i hw.Inventory) bool { return i.Trouble == nil && len(i.Slots) == n }).Slots
}

func (e *eyes) untilTrouble(t testing.TB) error {
	t.Helper()
	return e.until(t, "trouble", func(i hw.Inventory) bool { return i.Trouble != nil }).Trouble
}

// ping sends one command to the key in the slot.
func (e *eyes) ping(slot hw.Slot) error {
	return e.Transact(slot, func(card hw.Card) error {
		answer, err := card.Transmit([]byte{0, 1, 2, 3})
		if err == nil && !bytes.Equal(answer, []byte{0, 1, 2, 3, 0x90, 0x00}) {
			err = fmt.Errorf("got %X", answer)
		}
		return err
	})
}

func mustPing(t testing.TB, e *eyes, slot hw.Slot) {
	t.Helper()
	if err := e.ping(slot); err != nil {
		t.Fatal(err)
	}
}

// neighbour is another program's connection to the key in a reader.
func neighbour(t testing.TB, reader string, mode scard.ShareMode) *scard.Card {
	t.Helper()
	session, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Release() })
	card, err := session.Connect(reader, mode, scard.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// check ends the test if a call that a neighbour makes fails.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refuse answers each client's version message (winscard_msg.h, struct rxHeader and struct version_struct) with the
// same version and an error, but hangs up on the first two.
func refuse(listener net.Listener) {
	for n := 0; ; n++ {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		if n < 2 {
			client.Close()
			continue
		}
		message := make([]byte, 8+12)
		if _, err := io.ReadFull(client, message); err == nil {
			binary.NativeEndian.PutUint32(message[16:], uint32(scard.ErrSecurityViolation))
			_, _ = client.Write(message[8:])
		}
		client.Close()
	}
}

// eavesdrop puts itself between this process's libpcsclite and pcscd, and counts the bytes that are sent to pcscd.
func eavesdrop(t testing.TB, socket string) *atomic.Int64 {
	t.Helper()
	dir := t.TempDir()
	check(t, os.Remove(hwtest.UseLink()))
	check(t, os.Symlink(dir, hwtest.UseLink()))
	listener, err := net.Listen("unix", filepath.Join(dir, filepath.Base(socket)))
	check(t, err)
	var sent atomic.Int64
	var relays sync.WaitGroup
	relays.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			relays.Go(func() { relay(client, socket, &sent) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		relays.Wait()
	})
	return &sent
}

// relay carries bytes both ways until either side ends.
func relay(client net.Conn, socket string, sent *atomic.Int64) {
	server, err := net.Dial("unix", socket)
	if err != nil {
		client.Close()
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		client.Close()
	})
	_, _ = io.Copy(io.MultiWriter(server, counter{sent}), client)
	server.Close()
	back.Wait()
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

var counted = regexp.MustCompile(`(?m)^(?:non)?voluntary_ctxt_switches:\s+(\d+)`)

// switches counts the context switches of all threads.
func switches(t testing.TB) (sum int) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/status")
	check(t, err)
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, match := range counted.FindAllSubmatch(status, -1) {
			n, err := strconv.Atoi(string(match[1]))
			check(t, err)
			sum += n
		}
	}
	return sum
}

func threadCount(t testing.TB) int {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	check(t, err)
	return len(threads)
}
