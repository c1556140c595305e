package pcsc

// The protocol T=0 carries either a command's data or its answer, so a program has to ask for the second by itself
// (ISO/IEC 7816-3, section 12.2; PC/SC part 3). Keys on USB speak T=1; this is for cards in readers.

const (
	headerLen      = 5 // CLA INS P1 P2 and the length of the data
	insGetResponse = 0xc0
	statusMore     = 0x61
)

// exchangeT0 sends a command APDU as T=0 wants it: without the expected length if there are data, and with a GET RESPONSE
// for the answer. A part of an answer that comes with 61xx behind it is the applet's affair, and left to the caller.
func exchangeT0(command []byte, send func([]byte) ([]byte, error)) ([]byte, error) {
	if len(command) > headerLen && len(command) == headerLen+int(command[4])+1 {
		command = command[:len(command)-1]
	}
	answer, err := send(command)
	if err == nil && len(command) > headerLen && len(answer) == 2 && answer[0] == statusMore {
		return send([]byte{0, insGetResponse, 0, 0, answer[1]})
	}
	return answer, err
}
