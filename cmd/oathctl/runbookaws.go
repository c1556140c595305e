package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// fact is something that a runbook has to tell, in a line "name: …".
type fact struct{ name, why string }

// awsFacts are what AWS asks a root user for whose MFA devices are all lost: password, e-mail and telephone, in this order;
// and, if that fails, papers (repost.aws/knowledge-center/reset-root-user-mfa).
var awsFacts = []fact{
	{"root password", "where it is kept (not the password itself): AWS asks for it first"},
	{"root e-mail", "the address, and who reads it: AWS sends a link there"},
	{"telephone", "the number that AWS has, and who answers it: AWS calls, and wants six digits keyed in"},
	{"account number", "twelve digits: support asks for them"},
	{"account holder", "the name and address that AWS has: support may want notarized papers"},
	{"last confirmed", "the day on which you last saw that the e-mail address and the telephone are right, e.g. 2026-11-30"},
}

// awsIAM in a runbook says that it is no root user's: an administrator can take an IAM user's device away.
const awsIAM = "iam user"

// What tells an account at AWS by its names, which AWS makes so: "Amazon Web Services:device@123456789012".
var (
	awsName          = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)amazon web services|\baws\b`) })
	awsAccountNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b[0-9]{12}\b`) })
)

// isAWS reports whether it is an account at AWS. Its names do not tell a root user from an IAM user.
func isAWS(account api.Account) bool {
	return awsName().MatchString(account.Issuer + " " + account.Name)
}

// missingFacts names what a runbook of an AWS root user does not tell, none for others.
func missingFacts(account api.Account, text []byte) (names []string) {
	lower := bytes.ToLower(text)
	defer oath.Wipe(lower)
	if !isAWS(account) || bytes.Contains(lower, []byte(awsIAM)) {
		return nil
	}
	for _, f := range awsFacts {
		if !tells(lower, f) && !knows(account, f) {
			names = append(names, f.name)
		}
	}
	return names
}

// tells reports whether a line of the text has the fact.
func tells(text []byte, f fact) bool {
	for line := range bytes.Lines(text) {
		value, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte(f.name+":"))
		if ok && len(bytes.TrimSpace(value)) > 0 {
			return true
		}
	}
	return false
}

// knows reports whether the account's name has the fact.
func knows(account api.Account, f fact) bool {
	return f.name == "account number" && awsAccountNumber().MatchString(account.Name)
}

// missingWords says what is missing, "" if nothing is.
func missingWords(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "it does not tell the " + strings.Join(names, ", the ") + ", which AWS asks for when all keys are lost (a line \"" + names[0] + ": …\" does)"
}

// askFacts asks for each fact by its name, and returns the lines, the caller's to wipe. An empty answer leaves it out.
func (a *app) askFacts(ctx context.Context, account api.Account) (*oath.Secret, error) {
	a.term.tell("When all keys are lost, AWS asks its root users for the following. Leave out what you do not know;",
		"for an IAM user leave out all and write \"IAM user\" below: an administrator can take its device away.")
	room := oath.NewSecret(maxRunbook)
	defer room.Wipe()
	lines := room.Bytes()[:0]
	for _, f := range awsFacts {
		if knows(account, f) {
			continue
		}
		answer, err := a.term.askLine(ctx, "  "+f.name+" ("+f.why+"):")
		if err != nil {
			return nil, err
		}
		if value := bytes.TrimSpace(answer.Bytes()); len(value) > 0 && len(lines)+len(f.name)+len(value)+3 <= cap(lines) {
			lines = append(append(append(append(lines, f.name...), ": "...), value...), '\n')
		}
		answer.Wipe()
	}
	return oath.CopySecret(lines), nil
}
