package api

import "strings"

// The names of version 1 on D-Bus. The version stands in each of them: what a name means never changes.
const (
	// BusName is the well-known name on the session bus, and what the names of interfaces and errors begin with.
	BusName = "org.oathd.Oathd1"
	// BusPath is the manager's object, the ObjectManager of all others.
	BusPath = "/org/oathd/Oathd1"
	// BusKeys and BusAccounts are the paths below which the keys and the accounts are, by id.
	BusKeys     = BusPath + "/keys"
	BusAccounts = BusPath + "/accounts"

	// BusSearch is the object that GNOME's shell searches, BusRunner that of KDE's.
	BusSearch = BusPath + "/SearchProvider"
	BusRunner = BusPath + "/Runner"

	// BusManager is the interface of the object at BusPath.
	BusManager = BusName + ".Manager"
	// BusKey is the interface of keys, BusAccount that of accounts.
	BusKey     = BusName + ".Key"
	BusAccount = BusName + ".Account"

	busErrors = BusName + ".Error."
)

// BusKeyPath returns the path of the key with that id; "" if it is none, so that nothing but ten letters
// and digits ever gets into a path.
func BusKeyPath(id string) string { return busPath(BusKeys, id) }

// BusAccountPath returns the path of the account with that id, "" if it is none.
func BusAccountPath(id string) string { return busPath(BusAccounts, id) }

func busPath(parent, id string) string {
	if !IsID(id) {
		return ""
	}
	return parent + "/" + id
}

// BusError returns the name of an error on D-Bus: CodeKeyAbsent is org.oathd.Oathd1.Error.KeyAbsent. Its
// body is one string, what there is to say to people: the message, the candidates if there are any, the hint,
// each on a line of its own.
func BusError(code ErrorCode) string {
	var name strings.Builder
	name.WriteString(busErrors)
	for word := range strings.SplitSeq(string(code), "_") {
		if word != "" {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return name.String()
}

// idLength is how many characters of base32 (RFC 4648, lower case) an id has.
const idLength = 10

// IsID reports whether s has the form of a key's or an account's id.
func IsID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
