package awsmfa

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// root is how AWS's credential report calls the root user.
const root = "<root_account>"

// survey is a look at a whole AWS account.
type survey struct {
	*AWS
	who caller
	// accounts is what the keys have.
	accounts []api.Account
	// report is the credential report, nil where it could not be had.
	report map[string]reported
	found  kin.AWSCoverage
}

// Coverage tells which users have which MFA devices, and what of them is on the keys. What the credentials may not look at is left out, and
// said.
func (a *AWS) Coverage(ctx context.Context) (kin.AWSCoverage, error) {
	who, err := a.whoAsks(ctx)
	if err != nil {
		return kin.AWSCoverage{}, err
	}
	s := &survey{AWS: a, who: who, found: kin.AWSCoverage{Number: who.account, At: time.Now().UTC().Truncate(time.Second), Users: []kin.AWSUser{}}}
	if s.accounts, err = a.keys.Accounts(ctx, ""); err != nil {
		return s.found, err
	}
	for _, look := range []func(context.Context) error{s.lookAtReport, s.lookAtVirtual, s.lookAtUsers} {
		if err := look(ctx); err != nil {
			return s.found, err
		}
	}
	for i := range s.found.Users {
		s.judge(&s.found.Users[i])
	}
	return s.found, nil
}

// forbidden notes what may not be looked at; any other error is passed on.
func (s *survey) forbidden(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	e, _ := s.explain(err, format, args...).(*api.Error)
	if awsCode(err) != codeDenied {
		return e
	}
	note := e.Message
	if e.Hint != "" {
		note = strings.SplitN(note, ": AWS says", 2)[0] + ": " + e.Hint
	}
	s.found.Notes = append(s.found.Notes, note)
	return nil
}

// known finds the account of a device among those on the keys.
func (s *survey) known(device string) kin.AWSDevice {
	i := slices.IndexFunc(s.accounts, func(x api.Account) bool { return has(x, device) })
	if i < 0 {
		return described(device, api.Account{})
	}
	return described(device, s.accounts[i])
}

// lookAtVirtual finds the root user's virtual device, which no other call tells, and devices that are enabled for nobody.
func (s *survey) lookAtVirtual(ctx context.Context) error {
	rootUser := kin.AWSUser{User: root, Devices: []kin.AWSDevice{}}
	pages := iam.NewListVirtualMFADevicesPaginator(s.iam, &iam.ListVirtualMFADevicesInput{AssignmentStatus: types.AssignmentStatusTypeAny})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.forbidden(err, "look at the root user's devices")
		}
		for _, d := range page.VirtualMFADevices {
			device := s.known(aws.ToString(d.SerialNumber))
			switch {
			case d.User == nil && d.EnableDate == nil:
				s.found.Unused = append(s.found.Unused, device)
			case d.User != nil && strings.HasSuffix(aws.ToString(d.User.Arn), ":root"):
				rootUser.Devices = append(rootUser.Devices, device)
			}
		}
	}
	if line, told := s.report[root]; told && line.mfa && len(rootUser.Devices) == 0 {
		// The report knows of one that is no virtual device.
		rootUser.Devices = append(rootUser.Devices, kin.AWSDevice{Device: root, Kind: kin.AWSHardware})
	}
	s.found.Users = append(s.found.Users, rootUser)
	return nil
}

// lookAtUsers lists all users, or the one who asks where others may not be listed.
func (s *survey) lookAtUsers(ctx context.Context) error {
	var names []string
	pages := iam.NewListUsersPaginator(s.iam, &iam.ListUsersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awsCode(err) == codeDenied && s.who.user != "" {
			names = []string{s.who.user}
		}
		if err != nil {
			if err := s.forbidden(err, "list the users"); err != nil {
				return err
			}
			break
		}
		for _, u := range page.Users {
			names = append(names, aws.ToString(u.UserName))
		}
	}
	for _, name := range names {
		if err := s.lookAtUser(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) lookAtUser(ctx context.Context, name string) error {
	user := kin.AWSUser{User: name, Devices: []kin.AWSDevice{}}
	pages := iam.NewListMFADevicesPaginator(s.iam, &iam.ListMFADevicesInput{UserName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.forbidden(err, "list the MFA devices of %s", name)
		}
		for _, d := range page.MFADevices {
			user.Devices = append(user.Devices, s.known(aws.ToString(d.SerialNumber)))
		}
	}
	s.found.Users = append(s.found.Users, user)
	return nil
}

// judge says how a user would fare.
func (s *survey) judge(u *kin.AWSUser) {
	line, told := s.report[u.User]
	u.SignsIn, u.Unknown = line.signsIn || u.User == root, !told && u.User != root
	keys := map[string]bool{}
	ours := false
	for _, d := range u.Devices {
		ours = ours || d.Account != ""
		for _, key := range d.Keys {
			keys[key] = true
		}
	}
	switch {
	case len(u.Devices) == 0 && (u.SignsIn || u.Unknown):
		u.Risk = kin.AWSWithout
	case len(u.Devices) == 0:
		u.Risk = kin.AWSIdle
	case !ours:
		u.Risk = kin.AWSElsewhere
	case len(keys) < 2:
		u.Risk = kin.AWSAtRisk
	default:
		u.Risk = kin.AWSSafe
	}
	if u.Risk == kin.AWSWithout || u.Risk == kin.AWSAtRisk {
		s.found.Problems++
	}
}
