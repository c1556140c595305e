package awstest

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"time"
)

const (
	// period is how long a code lasts.
	period = 30
	// window is how many steps a code may be off: some seconds of a clock, and the time to type it.
	window = 1
	// search is how many steps off two consecutive codes are still found.
	search = 20
	// perUser is how many devices a user, or root, can have.
	perUser = 8
)

// device is an MFA device. A virtual one without an owner was made, but not enabled.
type device struct {
	serial string
	// seed is nil for a device that is not virtual.
	seed    []byte
	owner   *owner
	enabled time.Time
	// drift is how many steps the device was off when it was last enabled or synchronized.
	drift int64
	// used is the last step whose code was accepted; neither it nor an earlier one is accepted again.
	used uint64
}

func (d *device) base32() string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(d.seed)
}

// code is that of a step. It is not computed by what it is to test.
func (d *device) code(step uint64) string {
	h := hmac.New(sha1.New, d.seed)
	_ = binary.Write(h, binary.BigEndian, step)
	sum := h.Sum(nil)
	truncated := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", truncated%1_000_000)
}

func stepAt(t time.Time) uint64 { return uint64(t.Unix()) / period }

// accept uses up a code, if it is one of about now that was not used.
func (d *device) accept(code string, now time.Time) bool {
	if d.seed == nil {
		return false
	}
	middle := uint64(int64(stepAt(now)) + d.drift)
	for step := middle - window; step <= middle+window; step++ {
		if step > d.used && d.code(step) == code {
			d.used = step
			return true
		}
	}
	return false
}

// synchronize uses up two consecutive codes, and keeps how far off they are. Such a device is enabled, but out of sync for a right clock:
// "if you wait too long to submit the request, the MFA device becomes out of sync".
func (d *device) synchronize(first, second string, now time.Time) bool {
	for off := range int64(search + 1) {
		for _, drift := range []int64{off, -off} {
			step := uint64(int64(stepAt(now)) + drift)
			if step <= d.used || d.code(step) != first || d.code(step+1) != second {
				continue
			}
			d.used, d.drift = step+1, drift
			if off <= window {
				d.drift = 0
			}
			return true
		}
	}
	return false
}
