package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw"
)

// mortalBay returns a bay whose keys are in the process of a test, and outlive this one; or, where the test has its
// keys behind pcscd, the bay that is given.
func mortalBay(real agent.Bay) agent.Bay {
	if os.Getenv("MORTAL_BAY") == "" {
		return real
	}
	return remoteBay{}
}

type remoteBay struct{}

// begin begins a conversation with the test: a packet for each command, and one for each answer.
func (remoteBay) begin(about any) (net.Conn, error) {
	c, err := net.Dial("unixpacket", os.Getenv("MORTAL_SOCKET"))
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(about)
	if err == nil {
		_, err = c.Write(b)
	}
	return c, err
}

func (b remoteBay) Watch(ctx context.Context, report func(hw.Inventory)) error {
	c, err := b.begin("watch")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	for packet := make([]byte, 1<<16); ; {
		n, err := c.Read(packet)
		if ctx.Err() != nil {
			return nil
		}
		var slots []hw.Slot
		if err == nil {
			err = json.Unmarshal(packet[:n], &slots)
		}
		if err != nil {
			return err
		}
		report(hw.Inventory{Slots: slots, Readers: len(slots)})
	}
}

func (b remoteBay) Transact(slot hw.Slot, work func(hw.Card) error) error {
	c, err := b.begin(slot)
	if err != nil {
		return err
	}
	defer c.Close()
	return work(remoteCard{c})
}

type remoteCard struct{ io.ReadWriter }

func (c remoteCard) Transmit(command []byte) ([]byte, error) {
	if _, err := c.Write(command); err != nil {
		return nil, hw.ErrRemoved
	}
	answer := make([]byte, 1<<16)
	n, err := c.Read(answer)
	if err != nil {
		return nil, hw.ErrRemoved
	}
	return answer[:n], nil
}
