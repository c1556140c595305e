package oath

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"unsafe"
)

const (
	redacted = "[redacted]"

	// madvDontDump is MADV_DONTDUMP of madvise(2); package syscall does not name it.
	madvDontDump = 16
)

// Secret holds the bytes of a seed, a password or a key derived from one.
//
// The bytes live outside the Go heap, in pages that are locked into memory and left out of core
// dumps where the kernel's limits allow it, so that the garbage collector neither copies them nor
// leaves them behind. Small secrets share pages. Whatever prints a Secret prints "[redacted]". The zero value is empty.
//
// A Secret has one owner, who calls Wipe; it is not safe for use while another goroutine wipes it.
type Secret struct {
	// first is the first of len bytes. It is no slice, for fmt goes past all methods for a verb that it does not
	// know (%w outside Errorf) and for unexported fields, and would print one; a *byte it never follows.
	first  *byte
	len    int
	locked bool
}

// NewSecret returns a Secret of n zero bytes, to be filled through Bytes.
func NewSecret(n int) *Secret {
	if n == 0 {
		return &Secret{}
	}
	first, locked := allocate(n)
	return &Secret{first: first, len: n, locked: locked}
}

// TakeSecret moves b into a new Secret: b is wiped.
func TakeSecret(b []byte) *Secret {
	s := CopySecret(b)
	Wipe(b)
	return s
}

// CopySecret copies b into a new Secret; b still belongs to the caller.
func CopySecret(b []byte) *Secret {
	s := NewSecret(len(b))
	copy(s.Bytes(), b)
	return s
}

// ReadSecret reads exactly n bytes of r into a new Secret.
func ReadSecret(r io.Reader, n int) (*Secret, error) {
	s := NewSecret(n)
	if _, err := io.ReadFull(r, s.Bytes()); err != nil {
		s.Wipe()
		return nil, fmt.Errorf("cannot read a secret of %d bytes: %w", n, err)
	}
	return s, nil
}

// Bytes returns the secret itself, not a copy. It is nil once the Secret is wiped.
func (s *Secret) Bytes() []byte {
	if s == nil {
		return nil
	}
	return unsafe.Slice(s.first, s.len)
}

// Len returns the number of bytes.
func (s *Secret) Len() int { return len(s.Bytes()) }

// Clone returns a copy with an owner of its own.
func (s *Secret) Clone() *Secret { return CopySecret(s.Bytes()) }

// Equal compares in constant time.
func (s *Secret) Equal(t *Secret) bool { return subtle.ConstantTimeCompare(s.Bytes(), t.Bytes()) == 1 }

// Wipe overwrites the bytes and gives the memory back, to the next secret if it is little. A second Wipe does
// nothing; what Bytes returned must not be used any more.
func (s *Secret) Wipe() {
	if s.Len() == 0 {
		return
	}
	Wipe(s.Bytes())
	if s.locked {
		release(s.first, s.len)
	}
	*s = Secret{}
}

// Format prints "[redacted]" for every verb.
func (s *Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns "[redacted]".
func (s *Secret) String() string { return redacted }

// MarshalText writes "[redacted]"; it serves encoding/json too.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue logs "[redacted]".
func (s *Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Wipe overwrites b with zeros.
func Wipe(b []byte) { clear(b) }
