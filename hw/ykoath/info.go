package ykoath

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// TagSoft is the tag in a SELECT answer that marks a key made of software; real keys do not send it, and
// other programs skip it.
const TagSoft = 0x8e

// SoftMark is the value of TagSoft.
const SoftMark = "oathd soft key"

// Version is the version of the OATH application; on a YubiKey that is the firmware's. It is zero if the application
// does not tell.
type Version struct{ Major, Minor, Patch byte }

// String returns "5.4.3".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// AtLeast reports whether v is the named version or a later one.
func (v Version) AtLeast(major, minor, patch byte) bool {
	return v.number() >= Version{major, minor, patch}.number()
}

func (v Version) number() int { return int(v.Major)<<16 | int(v.Minor)<<8 | int(v.Patch) }

// between reports whether from ≤ v < to.
func (v Version) between(from, to Version) bool {
	return v.number() >= from.number() && v.number() < to.number()
}

// Info is what the application says of itself when it is selected.
type Info struct {
	Version Version
	// Salt is drawn by the key, anew at each reset (pico-fido keeps it). It salts the password and names
	// the device. A Nitrokey with a PIN does not send it.
	Salt []byte
	// Challenge is what Validate has to answer; nil if no password is set.
	Challenge []byte
	// Soft: the key is made of software.
	Soft bool
	// Serial is the serial number that Nitrokey sends here; 0 elsewhere, see package mgmt.
	Serial uint32

	nitrokey bool
}

// DeviceID names the device until it is reset: base64 of half the SHA-256 of the salt
// (yubikit/oath.py, _get_device_id). It is "" if the key sent no salt.
func (i Info) DeviceID() string {
	if len(i.Salt) == 0 {
		return ""
	}
	sum := sha256.Sum256(i.Salt)
	return base64.RawStdEncoding.EncodeToString(sum[:16])
}

// PasswordSet reports whether the application is protected by a password.
func (i Info) PasswordSet() bool { return i.Challenge != nil }

// The versions by which applications of other makers are known (canokey-core, oath.c; pico-fido, version.h).
var (
	canokey  = Version{6, 0, 0}
	picoFIDO = Version{8, 0, 0}
)

// Vendor guesses the product from what SELECT shows, for display only.
func (i Info) Vendor() string {
	switch {
	case i.nitrokey:
		return "Nitrokey 3"
	case i.Version == canokey:
		return "CanoKey"
	case i.Version == picoFIDO:
		return "pico-fido"
	case i.Version.Major == 5:
		return "YubiKey 5"
	case i.Version.Major == 4:
		return "YubiKey 4"
	case i.Version.Major < 4 && i.Version != Version{}:
		return "YubiKey NEO"
	}
	return "OATH key"
}

// Features is what a key can do, as far as its version tells; one that tells none is tried. The key has the last word:
// what it refuses is ErrNotSupported, whatever stands here.
type Features struct {
	// Touch: a credential may ask for a touch.
	Touch bool
	// SHA512: the key takes HMAC-SHA-512.
	SHA512 bool
	// Rename: a credential may get another id.
	Rename bool
	// TruncatedOnly: no answer ever carries a full HMAC.
	TruncatedOnly bool
	// PrefixOverwrites: a PUT overwrites an existing credential if the new id is a prefix of the old one.
	PrefixOverwrites bool
	// CountsFirst: an HOTP counter goes up before a code is computed, not after it.
	CountsFirst bool
	// Capacity is the number of credentials that fit; 0 if it is not known or depends on their sizes.
	Capacity int
}

// Features returns what keys of this version can do (yubikit/oath.py and ykman/oath.py for the versions).
func (i Info) Features() Features {
	v := i.Version
	if i.nitrokey {
		return Features{Touch: true, TruncatedOnly: true}
	}
	untold := v == Version{} // as of a CanoKey that somebody built without a release's number
	return Features{
		// pico-fido takes the property and forgets it: its parser wants a length (pico-keys-sdk, tlv.c).
		Touch: untold || v.AtLeast(4, 2, 6) && v != picoFIDO,
		// 4.4 is the YubiKey 4 FIPS, which has no SHA-512.
		SHA512:           untold || v.AtLeast(4, 3, 1) && !v.between(Version{4, 4, 0}, Version{4, 5, 0}),
		Rename:           untold || v.AtLeast(5, 3, 1),
		PrefixOverwrites: v.between(Version{4, 0, 0}, Version{4, 3, 5}),
		CountsFirst:      v == canokey, // canokey-core, oath.c, oath_calculate
		Capacity:         i.capacity(),
	}
}

func (i Info) capacity() int {
	switch v := i.Version; {
	case v == canokey:
		return 100
	case v.Major > 5, v.Major < 4:
		return 0 // a NEO's room is one of bytes
	case v.AtLeast(5, 7, 0):
		return 64
	}
	return 32
}

// pausesAfterLong names the firmware that needs a dummy command after a long answer.
func (i Info) pausesAfterLong() bool {
	return !i.nitrokey && i.Version.between(Version{4, 2, 0}, Version{4, 2, 7})
}

func parseSelect(answer []byte) (Info, error) {
	list, err := parse(answer)
	if err != nil {
		return Info{}, err
	}
	info := Info{
		Version:   version(list),
		Salt:      value(list, tagName),
		Challenge: value(list, tagChallenge),
		Soft:      string(value(list, TagSoft)) == SoftMark,
	}
	info.readNitrokey(list)
	if info.Salt == nil && !info.nitrokey {
		err := fmt.Errorf("%w: no device id", hw.ErrMalformed)
		return Info{}, hw.WithHint(err, "its OATH application does not say which key it is (tag 71 of SELECT), so oathd could not tell it from another")
	}
	return info, nil
}

// version returns the zero version for an applet that does not say, or not in three numbers.
func version(list []tlv.TLV) Version {
	v, _ := tlv.Find(list, tagVersion)
	if len(v) != 3 {
		return Version{}
	}
	return Version{v[0], v[1], v[2]}
}

// value returns a copy of the tag's value; nil if it is not there or empty.
func value(list []tlv.TLV, tag byte) []byte {
	v, _ := tlv.Find(list, tag)
	return append([]byte(nil), v...)
}

// readNitrokey recognises a Nitrokey: by the serial number in its answer, which no other key has there, or, where
// the firmware is too old for that, by a version 4 with what no YubiKey 4 has, the PIN's remaining tries or a minor
// version of 10 and more (trussed-secrets-app, authenticator.rs).
func (i *Info) readNitrokey(list []tlv.TLV) {
	_, pin := tlv.Find(list, tagPINTries)
	serial, ok := tlv.Find(list, tagNitroSerial)
	i.nitrokey = ok || i.Version.Major == 4 && (pin || i.Version.Minor >= 10)
	if len(serial) == 4 {
		i.Serial = binary.BigEndian.Uint32(serial)
	}
}
