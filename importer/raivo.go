package importer

// raivo is what Raivo OTP exports: a zip archive, encrypted with AES, or what is in it, an array in which all values are
// strings (raivo-otp/ios-application, DataExportFeature.swift and Password.swift).
var raivo = format{
	Format: Format{Name: "raivo", Program: "Raivo OTP", Kind: "zip, JSON", Encrypted: true},
	detect: func(in *input) bool {
		return in.packed(raivoList) != nil || in.array("issuer", "account", "secret", "kind", "timer")
	},
	read: readRaivo,
}

// raivoList is the file in the archive that is read. Beside it lies the same as HTML.
const raivoList = "raivo-otp-export.json"

type raivoAccount struct {
	Issuer    string     `json:"issuer"`
	Account   string     `json:"account"`
	Secret    secretText `json:"secret"`
	Algorithm string     `json:"algorithm"`
	Kind      string     `json:"kind"`
	Digits    numberText `json:"digits"`
	Timer     numberText `json:"timer"`
	Counter   numberText `json:"counter"`
}

func readRaivo(in *input) ([]Entry, error) {
	list := in.data
	if f := in.packed(raivoList); f != nil {
		var err error
		if list, err = in.unpack(f); err != nil {
			return nil, err
		}
	}
	if err := checkJSON(list); err != nil {
		return nil, err
	}
	return jsonEntries(list, func(a *raivoAccount) Entry {
		r := record{
			issuer: a.Issuer, name: a.Account, kind: a.Kind, algorithm: a.Algorithm,
		}
		a.Secret.take(r.base32)
		r.numbers(a.Digits, a.Timer, a.Counter)
		return r.entry()
	}), nil
}
