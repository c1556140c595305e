package hwtest_test

import (
	"errors"
	"os"
	"testing"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/oath"
)

// enrollName is the name under which this test binary sets up an escrow slot.
const enrollName = "oathd-hwtest-enroll"

func init() {
	if os.Args[0] != enrollName {
		return
	}
	if err := piv.ServeEnroll(os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// TestEscrowSlotAndNeighbours: a program that holds the card shared, as gpg does with pcsc-shared, sees no reset when
// oathd decrypts; only setting up a slot needs the card alone.
func TestEscrowSlotAndNeighbours(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	bay, seen := watch(t)
	key, err := softkey.New(softkey.Options{Serial: 5701299})
	if err != nil {
		t.Fatal(err)
	}
	slot := hwtest.EscrowSlot(t, key, 0x82)
	p.Plug(key, 0)
	inserted := seen.await(t, p.Reader(0))
	session, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Release()
	neighbour, err := session.Connect(p.Reader(0), scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	talk := func() {
		t.Helper()
		if err := neighbour.BeginTransaction(); err != nil {
			t.Fatalf("the neighbour's transaction: %v", err)
		}
		answer, err := neighbour.Transmit([]byte{0, 0xa4, 4, 0, 5, 0xa0, 0, 0, 5, 0x27})
		if err != nil || len(answer) < 2 || answer[len(answer)-2] != 0x90 {
			t.Fatalf("the neighbour's SELECT: %x, %v", answer, err)
		}
		if err := neighbour.EndTransaction(scard.LeaveCard); err != nil {
			t.Fatal(err)
		}
	}
	pin := oath.CopySecret([]byte(hwtest.FactoryPIN))
	defer pin.Wipe()
	talk()
	err = bay.Transact(inserted, func(card hw.Card) error {
		return piv.Use(card, piv.Target{Slot: slot.ID, Point: slot.Point}, pin, func(k *piv.Key) error {
			_, err := k.SharedSecret(slot.Point)
			return err
		})
	})
	if err != nil {
		t.Error(err)
	}
	talk()
	in := piv.Enrollment{Reader: p.Reader(0), Serial: key.Serial(), Slot: 0x83, PIN: pin}
	enroller := piv.Enroller{Args: []string{enrollName}}
	if _, err := enroller.Enroll(t.Context(), in, nil); !errors.Is(err, hw.ErrHeld) {
		t.Errorf("set up while the card is held: %v", err)
	}
	talk()
	if err := neighbour.Disconnect(scard.LeaveCard); err != nil {
		t.Fatal(err)
	}
	if _, err := enroller.Enroll(t.Context(), in, nil); err != nil {
		t.Error(err)
	}
}
