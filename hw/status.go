package hw

import "fmt"

// Status is the status word of a response (ISO/IEC 7816-4, section 5.6). As an error it is kept
// as the card sent it; what it means depends on the applet and the command, so the applets' packages wrap
// it into their meanings.
type Status uint16

// The status words that this project meets (sources in the comments of the packages that use them).
const (
	StatusOK                 Status = 0x9000
	StatusNoSpaceNEO         Status = 0x6f00
	StatusMemory             Status = 0x6581
	StatusWrongLength        Status = 0x6700
	StatusAuthRequired       Status = 0x6982
	StatusAuthBlocked        Status = 0x6983
	StatusDataInvalid        Status = 0x6984
	StatusConditions         Status = 0x6985
	StatusAppletSelectFailed Status = 0x6999
	StatusWrongData          Status = 0x6a80
	StatusNotSupported       Status = 0x6a81
	StatusFileNotFound       Status = 0x6a82
	StatusNoSpace            Status = 0x6a84
	StatusWrongParams        Status = 0x6b00
	StatusInsUnknown         Status = 0x6d00
)

// Error names the status word in hexadecimal.
func (s Status) Error() string { return fmt.Sprintf("status word %04X", uint16(s)) }

// More returns the number of bytes that a 61xx says are still to be fetched, 256 for 6100, and
// whether it is a 61xx at all.
func (s Status) More() (int, bool) {
	if s>>8 != 0x61 {
		return 0, false
	}
	if n := int(s & 0xff); n > 0 {
		return n, true
	}
	return 256, true
}

// Exact returns the expected length with which a command is to be repeated, and whether s is a 6Cxx at all
// (ISO/IEC 7816-4, section 5.6).
func (s Status) Exact() (byte, bool) { return byte(s), s>>8 == 0x6c }
