package importer

// lastPass is what LastPass Authenticator exports: {"accounts": [{"issuerName", "userName", "secret", …}]}
// (twofas/2fas-ios, LastPassData.swift). What was scanned stands beside what somebody made of it.
var lastPass = format{
	Format: Format{Name: "lastpass", Program: "LastPass Authenticator", Kind: "JSON"},
	detect: func(in *input) bool {
		return in.object("accounts") && jsonAt(firstItem(jsonAt(in.data, "accounts")), "issuerName") != nil
	},
	read: readLastPass,
}

type lastPassAccount struct {
	Issuer    string     `json:"issuerName"`
	OldIssuer string     `json:"originalIssuerName"`
	Name      string     `json:"userName"`
	OldName   string     `json:"originalUserName"`
	Secret    secretText `json:"secret"`
	Algorithm string     `json:"algorithm"`
	Digits    numberText `json:"digits"`
	Period    numberText `json:"timeStep"`
}

func readLastPass(in *input) ([]Entry, error) {
	if err := checkJSON(in.data); err != nil {
		return nil, err
	}
	return jsonEntries(jsonAt(in.data, "accounts"), func(a *lastPassAccount) Entry {
		r := record{
			issuer: instead(a.Issuer, a.OldIssuer), name: instead(a.Name, a.OldName),
			kind: kindTOTP, algorithm: a.Algorithm,
		}
		a.Secret.take(r.base32)
		r.numbers(a.Digits, a.Period, "")
		return r.entry()
	}), nil
}
