package softkey

import (
	"bytes"
	"crypto/subtle"

	"github.com/oathd/oathd/hw"
)

const (
	referenceLen = 8 // bytes of a PIN or PUK with its padding
	minPIN       = 6 // of them that are not padding
)

// compare checks a value against r, and counts. The status is 9000, 63CX with the tries left, or 6983
// (SP 800-73-4, part 2, 3.2.1).
func (r *pivReference) compare(value []byte) hw.Status {
	if r.Left == 0 {
		return hw.StatusAuthBlocked
	}
	if subtle.ConstantTimeCompare(r.Value, value) == 1 {
		r.Left = r.Max
		return hw.StatusOK
	}
	r.Left--
	return triesLeft(r.Left)
}

// triesLeft is the status that tells how many tries are left; it has room for 15.
func triesLeft(n int) hw.Status { return 0x63c0 | hw.Status(min(n, 15)) }

// verify answers VERIFY: without data it only tells (part 2, 3.2.1).
func (a *pivApplet) verify(c command) effect {
	if c.params() != slotPIN {
		return fail(statusNoReference)
	}
	switch {
	case len(c.data) > 0:
	case a.verified:
		return done(nil)
	case a.state.PIV.PIN.Left == 0:
		return fail(hw.StatusAuthBlocked)
	default:
		return fail(triesLeft(a.state.PIV.PIN.Left))
	}
	if len(c.data) != referenceLen {
		return fail(hw.StatusWrongLength)
	}
	status := a.state.PIV.PIN.compare(c.data)
	a.verified = status == hw.StatusOK
	return effect{status: status, changed: true}
}

// changeReference answers CHANGE REFERENCE DATA: the old value, then the new one (part 2, 3.2.2).
func (a *pivApplet) changeReference(c command) effect {
	switch c.params() {
	case slotPIN:
		return a.replace(&a.state.PIV.PIN, &a.state.PIV.PIN, c.data)
	case slotPUK:
		return a.replace(&a.state.PIV.PUK, &a.state.PIV.PUK, c.data)
	}
	return fail(statusNoReference)
}

// resetRetry answers RESET RETRY COUNTER: the PUK, then a new PIN (part 2, 3.2.3).
func (a *pivApplet) resetRetry(c command) effect {
	if c.params() != slotPIN {
		return fail(statusNoReference)
	}
	return a.replace(&a.state.PIV.PUK, &a.state.PIV.PIN, c.data)
}

// replace gives a reference the second half of data as its value, if the first half is that of authority.
func (a *pivApplet) replace(authority, reference *pivReference, data []byte) effect {
	if len(data) != 2*referenceLen {
		return fail(hw.StatusWrongLength)
	}
	value := data[referenceLen:]
	if status := authority.compare(data[:referenceLen]); status != hw.StatusOK {
		if authority == &a.state.PIV.PIN {
			a.verified = false
		}
		return effect{status: status, changed: true}
	}
	if !validReference(value) {
		return effect{status: hw.StatusWrongData, changed: true}
	}
	reference.Value, reference.Left = bytes.Clone(value), reference.Max
	return effect{status: hw.StatusOK, changed: true}
}

// validReference reports whether the value is long enough, and padded at its end only.
func validReference(value []byte) bool {
	pin := bytes.TrimRight(value, "\xff")
	return len(pin) >= minPIN && !bytes.Contains(pin, []byte{0xff})
}

// setRetries answers SET PIN RETRIES, which makes PIN and PUK the factory's again.
func (a *pivApplet) setRetries(c command) effect {
	if !a.verified {
		return fail(hw.StatusAuthRequired)
	}
	if c.p1 == 0 || c.p2 == 0 {
		return fail(statusWrongP1P2)
	}
	pin, puk := int(c.p1), int(c.p2)
	a.state.PIV.PIN = pivReference{Value: defaultPIN, Left: pin, Max: pin}
	a.state.PIV.PUK = pivReference{Value: defaultPUK, Left: puk, Max: puk}
	a.verified = false
	return effect{status: hw.StatusOK, changed: true}
}

// reset answers RESET: only where PIN and PUK are both blocked. The attestation key stays.
func (a *pivApplet) reset(command) effect {
	s := a.state.PIV
	if s.PIN.Left > 0 || s.PUK.Left > 0 {
		return fail(hw.StatusConditions)
	}
	a.state.PIV = newPIVState(a.version)
	a.state.PIV.keepAttestor(s)
	a.leave()
	return effect{status: hw.StatusOK, changed: true}
}
