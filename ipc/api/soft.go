package api

// SoftMove is what a hand can do to a key.
type SoftMove string

// The moves of POST /v1/soft/{serial}/{move}.
const (
	SoftPull  SoftMove = "pull"
	SoftPlug  SoftMove = "plug"
	SoftTouch SoftMove = "touch"
)

// SoftKey is one of the soft keys that a daemon started with --soft-keys carries.
type SoftKey struct {
	Serial      uint32 `json:"serial"`
	Personality string `json:"personality"`
	// Plugged says that it is plugged in.
	Plugged bool `json:"plugged"`
}

// SoftKeys answers GET /v1/soft and every move.
type SoftKeys struct {
	Keys []SoftKey `json:"keys"`
}
