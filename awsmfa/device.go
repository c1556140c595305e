package awsmfa

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// issuer is how AWS calls itself in its QR codes; short is for names that would not fit onto a key.
const (
	issuer = "Amazon Web Services"
	short  = "AWS"
	// longest is what a key holds of issuer and name together, with the colon.
	longest = 64
)

// maxDevices is how many MFA devices a user may have (IAM User Guide, "IAM and AWS STS quotas").
const maxDevices = 8

// deviceName is what AWS takes for a name.
var deviceName = regexp.MustCompile(`^[\w+=,.@-]{1,226}$`)

// device is what an ARN says: arn:PARTITION:iam::ACCOUNT:mfa/PATH/NAME.
func (c caller) device(name string) string {
	return "arn:" + c.partition + ":iam::" + c.account + ":mfa/" + name
}

// account is how the keys call the device of a name.
func (c caller) accountOf(name string) api.NewAccount {
	n := api.NewAccount{
		Issuer: issuer, Name: name + "@" + c.account, Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30, Alias: c.device(name),
	}
	if len(n.Issuer)+1+len(n.Name) > longest {
		n.Issuer = short
	}
	return n
}

// has reports whether an account on the keys is that of a device: by its alias, which is the whole ARN, or by the name that AWS gives it
// in QR codes. No part of either counts: "alice" is in "malice" too.
func has(account api.Account, device string) bool {
	if account.Alias != "" || account.Superseded {
		return account.Alias == device && !account.Superseded
	}
	parts := strings.SplitN(device, ":", 6)
	if len(parts) != 6 || account.Issuer != issuer {
		return false
	}
	name := parts[5][strings.LastIndexByte(parts[5], '/')+1:]
	return strings.HasPrefix(parts[5], "mfa/") && account.Name == name+"@"+parts[4]
}

// onKeys finds the account of a device, if the keys have one.
func (a *AWS) onKeys(ctx context.Context, device string) (account api.Account, found bool, err error) {
	list, err := a.keys.Accounts(ctx, "")
	if err != nil {
		return account, false, err
	}
	list = slices.DeleteFunc(list, func(x api.Account) bool { return !has(x, device) })
	if len(list) > 1 {
		e := &api.Error{Code: api.CodeAmbiguous, Message: "cannot tell which account is " + device, Hint: "remove or rename one of them"}
		for _, x := range list {
			e.Candidates = append(e.Candidates, api.Candidate{ID: x.ID, Label: x.Label()})
		}
		return account, false, e
	}
	if len(list) == 0 {
		return account, false, nil
	}
	return list[0], true, nil
}

// needed is onKeys for a device without which there is no going on.
func (a *AWS) needed(ctx context.Context, device string) (api.Account, error) {
	account, found, err := a.onKeys(ctx, device)
	if err == nil && !found {
		err = &api.Error{
			Code: api.CodeNotFound, Message: "cannot find " + device + " on any key",
			Hint: "\"oathctl accounts\" lists what there is; an account is a device's if it is called " + issuer + ":DEVICE@ACCOUNT-NUMBER, as AWS's QR code has it",
		}
	}
	return account, err
}

// codeOf gives a code of a device that was never handed out: AWS takes each once.
func (a *AWS) codeOf(ctx context.Context, device string) (string, error) {
	account, err := a.needed(ctx, device)
	if err != nil {
		return "", err
	}
	code, err := a.ask(ctx, api.CodeRequest{Account: account.ID, Fresh: true})
	return code.Code, err
}

// pair gives two codes in a row, neither of which was handed out.
func (a *AWS) pair(ctx context.Context, account string) (first, second string, err error) {
	code, err := a.ask(ctx, api.CodeRequest{Account: account, Fresh: true, Pair: true, MinValidity: 2})
	return code.Code, code.Next, err
}

func (a *AWS) ask(ctx context.Context, r api.CodeRequest) (api.Code, error) {
	a.tell(kin.AWSLine{Asks: r.Account})
	code, err := a.keys.Code(ctx, r)
	for _, w := range code.Warnings {
		a.note(w)
	}
	return code, err
}

// twice calls f with codes, and once more with others if AWS refuses the first ones: somebody may have used them elsewhere.
func (a *AWS) twice(ctx context.Context, f func(context.Context) error) error {
	err := f(ctx)
	if !refusedCode(err) || a.clock.check() != nil {
		return err
	}
	a.note("AWS did not take the code; trying the next one")
	return f(ctx)
}

// described is a device with what the keys have of it.
func described(device string, account api.Account) kin.AWSDevice {
	d := kin.AWSDevice{Device: device, Kind: kindOf(device), Account: account.ID}
	if account.ID != "" {
		d.Label = account.Label()
	}
	for _, c := range account.Copies {
		if c.State == api.CopyProved {
			d.Keys = append(d.Keys, c.KeyLabel)
		}
	}
	return d
}

// kindOf tells by the ARN: FIDO devices are u2f/…, hardware tokens have none.
func kindOf(device string) kin.AWSDeviceKind {
	switch {
	case strings.Contains(device, ":mfa/"):
		return kin.AWSVirtual
	case strings.Contains(device, ":u2f/"):
		return kin.AWSFIDO
	}
	return kin.AWSHardware
}

// rollbackPatience is how long something is put right after a user has given up.
const rollbackPatience = 10 * time.Second

// afterwards is a context for putting things right.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), rollbackPatience)
}
