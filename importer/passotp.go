package importer

import "fmt"

// passOTP is the decrypted content of a pass entry: a password, and an otpauth URI in one of the other
// lines (pass-otp, README.md). What else is in it is the owner's, and not read.
var passOTP = format{
	Format: Format{Name: "pass-otp", Program: "pass", Kind: "text with an otpauth:// URI"},
	detect: func(in *input) bool { return in.has("\notpauth://") },
	read:   readPass,
}

func readPass(in *input) ([]Entry, error) {
	var entries []Entry
	for line := range textLines(in.data) {
		if hasPrefixFold(line, "otpauth://") {
			entries = append(entries, uriEntry(line))
		}
		if full(entries) {
			break
		}
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: no line in it is an otpauth URI", ErrNone)
	}
	return entries, nil
}
