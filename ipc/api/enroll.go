package api

// EnrollRequest sets up the slot of a security key with which the escrow can be opened. Its PIV PIN follows.
type EnrollRequest struct {
	// Plan: do nothing, only say what it would do.
	Plan     bool `json:"plan,omitempty"`
	PINBytes int  `json:"pin_bytes,omitempty"`
}

// Lengths: the PIN.
func (r *EnrollRequest) Lengths() []*int { return []*int{&r.PINBytes} }

// Enrollment is what was done to a security key, or would be.
type Enrollment struct {
	Key Key `json:"key"`
	// Slot is 0x82 to 0x95. Reuse: it is there already, and nothing is written.
	Slot  int  `json:"slot"`
	Reuse bool `json:"reuse"`
	// Recipient, "age1yubikey1…", is the slot's; empty as long as there is none.
	Recipient string `json:"recipient,omitempty"`
	// Steps say in words what will happen and what will not, Warnings what is not well about the key as it is.
	Steps    []string `json:"steps"`
	Warnings []string `json:"warnings,omitempty"`
}
