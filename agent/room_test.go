package agent_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

func TestFullKey(t *testing.T) {
	main := newKey(t, softkey.Options{Personality: "yubikey-5.4", Serial: mainSerial})
	r := newRig(t)
	r.adoptNew(main, "main")
	var batch []api.NewAccount
	for n := range 32 {
		batch = append(batch, totp("Service", fmt.Sprint(n)))
	}
	forget(main)
	_, err := r.add(api.AddRequest{Accounts: append(batch, first), Copies: 1})
	if e := wantCode(t, err, api.CodeFull); !strings.Contains(e.Message, "it holds 0 of at most 32") {
		t.Errorf("%q", e.Message)
	}
	untouched(t, r, 1, main)
	report, err := r.add(api.AddRequest{Accounts: batch, Copies: 1})
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if k := r.key("main"); k.Accounts != 32 || k.Capacity != 32 {
		t.Errorf("%+v", k)
	}
	_, err = r.add(api.AddRequest{Accounts: []api.NewAccount{first}, Copies: 1})
	wantCode(t, err, api.CodeFull)
}

// olderBay is a bay of keys that tell a YubiKey's version that is not theirs, of one that holds less.
type olderBay struct{ *softkey.Bay }

func (b olderBay) Transact(slot hw.Slot, work func(hw.Card) error) error {
	return b.Bay.Transact(slot, func(c hw.Card) error { return work(older{c}) })
}

type older struct{ hw.Card }

func (c older) Transmit(command []byte) ([]byte, error) {
	answer, err := c.Card.Transmit(command)
	return bytes.Replace(answer, []byte{0x79, 3, 5, 7, 1}, []byte{0x79, 3, 5, 4, 3}, 1), err
}

// TestKeyOfAnotherMaker: one that holds more than a YubiKey of its version is none, and is not full before it says so.
func TestKeyOfAnotherMaker(t *testing.T) {
	other := newKey(t, softkey.Options{Serial: mainSerial})
	for n := range 33 {
		program{t: t, k: other}.put(totp("Service", fmt.Sprint(n)), "seed of another program", 0)
	}
	r := newRig(t)
	r.options.Bay = olderBay{r.bay}
	r.restart()
	r.adoptNew(other, "main")
	if k := r.key("main"); k.Accounts != 33 || k.Capacity != 0 {
		t.Errorf("%+v", k)
	}
	r.mustAddTo(first, "main")
}
