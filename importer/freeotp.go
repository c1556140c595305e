package importer

import (
	"strings"

	"github.com/oathd/oathd/oath"
)

// freeOTP is FreeOTP's preferences of Android (version 1), in clear, or the backup of version 2, a serialized
// map of Java: "masterKey", and for each account UUID, with the encrypted seed, and UUID-token, with the rest
// (github.com/freeotp/freeotp-android, TokenPersistence.java).
var freeOTP = format{
	Format: Format{Name: "freeotp", Program: "FreeOTP", Kind: "Android XML, or Java map", Encrypted: true},
	detect: func(in *input) bool { return in.begins(javaMagic) || in.opensXML("<map", "issuerExt") },
	read:   readFreeOTP,
}

type freeOTPToken struct {
	Type      string `json:"type"`
	Algorithm string `json:"algo"`
	// The issuer of the label, that of the parameter, and what somebody made of it.
	IssuerExt string      `json:"issuerExt"`
	IssuerInt string      `json:"issuerInt"`
	IssuerAlt string      `json:"issuerAlt"`
	Label     string      `json:"label"`
	LabelAlt  string      `json:"labelAlt"`
	Digits    numberText  `json:"digits"`
	Period    numberText  `json:"period"`
	Counter   numberText  `json:"counter"`
	Secret    signedBytes `json:"secret"`
}

// record takes the token's secret. low is how much lower than the next counter the one here is.
func (t *freeOTPToken) record(low int64) record {
	r := record{
		issuer: instead(instead(t.IssuerAlt, t.IssuerExt), t.IssuerInt), name: instead(t.LabelAlt, t.Label),
		kind: t.Type, algorithm: t.Algorithm,
	}
	if t.IssuerExt == "Steam" && strings.EqualFold(t.Type, kindTOTP) {
		r.kind = kindSteam
	}
	r.seed(t.Secret.take(), nil)
	r.numbers(t.Digits, t.Period, t.Counter)
	r.counter += low
	return r
}

// The counter of FreeOTP 1 and FreeOTP+ is one lower than the one that they would write into a URI
// (github.com/freeotp/freeotp-android, issue 54; Token.java, toUri). Where that has been mended meanwhile, a code
// is skipped, which services allow.
const freeOTPLow = 1

func readFreeOTP(in *input) ([]Entry, error) {
	if in.begins(javaMagic) {
		return readFreeOTP2(in)
	}
	list, err := in.preferences()
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, p := range list {
		if p.name != "tokenOrder" {
			entries = append(entries, freeOTPEntry(p))
		}
		if full(entries) {
			break
		}
	}
	return entries, nil
}

func freeOTPEntry(p preference) Entry {
	if err := checkJSON(p.text); err != nil {
		return Entry{Account: oath.Account{Name: p.name}, Problem: err}
	}
	return jsonEntry(p.text, func(t *freeOTPToken) Entry { return t.record(freeOTPLow).entry() })
}
