package awsmfa

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// enrolment is the making of one user's devices.
type enrolment struct {
	*AWS
	who  caller
	user string
	// enabled are the ARNs of the user's devices.
	enabled []string
	asked   kin.AWSEnroll
}

// Enroll makes MFA devices for an IAM user whose seeds go to keys, and enables them.
//
// It may be broken off anywhere: a device that no key has got is deleted again at AWS, as far as that can be reached; one that the keys have
// is finished when Enroll is asked for it again.
func (a *AWS) Enroll(ctx context.Context, asked kin.AWSEnroll) (kin.AWSEnrolled, error) {
	e, err := a.enrolment(ctx, asked)
	if err != nil {
		return kin.AWSEnrolled{}, err
	}
	done := kin.AWSEnrolled{User: e.user, Devices: []kin.AWSDevice{}, Complete: true}
	for _, wanted := range e.asked.Devices {
		d, report, err := e.device(ctx, wanted)
		if err != nil && len(done.Devices) > 0 {
			err = add(err, done.Devices[len(done.Devices)-1].Device+" is enabled", "")
		}
		if err != nil {
			return done, err
		}
		done.Devices = append(done.Devices, d)
		done.Complete = done.Complete && report.Complete
		for _, account := range report.Accounts {
			done.Lost = append(done.Lost, account.LostWith...)
		}
	}
	return done, nil
}

// enrolment settles who is to get devices, and whether there is room for them.
func (a *AWS) enrolment(ctx context.Context, asked kin.AWSEnroll) (*enrolment, error) {
	who, user, err := a.whose(ctx, asked.User)
	if err != nil {
		return nil, err
	}
	asked.Devices = slices.Clone(asked.Devices)
	for i, wanted := range asked.Devices {
		name := cmp.Or(wanted.Name, user) + wanted.Suffix
		asked.Devices[i].Name = name
		if !deviceName.MatchString(name) {
			return nil, &api.Error{Code: api.CodeBadRequest, Message: "cannot call a device " + name, Hint: "AWS takes letters, digits and _+=,.@-"}
		}
	}
	e := &enrolment{AWS: a, who: who, user: user, asked: asked}
	if e.enabled, err = a.devicesOf(ctx, user); err != nil {
		return nil, err
	}
	return e, nil
}

// whose returns who asks, and the IAM user that is meant: the one who asks unless another is named.
func (a *AWS) whose(ctx context.Context, user string) (caller, string, error) {
	who, err := a.whoAsks(ctx)
	if err != nil {
		return who, "", err
	}
	user = cmp.Or(user, who.user)
	switch {
	case user == "" && who.root:
		return who, "", &api.Error{
			Code: api.CodeNotSupported, Message: "cannot do it for the root user: AWS lets only its console change root's devices",
			Hint: "sign in as root, have the console show the QR code, and run: oathctl aws pair --screen",
		}
	case user == "":
		return who, "", &api.Error{Code: api.CodeBadRequest, Message: "cannot tell whose device is meant: " + named(a.profile) + " is no IAM user's", Hint: "name the user with --user"}
	}
	return who, user, nil
}

// devicesOf lists the ARNs of a user's devices.
func (a *AWS) devicesOf(ctx context.Context, user string) (devices []string, err error) {
	pages := iam.NewListMFADevicesPaginator(a.iam, &iam.ListMFADevicesInput{UserName: &user})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, a.explain(err, "list the MFA devices of %s", user)
		}
		for _, d := range page.MFADevices {
			devices = append(devices, aws.ToString(d.SerialNumber))
		}
	}
	return devices, nil
}

// device makes one device, or goes on with one that was begun.
func (e *enrolment) device(ctx context.Context, wanted kin.AWSWanted) (kin.AWSDevice, api.Report, error) {
	arn := e.who.device(wanted.Name)
	account, ours, err := e.onKeys(ctx, arn)
	if err != nil {
		return kin.AWSDevice{}, api.Report{}, err
	}
	if slices.Contains(e.enabled, arn) {
		return e.already(arn, account, ours)
	}
	left, err := e.leftover(ctx, arn)
	switch {
	case err != nil:
		return kin.AWSDevice{}, api.Report{}, err
	case e.asked.GiveUp:
		return e.giveUp(ctx, arn, account, left)
	case left && ours:
		e.note(arn + " was made before, and the keys have it; enabling it")
		return e.finish(ctx, arn, account, api.Report{Complete: account.Proved >= account.Wanted})
	case ours:
		return kin.AWSDevice{}, api.Report{}, &api.Error{
			Code: api.CodeExists, Message: "cannot make " + arn + ": " + account.Label() + " is on the keys, and AWS has no such device (any more)",
			Hint: "another name with --name; or, if nothing else needs it: oathctl remove " + account.ID,
		}
	}
	if err := e.admit(ctx, wanted, arn, left); err != nil {
		return kin.AWSDevice{}, api.Report{}, err
	}
	return e.make(ctx, wanted, arn)
}

// already is a device that is enabled: well if it is ours.
func (e *enrolment) already(arn string, account api.Account, ours bool) (kin.AWSDevice, api.Report, error) {
	if !ours || e.asked.GiveUp {
		return kin.AWSDevice{}, api.Report{}, &api.Error{Code: api.CodeExists, Message: "cannot touch " + arn + ": it is enabled for " + e.user + " already", Hint: "give the new one another name with --name"}
	}
	d := described(arn, account)
	d.Existed = true
	return d, api.Report{Complete: account.Proved >= account.Wanted}, nil
}

// leftover reports whether a device was made and is enabled for nobody. One that is somebody else's is an error.
func (e *enrolment) leftover(ctx context.Context, arn string) (bool, error) {
	pages := iam.NewListVirtualMFADevicesPaginator(e.iam, &iam.ListVirtualMFADevicesInput{AssignmentStatus: types.AssignmentStatusTypeAny})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awsCode(err) == codeDenied {
			return false, nil // who may not look may be able to make one; AWS will say if the name is taken
		}
		if err != nil {
			return false, e.explain(err, "list the virtual MFA devices")
		}
		for _, d := range page.VirtualMFADevices {
			if aws.ToString(d.SerialNumber) != arn {
				continue
			}
			if d.User != nil || d.EnableDate != nil {
				return false, &api.Error{Code: api.CodeExists, Message: "cannot make " + arn + ": it is another user's", Hint: "give the new one another name with --name"}
			}
			return true, nil
		}
	}
	return false, nil
}

// giveUp deletes a device that is not enabled. What the keys have of it is the caller's to remove.
func (e *enrolment) giveUp(ctx context.Context, arn string, account api.Account, left bool) (kin.AWSDevice, api.Report, error) {
	if !left {
		return kin.AWSDevice{}, api.Report{}, &api.Error{Code: api.CodeNotFound, Message: "cannot give up " + arn + ": no such device waits to be enabled"}
	}
	return described(arn, account), api.Report{Complete: true}, e.drop(ctx, arn)
}

// admit looks at everything that could refuse the device later, before AWS makes it.
func (e *enrolment) admit(ctx context.Context, wanted kin.AWSWanted, arn string, left bool) error {
	if len(e.enabled) >= maxDevices {
		return &api.Error{Code: api.CodeFull, Message: "cannot make " + arn + ": " + e.user + " has 8 MFA devices, and AWS allows no more", Hint: "deactivate one in the console"}
	}
	if left && !e.asked.Replace {
		return &api.Error{
			Code: api.CodeExists, Message: "cannot make " + arn + ": it was made before, is not enabled, and its seed is on none of these keys",
			Hint: "an enrolment that was broken off leaves such; --replace deletes it and makes it anew",
		}
	}
	if err := e.rehearse(ctx, wanted); err != nil {
		return err
	}
	if err := e.raise(ctx); err != nil {
		return err
	}
	if !left {
		return nil
	}
	e.note("deleting the " + arn + " that was left over")
	return e.drop(ctx, arn)
}

// rehearse asks oathd whether the keys could take the account.
func (e *enrolment) rehearse(ctx context.Context, wanted kin.AWSWanted) error {
	r, seed := e.request(wanted), oath.NewSecret(20)
	defer seed.Wipe()
	if _, err := rand.Read(seed.Bytes()); err != nil {
		return err
	}
	r.DryRun = true
	report, err := e.keys.Add(ctx, r, []*oath.Secret{seed}, func(api.Step) {})
	if err != nil {
		return err
	}
	for _, account := range report.Accounts {
		if account.Error != nil {
			return account.Error
		}
		for _, o := range account.Outcomes {
			if o.Error != nil && o.Error.Code != api.CodeKeyAbsent { // that one is waited for
				return o.Error
			}
		}
	}
	return nil
}

func (e *enrolment) request(wanted kin.AWSWanted) api.AddRequest {
	return api.AddRequest{Accounts: []api.NewAccount{e.who.accountOf(wanted.Name)}, To: wanted.To, Copies: wanted.Copies, WaitSeconds: e.asked.WaitSeconds}
}

// raise makes a session with a device that the user has, without which AWS lets nobody add a further one.
func (e *enrolment) raise(ctx context.Context) error {
	own, err := e.config.Credentials.Retrieve(ctx)
	if err != nil || e.user != e.who.user || own.SessionToken != "" {
		return err
	}
	for _, device := range e.enabled {
		if _, found, err := e.onKeys(ctx, device); err != nil || !found {
			continue
		}
		session, err := e.session(ctx, own, device, shortest)
		if err != nil {
			return err
		}
		e.use(static(session))
		return nil
	}
	return nil // AWS may let it pass; if not, it says so
}

// make has AWS make the device, and the keys take its seed.
func (e *enrolment) make(ctx context.Context, wanted kin.AWSWanted, arn string) (kin.AWSDevice, api.Report, error) {
	seed, err := e.create(ctx, wanted.Name, arn)
	if err != nil {
		return kin.AWSDevice{}, api.Report{}, err
	}
	report, err := e.keys.Add(ctx, e.request(wanted), []*oath.Secret{seed}, func(s api.Step) { e.tell(kin.AWSLine{Step: &s}) })
	seed.Wipe()
	account, ours, lookErr := e.lookAgain(ctx, arn)
	proved := 0
	for _, a := range report.Accounts {
		proved += a.Proved
		err = cmp.Or(err, firstError(a))
	}
	switch {
	case proved > 0:
		return e.finish(ctx, arn, account, report)
	case lookErr == nil && !ours:
		return kin.AWSDevice{}, report, e.undo(ctx, arn, err)
	}
	return kin.AWSDevice{}, report, add(unproved(err), "AWS has made "+arn+" and not enabled it; the keys may have its seed",
		"\"oathctl resume\" tells; then the same command finishes it, or with --give-up deletes it")
}

// unproved is err, or what there is to say without one.
func unproved(err error) error {
	return cmp.Or(err, error(&api.Error{Code: api.CodeProofFailed, Message: "cannot enroll: no key has proved its copy"}))
}

// firstError is why a copy is missing, nil if none is.
func firstError(a api.AccountReport) error {
	for _, o := range a.Outcomes {
		if o.Error != nil {
			return o.Error
		}
	}
	return nil
}

// lookAgain is onKeys for a caller who may have given up.
func (e *enrolment) lookAgain(ctx context.Context, arn string) (api.Account, bool, error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	return e.onKeys(ctx, arn)
}

// create has AWS make a device and returns its seed.
func (e *enrolment) create(ctx context.Context, name, arn string) (*oath.Secret, error) {
	out, err := e.iam.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &name}, once)
	if unanswered(err) {
		return nil, e.undo(ctx, arn, e.explain(err, "make %s", arn))
	}
	if awsCode(err) == codeExists {
		return nil, add(e.explain(err, "make %s", arn), "", "give it another name with --name")
	}
	if err != nil {
		return nil, e.explain(err, "make %s", arn)
	}
	made := out.VirtualMFADevice
	defer oath.Wipe(made.Base32StringSeed)
	defer oath.Wipe(made.QRCodePNG) // which shows the seed
	seed, err := otpauth.DecodeSecret(made.Base32StringSeed)
	if err == nil && aws.ToString(made.SerialNumber) != arn {
		seed.Wipe()
		err = &api.Error{Code: api.CodeAWS, Message: "cannot understand AWS: it made " + aws.ToString(made.SerialNumber) + " in place of " + arn}
	}
	if err != nil {
		return nil, e.undo(ctx, arn, e.explain(err, "use the seed of %s", arn))
	}
	return seed, nil
}

// once has a request sent a single time: a second one could meet what the first one did.
func once(o *iam.Options) { o.Retryer = aws.NopRetryer{} }

// undo deletes the device that cannot be used for the reason why, and says what is left.
func (e *enrolment) undo(ctx context.Context, arn string, why error) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	why = unproved(why)
	switch err := e.drop(ctx, arn); {
	case err == nil:
		return add(why, "Nothing is left of it, at AWS or on a key", "")
	case api.CodeOf(err) == api.CodeNotFound:
		return add(why, "AWS has not made the device", "")
	}
	return add(why, "AWS may have made "+arn+", which is not enabled and on no key, and could not be told to delete it", "the same command with --replace deletes it, and makes it anew")
}

// drop deletes a device that is not enabled.
func (e *enrolment) drop(ctx context.Context, arn string) error {
	_, err := e.iam.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: &arn})
	if err != nil {
		return e.explain(err, "delete %s", arn)
	}
	return nil
}

// finish enables a device that the keys have.
func (e *enrolment) finish(ctx context.Context, arn string, account api.Account, report api.Report) (kin.AWSDevice, api.Report, error) {
	err := e.twice(ctx, func(ctx context.Context) error {
		first, second, err := e.pair(ctx, account.ID)
		if err != nil {
			return err
		}
		_, err = e.iam.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{UserName: &e.user, SerialNumber: &arn, AuthenticationCode1: &first, AuthenticationCode2: &second}, once)
		if unanswered(err) && e.isEnabled(ctx, arn) {
			return nil
		}
		return err
	})
	if err != nil {
		return kin.AWSDevice{}, report, add(e.explain(err, "enable %s", arn), "AWS has made the device and not enabled it; its seed is on "+account.Label(),
			"the same command finishes it, or with --give-up deletes it")
	}
	e.enabled = append(e.enabled, arn)
	return described(arn, account), report, nil
}

// isEnabled asks whether what got no answer was done.
func (e *enrolment) isEnabled(ctx context.Context, arn string) bool {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	devices, err := e.devicesOf(ctx, e.user)
	return err == nil && slices.Contains(devices, arn)
}
