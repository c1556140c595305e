package socket

import (
	"net/http"

	"github.com/oathd/oathd/ipc/api"
)

// statuses gives each error code its HTTP status: 4xx where the request, or the state that the user left things in,
// must change; 5xx where the daemon, the key or the machine must. 408 and 425 are avoided because clients repeat
// requests on them, and a code can be used up.
var statuses = map[api.ErrorCode]int{
	api.CodeInternal:      http.StatusInternalServerError,
	api.CodeBadRequest:    http.StatusBadRequest,
	api.CodeForbidden:     http.StatusForbidden,
	api.CodeTooLarge:      http.StatusRequestEntityTooLarge,
	api.CodeNotFound:      http.StatusNotFound,
	api.CodeAmbiguous:     http.StatusConflict,
	api.CodeKeyAbsent:     http.StatusConflict,
	api.CodeKeyRemoved:    http.StatusConflict,
	api.CodeKeyHeld:       http.StatusConflict,
	api.CodeNotAdopted:    http.StatusConflict,
	api.CodeLocked:        http.StatusLocked,
	api.CodeWrongPassword: http.StatusForbidden,
	api.CodeTouchTimeout:  http.StatusGatewayTimeout,
	api.CodeExists:        http.StatusConflict,
	api.CodeExistsSame:    http.StatusConflict,
	api.CodeFull:          http.StatusInsufficientStorage,
	api.CodeNotSupported:  http.StatusUnprocessableEntity,
	api.CodeProofFailed:   http.StatusBadGateway,
	api.CodeLastCopy:      http.StatusConflict,
	api.CodeClock:         http.StatusServiceUnavailable,
	api.CodeNoPCSC:        http.StatusServiceUnavailable,
	api.CodeRefused:       http.StatusServiceUnavailable,
	api.CodeLedger:        http.StatusInternalServerError,
	api.CodeBusy:          http.StatusServiceUnavailable,
	api.CodeCardError:     http.StatusBadGateway,
	api.CodeNoDaemon:      http.StatusServiceUnavailable,
	api.CodeCanceled:      http.StatusServiceUnavailable,
	api.CodeConflict:      http.StatusConflict,
	api.CodeNoEscrow:      http.StatusConflict,
	api.CodeEscrow:        http.StatusConflict,
	api.CodeNoKeyring:     http.StatusServiceUnavailable,
	api.CodePINBlocked:    http.StatusLocked,
	api.CodeAWS:           http.StatusBadGateway,
}

// status returns the HTTP status of an error code.
func status(code api.ErrorCode) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusInternalServerError
}
