package importer

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/oathd/oathd/oath"
)

// keePassFields are the fields of an entry of KeePass. There are four ways to keep a TOTP in them, of which an entry
// may use several.
type keePassFields map[string][]byte

func (f keePassFields) entries() []Entry {
	var entries []Entry
	for _, key := range slices.Sorted(maps.Keys(f)) {
		// KeePassXC calls further ones of an item of 1Password otp_1, otp_2 (OPUXReader.cpp).
		if (key == "otp" || strings.HasPrefix(key, "otp_")) && len(f[key]) > 0 {
			entries = append(entries, f.otp(f[key]))
		}
	}
	if seed := f["TOTP Seed"]; len(seed) > 0 {
		entries = append(entries, f.seedSettings(seed).entry())
	}
	for _, prefix := range []string{"TimeOtp", "HmacOtp"} {
		if r, ok := f.keePass2(prefix); ok {
			entries = append(entries, r.entry())
		}
	}
	return entries
}

func (f keePassFields) record(kind string) record {
	return record{issuer: string(f["Title"]), name: string(f["UserName"]), kind: kind}
}

// otp reads the field that KeePassXC and most plugins use: an otpauth URI, or the form of KeeOtp.
func (f keePassFields) otp(text []byte) Entry {
	if bytes.Contains(text, []byte("key=")) && !hasPrefixFold(text, "otpauth://") {
		return f.keeOtp(text).entry()
	}
	r := f.record(kindTOTP)
	e := totpField(text, r.issuer, r.name)
	// KeePassXC's name for an account without one (Totp.cpp, writeSettings).
	if e.Account.Name == "none" && r.name == "" && e.Account.Issuer != "" {
		e.Account.Issuer, e.Account.Name = "", e.Account.Issuer
	}
	return e
}

// keeOtp reads "key=SEED&size=6&step=30&otpHashMode=Sha1&type=Totp&counter=0&encoding=Base32", all but the key
// optional (Totp.cpp, parseSettings; github.com/tiuub/KeeOtp2).
func (f keePassFields) keeOtp(text []byte) record {
	r := f.record(kindTOTP)
	var key []byte
	values := make(map[string]string)
	for part := range bytes.SplitSeq(text, []byte("&")) {
		name, value, _ := bytes.Cut(part, []byte("="))
		if string(name) == "key" {
			// What can be escaped in it is the padding.
			key, _, _ = bytes.Cut(value, []byte("%"))
		} else {
			values[string(name)] = string(value)
		}
	}
	r.algorithm = values["otpHashMode"]
	r.kind = instead(values["type"], kindTOTP)
	switch encoding := values["encoding"]; strings.ToLower(encoding) {
	case "", "base32":
		r.base32(key)
	case "hex":
		r.hex(key)
	default:
		r.problem = fmt.Errorf("its secret is written in %s: base32 and hexadecimal are known", short(encoding))
	}
	r.numbers(numberText(values["size"]), numberText(values["step"]), numberText(values["counter"]))
	return r
}

// seedSettings reads what KeePassXC before 2.4 and KeeTrayTOTP write: the seed, and "30;6", seconds and digits,
// or "30;S" for Steam.
func (f keePassFields) seedSettings(seed []byte) record {
	r := f.record(kindTOTP)
	r.base32(seed)
	settings := strings.Split(string(f["TOTP Settings"]), ";")
	if len(settings) < 2 {
		return r
	}
	if settings[1] == "S" {
		r.kind = kindSteam
		settings[1] = ""
	}
	r.numbers(numberText(settings[1]), numberText(settings[0]), "")
	return r
}

// keePass2 reads what KeePass 2 itself understands since 2.47, TimeOtp-… and HmacOtp-…, and reports whether there is
// any (keepass.info/help/base/placeholders.html#otp).
func (f keePassFields) keePass2(prefix string) (record, bool) {
	r := f.record(kindTOTP)
	if prefix == "HmacOtp" {
		r.kind = kindHOTP
	}
	for suffix, decode := range map[string]func(*record, []byte){
		"": (*record).utf8, "-Hex": (*record).hex, "-Base32": (*record).base32, "-Base64": (*record).base64,
	} {
		if text := f[prefix+"-Secret"+suffix]; len(text) > 0 {
			decode(&r, text)
			r.algorithm = string(f[prefix+"-Algorithm"])
			r.numbers(numberText(f[prefix+"-Length"]), numberText(f[prefix+"-Period"]), numberText(f[prefix+"-Counter"]))
			return r, true
		}
	}
	return r, false
}

// utf8 gives the record a seed that is the text itself.
func (r *record) utf8(text []byte) { r.seed(oath.CopySecret(text), nil) }
