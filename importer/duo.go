package importer

// duo is Duo Mobile's own list on Android, files/duokit/accounts.json: an array of accounts, of which those
// with a counter are HOTP (Aegis, DuoImporter.java). The app knows SHA1, 6 digits and 30 seconds alone.
var duo = format{
	Format: Format{Name: "duo", Program: "Duo Mobile", Kind: "JSON"},
	detect: isDuo,
	read: func(in *input) ([]Entry, error) {
		if err := checkJSON(in.data); err != nil {
			return nil, err
		}
		return jsonEntries(in.data, (*duoAccount).entry), nil
	},
}

// isDuo looks for what accounts of companies, which may come first, do not have.
func isDuo(in *input) bool {
	if !in.array() {
		return false
	}
	const most = 100
	n := 0
	for account := range jsonItems(in.data) {
		if jsonAt(account, "otpGenerator") != nil {
			return true
		}
		if n++; n == most {
			break
		}
	}
	return false
}

type duoAccount struct {
	Name         string
	OTPGenerator struct {
		OTPSecret secretText
		Counter   *numberText
	}
}

func (a *duoAccount) entry() Entry {
	r := record{name: a.Name, kind: kindTOTP}
	if counter := a.OTPGenerator.Counter; counter != nil {
		r.kind = kindHOTP
		r.numbers("", "", *counter)
	}
	a.OTPGenerator.OTPSecret.take(r.base32)
	return r.entry()
}
