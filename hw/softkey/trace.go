package softkey

import "slices"

// APDU is a command's header, without its data.
type APDU struct{ CLA, INS, P1, P2 byte }

// maxTrace bounds what a key remembers of the past.
const maxTrace = 4096

// trace is the headers of the last commands.
type trace []APDU

func (t *trace) add(apdu []byte) {
	if len(apdu) < 4 {
		return
	}
	if len(*t) == maxTrace {
		*t = append((*t)[:0], (*t)[maxTrace/2:]...)
	}
	*t = append(*t, APDU{apdu[0], apdu[1], apdu[2], apdu[3]})
}

// APDUs returns the headers of the commands that arrived since ForgetAPDUs, the last 2,048 of them at
// least.
func (k *Key) APDUs() []APDU {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone([]APDU(k.trace))
}

// ForgetAPDUs begins a new trace.
func (k *Key) ForgetAPDUs() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trace = nil
}
