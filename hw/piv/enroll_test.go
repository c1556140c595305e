package piv_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pivgo "github.com/go-piv/piv-go/v2/piv"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/pcsc"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/oath"
)

// childName is the name under which this test binary is the child process of a set-up.
const childName = "oathd-piv-enroll-test"

func init() {
	if os.Args[0] != childName {
		return
	}
	if err := piv.ServeEnroll(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var enroller = piv.Enroller{Args: []string{childName}}

// bench is a real pcscd with soft keys in it.
type bench struct {
	pcscd *hwtest.PCSCD
	seen  *sight
	next  atomic.Int32 // the next reader
}

// newBench starts a pcscd with that many readers, and points this process and its children at it.
func newBench(t *testing.T, readers int) *bench {
	t.Helper()
	b := &bench{pcscd: hwtest.StartPCSCD(t, (readers+1)/2)}
	b.pcscd.Use(t)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or each child takes a second to end
	b.seen = watch(t)
	return b
}

// seat is a key in a reader of the bench.
type seat struct {
	card  hw.Card // the key as pcscd shows it, a transaction for each command
	ykman func(args ...string) string
	// in says how to set up its first retired slot.
	in piv.Enrollment
}

// plug puts a key into the next reader.
func (b *bench) plug(t *testing.T, k *softkey.Key) seat {
	t.Helper()
	n := int(b.next.Add(1)) - 1
	b.pcscd.Plug(k, n)
	reader := b.pcscd.Reader(n)
	return seat{
		card:  b.seen.card(t, reader),
		ykman: func(args ...string) string { return b.pcscd.Ykman(t, n).Run(args...) },
		in:    piv.Enrollment{Reader: reader, Serial: k.Serial(), Slot: 0x82, PIN: pin(t)},
	}
}

func enroll(t *testing.T, in piv.Enrollment) (piv.Slot, error) {
	t.Helper()
	return enroller.Enroll(t.Context(), in, nil)
}

func mustEnroll(t *testing.T, in piv.Enrollment) piv.Slot {
	t.Helper()
	slot, err := enroll(t, in)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func TestEnroll(t *testing.T) {
	b := newBench(t, 14)
	t.Run("all", func(t *testing.T) { // ends when the parallel tests have
		for name, run := range map[string]func(*testing.T, *bench){
			"makes":           enrollMakes,
			"old firmware":    enrollOldFirmware,
			"PIN":             enrollPIN,
			"management key":  enrollManagement,
			"protected key":   enrollProtected,
			"touch":           enrollTouch,
			"refusals":        enrollRefuses,
			"no PIV":          enrollNoPIV,
			"NEO":             enrollNEO,
			"held by another": enrollHeld,
			"given up":        enrollGivenUp,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t, b)
			})
		}
	})
}

func enrollMakes(t *testing.T, b *bench) {
	k := newKey(t, softkey.Options{Serial: 5700001})
	s := b.plug(t, k)
	plan, err := look(t, s.card).Plan(piv.Wish{})
	if err != nil || plan.Reuse != nil || plan.Slot != s.in.Slot {
		t.Fatalf("%+v, %v", plan, err)
	}
	k.ForgetAPDUs()
	var steps []piv.Step
	slot, err := enroller.Enroll(t.Context(), s.in, func(s piv.Step) { steps = append(steps, s) })
	if err != nil {
		t.Fatal(err)
	}
	if want := []piv.Step{piv.StepGenerate, piv.StepTouch, piv.StepCertificate}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	for _, a := range k.APDUs() { // CHANGE REFERENCE, RESET RETRY, SET RETRIES, SET MANAGEMENT KEY, RESET, IMPORT, MOVE
		if slices.Contains([]byte{0x24, 0x2c, 0xfa, 0xff, 0xfb, 0xfe, 0xf6}, a.INS) {
			t.Errorf("%02x was sent", a.INS)
		}
	}
	wantClosed(t, s.card, 3)
	checkMark(t, slot)
	// ykman is the referee of what is on the key now.
	info := s.ykman("piv", "info")
	if !strings.Contains(info, "O=age-plugin-yubikey") || !strings.Contains(info, "3/3") {
		t.Errorf("ykman piv info:\n%s", info)
	}
	state := look(t, s.card)
	if len(state.Escrow) != 1 || !bytes.Equal(state.Escrow[0].Certificate, slot.Certificate) {
		t.Errorf("escrow slots: %+v", state.Escrow)
	}
	if plan, err := state.Plan(piv.Wish{}); err != nil || plan.Reuse == nil || plan.Slot != slot.ID {
		t.Errorf("the next plan: %+v, %v", plan, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(softkey.AttestationCA())
	attested, err := piv.VerifyAttestation(attest(t, s.card, slot.ID), slot, roots)
	if err != nil || attested.PIN != piv.PINAlways || attested.Touch != piv.TouchAlways || attested.Serial != 5700001 {
		t.Errorf("%+v, %v", attested, err)
	}
	if err := decrypt(t, s.card, target(slot), pin(t)); err != nil {
		t.Error(err)
	}
	wantClosed(t, s.card, 3)
}

// checkMark holds the certificate against what age-plugin-yubikey writes and reads (src/builder.rs, src/util.rs).
func checkMark(t *testing.T, slot piv.Slot) {
	t.Helper()
	c, err := x509.ParseCertificate(slot.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Error(err)
	}
	if got := c.Subject.String(); got != "CN="+slot.Name+",OU=oathd,O=age-plugin-yubikey" || c.Issuer.String() != got {
		t.Errorf("subject %s, issuer %s", got, c.Issuer)
	}
	if !strings.HasPrefix(slot.Name, "age identity ") || len(slot.Name) != len("age identity ")+8 {
		t.Errorf("name %q", slot.Name)
	}
	if n := c.SerialNumber.BitLen(); c.Version != 3 || n < 100 || n > 159 {
		t.Errorf("version %d, a serial number of %d bits", c.Version, n)
	}
	if c.NotAfter.Year() != 9999 || time.Since(c.NotBefore) > time.Hour || time.Until(c.NotBefore) > 0 {
		t.Errorf("valid from %v to %v", c.NotBefore, c.NotAfter)
	}
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}
	i := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oid) })
	if i < 0 || c.Extensions[i].Critical || !bytes.Equal(c.Extensions[i].Value, []byte{3, 2}) {
		t.Errorf("extensions %v", c.Extensions)
	}
}

// enrollOldFirmware: without metadata, without AES, and the serial number in another application.
func enrollOldFirmware(t *testing.T, b *bench) {
	for i, personality := range []string{"yubikey-5.4", "yubikey-4.3"} {
		k := newKey(t, softkey.Options{Personality: personality, Serial: 100 + uint32(i)})
		s := b.plug(t, k)
		slot := mustEnroll(t, s.in)
		if err := decrypt(t, s.card, target(slot), pin(t)); err != nil {
			t.Error(err)
		}
		_, err := enroll(t, s.in)
		wantError(t, err, piv.ErrSlotTaken)
	}
}

func enrollPIN(t *testing.T, b *bench) {
	k := newKey(t, softkey.Options{})
	s := b.plug(t, k)
	wrong := s.in
	wrong.PIN = secret(t, "000000")
	_, err := enroll(t, wrong)
	wantPINError(t, err, piv.ErrWrongPIN, 2)
	_, err = enroll(t, wrong)
	wantPINError(t, err, piv.ErrWrongPIN, 1)
	_, err = enroll(t, s.in)
	wantPINError(t, err, piv.ErrLastTry, 1)
	wrongPINs(t, s.card, 1)
	_, err = enroll(t, s.in)
	wantPINError(t, err, piv.ErrPINBlocked, 0)
	if hw.Hint(err) == "" {
		t.Error("no hint")
	}
	if state := look(t, s.card); len(state.Free) != 20 {
		t.Errorf("free slots %x", state.Free)
	}
}

// ownManagement is a management key that is not the factory's.
const ownManagement = "a1b2c3d4e5f60718a1b2c3d4e5f60718a1b2c3d4e5f60718a1b2c3d4e5f60718"

func enrollManagement(t *testing.T, b *bench) {
	k := newKey(t, softkey.Options{})
	s := b.plug(t, k)
	s.ykman("piv", "access", "change-management-key", "--algorithm", "AES256", "-P", hwtest.FactoryPIN,
		"-m", fmt.Sprintf("%x", hwtest.FactoryManagement), "-n", ownManagement, "--force")
	_, err := enroll(t, s.in)
	wantError(t, err, piv.ErrManagementKey)
	if !strings.Contains(hw.Hint(err), "give the management key") {
		t.Errorf("hint %q", hw.Hint(err))
	}
	s.in.ManagementKey = oath.NewSecret(32)
	defer s.in.ManagementKey.Wipe()
	_, err = enroll(t, s.in)
	wantError(t, err, piv.ErrManagementKey)
	if state := look(t, s.card); len(state.Free) != 20 || state.DefaultManagementKey != piv.No {
		t.Errorf("%+v", state)
	}
	if _, err := hex.Decode(s.in.ManagementKey.Bytes(), []byte(ownManagement)); err != nil {
		t.Fatal(err)
	}
	mustEnroll(t, s.in)
}

// enrollProtected: yubikey-manager has put the management key behind the PIN.
func enrollProtected(t *testing.T, b *bench) {
	k := newKey(t, softkey.Options{})
	s := b.plug(t, k)
	s.ykman("piv", "access", "change-management-key", "--algorithm", "AES192", "-P", hwtest.FactoryPIN,
		"-m", fmt.Sprintf("%x", hwtest.FactoryManagement), "--generate", "--protect", "--force")
	if state := look(t, s.card); !state.ProtectedManagementKey {
		t.Errorf("%+v", state)
	}
	mustEnroll(t, s.in)
}

// enrollTouch: after three touches that did not come the slot is marked as unfinished, and the next set-up finishes it.
func enrollTouch(t *testing.T, b *bench) {
	k := newKey(t, softkey.Options{})
	s := b.plug(t, k)
	k.Fail(softkey.Fault{Kind: softkey.FaultTouch, Touch: softkey.TouchNever, Times: 3})
	var touches int
	_, err := enroller.Enroll(t.Context(), s.in, func(step piv.Step) {
		if step == piv.StepTouch {
			touches++
		}
	})
	wantError(t, err, piv.ErrTouchTimeout)
	if touches != 3 {
		t.Errorf("asked for %d touches", touches)
	}
	state := look(t, s.card)
	if plan, err := state.Plan(piv.Wish{}); err != nil || plan.Slot != 0x82 || !slices.Equal(state.Unfinished, []byte{0x82}) || !strings.Contains(plan.Steps[0], "broken off") {
		t.Errorf("%+v, %v", plan, err)
	}
	if info := s.ykman("piv", "info"); !strings.Contains(info, "unfinished escrow slot") {
		t.Errorf("ykman piv info:\n%s", info)
	}
	err = decrypt(t, s.card, piv.Target{Slot: 0x82, Point: make([]byte, 65)}, pin(t))
	wantError(t, err, piv.ErrUnfinished)
	k.Fail(softkey.Fault{Kind: softkey.FaultTouch, Touch: softkey.TouchNever, Times: 2})
	slot := mustEnroll(t, s.in)
	if err := decrypt(t, s.card, target(slot), pin(t)); err != nil {
		t.Error(err)
	}
	_, err = enroll(t, s.in) // a certificate of another kind is never overwritten
	wantError(t, err, piv.ErrSlotTaken)
}

func enrollRefuses(t *testing.T, b *bench) {
	k := newKey(t, softkey.Options{Serial: 5700002})
	s := b.plug(t, k)
	hwtest.EscrowSlot(t, s.card, 0x82, "somebody else")
	_, err := enroll(t, s.in)
	wantError(t, err, piv.ErrSlotTaken)
	other := s.in
	other.Slot, other.Serial = 0x83, 5700003
	_, err = enroll(t, other)
	wantError(t, err, piv.ErrOtherKey)
	nowhere := s.in
	nowhere.Reader = "oathd soft bay 00"
	_, err = enroll(t, nowhere)
	wantError(t, err, piv.ErrNotBehindPCSCD)
	if hw.Hint(err) == "" {
		t.Error("no hint")
	}
	named := s.in
	named.Slot, named.Name = 0x83, "the spare one"
	if slot := mustEnroll(t, named); slot.Name != "the spare one" {
		t.Errorf("name %q", slot.Name)
	}
}

func enrollNoPIV(t *testing.T, b *bench) {
	_, err := enroll(t, b.plug(t, newKey(t, softkey.Options{Personality: "nitrokey-3"})).in)
	wantError(t, err, piv.ErrNoApplet)
}

func enrollNEO(t *testing.T, b *bench) {
	_, err := enroll(t, b.plug(t, newKey(t, softkey.Options{Personality: "neo"})).in)
	wantError(t, err, piv.ErrTooOld)
}

func enrollHeld(t *testing.T, b *bench) {
	s := b.plug(t, newKey(t, softkey.Options{}))
	other, err := pivgo.Open(s.in.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, err = enroll(t, s.in)
	wantError(t, err, hw.ErrHeld)
	if hw.Hint(err) == "" {
		t.Error("no hint")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	mustEnroll(t, s.in)
}

// enrollGivenUp: who gives up while the key blinks has the card back when the key does.
func enrollGivenUp(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k := newKey(t, softkey.Options{Touch: softkey.TouchManual, TouchTimeout: 300 * time.Millisecond, OnBlink: func(_ *softkey.Key, on bool) {
		if on {
			cancel()
		}
	}})
	s := b.plug(t, k)
	_, err := enroller.Enroll(ctx, s.in, nil)
	wantError(t, err, context.Canceled)
	yk, err := pivgo.Open(s.in.Reader)
	for err != nil && strings.Contains(err.Error(), "other connections") { // until the key has answered, and pcscd let go
		yk, err = pivgo.Open(s.in.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := yk.Close(); err != nil {
		t.Error(err)
	}
}

// TestEnrollEveryAPDU: the key is pulled out at each command of a set-up in turn, and plugged in again. Nothing is lost
// that was there, and a second attempt succeeds.
func TestEnrollEveryAPDU(t *testing.T) {
	const readers = 8
	b := newBench(t, readers+1)
	probe := newKey(t, softkey.Options{})
	b.pcscd.Plug(probe, readers)
	mustEnroll(t, piv.Enrollment{Reader: b.pcscd.Reader(readers), Slot: 0x82, PIN: pin(t)})
	commands := len(probe.APDUs())
	var pulling sync.WaitGroup // and not parallel subtests, of which there is one per processor: most of this is waiting
	for reader := range readers {
		pulling.Go(func() {
			r := readerSeat{bench: b, number: reader}
			for n := reader; n < commands; n += readers {
				if err := r.pullAt(t, n, n < commands-forgetting); err != nil {
					t.Errorf("pulled at command %d of %d: %v", n, commands, err)
				}
			}
		})
	}
	pulling.Wait()
}

// forgetting is how many commands at the end only have the key forget the PIN, which pulling it out does as well.
const forgetting = 3

// readerSeat is one reader of the bench, with one key after the other in it.
type readerSeat struct {
	*bench
	number int
	last   hw.Slot // the last insertion that was seen
}

// plugIn puts a key in, and returns it as pcscd shows it.
func (r *readerSeat) plugIn(k *softkey.Key) (card hw.Card, unplug func(), err error) {
	unplug = r.pcscd.Plug(k, r.number)
	r.last, err = r.seen.await(r.pcscd.Reader(r.number), r.last.Insertion)
	return remote{r.seen.bay, r.last}, unplug, err
}

// pullAt sets up a key that is pulled out at a command, and then once more. The set-up has to fail, or not.
func (r *readerSeat) pullAt(t *testing.T, n int, fails bool) error {
	k, err := softkey.New(softkey.Options{})
	if err != nil {
		return err
	}
	_, unplug, err := r.plugIn(k)
	if err != nil {
		return err
	}
	in := piv.Enrollment{Reader: r.pcscd.Reader(r.number), Slot: 0x82, PIN: oath.CopySecret([]byte(hwtest.FactoryPIN))}
	defer in.PIN.Wipe()
	kind := softkey.FaultPulled
	if n/8%2 == 1 {
		kind = softkey.FaultDies
	}
	k.Fail(softkey.Fault{Kind: kind, After: n})
	if _, err := enroller.Enroll(t.Context(), in, nil); errors.Is(err, hw.ErrRemoved) != fails || (err != nil) != fails {
		return fmt.Errorf("the set-up says %v", err)
	}
	unplug()
	k.Heal()
	card, unplug, err := r.plugIn(k)
	if err != nil {
		return err
	}
	defer unplug()
	return r.finish(t, card, in)
}

// finish sets up what was broken off, and looks at the result.
func (r *readerSeat) finish(t *testing.T, card hw.Card, in piv.Enrollment) error {
	state, err := piv.Look(card)
	if err != nil {
		return err
	}
	if len(state.Escrow) == 0 { // else the certificate was written already
		if _, err := enroller.Enroll(t.Context(), in, nil); err != nil {
			return fmt.Errorf("the second set-up says %w", err)
		}
	}
	state, err = piv.Look(card)
	if err != nil {
		return err
	}
	if len(state.Escrow) != 1 || state.Escrow[0].ID != 0x82 || len(state.Free) != 19 || len(state.Bare)+len(state.Unfinished) != 0 || state.Tries != 3 {
		return fmt.Errorf("escrow %v, free %x, bare %x, unfinished %x, %d tries", state.Escrow, state.Free, state.Bare, state.Unfinished, state.Tries)
	}
	return nil
}

// sight is what pcscd shows at the moment.
type sight struct {
	bay     *pcsc.Bay
	mutex   sync.Mutex
	slots   []hw.Slot
	changed chan struct{} // closed at the next report
}

// watch looks at the readers until the test ends.
func watch(t *testing.T) *sight {
	t.Helper()
	s := &sight{bay: pcsc.New(slog.New(slog.DiscardHandler)), changed: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- s.bay.Watch(t.Context(), s.report) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *sight) report(now hw.Inventory) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.slots = now.Slots
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until there is a key in a reader, of a later insertion than the one with that number.
func (s *sight) await(reader string, after uint64) (hw.Slot, error) {
	late := time.After(10 * time.Second)
	for {
		s.mutex.Lock()
		changed := s.changed
		i := slices.IndexFunc(s.slots, func(slot hw.Slot) bool { return slot.Reader == reader && slot.Insertion > after })
		if i >= 0 {
			defer s.mutex.Unlock()
			return s.slots[i], nil
		}
		s.mutex.Unlock()
		select {
		case <-changed:
		case <-late:
			return hw.Slot{}, fmt.Errorf("pcscd never shows a key in %s", reader)
		}
	}
}

// card is the key in a reader, each command in a transaction of its own.
func (s *sight) card(t *testing.T, reader string) hw.Card {
	t.Helper()
	slot, err := s.await(reader, 0)
	if err != nil {
		t.Fatal(err)
	}
	return remote{s.bay, slot}
}

type remote struct {
	bay  *pcsc.Bay
	slot hw.Slot
}

// Transmit sends the command through pcscd.
func (r remote) Transmit(command []byte) (answer []byte, err error) {
	err = r.bay.Transact(r.slot, func(card hw.Card) error {
		answer, err = card.Transmit(command)
		return err
	})
	return answer, err
}
