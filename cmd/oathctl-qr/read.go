package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/oathd/oathd/importer/qr"
)

// codes is what a picture holds.
type codes struct {
	// uris are the texts that begin with "otpauth", in the order in which they are read.
	uris []string
	// others counts the codes with any other text.
	others int
}

// read finds the QR codes in the picture that r holds. A picture without an otpauth URI is an error.
func read(r io.Reader) (codes, error) {
	data, err := io.ReadAll(io.LimitReader(r, qr.MaxBytes+1))
	if err != nil {
		return codes{}, err
	}
	texts, err := qr.Read(data)
	if err != nil {
		return codes{}, err
	}
	return sort(texts)
}

// sort keeps the texts that oathctl can make something of, and counts the others.
func sort(texts []string) (codes, error) {
	var found codes
	for _, text := range texts {
		if text = strings.TrimSpace(text); isOtpauth(text) {
			found.uris = append(found.uris, text)
		} else {
			found.others++
		}
	}
	if len(found.uris) == 0 {
		return codes{}, fmt.Errorf("it shows %s, none with an otpauth URI", count(found.others, "QR code"))
	}
	return found, nil
}

// isOtpauth holds for "otpauth-migration:" too: oathctl says what that is. A line break would make
// two lines of one text.
func isOtpauth(text string) bool {
	return len(text) > 8 && strings.EqualFold(text[:7], "otpauth") && !strings.ContainsAny(text, "\r\n")
}
