package escrow

import (
	_ "embed"
	"fmt"
	"html"
	"strings"
	"time"
	"unsafe"

	"rsc.io/qr"

	"github.com/oathd/oathd/oath"
)

// paper is the page with names in double braces where words go, and comments where the secrets do. A word cannot
// look like a comment, for it is escaped.
//
//go:embed paper.html
var paper string

const (
	markQR  = "<!--QR-->"
	markKey = "<!--KEY-->"

	// quietZone is the white that a QR code needs around it, in modules (ISO/IEC 18004).
	quietZone = 4
	// maxPicture is more than 33 by 33 modules take, alternately black and white.
	maxPicture = 32 << 10

	keyGroup = 4
)

// Paper returns the page to print for a recovery key that is one of the vault's recipients: one HTML file that needs
// nothing from anywhere. The key is in it, hence the Secret. key stays the caller's.
func (v *Vault) Paper(key *oath.Secret, now time.Time) (*oath.Secret, error) {
	page, err := v.paper(key, now)
	if err != nil {
		return nil, fmt.Errorf("cannot print the recovery key: %w", err)
	}
	return page, nil
}

func (v *Vault) paper(key *oath.Secret, now time.Time) (*oath.Secret, error) {
	k, err := parseRecovery(key.Bytes())
	if err != nil {
		return nil, err
	}
	defer k.scalar.Wipe()
	public, err := k.recipient()
	if err != nil {
		return nil, err
	}
	r, err := v.find(public)
	if err != nil {
		return nil, err
	}
	text := k.text()
	defer text.Wipe()
	picture, err := qrPicture(text)
	if err != nil {
		return nil, err
	}
	defer picture.Wipe()
	groups := keyGroups(text)
	defer groups.Wipe()

	before, rest, _ := strings.Cut(v.paperWords(r, now), markQR)
	between, after, _ := strings.Cut(rest, markKey)
	return join([]byte(before), picture.Bytes(), []byte(between), groups.Bytes(), []byte(after)), nil
}

func (v *Vault) paperWords(r Recipient, now time.Time) string {
	return strings.NewReplacer(
		"{{NAME}}", html.EscapeString(r.Name),
		"{{DATE}}", now.UTC().Format(time.DateOnly),
		"{{VAULT}}", v.ID,
		"{{RECIPIENT}}", r.Public,
		"{{PUBLIC}}", v.PublicKey,
	).Replace(paper)
}

// keyGroups writes the key as people can copy it: its prefix, then four characters at a time.
func keyGroups(key *oath.Secret) *oath.Secret {
	prefix := len(prefixSecretKey) + 1
	text := key.Bytes()
	groups := oath.NewSecret(len(text) + (len(text)-prefix+keyGroup-1)/keyGroup)
	out := append(groups.Bytes()[:0], text[:prefix]...)
	for i, c := range text[prefix:] {
		if i%keyGroup == 0 {
			out = append(out, ' ')
		}
		out = append(out, c)
	}
	return groups
}

// qrPicture draws the key as an SVG. Capitals, digits and '-' are what QR's alphanumeric mode is for: version 4 with
// error correction M holds 90 of them.
func qrPicture(key *oath.Secret) (*oath.Secret, error) {
	// qr takes a string and does not keep it; this one is the locked memory itself.
	code, err := qr.Encode(unsafe.String(unsafe.SliceData(key.Bytes()), key.Len()), qr.M)
	if err != nil {
		return nil, err
	}
	defer oath.Wipe(code.Bitmap)
	room := oath.NewSecret(maxPicture)
	defer room.Wipe()
	side := code.Size + 2*quietZone
	out := fmt.Appendf(room.Bytes()[:0], `<svg viewBox="0 0 %d %d" role="img" aria-label="the key as a QR code"><path d="`, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				out = fmt.Appendf(out, "M%d %dh%dv1h-%dz", x+quietZone, y+quietZone, run, run)
			}
			x += run
		}
	}
	out = append(out, `"/></svg>`...)
	return oath.CopySecret(out), nil
}
