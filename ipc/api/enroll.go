package api

// EnrollRequest sets up the slot of a security key with which the escrow can be opened. Its PIV PIN follows, and what else is
// named here.
type EnrollRequest struct {
	// Plan: do nothing, only say what it would do. No secret follows then.
	Plan bool `json:"plan,omitempty"`
	// ChangePIN and ChangePUK replace them. Protect replaces the management key by a random one that the key keeps behind the
	// PIN.
	ChangePIN bool `json:"change_pin,omitempty"`
	ChangePUK bool `json:"change_puk,omitempty"`
	Protect   bool `json:"protect,omitempty"`

	PINBytes int `json:"pin_bytes,omitempty"`
	// ManagementKeyBytes is 16, 24 or 32, or 0 for the factory's key or the one that is kept behind the PIN.
	ManagementKeyBytes int `json:"management_key_bytes,omitempty"`
	NewPINBytes        int `json:"new_pin_bytes,omitempty"`
	PUKBytes           int `json:"puk_bytes,omitempty"`
	NewPUKBytes        int `json:"new_puk_bytes,omitempty"`
}

// Lengths: the PIN, the management key, the new PIN, the PUK, the new PUK.
func (r *EnrollRequest) Lengths() []*int {
	return []*int{&r.PINBytes, &r.ManagementKeyBytes, &r.NewPINBytes, &r.PUKBytes, &r.NewPUKBytes}
}

// Enrollment is what was done to a security key, or would be.
type Enrollment struct {
	Key Key `json:"key"`
	// Slot is 0x82 to 0x95. Reuse: it is there already, and stays as it is.
	Slot  int  `json:"slot"`
	Reuse bool `json:"reuse"`
	// Recipient, "age1yubikey1…", is the slot's; empty as long as there is none.
	Recipient string `json:"recipient,omitempty"`
	// Steps say in words what will happen and what will not, Warnings what is not well about the key as it is.
	Steps    []string `json:"steps"`
	Warnings []string `json:"warnings,omitempty"`
}
