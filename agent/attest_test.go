package agent_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// softMakers believes those who make soft keys.
func softMakers() *x509.CertPool {
	makers := x509.NewCertPool()
	makers.AddCert(softkey.AttestationCA())
	return makers
}

// insertOnly plugs a key in, waits until it was looked at, and returns its id.
func (r *rig) insertOnly(k *softkey.Key) string {
	r.t.Helper()
	r.bay.Insert(k)
	return r.await(api.EventKeyIn).Key
}

func TestAttestationAtAdoption(t *testing.T) {
	enrolled := func(o softkey.Options) *softkey.Key {
		k := newKey(t, o)
		hwtest.EscrowSlot(t, k, 0x82)
		return k
	}
	vouched := api.Attestation{Serial: mainSerial, Firmware: "5.7.1", PIN: true, Touch: true}
	for name, test := range map[string]struct {
		key    *softkey.Key
		makers *x509.CertPool
		want   func(*api.Attestation) bool
	}{
		"vouched for":    {enrolled(softkey.Options{Serial: mainSerial}), softMakers(), func(a *api.Attestation) bool { return a != nil && *a == vouched }},
		"by somebody":    {enrolled(softkey.Options{Serial: mainSerial}), nil, func(a *api.Attestation) bool { return a != nil && a.Trouble != "" && a.Serial == 0 }},
		"no escrow slot": {newKey(t, softkey.Options{Serial: mainSerial}), softMakers(), func(a *api.Attestation) bool { return a == nil }},
		"no PIV":         {newKey(t, softkey.Options{Serial: mainSerial, Personality: "nitrokey-3"}), softMakers(), func(a *api.Attestation) bool { return a == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigWith(t, agent.Options{Attestors: test.makers})
			key, err := r.Adopt(t.Context(), tester, r.insertOnly(test.key), api.AdoptRequest{Label: "main"})
			if err != nil || !test.want(key.Attestation) {
				t.Errorf("%v, %+v", err, key.Attestation)
			}
			if shown := r.key("main"); shown.Attestation != nil {
				t.Error("it is told again without being asked for")
			}
		})
	}
}

// A key that shows the serial number of another than its maker signed is not adopted.
func TestAttestationOfAnotherKey(t *testing.T) {
	const readConfig = 0x1d
	k := newKey(t, softkey.Options{Serial: mainSerial})
	hwtest.EscrowSlot(t, k, 0x82)
	told, pretended := binary.BigEndian.AppendUint32(nil, mainSerial), binary.BigEndian.AppendUint32(nil, mainSerial+1)
	k.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: readConfig, Answer: func(answer []byte) []byte {
		return bytes.Replace(answer, told, pretended, 1)
	}})
	r := newRigWith(t, agent.Options{Attestors: softMakers()})
	_, err := r.Adopt(t.Context(), tester, r.insertOnly(k), api.AdoptRequest{Label: "main"})
	wantCode(t, err, api.CodeProofFailed)
	for _, k := range r.Keys() {
		if k.State == api.KeyAdopted {
			t.Errorf("it is adopted: %+v", k)
		}
	}
}

// Who gives up while the key vouches has adopted nothing.
func TestAttestationThatNobodyWaitsFor(t *testing.T) {
	const attest = 0xf9
	k := newKey(t, softkey.Options{Serial: mainSerial})
	hwtest.EscrowSlot(t, k, 0x82)
	ctx, stop := context.WithCancel(t.Context())
	k.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: attest, Answer: func(answer []byte) []byte {
		stop()
		return answer
	}})
	r := newRigWith(t, agent.Options{Attestors: softMakers()})
	_, err := r.Adopt(ctx, tester, r.insertOnly(k), api.AdoptRequest{Label: "main"})
	wantCode(t, err, api.CodeCanceled)
	if k := r.Keys()[0]; k.State != api.KeySeen {
		t.Errorf("it is %s", k.State)
	}
}

// A key with two escrow slots vouches for the one that is enrolled.
func TestAttestationOfTheEnrolledSlot(t *testing.T) {
	k := newKey(t, softkey.Options{Serial: mainSerial})
	hwtest.EscrowSlot(t, k, 0x82)
	second := hwtest.EscrowSlot(t, k, 0x83)
	r := newRigWith(t, agent.Options{Attestors: softMakers(), Enroller: &fakeEnroller{slot: second}})
	r.adoptNew(k, "main")
	e, err := r.Enroll(t.Context(), tester, "main", api.EnrollRequest{}, enrolling("123456"))
	if err != nil || e.Key.Attestation == nil || e.Key.Attestation.Trouble != "" {
		t.Errorf("%v, %+v", err, e.Key.Attestation)
	}
}
