package main

import (
	"strings"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

func TestAttestationWords(t *testing.T) {
	for want, key := range map[string]api.Key{
		"": {},
		"Yubico vouches for it: firmware 5.7.1, serial number 7; its escrow slot asks for PIN and touch": {Attestation: &api.Attestation{Firmware: "5.7.1", Serial: 7, PIN: true, Touch: true}},
		"Yubico vouches for it: firmware 4.3.5; its escrow slot asks for the PIN, and no touch":          {Attestation: &api.Attestation{Firmware: "4.3.5", PIN: true}},
		"Yubico vouches for it: firmware 4.3.5; its escrow slot asks for a touch, and no PIN":            {Attestation: &api.Attestation{Firmware: "4.3.5", Touch: true}},
		"Yubico vouches for it: firmware 4.3.5; its escrow slot asks for neither PIN nor touch":          {Attestation: &api.Attestation{Firmware: "4.3.5"}},
		"nobody known to oathd vouches for it: it is signed by a stranger":                               {Attestation: &api.Attestation{Trouble: "it is signed by a stranger"}},
	} {
		if got := strings.Join(attestationWords(key), "\n"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		key.Soft = true
		if got := attestationWords(key); got != nil {
			t.Errorf("of a soft key: %q", got)
		}
	}
}
