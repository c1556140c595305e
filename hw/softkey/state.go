package softkey

import (
	"bytes"
	"crypto/sha256"
	"iter"
	"slices"
)

// state is what a key keeps without power. It is saved as JSON, seeds in clear.
type state struct {
	Personality string `json:"personality"`
	Serial      uint32 `json:"serial"`
	Salt        []byte `json:"salt"`
	// Code is the type|algorithm byte and the key that guard the applet; nil if none is set.
	Code []byte `json:"code,omitempty"`
	// Credentials are in the order of their places; a deleted one leaves a nil.
	Credentials []*credential `json:"credentials,omitempty"`
	// PIV is the PIV applet's part; nil before its first use.
	PIV *pivState `json:"piv,omitempty"`
	// Config is what the Management applet was told; nil if nothing.
	Config *mgmtConfig `json:"config,omitempty"`
}

// credential is one account on the key.
type credential struct {
	ID       []byte `json:"id"`   // as it came: not every name is UTF-8
	Kind     byte   `json:"kind"` // type|algorithm
	Digits   byte   `json:"digits"`
	Key      []byte `json:"key"`
	Property byte   `json:"property,omitempty"`
	Counter  uint64 `json:"counter,omitempty"` // HOTP
	Last     []byte `json:"last,omitempty"`    // the highest challenge, if only increasing ones are taken
}

func (c *credential) hotp() bool { return c.Kind&maskType == typeHOTP }

func (c *credential) increasing() bool { return c.Property&propIncreasing != 0 }

// all yields the credentials in the order of LIST.
func (s *state) all() iter.Seq[*credential] {
	return func(yield func(*credential) bool) {
		for _, c := range s.Credentials {
			if c != nil && !yield(c) {
				return
			}
		}
	}
}

func (s *state) count() (n int) {
	for range s.all() {
		n++
	}
	return n
}

// indexFunc returns the place of the first credential for which f holds, or -1.
func (s *state) indexFunc(f func(*credential) bool) int {
	return slices.IndexFunc(s.Credentials, func(c *credential) bool { return c != nil && f(c) })
}

func (s *state) index(id []byte) int {
	return s.indexFunc(func(c *credential) bool { return bytes.Equal(c.ID, id) })
}

func (s *state) find(id []byte) *credential {
	if i := s.index(id); i >= 0 {
		return s.Credentials[i]
	}
	return nil
}

// store puts a credential into place i, or into the first free one if i is negative.
func (s *state) store(i int, c *credential) {
	if i < 0 {
		i = slices.Index(s.Credentials, nil)
	}
	if i < 0 {
		s.Credentials = append(s.Credentials, c)
		return
	}
	s.Credentials[i] = c
}

// sortByHash brings the credentials into the order of their names' SHA-256 (trussed-secrets-app,
// src/authenticator.rs, filename_for_label).
func (s *state) sortByHash() {
	s.Credentials = slices.DeleteFunc(s.Credentials, func(c *credential) bool { return c == nil })
	slices.SortFunc(s.Credentials, func(a, b *credential) int {
		x, y := sha256.Sum256(a.ID), sha256.Sum256(b.ID)
		return bytes.Compare(x[:], y[:])
	})
}

func (s *state) clone() state {
	t := *s
	t.Salt, t.Code = bytes.Clone(s.Salt), bytes.Clone(s.Code)
	t.Credentials = slices.Clone(s.Credentials)
	t.PIV = s.PIV.clone()
	for i, c := range t.Credentials {
		if c != nil {
			copied := *c
			t.Credentials[i] = &copied
		}
	}
	return t
}
