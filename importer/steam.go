package importer

import "errors"

// steamGuard is an account as Steam's own app on Android kept it until its version 2 (files/Steamguard-…), a list
// of them as it kept it later, or a maFile of Steam Desktop Authenticator: JSON with shared_secret, the seed in
// base64 (steamguard-cli, src/accountmanager/steamv2.rs; Aegis, SteamImporter.java).
var steamGuard = format{
	Format: Format{Name: "steam", Program: "Steam", Kind: "JSON (maFile)"},
	detect: func(in *input) bool {
		return in.object("shared_secret") || in.object("accounts") && in.has(`"shared_secret"`) || isSteamManifest(in)
	},
	read: readSteam,
}

// isSteamManifest reports whether the input is the list that lies beside encrypted maFiles and has what it takes
// to decrypt them.
func isSteamManifest(in *input) bool {
	return in.object("encrypted", "entries") && in.has(`"encryption_iv"`)
}

var errSteamManifest = errors.New("it holds no seed, only what belongs to the maFiles beside it: take their encryption off in Steam Desktop Authenticator, and name the maFiles")

func readSteam(in *input) ([]Entry, error) {
	if err := checkJSON(in.data); err != nil {
		return nil, err
	}
	if isSteamManifest(in) {
		return nil, errSteamManifest
	}
	if jsonAt(in.data, "shared_secret") != nil {
		return []Entry{steamEntry(in.data)}, nil
	}
	var entries []Entry
	for _, account := range jsonMembers(jsonAt(in.data, "accounts")) {
		if entries = append(entries, steamEntry(account)); full(entries) {
			break
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("there is no shared_secret in it")
	}
	return entries, nil
}

type steamAccount struct {
	AccountName  string     `json:"account_name"`
	SharedSecret secretText `json:"shared_secret"`
}

func steamEntry(text []byte) Entry {
	var a steamAccount
	problem := unmarshal(text, &a)
	r := record{issuer: "Steam", name: a.AccountName, kind: kindSteam}
	a.SharedSecret.take(r.base64)
	e := r.entry()
	if problem != nil {
		e.Seed.Wipe()
		e.Seed, e.Problem = nil, problem
	}
	return e
}
