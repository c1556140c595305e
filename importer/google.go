package importer

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/oathd/oathd/oath"
)

const migrationScheme = "otpauth-migration://"

// googleMigration is the text in the QR codes that Google Authenticator shows when accounts are transferred: a
// message of Protocol Buffers in a URI, one for up to ten accounts.
//
// The message is not published; what is known of it is github.com/qistoph/otp_export, OtpMigration.proto.
var googleMigration = format{
	Format: Format{Name: "google-migration", Program: "Google Authenticator", Kind: "otpauth-migration:// URIs, one a line, or as QR codes"},
	detect: func(in *input) bool { return startsWithURI(in, migrationScheme) },
	read:   readURILines,
}

// migrate decodes one migration URI.
func (in *input) migrate(uri []byte) ([]Entry, error) {
	message, err := migrationMessage(uri)
	if err != nil {
		return nil, err
	}
	m := migration{Size: 1}
	err = protobuf(in.own(message), m.add)
	if err == nil {
		err = m.check()
	}
	if err == nil && len(in.batches) >= maxBatches {
		err = fmt.Errorf("%w: more than %d batches", ErrLimit, maxBatches)
	}
	if err != nil {
		wipeAll(m.entries)
		return nil, err
	}
	in.batches = addBatch(in.batches, Batch{ID: m.ID, Size: m.Size, Indexes: []int{m.index}})
	return m.entries, nil
}

// migrationMessage decodes the parameter "data", in which a '+' may have become a blank on the way.
func migrationMessage(uri []byte) (*oath.Secret, error) {
	_, query, _ := bytes.Cut(uri, []byte("?"))
	for part := range bytes.SplitSeq(query, []byte("&")) {
		data, ok := bytes.CutPrefix(part, []byte("data="))
		if !ok {
			continue
		}
		text := oath.NewSecret(len(data))
		defer text.Wipe()
		clean, err := migrationText(text.Bytes()[:0], data)
		if err != nil {
			return nil, err
		}
		return decodeBase64(clean)
	}
	return nil, errors.New("the URI has no data")
}

// migrationText appends the base64 text of data in the one form that decodeBase64 reads.
func migrationText(dst, data []byte) ([]byte, error) {
	for i := 0; i < len(data); i++ {
		c := data[i]
		if c == '%' {
			if i+2 >= len(data) {
				return nil, errors.New("the data is not escaped properly")
			}
			c = byte(hexRune([]byte{'0', '0', data[i+1], data[i+2]}))
			i += 2
		}
		switch c {
		case ' ', '-':
			c = '+'
		case '_':
			c = '/'
		case '=':
			continue
		}
		dst = append(dst, c)
	}
	return dst, nil
}

// decodeBase64 decodes a secret that is written without '=' at the end.
func decodeBase64(text []byte) (*oath.Secret, error) {
	secret := oath.NewSecret(base64.RawStdEncoding.DecodedLen(len(text)))
	if _, err := base64.RawStdEncoding.Decode(secret.Bytes(), text); err != nil {
		secret.Wipe()
		return nil, errors.New("the data is not base64")
	}
	return secret, nil
}

// migration is the message MigrationPayload.
type migration struct {
	entries []Entry
	ID      int32
	Size    int
	index   int
}

func (m *migration) add(f field) error {
	switch f.number {
	case 1:
		entry, err := migrated(f.bytes)
		if err != nil {
			return err
		}
		if m.entries = append(m.entries, entry); full(m.entries) {
			return errTooMany
		}
	case 3:
		m.Size = int(int32(f.varint))
	case 4:
		m.index = int(int32(f.varint))
	case 5:
		m.ID = int32(f.varint)
	}
	return nil
}

// maxBatch is more than a phone shows: ten accounts to a code.
const maxBatch = 10_000

func (m *migration) check() error {
	switch {
	case m.Size < 1 || m.Size > maxBatch:
		return fmt.Errorf("%w: a batch of %d codes, at most %d are granted", ErrLimit, m.Size, maxBatch)
	case m.index < 0 || m.index >= m.Size:
		return fmt.Errorf("it says that it is code %d of %d", m.index+1, m.Size)
	case m.Size == 1 && len(m.entries) == 0:
		return errors.New("there is no account in it")
	}
	return nil
}

// What the numbers in the message OtpParameters mean; 0 is "unspecified".
var (
	migrationAlgorithms = []string{"SHA1", "SHA1", "SHA256", "SHA512", "MD5"}
	migrationDigits     = []int{6, 6, 8}
	migrationKinds      = []string{kindTOTP, kindHOTP, kindTOTP}
)

// migrated reads the message OtpParameters.
func migrated(message []byte) (Entry, error) {
	var r record
	var algorithm, digits, kind uint64
	err := protobuf(message, func(f field) error {
		switch f.number {
		case 1:
			r.secret.Wipe()
			r.secret = oath.CopySecret(f.bytes)
		case 2:
			r.name = string(f.bytes)
		case 3:
			r.issuer = string(f.bytes)
		case 4:
			algorithm = f.varint
		case 5:
			digits = f.varint
		case 6:
			kind = f.varint
		case 7:
			r.counter = int64(f.varint)
		}
		return nil
	})
	if err != nil {
		r.secret.Wipe()
		return Entry{}, err
	}
	r.issuer, r.name = splitLabel(r.name, r.issuer)
	r.algorithm = choice(migrationAlgorithms, algorithm, "number ")
	r.kind = choice(migrationKinds, kind, "number ")
	if digits < uint64(len(migrationDigits)) {
		r.digits = migrationDigits[digits]
	} else {
		r.problem = fmt.Errorf("%w: number %d of Google Authenticator", oath.ErrDigits, digits)
	}
	return r.entry(), nil
}

// choice returns the name with an index, or the index itself behind a prefix if there is no such name.
func choice(names []string, index uint64, prefix string) string {
	if index < uint64(len(names)) {
		return names[index]
	}
	return fmt.Sprintf("%s%d", prefix, index)
}
