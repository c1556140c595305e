package importer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/oathd/oathd/oath"
)

// authenticatorPlus is what Authenticator Plus exports: an encrypted zip archive with a list of URIs ("Export as text
// and HTML"), or authplus.db, its SQLite database encrypted by SQLCipher 3
// (android-otp-extractor, pull request 47; Stratum, AuthenticatorPlusBackupConverter.cs).
var authenticatorPlus = format{
	Format: Format{Name: "authenticator-plus", Program: "Authenticator Plus", Kind: "zip, SQLCipher", Encrypted: true},
	detect: func(in *input) bool {
		return in.packed(plusList) != nil || in.hasTable(plusTable, "original_name", "category")
	},
	read: readPlus,
}

// authenticatorPlusDatabase is its encrypted database.
var authenticatorPlusDatabase = format{
	Format: authenticatorPlus.Format,
	detect: func(in *input) bool { return isSQLCipher(in.data) },
	read:   readPlus,
}

const (
	// plusList is the file in the archive that is read.
	plusList = "Accounts.txt"
	// plusTable is the table in the database.
	plusTable = "accounts"
)

func readPlus(in *input) ([]Entry, error) {
	if f := in.packed(plusList); f != nil {
		list, err := in.unpack(f)
		if err != nil {
			return nil, err
		}
		return readURILines(in.inner(list))
	}
	data := in.data
	if !in.begins(sqliteMagic) {
		if !isSQLCipher(data) {
			return nil, errors.New("it is neither an archive with " + plusList + " nor an encrypted database")
		}
		var err error
		data, err = in.decrypt(func(password *oath.Secret) (*oath.Secret, error) { return openSQLCipher(in, password) })
		if err != nil {
			return nil, err
		}
	}
	t, err := in.table(data, plusTable)
	if err != nil {
		return nil, err
	}
	return t.entries(plusRow)
}

// plusRow reads an account. The table is Google Authenticator's, with a type more: Battle.net, whose secret is
// hexadecimal.
func plusRow(get func(string) value) Entry {
	const battlenet = 2
	if get("type").number == battlenet {
		r := record{issuer: "Battle.net", name: get("email").String(), kind: kindTOTP, digits: 8}
		r.hex(get("secret").text)
		return r.entry()
	}
	r := googleRecord(get)
	if issuer, _, found := strings.Cut(get("original_name").String(), ":"); found && r.issuer == "" {
		r.issuer = issuer
	}
	return r.entry()
}

// What SQLCipher 3 does unless it is told otherwise (https://www.zetetic.net/sqlcipher/design/): pages of 1024 bytes, each
// with an initialization vector, an HMAC-SHA1 and 12 bytes of nothing at its end; the salt is in place of SQLite's magic.
const (
	cipherPage   = 1024
	cipherSalt   = 16
	cipherTail   = 48
	cipherRounds = 64000
	cipherMask   = 0x3a
)

// isSQLCipher reports whether data could be such a database, which has no mark: whole pages of what is no text.
func isSQLCipher(data []byte) bool {
	return len(data) >= 2*cipherPage && len(data)%cipherPage == 0 && !utf8.Valid(data[:cipherPage]) && string(data[:len(sqliteMagic)]) != sqliteMagic
}

// openSQLCipher decrypts the database to one that SQLite could read.
func openSQLCipher(in *input, password *oath.Secret) (*oath.Secret, error) {
	salt := in.data[:cipherSalt]
	key, err := in.limits.pbkdf2(sha1.New, password, salt, cipherRounds, 32)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	masked := make([]byte, cipherSalt)
	for i := range masked {
		masked[i] = salt[i] ^ cipherMask
	}
	macKey, err := in.limits.pbkdf2(sha1.New, key, masked, 2, 32)
	if err != nil {
		return nil, err
	}
	defer macKey.Wipe()
	plain := oath.CopySecret(in.data)
	if err := openPages(plain.Bytes(), key, macKey); err != nil {
		plain.Wipe()
		return nil, err
	}
	copy(plain.Bytes(), sqliteMagic)
	return plain, nil
}

// openPages checks and decrypts all pages in place.
func openPages(data []byte, key, macKey *oath.Secret) error {
	block, err := aes.NewCipher(key.Bytes())
	if err != nil {
		return err
	}
	for n := uint32(1); len(data) > 0; n++ {
		page := data[:cipherPage]
		data = data[cipherPage:]
		if n == 1 {
			page = page[cipherSalt:]
		}
		box, tail := page[:len(page)-cipherTail], page[len(page)-cipherTail:]
		iv, mac := tail[:aes.BlockSize], tail[aes.BlockSize:aes.BlockSize+sha1.Size]
		h := hmac.New(sha1.New, macKey.Bytes())
		h.Write(page[:len(page)-cipherTail+aes.BlockSize])
		h.Write(binary.LittleEndian.AppendUint32(nil, n))
		if !hmac.Equal(h.Sum(nil), mac) {
			return ErrPassword
		}
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(box, box)
	}
	return nil
}
