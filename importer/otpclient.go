package importer

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/oathd/oathd/oath"
)

// otpClient is the database of OTPClient (github.com/paolostivanin/OTPClient, src/common/db-common.c). What it exports
// for other programs is read as those programs' files.
var otpClient = format{
	Format: Format{Name: "otpclient", Program: "OTPClient", Kind: "database", Encrypted: true},
	detect: func(in *input) bool {
		return in.begins(otpClientMagic) || in.array("type", "label", "algo", "secret")
	},
	read: readOTPClient,
}

// otpClientOld is its first version, encrypted and without a mark.
var otpClientOld = format{Format: otpClient.Format, detect: looksRandom, read: readOTPClient}

// The lengths in the header: [magic, version,] IV, salt[, passes, memory, lanes]. Its second version is a struct of C as
// it lies in memory, little-endian and with three bytes of padding before the version; the third is packed and big-endian.
const (
	otpClientMagic  = "OTPClient"
	otpClientIV     = 16
	otpClientSalt   = 32
	otpClientRounds = 100_000 // of the first version
	otpClientV2     = 12
	otpClientV3     = 9
)

func readOTPClient(in *input) ([]Entry, error) {
	data := in.data
	if !in.outline().valid {
		head, err := in.otpClientHeader()
		if err != nil {
			return nil, err
		}
		if data, err = in.decrypt(head.open); err != nil {
			return nil, err
		}
	}
	data = bytes.TrimRight(data, "\x00") // the first two versions encrypt the end of C's string too
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	return jsonEntries(data, (*otpClientEntry).entry), nil
}

// otpClientHead is a database cut into its parts.
type otpClientHead struct {
	limits                limits
	whole, iv, salt, box  []byte
	passes, memory, lanes uint32 // 0 in the first version
	// runes is set where a password counts as many bytes as it has characters.
	runes bool
}

func (in *input) otpClientHeader() (otpClientHead, error) {
	h := otpClientHead{limits: in.limits, runes: true}
	at, end := 0, otpClientIV+otpClientSalt
	var order binary.ByteOrder
	if in.begins(otpClientMagic) {
		switch {
		case len(in.data) >= 16 && binary.BigEndian.Uint32(in.data[otpClientV3:]) == 3:
			at, order, h.runes = otpClientV3+4, binary.BigEndian, false
		case len(in.data) >= 16 && binary.LittleEndian.Uint32(in.data[otpClientV2:]) == 2:
			at, order = otpClientV2+4, binary.LittleEndian
		default:
			return h, errors.New("its version is neither 2 nor 3")
		}
		end = at + otpClientIV + otpClientSalt + 12
	}
	if len(in.data) < end {
		return h, tooShort(len(in.data), end)
	}
	h.whole, h.box = in.data[:end], in.data[end:]
	h.iv, h.salt = in.data[at:at+otpClientIV], in.data[at+otpClientIV:at+otpClientIV+otpClientSalt]
	if order != nil {
		costs := in.data[end-12:]
		h.passes, h.memory, h.lanes = order.Uint32(costs), order.Uint32(costs[4:]), order.Uint32(costs[8:])
	}
	return h, nil
}

// open tries a password as it is, and as versions did that took its length in characters for that in bytes.
func (h otpClientHead) open(password *oath.Secret) (*oath.Secret, error) {
	plain, err := h.openWith(password)
	n := utf8.RuneCount(password.Bytes())
	if !errors.Is(err, ErrPassword) || !h.runes || n == password.Len() {
		return plain, err
	}
	short := oath.CopySecret(password.Bytes()[:n])
	defer short.Wipe()
	return h.openWith(short)
}

func (h otpClientHead) openWith(password *oath.Secret) (*oath.Secret, error) {
	key, err := h.key(password)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return openGCM(key, h.iv, h.box, h.whole)
}

func (h otpClientHead) key(password *oath.Secret) (*oath.Secret, error) {
	if h.passes == 0 {
		return h.limits.pbkdf2(sha512.New, password, h.salt, otpClientRounds, 32)
	}
	return h.limits.argon2id(password, h.salt, int(h.passes), int(h.memory), int(h.lanes), 32)
}

// otpClientEntry is one element of the database.
type otpClientEntry struct {
	Type      string     `json:"type"`
	Label     string     `json:"label"`
	Issuer    string     `json:"issuer"`
	Secret    secretText `json:"secret"`
	Algorithm string     `json:"algo"`
	Digits    numberText `json:"digits"`
	Period    numberText `json:"period"`
	Counter   numberText `json:"counter"`
}

func (e *otpClientEntry) entry() Entry {
	r := record{issuer: e.Issuer, name: e.Label, kind: e.Type, algorithm: e.Algorithm}
	e.Secret.take(r.base32)
	r.numbers(e.Digits, e.Period, e.Counter)
	return r.entry()
}
