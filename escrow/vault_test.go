package escrow

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

func TestEveryRecipientOpens(t *testing.T) {
	s := newSafe(t)
	text := s.Marshal()
	v, err := ParseVault(text)
	if err != nil || !bytes.Equal(v.Marshal(), text) {
		t.Fatalf("%v\n%s", err, text)
	}
	for i, id := range []*Identity{s.slot.identity(t), s.recovery(t), Passphrase(s.pass)} {
		o := s.unlock(t, v, id)
		if o.By != s.Recipients[i] || o.Purpose != "test" || o.Vault() != v {
			t.Errorf("opened by %+v for %q", o.By, o.Purpose)
		}
		holds(t, o, s.rows)
		id.Wipe()
	}
	if s.slot.asked != 1 {
		t.Errorf("the card was asked %d times", s.slot.asked)
	}
}

// TestHead pins the form of the vault's head, and what is wrapped, for ten years.
func TestHead(t *testing.T) {
	s := newSafe(t)
	form := regexp.MustCompile(`^oathd vault 1
vault: [a-z2-7]{10}
public key: age1[a-z0-9]{58}
created: 2026-05-12T12:00:00Z
recipient: piv age1yubikey1[a-z0-9]{59} key=kkkkkkkkkk serial=12345678 slot=82 added=2026-05-12T12:00:00Z name=blue key
recipient: recovery age1[a-z0-9]{58} key=- serial=0 slot=0 added=2026-05-12T12:00:00Z name=paper in the safe
recipient: passphrase passphrase key=- serial=0 slot=0 added=2026-05-12T12:00:00Z name=
mac: [A-Za-z0-9+/]{43}
$`)
	if !form.MatchString(s.head()) {
		t.Errorf("%s", s.head())
	}
	text, err := decrypt(s.Wrapped, s.recovery(t).key)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(text.Bytes()))
	if err != nil || len(ids) != 1 || ids[0].(*age.X25519Identity).Recipient().String() != s.PublicKey {
		t.Errorf("age reads %v, %v", ids, err)
	}
	if want := fmt.Sprintf("# oathd vault key 1\n# vault: %s\n# public key: %s\nAGE-SECRET-KEY-1", s.ID, s.PublicKey); !strings.HasPrefix(string(text.Bytes()), want) {
		t.Errorf("%s", text.Bytes())
	}
}

func TestCreateRefuses(t *testing.T) {
	s := newSafe(t)
	piv, paper, pass := s.Recipients[0], s.Recipients[1], s.Recipients[2]
	with := func(r Recipient, change func(*Recipient)) Recipient {
		change(&r)
		return r
	}
	for name, test := range map[string]struct {
		recipients []Recipient
		passphrase *oath.Secret
		want       error
	}{
		"nobody":                   {nil, nil, ErrRecipients},
		"one":                      {[]Recipient{piv}, nil, ErrRecipients},
		"one twice":                {[]Recipient{piv, piv}, nil, ErrRecipients},
		"two passphrases":          {[]Recipient{pass, pass}, s.pass, ErrRecipients},
		"no passphrase":            {[]Recipient{piv, pass}, nil, ErrPassphraseNeeded},
		"an empty passphrase":      {[]Recipient{piv, pass}, &oath.Secret{}, ErrPassphraseNeeded},
		"a passphrase for nobody":  {[]Recipient{piv, paper}, s.pass, ErrRecipients},
		"a secret as public":       {[]Recipient{piv, {Public: string(s.paper.Bytes())}}, nil, ErrRecipients},
		"another plugin":           {[]Recipient{piv, {Public: string(encodeBech32("age1tag", make([]byte, 33)))}}, nil, ErrRecipients},
		"no point":                 {[]Recipient{paper, {Public: string(encodeBech32(prefixPIV, make([]byte, 33)))}}, nil, ErrRecipients},
		"a slot of another kind":   {[]Recipient{paper, with(piv, func(r *Recipient) { r.Slot = 0x9d })}, nil, ErrRecipients},
		"a line break in the name": {[]Recipient{paper, with(piv, func(r *Recipient) { r.Name = "a\nmac: x" })}, nil, ErrRecipients},
		"a name that is no UTF-8":  {[]Recipient{paper, with(piv, func(r *Recipient) { r.Name = "\xff" })}, nil, ErrRecipients},
		"a key's id with a blank":  {[]Recipient{paper, with(piv, func(r *Recipient) { r.Key = "a b" })}, nil, ErrRecipients},
	} {
		_, err := Create(noon, test.recipients, test.passphrase)
		wants(t, name, err, test.want)
	}
}

// TestFlippedVault flips a bit of every byte of a vault's text, and wants that no one opens what comes of it. The
// passphrase's file is not what the recovery key opens; it has a test of its own.
func TestFlippedVault(t *testing.T) {
	s := newSafe(t)
	text := s.Marshal()
	passphrase := bytes.LastIndex(text, []byte(armorBegin))
	for i := range text {
		v, err := ParseVault(flip(text, i))
		if err == nil && i < passphrase {
			_, err = v.Unlock("test", s.recovery(t))
		}
		if err == nil && i < passphrase {
			t.Fatalf("byte %d, %q", i, text[i])
		}
		if err != nil {
			wants(t, fmt.Sprintf("byte %d", i), err, ErrDamaged, ErrNewer, ErrReplaced, ErrTampered, ErrNoRecipient)
		}
	}
	for n := 0; n < len(text); n += 17 {
		if _, err := ParseVault(text[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	for i := range s.Passphrase {
		v := *s.Vault
		v.Passphrase = flip(s.Passphrase, i)
		_, err := v.Unlock("test", Passphrase(s.pass))
		wants(t, fmt.Sprintf("byte %d of the passphrase's file", i), err, ErrDamaged, ErrWrongPassphrase)
	}
}

func TestUnlockRefuses(t *testing.T) {
	s, other := newSafe(t), newSafe(t)
	replaced := *s.Vault
	replaced.PublicKey = other.PublicKey
	renamed := *s.Vault
	renamed.ID = other.ID
	labelled := *s.Vault
	labelled.Recipients = append([]Recipient{}, s.Recipients...)
	labelled.Recipients[1].Name = "paper in the drawer"
	added := *s.Vault
	added.Recipients = append(append([]Recipient{}, s.Recipients...), other.Recipients[0])
	garbage := *s.Vault
	garbage.Wrapped = []byte("nothing")
	foreign := *s.Vault
	foreign.Wrapped = other.Wrapped
	for name, test := range map[string]struct {
		v    *Vault
		id   *Identity
		want error
	}{
		"another paper":            {s.Vault, other.recovery(t), ErrNoRecipient},
		"another slot":             {s.Vault, other.slot.identity(t), ErrNoRecipient},
		"another passphrase":       {s.Vault, Passphrase(secret("correct hors")), ErrWrongPassphrase},
		"no passphrase":            {s.Vault, Passphrase(&oath.Secret{}), ErrWrongPassphrase},
		"a public key replaced":    {&replaced, s.recovery(t), ErrReplaced},
		"another vault's id":       {&renamed, s.recovery(t), ErrReplaced},
		"a label changed":          {&labelled, s.recovery(t), ErrTampered},
		"a recipient added":        {&added, s.recovery(t), ErrTampered},
		"the added one":            {&added, other.slot.identity(t), ErrDamaged},
		"garbage":                  {&garbage, s.recovery(t), ErrDamaged},
		"another vault's file":     {&foreign, s.slot.identity(t), ErrDamaged},
		"a replaced, by the paper": {&replaced, Passphrase(s.pass), ErrReplaced},
	} {
		o, err := test.v.Unlock("test", test.id)
		wants(t, name, err, test.want)
		if o != nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// TestWrappedKeyRefuses has files that were encrypted to the right recipients, by someone else.
func TestWrappedKeyRefuses(t *testing.T) {
	s, other := newSafe(t), newSafe(t)
	o := s.unlock(t, other.Vault, other.recovery(t))
	theirs := string(o.key.text().Bytes())
	head := s.keyHeader()
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"a newer version":        {strings.Replace(head, "key 1", "key 2", 1) + "something else", ErrNewer},
		"an older version":       {strings.Replace(head, "key 1", "key 0", 1) + theirs, ErrDamaged},
		"a key of another":       {head + theirs + "\n", ErrReplaced},
		"all of another":         {string(other.keyText(o.key).Bytes()), ErrReplaced},
		"no key":                 {head, ErrDamaged},
		"a mistyped key":         {head + theirs[:60] + "\n", ErrDamaged},
		"a key in small letters": {head + strings.ToLower(theirs) + "\n", ErrDamaged},
		"no public key":          {strings.Replace(head, "# public", "# private", 1) + theirs, ErrDamaged},
		"nothing":                {"", ErrDamaged},
	} {
		v := *s.Vault
		var err error
		if v.Wrapped, err = encrypt(secret(test.text), v.wrappers()...); err != nil {
			t.Fatal(err)
		}
		_, err = v.Unlock("test", s.slot.identity(t))
		wants(t, name, err, test.want)
		if err != nil && strings.Contains(err.Error(), theirs[20:40]) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	mine := s.unlock(t, s.Vault)
	v := *s.Vault
	for _, tail := range []string{"", "\n\n", "\nAGE-SECRET-KEY-1"} {
		var err error
		if v.Wrapped, err = encrypt(secret(head+string(mine.key.text().Bytes())+tail), v.wrappers()...); err != nil {
			t.Fatal(err)
		}
		_, err = v.Unlock("test", s.slot.identity(t))
		wants(t, fmt.Sprintf("%q after the key", tail), err, ErrDamaged)
	}
}

// TestCardErrorsArrive wants a caller of Unlock to see what the card said.
func TestCardErrorsArrive(t *testing.T) {
	s := newSafe(t)
	s.slot.err = errors.New("the PIN is blocked")
	_, err := s.Unlock("test", s.slot.identity(t))
	wants(t, "a card that refuses", err, s.slot.err)
	if errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}

func TestParseVaultRefuses(t *testing.T) {
	s := newSafe(t)
	text := string(s.Marshal())
	line := regexp.MustCompile(`(?m)^recipient: recovery .*\n`).FindString(text)
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"a newer version":      {strings.Replace(text, "vault 1", "vault 2", 1), ErrNewer},
		"version 11":           {strings.Replace(text, "vault 1", "vault 11", 1), ErrNewer},
		"version 0":            {strings.Replace(text, "vault 1", "vault 0", 1), ErrDamaged},
		"version 01":           {strings.Replace(text, "vault 1", "vault 01", 1), ErrDamaged},
		"something else":       {"oathd backup 1\n", ErrDamaged},
		"nothing":              {"", ErrDamaged},
		"a line twice":         {strings.Replace(text, line, line+line, 1), ErrDamaged},
		"an unknown line":      {strings.Replace(text, line, line+"x: y\n", 1), ErrDamaged},
		"lines in other order": {strings.Replace(strings.Replace(text, line, "", 1), "created: ", line+"created: ", 1), ErrDamaged},
		"a recipient's kind":   {strings.Replace(text, "recipient: recovery", "recipient: piv", 1), ErrDamaged},
		"a recipient in words": {strings.Replace(text, line, "recipient: my paper\n", 1), ErrDamaged},
		"a date in words":      {strings.Replace(text, "created: 2026-05-12T12:00:00Z", "created: yesterday", 1), ErrDamaged},
		"another time zone":    {strings.Replace(text, "created: 2026-05-12T12:00:00Z", "created: 2026-05-12T13:00:00+01:00", 1), ErrDamaged},
		"no armor":             {text[:strings.Index(text, "-----")], ErrDamaged},
		"one file":             {text[:strings.LastIndex(text, armorBegin)], ErrDamaged},
		"three files":          {text + string(enarmor(s.Wrapped)), ErrDamaged},
		"Windows' line ends":   {strings.ReplaceAll(text, "\n", "\r\n"), ErrDamaged},
		"a blank line":         {text + "\n", ErrDamaged},
		"an id with a capital": {strings.ReplaceAll(text, "vault: "+s.ID, "vault: A"+s.ID[1:]), ErrDamaged},
		"no public key":        {strings.ReplaceAll(text, s.PublicKey, "age1"), ErrDamaged},
		"megabytes":            {text + strings.Repeat("x", maxVault), ErrDamaged},
	} {
		_, err := ParseVault([]byte(test.text))
		wants(t, name, err, test.want)
	}
}

// FuzzVault reads anything as a vault's head, before two files that are well.
func FuzzVault(f *testing.F) {
	s := newSafe(f)
	head := []byte(s.head())
	files := s.Marshal()[len(head):]
	f.Add(head)
	f.Add([]byte("oathd vault 1\nrecipient: piv age1yubikey1 key=- serial=0 slot=0 added=2026-05-12T12:00:00Z name=\nmac: \n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		text := append(bytes.Clone(head), files...)
		if v, err := ParseVault(text); err == nil && !bytes.Equal(v.Marshal(), text) {
			t.Errorf("%q became %q", text, v.Marshal())
		}
	})
}

// TestTimesAreSeconds gives a vault times that its text cannot hold.
func TestTimesAreSeconds(t *testing.T) {
	s := newSafe(t)
	east := noon.Add(time.Millisecond).In(time.FixedZone("", 3600))
	list := append([]Recipient{}, s.Recipients[:2]...)
	list[0].Added = east
	v, err := Create(east, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseVault(v.Marshal())
	if err != nil || !read.Created.Equal(v.Created) || read.Recipients[0] != v.Recipients[0] {
		t.Errorf("%+v, %v; want %+v", read, err, v)
	}
}
