package awsmfa

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// Resync brings AWS and the keys back in step, which AWS asks for where it met codes that were too early or too late.
func (a *AWS) Resync(ctx context.Context, asked kin.AWSResync) (kin.AWSEnrolled, error) {
	_, user, err := a.whose(ctx, asked.User)
	if err != nil {
		return kin.AWSEnrolled{}, err
	}
	device := asked.Device
	if device == "" {
		if device, err = a.onlyDevice(ctx, user); err != nil {
			return kin.AWSEnrolled{}, err
		}
	}
	account, err := a.needed(ctx, device)
	if err != nil {
		return kin.AWSEnrolled{}, err
	}
	err = a.twice(ctx, func(ctx context.Context) error {
		first, second, err := a.pair(ctx, account.ID)
		if err != nil {
			return err
		}
		_, err = a.iam.ResyncMFADevice(ctx, &iam.ResyncMFADeviceInput{UserName: &user, SerialNumber: &device, AuthenticationCode1: &first, AuthenticationCode2: &second})
		return err
	})
	if err != nil {
		return kin.AWSEnrolled{}, a.explain(err, "resynchronize %s", device)
	}
	return kin.AWSEnrolled{User: user, Devices: []kin.AWSDevice{described(device, account)}, Complete: true}, nil
}

// onlyDevice finds the one device of a user that the keys have.
func (a *AWS) onlyDevice(ctx context.Context, user string) (string, error) {
	devices, err := a.devicesOf(ctx, user)
	if err != nil {
		return "", err
	}
	none := &api.Error{Code: api.CodeNotFound, Message: "cannot find a device of " + user + " on any key", Hint: "\"oathctl aws coverage\" shows its devices; \"oathctl aws enroll\" makes one"}
	several := &api.Error{Code: api.CodeAmbiguous, Message: "cannot tell which device of " + user + " is meant", Hint: "name it with --device"}
	var found string
	for _, device := range devices {
		account, ours, err := a.onKeys(ctx, device)
		if err != nil {
			return "", err
		}
		if ours {
			found = device
			several.Candidates = append(several.Candidates, api.Candidate{ID: device, Label: account.Label()})
		}
	}
	switch len(several.Candidates) {
	case 0:
		return "", none
	case 1:
		return found, nil
	}
	return "", several
}
