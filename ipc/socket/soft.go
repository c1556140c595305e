package socket

import (
	"context"
	"net/http"
	"strconv"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// Soft stands for the hands that move the soft keys of a daemon that carries its own.
type Soft interface {
	// List tells of all of them, pulled ones too.
	List() []api.SoftKey
	// Move pulls, plugs or touches the one with that serial; api.CodeNotFound if there is none.
	Move(serial uint32, move api.SoftMove) error
}

func softRoutes(s Soft) []route {
	list := func(*http.Request) (api.SoftKeys, error) { return api.SoftKeys{Keys: s.List()}, nil }
	return []route{
		{"GET /v1/soft", get(list)},
		{"POST /v1/soft/{name}/pull", named(moved(s, api.SoftPull))},
		{"POST /v1/soft/{name}/plug", named(moved(s, api.SoftPlug))},
		{"POST /v1/soft/{name}/touch", named(moved(s, api.SoftTouch))},
	}
}

func moved(s Soft, move api.SoftMove) func(context.Context, agent.Caller, string, struct{}) (api.SoftKeys, error) {
	return func(_ context.Context, _ agent.Caller, name string, _ struct{}) (api.SoftKeys, error) {
		serial, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return api.SoftKeys{}, badRequest("%q is not a serial number", name)
		}
		err = s.Move(uint32(serial), move)
		return api.SoftKeys{Keys: s.List()}, err
	}
}
