package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/oath"
)

// gate is a key behind pcscd, in the place of which another can be put, and whose commands pass the daemon's fate, from the PIN on: what
// comes before it changes nothing.
type gate struct {
	mu   sync.Mutex
	key  *softkey.Key
	fate *fate
	open bool
	// alone says that the process which sets up the slot is not killed with the daemon.
	alone bool
}

// put puts another key there, for a daemon that does not run yet.
func (g *gate) put(k *softkey.Key, alone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k.Power(true)
	g.key, g.fate, g.open, g.alone = k, nil, false, alone
}

// guard begins to count for a fate; nil ends that.
func (g *gate) guard(f *fate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fate, g.open = f, false
}

func (g *gate) ATR() []byte {
	k, _ := g.now(nil)
	return k.ATR()
}

func (g *gate) Power(on bool) {
	k, _ := g.now(nil)
	k.Power(on)
}

// now returns the key, and the fate that a command has to pass, if any.
func (g *gate) now(command []byte) (*softkey.Key, *fate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	const verify = 0x20
	g.open = g.open || len(command) > 5 && command[1] == verify
	if !g.open {
		return g.key, nil
	}
	return g.key, g.fate
}

// Transmit gives a command to the key. One whose sender was killed gets no further, and no answer that means anything.
func (g *gate) Transmit(command []byte) ([]byte, error) {
	k, f := g.now(command)
	if f != nil && !f.pass() && !g.alone {
		return []byte{0x6f, 0}, nil
	}
	answer, err := k.Transmit(command)
	if f != nil && !f.pass() && !g.alone {
		return []byte{0x6f, 0}, nil
	}
	return answer, err
}

// enrolling is a daemon at a real pcscd, whose key spare is to be enrolled.
type enrolling struct {
	*scene
	gate    *gate
	foreign string
}

// newEnrolling begins with a new key of the stage, in one slot of which is what another program made.
func newEnrolling(t *testing.T, p *hwtest.PCSCD, g *gate, alone bool) *enrolling {
	t.Helper()
	stage := adopted(t)
	k, err := stage.keys["spare"].Clone()
	if err != nil {
		t.Fatal(err)
	}
	hwtest.EscrowSlot(t, k, 0x83, "somebody else")
	g.put(k, alone)
	e := &enrolling{gate: g, foreign: slot83(t, k)}
	e.scene = &scene{daemon: prepare(t, mortals(t, true), p.Env()), stage: stage, bay: softkey.NewBay(), keys: map[string]*softkey.Key{"spare": k}}
	e.group = !alone
	e.env = append(e.env, "MORTAL_SOCKET="+filepath.Join(e.dir, "mortal"))
	write(t, e.ledger(), stage.ledger)
	t.Cleanup(func() { e.leave(syscall.SIGKILL) })
	e.start()
	return e
}

// start runs the daemon until it knows the key.
func (e *enrolling) start() {
	e.gate.guard(nil)
	e.wake()
	e.present("spare")
	e.gate.guard(e.fate)
}

// slot83 reads the certificate and the metadata of another program's slot.
func slot83(t testing.TB, k *softkey.Key) string {
	t.Helper()
	link := hw.Link{Card: k, MoreINS: 0xc0}
	_, err := link.Exchange(hw.SelectCommand(piv.AID))
	object, errObject := link.Exchange(hw.Command{INS: 0xcb, P1: 0x3f, P2: 0xff, Data: tlv.Append(nil, 0x5c, 0x5f, 0xc1, 0x0e)})
	metadata, errMetadata := link.Exchange(hw.Command{INS: 0xf7, P2: 0x83})
	if err := errors.Join(err, errObject, errMetadata); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x, %x", object, metadata)
}

func (e *enrolling) enroll() error {
	pin := oath.TakeSecret([]byte(hwtest.FactoryPIN))
	defer pin.Wipe()
	enrolled, err := e.client.Enroll(e.t.Context(), "spare", api.EnrollRequest{}, client.EnrollSecrets{PIN: pin})
	if err == nil && enrolled.Recipient == "" {
		err = fmt.Errorf("nothing can be encrypted to it: %+v", enrolled)
	}
	return err
}

// works makes an escrow that the slot opens, and opens it; and sees that all that is another program's is as it was.
func (e *enrolling) works() error {
	ctx := e.t.Context()
	_, page, err := e.client.EscrowInit(ctx, api.EscrowInitRequest{Keys: []string{"spare"}, Recovery: "paper"}, nil)
	page.Wipe()
	if err != nil {
		return err
	}
	pin := oath.TakeSecret([]byte(hwtest.FactoryPIN))
	defer pin.Wipe()
	if _, err := e.client.EscrowDrill(ctx, api.EscrowDrillRequest{Opener: api.Opener{By: api.OpenPIV, Key: "spare"}}, pin); err != nil {
		return err
	}
	log, err := e.client.Audit(ctx)
	if err != nil || !log.Intact {
		return fmt.Errorf("the audit log is intact: %t, %w", log.Intact, err)
	}
	e.leave(syscall.SIGTERM)
	k := e.keys["spare"]
	k.Power(true)
	if slot83(e.t, k) != e.foreign || answers(e.t, k)["Foreign:spare"] != e.stage.foreign["spare"] {
		return errors.New("what another program left on the key is not as it was")
	}
	return nil
}

// TestKilledEnrolling kills the daemon at every command to the key from the PIN on, and around every commit; by turns with the process
// that sets up the escrow slot for it, and without.
func TestKilledEnrolling(t *testing.T) {
	t.Parallel()
	p := hwtest.StartPCSCD(t, 1)
	g := &gate{key: adopted(t).keys["spare"]}
	p.Plug(g, 0)
	e := newEnrolling(t, p, g, false)
	points, _, err := e.attempt(0, e.enroll)
	if err != nil {
		t.Fatal(err)
	}
	e.expect(e.works())
	var killed atomic.Int32
	for n := 1; n <= points; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			e := newEnrolling(t, p, g, n/2%2 == 0)
			_, dead, err := e.attempt(n, e.enroll)
			if !dead {
				t.Fatalf("it took a shorter way: %v", err)
			}
			killed.Add(1)
			e.leave(syscall.SIGKILL)
			e.start()
			e.expect(e.enroll(), e.works())
		})
	}
	t.Logf("killed at %d points", killed.Load())
}
