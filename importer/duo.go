package importer

// duo is Duo Mobile's own list on Android, files/duokit/accounts.json: an array of accounts, of which those
// with a counter are HOTP (Aegis, DuoImporter.java). The app knows SHA1, 6 digits and 30 seconds alone.
var duo = format{
	Format: Format{Name: "duo", Program: "Duo Mobile", Kind: "JSON"},
	detect: func(in *input) bool { return in.array("otpGenerator") },
	read: func(in *input) ([]Entry, error) {
		if err := checkJSON(in.data); err != nil {
			return nil, err
		}
		return jsonEntries(in.data, (*duoAccount).entry), nil
	},
}

type duoAccount struct {
	Name         string
	OTPGenerator struct {
		OTPSecret secretText
		Counter   *int64
	}
}

func (a *duoAccount) entry() Entry {
	r := record{name: a.Name, kind: kindTOTP}
	if counter := a.OTPGenerator.Counter; counter != nil {
		r.kind, r.counter = kindHOTP, *counter
	}
	a.OTPGenerator.OTPSecret.take(r.base32)
	return r.entry()
}
