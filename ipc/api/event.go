package api

import "time"

// EventKind says what an Event tells.
type EventKind string

// The events. None carries a code.
const (
	EventKeyIn        EventKind = "key_in"
	EventKeyOut       EventKind = "key_out"
	EventKeyChanged   EventKind = "key_changed"
	EventTouchWanted  EventKind = "touch_wanted"
	EventTouchDone    EventKind = "touch_done"
	EventAccounts     EventKind = "accounts_changed"
	EventMismatch     EventKind = "copy_mismatch"
	EventTrouble      EventKind = "trouble"
	EventTroubleOver  EventKind = "trouble_over"
	EventSkipped      EventKind = "skipped" // the reader was too slow; Skipped says how many it missed
	EventHoldToReader EventKind = "hold_to_reader"
)

// Event is one line of the event stream.
type Event struct {
	Seq      uint64    `json:"seq"`
	At       time.Time `json:"at"`
	Kind     EventKind `json:"kind"`
	Key      string    `json:"key,omitempty"`
	KeyLabel string    `json:"key_label,omitempty"`
	Account  string    `json:"account,omitempty"`
	Label    string    `json:"label,omitempty"`
	// Waiting names everyone who waits, with EventTouchWanted.
	Waiting []string `json:"waiting,omitempty"`
	Message string   `json:"message,omitempty"`
	Skipped uint64   `json:"skipped,omitempty"`
}
