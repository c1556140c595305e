package agent_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// rig is an agent with soft keys in an in-process bay, and a ledger in memory that outlives it.
type rig struct {
	*agent.Agent
	t       testing.TB
	bay     *softkey.Bay
	options agent.Options
	book    *ledger.Ledger
	events  <-chan api.Event
	stop    func()

	mu    sync.Mutex
	steps []api.Step
	onAny func(api.Step)
}

var tester = agent.Caller{Name: "test"}

// newRig starts an agent; keys are inserted, and identified before it returns.
func newRig(t testing.TB, keys ...*softkey.Key) *rig {
	t.Helper()
	return newRigWith(t, agent.Options{}, keys...)
}

// newRigWith is newRig with options; Bay is the rig's own unless one that wraps it is given later.
func newRigWith(t testing.TB, o agent.Options, keys ...*softkey.Key) *rig {
	t.Helper()
	r := &rig{t: t, bay: softkey.NewBay(), options: o}
	var err error
	if r.book, err = ledger.Open(context.Background(), ledger.Memory); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.book.Close() })
	if o.Bay == nil {
		r.options.Bay = r.bay
	} else {
		r.options.Bay.(*realBay).Bay = r.bay
	}
	r.start()
	for _, k := range keys {
		r.insert(k)
	}
	return r
}

func (r *rig) start() {
	r.t.Helper()
	o := r.options
	o.Ledger, o.BayName = r.book, "soft"
	var err error
	if r.Agent, err = agent.New(r.t.Context(), o); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.events = r.Events(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	r.t.Cleanup(r.stop)
}

// restart ends the agent and starts another on the same ledger and bay, as after a crash.
func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.start()
	for range r.bay.Keys() {
		r.await(api.EventKeyIn)
	}
}

// breakLedger lets every commit from now on fail.
func (r *rig) breakLedger() {
	if err := r.book.Close(); err != nil {
		r.t.Error(err)
	}
}

// patience is how long a test waits for what must happen before it says that it did not.
const patience = time.Minute

// await returns the next event of a kind.
func (r *rig) await(kind api.EventKind) api.Event {
	r.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e, ok := <-r.events:
			if !ok {
				r.t.Fatalf("the events ended before %s", kind)
			}
			if e.Kind == kind {
				return e
			}
		case <-late:
			r.t.Fatalf("no event %s", kind)
		}
	}
}

func (r *rig) insert(k *softkey.Key) {
	r.t.Helper()
	r.bay.Insert(k)
	r.await(api.EventKeyIn)
}

func (r *rig) remove(k *softkey.Key) {
	r.t.Helper()
	r.bay.Remove(k)
	r.await(api.EventKeyOut)
}

// replug pulls a key out, if it is in, and plugs it in again.
func (r *rig) replug(k *softkey.Key) {
	r.t.Helper()
	if slices.Contains(r.bay.Keys(), k) {
		r.remove(k)
	}
	r.insert(k)
}

func newKey(t testing.TB, o softkey.Options) *softkey.Key {
	t.Helper()
	k, err := softkey.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// pair returns two keys of one personality, mainSerial and spareSerial.
func pair(t testing.TB, personality string) (main, spare *softkey.Key) {
	t.Helper()
	return newKey(t, softkey.Options{Personality: personality, Serial: mainSerial}),
		newKey(t, softkey.Options{Personality: personality, Serial: spareSerial})
}

const (
	mainSerial  = 1000001
	spareSerial = 1000002
)

// twoKeys is the usual case: two adopted keys, main and spare.
func twoKeys(t testing.TB) (*rig, *softkey.Key, *softkey.Key) {
	t.Helper()
	return twoKeysLike(t, "")
}

func twoKeysLike(t testing.TB, personality string) (*rig, *softkey.Key, *softkey.Key) {
	t.Helper()
	main, spare := pair(t, personality)
	r := newRig(t)
	r.adoptNew(main, "main")
	r.adoptNew(spare, "spare")
	return r, main, spare
}

// adoptNew plugs a key in and adopts it.
func (r *rig) adoptNew(k *softkey.Key, label string) api.Key {
	r.t.Helper()
	r.bay.Insert(k)
	return r.adopt(r.await(api.EventKeyIn).Key, label)
}

func (r *rig) adopt(key, label string) api.Key {
	r.t.Helper()
	k, err := r.Adopt(r.t.Context(), tester, key, api.AdoptRequest{Label: label})
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

func (r *rig) key(selector string) api.Key {
	r.t.Helper()
	k, err := r.Key(selector)
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

func (r *rig) account(selector string) api.Account {
	r.t.Helper()
	acc, err := r.Account(selector)
	if err != nil {
		r.t.Fatal(err)
	}
	return acc
}

// seedOf decodes a seed as services show it.
func seedOf(t testing.TB, text string) *oath.Secret {
	t.Helper()
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(text))
	if err != nil {
		t.Fatal(err)
	}
	return oath.TakeSecret(b)
}

// rfcSeed is the key of RFC 6238, appendix B: "12345678901234567890".
const rfcSeed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// totp is the usual account.
func totp(issuer, name string) api.NewAccount {
	return api.NewAccount{Issuer: issuer, Name: name, Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30}
}

func hotp(issuer, name string) api.NewAccount {
	return api.NewAccount{Issuer: issuer, Name: name, Type: "hotp", Algorithm: "SHA1", Digits: 6}
}

// with changes an account.
func with(a api.NewAccount, change func(*api.NewAccount)) api.NewAccount {
	change(&a)
	return a
}

func touched(a api.NewAccount) api.NewAccount {
	return with(a, func(a *api.NewAccount) { a.Touch = true })
}

func publicHalf(a api.NewAccount) oath.Account {
	alg, _ := oath.ParseAlgorithm(a.Algorithm)
	kind, _ := oath.ParseType(a.Type)
	return oath.Account{Issuer: a.Issuer, Name: a.Name, Type: kind, Algorithm: alg, Digits: a.Digits, Period: a.Period}
}

// add adds accounts that all have seeds of their own, made from their names.
func (r *rig) add(req api.AddRequest) (api.Report, error) {
	r.t.Helper()
	return r.addFor(r.t.Context(), req)
}

func (r *rig) addFor(ctx context.Context, req api.AddRequest) (api.Report, error) {
	seeds := make([]*oath.Secret, len(req.Accounts))
	for i, a := range req.Accounts {
		seeds[i] = nameSeed(a.Issuer, a.Name)
	}
	return r.Add(ctx, tester, req, seeds, r.step)
}

func nameSeed(issuer, name string) *oath.Secret {
	return oath.TakeSecret([]byte((issuer + ":" + name + strings.Repeat("-", 20))[:20]))
}

func (r *rig) addSeeds(req api.AddRequest, seeds ...*oath.Secret) (api.Report, error) {
	r.t.Helper()
	return r.Add(r.t.Context(), tester, req, seeds, r.step)
}

func (r *rig) step(s api.Step) {
	r.mu.Lock()
	r.steps = append(r.steps, s)
	onAny := r.onAny
	r.mu.Unlock()
	if onAny != nil {
		onAny(s)
	}
}

// told counts the steps of a kind so far.
func (r *rig) told(kind api.StepKind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.steps {
		if s.Kind == kind {
			n++
		}
	}
	return n
}

// mustAdd adds one account to both keys, complete and proved.
func (r *rig) mustAdd(a api.NewAccount) api.Account {
	r.t.Helper()
	return r.mustAddTo(a)
}

// mustAddTo adds one account to the keys that are named.
func (r *rig) mustAddTo(a api.NewAccount, keys ...string) api.Account {
	r.t.Helper()
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{a}, To: keys})
	if err != nil {
		r.t.Fatal(err)
	}
	if !report.Complete {
		r.t.Fatalf("not complete: %+v", report)
	}
	return r.account(report.Accounts[0].Account)
}

func (r *rig) code(req api.CodeRequest) (api.Code, error) {
	r.t.Helper()
	return r.Code(r.t.Context(), tester, req)
}

func (r *rig) mustCode(req api.CodeRequest) api.Code {
	r.t.Helper()
	c, err := r.code(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) verify(req api.VerifyRequest) api.Report {
	r.t.Helper()
	report, err := r.Verify(r.t.Context(), tester, req, r.step)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

func (r *rig) resume(req api.ResumeRequest) api.Report {
	r.t.Helper()
	report, err := r.Resume(r.t.Context(), tester, req, r.step)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// intact checks the audit chain and returns what it says was done.
func (r *rig) intact() []string {
	r.t.Helper()
	log, err := r.Audit(r.t.Context())
	if err != nil || !log.Intact {
		r.t.Fatalf("audit log intact: %t, %v", log.Intact, err)
	}
	var what []string
	for _, e := range log.Entries {
		what = append(what, e.What)
	}
	return what
}

// states maps key labels to the states of an account's copies.
func states(acc api.Account) map[string]api.CopyState {
	m := map[string]api.CopyState{}
	for _, c := range acc.Copies {
		m[c.KeyLabel] = c.State
	}
	return m
}

// wantCode wants an error of that code, with a hint.
func wantCode(t testing.TB, err error, code api.ErrorCode) *api.Error {
	t.Helper()
	if got := api.CodeOf(err); got != code {
		t.Fatalf("error %v, code %q; want %q", err, got, code)
	}
	e, ok := err.(*api.Error)
	if !ok {
		t.Fatalf("error of type %T: %v", err, err)
	}
	wantWords(t, e)
	return e
}

// wantWords wants an error to say what cannot be done, and what to do next, each once.
func wantWords(t testing.TB, e *api.Error) {
	t.Helper()
	if !strings.HasPrefix(e.Message, "cannot ") || e.Hint == "" {
		t.Errorf("error %q with hint %q", e.Message, e.Hint)
	}
	if strings.Count(e.Message, "cannot ") > 1 && e.Code != api.CodeLedger {
		t.Errorf("error says twice that it cannot: %q", e.Message)
	}
}

// program is another program at a key, such as ykman. It works between the agent's transactions.
type program struct {
	t testing.TB
	k *softkey.Key
	// password is what it knows of the key's.
	password string
}

// send selects the OATH applet and sends one command.
func (p program) send(c hw.Command) ([]byte, error) {
	p.t.Helper()
	s, err := ykoath.Select(p.k)
	if err == nil && p.password != "" {
		err = s.Validate(derive(p.password, s.Info().Salt))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return hw.Link{Card: p.k, MoreINS: 0xa5}.Exchange(c)
}

var derived sync.Map

// derive remembers what it once took a while to compute.
func derive(password string, salt []byte) *oath.Secret {
	name := password + string(salt)
	key, ok := derived.Load(name)
	if !ok {
		key, _ = derived.LoadOrStore(name, ykoath.DeriveKey([]byte(password), salt))
	}
	return key.(*oath.Secret)
}

func (p program) must(c hw.Command) []byte {
	p.t.Helper()
	answer, err := p.send(c)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer
}

// The properties of a PUT.
const (
	increasing = 1
	needsTouch = 2
)

// put writes a credential as another program would, over one of that name.
func (p program) put(a api.NewAccount, seed string, property byte) {
	p.t.Helper()
	acc := publicHalf(a)
	data := tlv.Append(nil, 0x71, []byte(acc.ID())...)
	data = tlv.Append(data, 0x73, append([]byte{byte(acc.Type) | byte(acc.Algorithm), byte(acc.Digits)}, seed...)...)
	if property != 0 {
		data = append(data, 0x78, property)
	}
	p.must(hw.Command{INS: 0x01, Data: data})
}

func (p program) delete(id string) {
	p.t.Helper()
	p.must(hw.Command{INS: 0x02, Data: tlv.Append(nil, 0x71, []byte(id)...)})
}

func (p program) reset() {
	p.t.Helper()
	p.must(hw.Command{INS: 0x04, P1: 0xde, P2: 0xad})
}

// ids lists the credentials on the key.
func (p program) ids() []string {
	p.t.Helper()
	list, err := tlv.Parse(p.must(hw.Command{INS: 0xa1}))
	if err != nil {
		p.t.Fatal(err)
	}
	var ids []string
	for _, e := range list {
		ids = append(ids, string(e.Value[1:]))
	}
	slices.Sort(ids)
	return ids
}

// calculate has a credential answer a challenge, in full where the key can.
func (p program) calculate(id string, challenge []byte) []byte {
	p.t.Helper()
	data := tlv.Append(tlv.Append(nil, 0x71, []byte(id)...), 0x74, challenge...)
	answer, err := p.send(hw.Command{INS: 0xa2, Data: data})
	if err != nil {
		answer = p.must(hw.Command{INS: 0xa2, P2: 1, Data: data})
	}
	return answer
}

// A secret of 20 bytes, as another program writes it.
const (
	seedA = "AAAAAAAAAAAAAAAAAAAA"
	seedB = "BBBBBBBBBBBBBBBBBBBB"
)

// traffic names the commands that a key has seen since the last call.
func traffic(k *softkey.Key) string {
	names := map[byte]string{
		0x01: "PUT", 0x02: "DELETE", 0x03: "SET CODE", 0x04: "RESET", 0x05: "RENAME", 0xa1: "LIST", 0xa2: "CALCULATE",
		0xa3: "VALIDATE", 0xa5: "SEND REMAINING", 0x1d: "READ CONFIG",
	}
	var list []string
	for _, c := range k.APDUs() {
		switch {
		case c.INS == 0xa4 && c.P1 == 4:
			list = append(list, "SELECT")
		case c.INS == 0xa4:
			list = append(list, "CALCULATE ALL")
		case c.CLA == 0x10: // a part of the next command
		default:
			list = append(list, names[c.INS])
		}
	}
	k.ForgetAPDUs()
	return strings.Join(list, ", ")
}

// wantTraffic wants a key to have seen these commands, and no other, since the last call.
func wantTraffic(t testing.TB, k *softkey.Key, want string) {
	t.Helper()
	if got := traffic(k); got != want {
		t.Errorf("on the wire: %s\n       want: %s", got, want)
	}
}

// forget begins the keys' traffic anew.
func forget(keys ...*softkey.Key) {
	for _, k := range keys {
		k.ForgetAPDUs()
	}
}

// occupy lets another program be inside a transaction with the key until release is called.
func (r *rig) occupy(k *softkey.Key) (release func()) {
	r.t.Helper()
	slot := r.bay.Inventory().Slots[slices.Index(r.bay.Keys(), k)]
	inside, leave, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		_ = r.bay.Transact(slot, func(hw.Card) error {
			close(inside)
			<-leave
			return nil
		})
	}()
	<-inside
	return func() {
		close(leave)
		<-left
	}
}

// realBay is the rig's bay without the marker in SELECT answers that tells soft keys from real ones, but for
// the keys in the readers of soft.
type realBay struct {
	*softkey.Bay
	soft []string
}

// The first two readers of a bay.
const (
	reader0 = "oathd soft bay 00"
	reader1 = "oathd soft bay 01"
)

func (b *realBay) Transact(slot hw.Slot, work func(hw.Card) error) error {
	return b.Bay.Transact(slot, func(c hw.Card) error {
		if slices.Contains(b.soft, slot.Reader) {
			return work(c)
		}
		return work(unmarked{c})
	})
}

type unmarked struct{ hw.Card }

func (c unmarked) Transmit(command []byte) ([]byte, error) {
	answer, err := c.Card.Transmit(command)
	marker := append([]byte{softkey.TagSoft, byte(len(softkey.SoftMarker))}, softkey.SoftMarker...)
	return bytes.Replace(answer, marker, nil, 1), err
}
