package agent_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

func TestAdopt(t *testing.T) {
	main := newKey(t, softkey.Options{Serial: mainSerial})
	program{t: t, k: main}.put(first, seedA, 0)
	r := newRig(t, main)
	seen := r.key("1000001")
	if seen.State != api.KeySeen || seen.Label != "yubikey-5-1000001" || seen.Accounts != 1 || !seen.Present {
		t.Errorf("%+v", seen)
	}
	k, err := r.Adopt(t.Context(), tester, "1000001", api.AdoptRequest{Label: "main", Site: "pocket", Holder: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	if k.State != api.KeyAdopted || k.Label != "main" || k.Site != "pocket" || k.Holder != "Ada" || k.ID == seen.ID || k.FirstSeen.IsZero() ||
		k.Vendor != "YubiKey 5" || k.Firmware != "5.7.1" || k.Serial != mainSerial || k.Capacity != 64 || k.Accounts != 1 || k.FormFactor != "Keychain (USB-C)" || k.Reader != reader0 {
		t.Errorf("%+v", k)
	}
	r.wantAccounts("GitHub:me 1/1")
	if what := r.intact(); !slices.Equal(what, []string{"adopt YubiKey 5 main (serial 1000001, firmware 5.7.1)"}) {
		t.Errorf("%q", what)
	}
	_, err = r.Adopt(t.Context(), tester, "main", api.AdoptRequest{})
	wantCode(t, err, api.CodeConflict)
	_, err = r.Adopt(t.Context(), tester, "nobody", api.AdoptRequest{})
	if e := wantCode(t, err, api.CodeNotFound); len(e.Candidates) != 1 {
		t.Errorf("%+v", e)
	}
	// What the key told is known while it is away, and after a restart.
	r.remove(main)
	r.restart()
	away := r.key("main")
	away.LastSeen = k.LastSeen
	k.Present, k.Reader, k.FormFactor = false, "", ""
	if fmt.Sprint(away) != fmt.Sprint(k) {
		t.Errorf("away: %+v\nwas:  %+v", away, k)
	}
}

func TestAdoptWithoutALabel(t *testing.T) {
	r := newRig(t, newKey(t, softkey.Options{Serial: mainSerial}))
	k, err := r.Adopt(t.Context(), tester, "1000001", api.AdoptRequest{})
	if err != nil || k.Label != "yubikey-5-1000001" {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestLabels(t *testing.T) {
	r, main, spare := twoKeys(t)
	forget(main, spare)
	before := len(r.intact())
	long := strings.Repeat("ä", 33)
	for _, bad := range []string{"", "1234567", "line\nbreak", "\xff", long, "\u202e", "spare"} {
		_, err := r.SetLabel(t.Context(), tester, "main", bad)
		if code := api.CodeOf(err); code != api.CodeBadRequest && code != api.CodeExists {
			t.Errorf("label %q: %v", bad, err)
		}
	}
	for _, set := range []func(string) (api.Key, error){
		func(s string) (api.Key, error) { return r.SetSite(t.Context(), tester, "main", s) },
		func(s string) (api.Key, error) { return r.SetHolder(t.Context(), tester, "main", s) },
	} {
		for _, bad := range []string{"line\nbreak", long} {
			_, err := set(bad)
			wantCode(t, err, api.CodeBadRequest)
		}
	}
	if n := len(r.intact()); n != before {
		t.Errorf("%d lines about what was refused", n-before)
	}
	if k, err := r.SetLabel(t.Context(), tester, "main", "daily"); err != nil || k.Label != "daily" {
		t.Errorf("%+v, %v", k, err)
	}
	for r.await(api.EventKeyChanged).KeyLabel != "daily" { // those before are of the adoption
	}
	if k, err := r.SetSite(t.Context(), tester, "daily", "pocket"); err != nil || k.Site != "pocket" {
		t.Errorf("%+v, %v", k, err)
	}
	if k, err := r.SetHolder(t.Context(), tester, "daily", "Ada"); err != nil || k.Holder != "Ada" {
		t.Errorf("%+v, %v", k, err)
	}
	want := []string{`set the label of main to "daily"`, `set the site of daily to "pocket"`, `set the holder of daily to "Ada"`}
	if what := r.intact()[before:]; !slices.Equal(what, want) {
		t.Errorf("%q", what)
	}
	wantTraffic(t, main, "")
	stranger := newKey(t, softkey.Options{Serial: 3})
	r.insert(stranger)
	_, err := r.SetLabel(t.Context(), tester, "3", "mine")
	wantCode(t, err, api.CodeNotAdopted)
	_, err = r.Adopt(t.Context(), tester, "3", api.AdoptRequest{Label: "spare"})
	wantCode(t, err, api.CodeExists)
	if k := r.key("3"); k.State != api.KeySeen {
		t.Errorf("%+v", k)
	}
}

func TestAdoptALockedKey(t *testing.T) {
	main := newKey(t, softkey.Options{Serial: mainSerial})
	program{t: t, k: main}.put(first, seedA, 0)
	s, err := selectApplet(main)
	if err != nil || s.SetCode(derive("open sesame", s.Info().Salt)) != nil {
		t.Fatal(err)
	}
	r := newRig(t, main)
	if k := r.key("1000001"); !k.Locked || !k.PasswordSet || k.Trouble != "" {
		t.Errorf("%+v", k)
	}
	k := r.adopt("1000001", "main")
	if !k.Locked || k.State != api.KeyAdopted {
		t.Errorf("%+v", k)
	}
	r.wantAccounts("")
	if _, err := r.Unlock(t.Context(), tester, "main", secret("open sesame")); err != nil {
		t.Fatal(err)
	}
	r.wantAccounts("GitHub:me 1/1")
}

func TestUnlockAKeyThatIsNotAdopted(t *testing.T) {
	main := newKey(t, softkey.Options{Serial: mainSerial})
	program{t: t, k: main}.put(first, seedA, 0)
	s, err := selectApplet(main)
	if err != nil || s.SetCode(derive("open sesame", s.Info().Salt)) != nil {
		t.Fatal(err)
	}
	r := newRig(t, main)
	k, err := r.Unlock(t.Context(), tester, "1000001", secret("open sesame"))
	if err != nil || k.Locked || k.Accounts != 1 {
		t.Fatalf("%+v, %v", k, err)
	}
	r.mustCode(api.CodeRequest{Account: "GitHub:me"})
	_, err = r.SetPassword(t.Context(), tester, "1000001", secret("other"))
	wantCode(t, err, api.CodeNotAdopted)
	_, err = r.Reset(t.Context(), tester, "1000001", api.ResetRequest{})
	wantCode(t, err, api.CodeNotAdopted)
}

// A serial number identifies a key; it does not prove anything.
func TestTwoKeysWithOneSerial(t *testing.T) {
	main, double := newKey(t, softkey.Options{Serial: mainSerial}), newKey(t, softkey.Options{Serial: mainSerial})
	r := newRig(t)
	r.adoptNew(main, "main")
	r.mustAddOnly(first, "main")
	r.insert(double)
	ids := map[api.KeyState]string{}
	for _, k := range r.Keys() {
		ids[k.State] = k.ID
	}
	if len(ids) != 2 {
		t.Fatalf("%+v", r.Keys())
	}
	_, err := r.Adopt(t.Context(), tester, ids[api.KeySeen], api.AdoptRequest{Label: "double"})
	wantCode(t, err, api.CodeConflict)
	r.remove(main)
	r.Refresh(t.Context())
	if k := r.key("main"); k.Present {
		t.Errorf("the double passes for the key: %+v", k)
	}
	if got := states(r.account("GitHub:me")); got["main"] != api.CopyProved {
		t.Errorf("%v", got)
	}
	// By itself it cannot be told from the key after a reset.
	r.insert(main)
	if k := r.key("main"); !k.Present || k.Accounts != 1 {
		t.Errorf("%+v", k)
	}
}

// Two keys without a serial number whose applets have one device id would be taken for each other.
func TestTwoKeysWithOneDeviceID(t *testing.T) {
	salt := func() softkey.Options { return softkey.Options{Random: bytes.NewReader(bytes.Repeat([]byte{7}, 1000))} }
	main, double := newKey(t, salt()), newKey(t, salt())
	r := newRig(t)
	r.adoptNew(main, "main")
	r.insert(double)
	for _, k := range r.Keys() {
		if k.State == api.KeySeen {
			_, err := r.Adopt(t.Context(), tester, k.ID, api.AdoptRequest{Label: "double"})
			if e := wantCode(t, err, api.CodeConflict); !strings.Contains(e.Message, "nothing tells it from main") {
				t.Errorf("%+v", e)
			}
			return
		}
	}
	t.Errorf("the second is not seen: %+v", r.Keys())
}

func (r *rig) mustAddOnly(a api.NewAccount, key string) {
	r.t.Helper()
	r.mustAddTo(a, key)
}

func TestKeysWithoutASerial(t *testing.T) {
	for _, personality := range []string{"yubikey-5.7", "neo", "canokey"} {
		t.Run(personality, func(t *testing.T) {
			main := newKey(t, softkey.Options{Personality: personality, Serial: mainSerial, HideSerial: true})
			other := newKey(t, softkey.Options{Personality: personality, HideSerial: true})
			r := newRig(t)
			k := r.adoptNew(main, "main")
			if k.Serial != 0 || !strings.Contains(r.intact()[0], "serial unknown") {
				t.Errorf("%+v, %q", k, r.intact())
			}
			r.mustAddOnly(first, "main")
			r.insert(other)
			r.replug(main)
			if again := r.key("main"); again.ID != k.ID || !again.Present || again.Accounts != 1 {
				t.Errorf("%+v", again)
			}
			if personality == "canokey" {
				return // it has no RESET
			}
			// It stays the same key when its applet is reset while it is plugged in.
			if again, err := r.Reset(t.Context(), tester, "main", api.ResetRequest{Force: true}); err != nil || again.ID != k.ID || again.DeviceID == k.DeviceID {
				t.Errorf("%+v, %v", again, err)
			}
			r.replug(main)
			if again := r.key("main"); again.ID != k.ID || !again.Present {
				t.Errorf("%+v", again)
			}
		})
	}
}

// A serial number that was hidden and is shown now, or the other way round, is the same key.
func TestASerialThatComesAndGoes(t *testing.T) {
	main := newKey(t, softkey.Options{Serial: mainSerial})
	hidden := 0
	hide := func(answer []byte) []byte {
		hidden++
		return []byte{0x6d, 0x00}
	}
	main.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: 0x1d, Answer: hide})
	r := newRig(t)
	k := r.adoptNew(main, "main")
	if hidden != 1 || k.Serial != 0 {
		t.Fatalf("%+v", k)
	}
	r.replug(main)
	if again := r.key("main"); again.ID != k.ID || again.Serial != mainSerial {
		t.Errorf("%+v", again)
	}
	main.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: 0x1d, Answer: hide})
	r.replug(main)
	if again := r.key("1000001"); again.ID != k.ID || !again.Present {
		t.Errorf("%+v", again)
	}
}

func TestAdoptAKeyInTrouble(t *testing.T) {
	main := newKey(t, softkey.Options{Serial: mainSerial})
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, After: 3, Times: softkey.Always, Status: hw.StatusFileNotFound})
	r := newRig(t, main)
	k := r.key("1000001")
	if k.Trouble == "" || k.Hint == "" || k.Vendor != "" || k.Label != "key-1000001" {
		t.Errorf("%+v", k)
	}
	_, err := r.Adopt(t.Context(), tester, "1000001", api.AdoptRequest{})
	if e := wantCode(t, err, api.CodeNotSupported); !strings.Contains(e.Hint, "OATH") {
		t.Errorf("%+v", e)
	}
	_, err = r.Unlock(t.Context(), tester, "1000001", secret("x"))
	wantCode(t, err, api.CodeNotSupported)
	main.Heal()
	r.adopt("1000001", "main")
	if k := r.key("main"); k.Trouble != "" || k.Vendor != "YubiKey 5" {
		t.Errorf("%+v", k)
	}
}

// A key that came and went in the same moment leaves nothing behind.
func TestAdoptAKeyThatHasLeft(t *testing.T) {
	main, _ := pair(t, "")
	r := newRig(t, main)
	id := r.key("1000001").ID
	r.remove(main)
	_, err := r.Adopt(t.Context(), tester, id, api.AdoptRequest{Label: "main"})
	wantCode(t, err, api.CodeNotFound)
	r.intact()
}
