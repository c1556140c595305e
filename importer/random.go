package importer

import "unicode/utf8"

// random are the formats that look like random bytes. They are looked for last, and all tried.
var random = []format{andOTPEncrypted, authenticatorPlusDatabase, otpClientOld}

// magics are the beginnings of files that are certainly something else.
var magics = []string{
	"PK\x03\x04", "\x89PNG", "\xff\xd8\xff", "GIF8", "RIFF", "%PDF", "SQLite format 3", "\x1f\x8b", "BZh", "\xfd7zXZ", "7z\xbc\xaf",
	"Rar!", "\x7fELF", "\xac\xed", "\x28\xb5\x2f\xfd",
}

// minRandom is less than any encrypted export has: a nonce, a tag and an empty list.
const minRandom = 30

// looksRandom holds for what is no text and no file of another known kind.
func looksRandom(in *input) bool {
	for _, magic := range magics {
		if in.begins(magic) {
			return false
		}
	}
	return len(in.data) >= minRandom && !utf8.Valid(in.data)
}
