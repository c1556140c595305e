package desktop

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/oathd/oathd/oath"
)

// What ykman remembers: version 4 in clear (ykman/cli/oath.py, "keys" in oath.json), version 5 and Yubico Authenticator encrypted with
// Fernet (ykman/settings.py, AppData), whose key is in the keyring. Both name applets by the device id, as we do.
const (
	ykmanService = "ykman"
	ykmanKey     = "wrap_key"
	// maxYkman bounds the files.
	maxYkman = 1 << 20
	// derivedBytes is how long a key is that is derived from a password.
	derivedBytes = 16
)

// recallYkman returns what ykman remembers for a device id, nil where it remembers nothing.
func (k *keyring) recallYkman(ctx context.Context, device string) (*oath.Secret, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, nil
	}
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(home, ".local", "share")
	}
	for _, dir := range []string{filepath.Join(data, "ykman"), filepath.Join(home, ".ykman")} {
		if token := ykmanEntry(filepath.Join(dir, "oath_keys.json"), "", device); token != nil {
			defer token.Wipe()
			return k.unwrap(ctx, token)
		}
	}
	text := ykmanEntry(filepath.Join(home, ".ykman", "oath.json"), "keys", device)
	defer text.Wipe()
	if text == nil {
		return nil, nil
	}
	return unhex(text.Bytes())
}

// unwrap decrypts what version 5 remembers.
func (k *keyring) unwrap(ctx context.Context, token *oath.Secret) (*oath.Secret, error) {
	key, err := k.recall(ctx, map[string]string{"service": ykmanService, "username": ykmanKey})
	defer key.Wipe()
	if err != nil || key == nil {
		return nil, err
	}
	text, err := unfernet(key, token.Bytes())
	defer text.Wipe()
	if err != nil {
		return nil, err
	}
	return unhex(text.Bytes())
}

// ykmanEntry returns the text that a file, or an object in it, has for a device id; nil where it has none.
func ykmanEntry(path, object, device string) *oath.Secret {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() > maxYkman {
		return nil
	}
	text, err := oath.ReadSecret(file, int(info.Size()))
	if err != nil {
		return nil
	}
	defer text.Wipe()
	all := entries(text.Bytes())
	defer wipeAll(all)
	if object != "" {
		all = entries(all[object])
		defer wipeAll(all)
	}
	if all[device] == nil {
		return nil
	}
	return oath.CopySecret(all[device])
}

// entries reads an object without making strings of what is in it.
func entries(object []byte) (all map[string]json.RawMessage) {
	_ = json.Unmarshal(object, &all) // what is none has no entries
	return all
}

func wipeAll(all map[string]json.RawMessage) {
	for _, raw := range all {
		oath.Wipe(raw)
	}
}

// unhex reads a derived key, with its quotes.
func unhex(text []byte) (*oath.Secret, error) {
	text = bytes.Trim(text, `"`)
	if len(text) != 2*derivedBytes {
		return nil, fmt.Errorf("what ykman remembers is %d characters long", len(text))
	}
	key := oath.NewSecret(derivedBytes)
	if _, err := hex.Decode(key.Bytes(), text); err != nil {
		key.Wipe()
		return nil, errors.New("what ykman remembers is not in hexadecimal")
	}
	return key, nil
}

// The parts of a Fernet token (github.com/fernet/spec): version, time, vector, ciphertext, HMAC.
const (
	fernetVersion = 0x80
	fernetVector  = 1 + 8
	fernetText    = fernetVector + aes.BlockSize
	fernetMAC     = 32
	fernetKey     = 32
)

// unfernet decrypts a Fernet token. key is as Fernet writes it, in base64: half of it signs, half of it encrypts.
func unfernet(key *oath.Secret, token []byte) (*oath.Secret, error) {
	keys := oath.NewSecret(base64.URLEncoding.DecodedLen(key.Len()))
	defer keys.Wipe()
	n, err := base64.URLEncoding.Decode(keys.Bytes(), key.Bytes())
	if err != nil || n != fernetKey {
		return nil, errors.New("ykman's key in the keyring is none")
	}
	token = bytes.Trim(token, `"`)
	b := make([]byte, base64.URLEncoding.DecodedLen(len(token)))
	if n, err = base64.URLEncoding.Decode(b, token); err != nil || n < fernetText+fernetMAC || b[0] != fernetVersion {
		return nil, errors.New("what ykman remembers is no Fernet token")
	}
	signed, mac := b[:n-fernetMAC], b[n-fernetMAC:n]
	if subtle.ConstantTimeCompare(oath.HMAC(oath.SHA256, keys.Bytes()[:fernetKey/2], signed), mac) != 1 {
		return nil, errors.New("what ykman remembers was encrypted with another key")
	}
	half := oath.CopySecret(keys.Bytes()[fernetKey/2 : fernetKey])
	defer half.Wipe()
	return unseal(half, signed[fernetVector:fernetText], signed[fernetText:])
}
