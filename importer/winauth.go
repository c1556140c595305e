package importer

import (
	"archive/zip"
	"bytes"
	"errors"
	"path"
	"strings"

	"github.com/oathd/oathd/oath"
)

// winauth is what WinAuth exports: a list of URIs of its own making, alone or in a zip archive, which may
// be encrypted (WinAuth, WinAuthAuthenticator.cs, ToUrl; WinAuthHelper.cs, ExportAuthenticators).
var winauth = format{
	Format: Format{Name: "winauth", Program: "WinAuth", Kind: "text, zip", Encrypted: true},
	detect: func(in *input) bool { return isWinAuth(in.data) || winauthPacked(in) != nil },
	read:   readWinAuth,
}

// isWinAuth reports whether the first line is a URI with what only WinAuth writes: secret and digits in front,
// and behind them an icon, a serial or a device.
func isWinAuth(text []byte) bool {
	for line := range textLines(text) {
		_, query, _ := bytes.Cut(line, []byte("?secret="))
		_, query, _ = bytes.Cut(query, []byte("&"))
		return hasPrefixFold(line, "otpauth://") && bytes.HasPrefix(query, []byte("digits=")) &&
			(bytes.Contains(query, []byte("&icon=")) || bytes.Contains(query, []byte("&serial=")) || bytes.Contains(query, []byte("&deviceid=")))
	}
	return false
}

// winauthPacked finds the list in an archive, which holds nothing else; nil if there is none.
func winauthPacked(in *input) *zip.File {
	files := in.archive()
	if len(files) != 1 || !strings.EqualFold(path.Ext(files[0].Name), ".txt") || in.packed(plusList) != nil {
		return nil
	}
	return files[0]
}

func readWinAuth(in *input) ([]Entry, error) {
	text := in.data
	if f := winauthPacked(in); f != nil {
		var err error
		if text, err = in.unpack(f); err != nil {
			return nil, err
		}
	}
	var entries []Entry
	for line := range textLines(text) {
		buf := oath.NewSecret(4 * len(line))
		entries = append(entries, in.lineEntries(appendWinAuth(buf.Bytes()[:0], line))...)
		buf.Wipe()
		if full(entries) {
			break
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("there is no URI in it")
	}
	return entries, nil
}

// appendWinAuth appends a URI as others write it: WinAuth has blanks in the label as '+', and the issuer in front of it
// as it is, not escaped at all; the parameter issuer is. The line becomes at most four times as long.
func appendWinAuth(dst, line []byte) []byte {
	head, query, found := bytes.Cut(line, []byte("?secret="))
	slash := bytes.IndexByte(head[min(len("otpauth://"), len(head)):], '/')
	if !found || slash < 0 || !hasPrefixFold(head, "otpauth://") {
		return append(dst, line...)
	}
	slash += len("otpauth://")
	label := head[slash+1:]
	dst = append(dst, head[:slash+1]...)
	if _, issuer, has := bytes.Cut(query, []byte("&issuer=")); has {
		issuer, _, _ = bytes.Cut(issuer, []byte("&"))
		dst = append(appendBlanks(dst, issuer), ':')
		label = label[bytes.LastIndexByte(label, ':')+1:]
	}
	return append(append(appendBlanks(dst, label), "?secret="...), query...)
}

// appendBlanks appends text with "%20" for each '+'.
func appendBlanks(dst, text []byte) []byte {
	for _, c := range text {
		if c == '+' {
			dst = append(dst, "%20"...)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
