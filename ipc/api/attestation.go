package api

// Attestation is what Yubico's signature says of a key and of its escrow slot (PIV attestation).
type Attestation struct {
	// Trouble says in words why the signature is not to be believed; then nothing else is told.
	Trouble string `json:"trouble,omitempty"`
	// Serial is 0 where it is not told.
	Serial   uint32 `json:"serial,omitempty"`
	Firmware string `json:"firmware,omitempty"`
	// PIN and Touch say whether the slot asks for them.
	PIN   bool `json:"pin"`
	Touch bool `json:"touch"`
}
