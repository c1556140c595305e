package e2e

import (
	"errors"
	"fmt"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// leaving says how a key leaves at the commands that matter, by their instruction (SP 800-73-4, part 2): where it changes, it has done so
// and does not answer.
var leaving = map[byte]softkey.FaultKind{
	0x20: softkey.FaultPulled, // VERIFY
	0x87: softkey.FaultPulled, // GENERAL AUTHENTICATE: the management key, and the touch
	0x47: softkey.FaultDies,   // GENERATE ASYMMETRIC KEY PAIR
	0xdb: softkey.FaultDies,   // PUT DATA
}

// TestPulledEnrolling pulls a key out while it is enrolled. Plugged in again, into another reader, it is enrolled by the same command.
func TestPulledEnrolling(t *testing.T) {
	t.Parallel()
	const entries = 3
	p := hwtest.StartPCSCD(t, entries)
	slot := 0
	plug := func(g *gate) (pull func()) {
		slot++
		return p.Plug(g, slot%(2*entries))
	}
	g := &gate{key: adopted(t).keys["spare"]}
	pull := plug(g)
	commands := newEnrolling(t, p, g, true).commands()
	pull()
	tried := map[byte]int{}
	for n, c := range commands {
		kind, matters := leaving[c.INS]
		if !matters {
			continue
		}
		tried[c.INS]++
		t.Run(fmt.Sprintf("%d, %02x", n, c.INS), func(t *testing.T) {
			g := &gate{key: adopted(t).keys["spare"]}
			pull := plug(g)
			e := newEnrolling(t, p, g, true)
			k := e.keys["spare"]
			k.Fail(softkey.Fault{Kind: kind, After: n})
			err := e.enroll()
			if refused, ok := errors.AsType[*api.Error](err); !ok || refused.Code != api.CodeKeyRemoved || refused.Hint == "" {
				t.Errorf("%v, %+v", err, refused)
			}
			pull()
			e.present()
			k.Heal()
			defer plug(g)()
			e.present("spare")
			e.expect(e.enroll(), e.works())
		})
	}
	if t.Logf("pulled out at %v", tried); len(tried) != len(leaving) {
		t.Errorf("of %d kinds of commands, %d came", len(leaving), len(tried))
	}
}

// commands are those of an enrollment that is left in peace.
func (e *enrolling) commands() []softkey.APDU {
	k := e.keys["spare"]
	k.ForgetAPDUs()
	err := e.enroll()
	commands := k.APDUs()
	e.expect(err, e.works())
	return commands
}
