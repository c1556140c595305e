package main

import (
	"slices"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

func TestMissingFacts(t *testing.T) {
	root := api.Account{Issuer: "Amazon Web Services", Name: "root-account-mfa-device@123456789012"}
	short := api.Account{Issuer: "AWS", Name: "root of the shop"}
	all := "Root password: in the safe\n  root e-mail: aws@example.org, Ann\r\ntelephone: 1\nlast confirmed: today\naccount holder: x\n"
	for name, test := range map[string]struct {
		account api.Account
		text    string
		want    []string
	}{
		"nothing":                 {root, "", []string{"root password", "root e-mail", "telephone", "account holder", "last confirmed"}},
		"a name without a number": {short, all, []string{"account number"}},
		"all":                     {root, all, nil},
		"an empty line of it":     {root, all[:len(all)-2] + "\n", []string{"account holder"}},
		"in the middle of a line": {root, all[:len(all)-len("account holder: x\n")] + "no account holder: x\n", []string{"account holder"}},
		"an IAM user":             {root, "It is an IAM user.", nil},
		"another service":         {api.Account{Issuer: "GitHub", Name: "me"}, "", nil},
		"a word with aws in it":   {api.Account{Issuer: "Laws & Co", Name: "me"}, "", nil},
	} {
		if got := missingFacts(test.account, []byte(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
