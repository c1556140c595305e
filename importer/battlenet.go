package importer

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/oathd/oathd/oath"
)

// battlenet is the preferences of Blizzard's apps on Android: Battle.net Authenticator
// (com.blizzard.bma.AUTH_STORE.xml) and the app that came after it (com.blizzard.messenger.authenticator_preferences.xml).
// What they hide is plain TOTP with SHA1 and 8 digits, so a key can hold it (WinAuth, BattleNetAuthenticator.cs; Aegis,
// BattleNetImporter.java).
var battlenet = format{
	Format: Format{Name: "battle-net", Program: "Battle.net", Kind: "XML"},
	detect: func(in *input) bool {
		return in.opensXML("<map", battlenetHash) || in.opensXML("<map", battlenetSecret)
	},
	read: readBattlenet,
}

// The names of the preferences.
const (
	// battlenetHash is the old one: 40 hexadecimal digits of the seed, then the serial.
	battlenetHash = "com.blizzard.bma.AUTH_STORE.HASH"
	// battlenetSecret and battlenetSerial are the new ones, each on its own.
	battlenetSecret = "com.blizzard.messenger.AUTHENTICATOR_DEVICE_SECRET"
	battlenetSerial = "com.blizzard.messenger.AUTHENTICATOR_SERIAL"
)

// battlenetSeed is the length of a seed's text in the old preferences: 20 bytes in hexadecimal.
const battlenetSeed = 40

// battlenetMask hides the values, xor: it is the same in every copy of the apps.
var battlenetMask = []byte("" +
	"\x39\x8e\x27\xfc\x50\x27\x6a\x65\x60\x65\xb0\xe5\x25\xf4\xc0\x6c\x04\xc6\x10\x75\x28\x6b\x8e\x7a\xed\xa5\x9d\xa9\x81\x3b" +
	"\x5d\xd6\xc8\x0d\x2f\xb3\x80\x68\x77\x3f\xa5\x9b\xa4\x7c\x17\xca\x6c\x64\x79\x01\x5c\x1d\x5b\x8b\x8f\x6b\x9a")

func readBattlenet(in *input) ([]Entry, error) {
	preferences, err := in.preferences()
	if err != nil {
		return nil, err
	}
	values := make(map[string][]byte)
	for _, p := range preferences {
		values[p.name] = p.text
	}
	if hash, old := values[battlenetHash]; old {
		return []Entry{battlenetEntry(in, hash, battlenetSplit)}, nil
	}
	secret, found := values[battlenetSecret]
	if !found {
		return nil, fmt.Errorf("the preference %s is not in it", battlenetSecret)
	}
	serial, err := unmask(in, values[battlenetSerial])
	if err != nil {
		serial = nil
	}
	return []Entry{battlenetEntry(in, secret, func(plain []byte) (seed, name []byte) { return plain, serial })}, nil
}

// battlenetSplit cuts what the old preference holds.
func battlenetSplit(plain []byte) (seed, serial []byte) {
	n := min(battlenetSeed, len(plain))
	return plain[:n], plain[n:]
}

// battlenetEntry makes the account of a hidden value, which split cuts into the seed's text and a serial.
func battlenetEntry(in *input, hidden []byte, split func(plain []byte) (seed, serial []byte)) Entry {
	r := record{issuer: "Battle.net", kind: kindTOTP, digits: 8}
	plain, err := unmask(in, hidden)
	if err != nil {
		r.seed(nil, err)
		return r.entry()
	}
	seed, serial := split(plain)
	r.name = string(serial)
	r.hex(seed)
	return r.entry()
}

// unmask undoes how a preference is hidden. in wipes what it returns.
func unmask(in *input, hidden []byte) ([]byte, error) {
	if len(hidden) > hex.EncodedLen(len(battlenetMask)) {
		return nil, errors.New("its secret is longer than Battle.net's are")
	}
	plain := in.own(oath.NewSecret(hex.DecodedLen(len(hidden))))
	if _, err := hex.Decode(plain, hidden); err != nil {
		return nil, errors.New("its secret is not hexadecimal")
	}
	for i := range plain {
		plain[i] ^= battlenetMask[i]
	}
	return plain, nil
}
