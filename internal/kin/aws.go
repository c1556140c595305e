package kin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// AWSLine is one line that oathctl-aws says, of which exactly one field is set. Done or Error is the last.
type AWSLine struct {
	// Note is for people. Asks is the id of the account of which it waits for a code, until the next line.
	Note string    `json:"note,omitempty"`
	Asks string    `json:"asks,omitempty"`
	Step *api.Step `json:"step,omitempty"`
	// Done is the document of the verb.
	Done  json.RawMessage `json:"done,omitempty"`
	Error *api.Error      `json:"error,omitempty"`
}

// AWSAccess says who asks AWS, and where oathd is.
type AWSAccess struct {
	// Socket is the daemon's, "" for the usual one; Profile is one of ~/.aws/config, "" for what the AWS CLI would take.
	Socket  string `json:"socket,omitempty"`
	Profile string `json:"profile,omitempty"`
}

// AWSEnroll is what "oathctl-aws enroll" is asked. User is the one who gets the devices, "" for the one who asks.
type AWSEnroll struct {
	AWSAccess
	User    string      `json:"user,omitempty"`
	Devices []AWSWanted `json:"devices"`
	// Replace deletes a device that was made, not enabled, and whose seed no key has; GiveUp deletes what is not enabled, and makes none.
	Replace bool `json:"replace,omitempty"`
	GiveUp  bool `json:"give_up,omitempty"`
	// WaitSeconds is how long to wait for keys that are not plugged in; negative: until the caller goes.
	WaitSeconds int `json:"wait_seconds,omitempty"`
}

// AWSWanted is a device that is to be made. Without a name it is called as the user; the suffix goes behind either. To and Copies are as in
// api.AddRequest.
type AWSWanted struct {
	Name   string   `json:"name,omitempty"`
	Suffix string   `json:"suffix,omitempty"`
	To     []string `json:"to,omitempty"`
	Copies int      `json:"copies,omitempty"`
}

// AWSResync is what "oathctl-aws resync" is asked. Device is an ARN, "" for the one device of the user that the keys have.
type AWSResync struct {
	AWSAccess
	User   string `json:"user,omitempty"`
	Device string `json:"device,omitempty"`
}

// AWSObtain is what "oathctl-aws credentials" is asked.
type AWSObtain struct {
	AWSAccess
	// Device is the ARN of the MFA device; "" for the profile's mfa_serial, or the one that the user has on the keys.
	Device string `json:"device,omitempty"`
	// Seconds is how long the credentials are to live, 0 for the usual time.
	Seconds int `json:"seconds,omitempty"`
	// Direct has AssumeRole take the code, without a session before it. Anew asks AWS although the cache has some.
	Direct bool `json:"direct,omitempty"`
	Anew   bool `json:"anew,omitempty"`
}

// AWSDevice is an MFA device, and what the keys have of it.
type AWSDevice struct {
	// Device is its ARN, or the serial number of one that is no virtual device.
	Device string        `json:"device"`
	Kind   AWSDeviceKind `json:"kind"`
	// Account is the id of the account with its seed, Label what people call that, Keys are the labels of the keys with a proved copy.
	Account string   `json:"account,omitempty"`
	Label   string   `json:"label,omitempty"`
	Keys    []string `json:"keys,omitempty"`
	// Existed says that it was enabled before.
	Existed bool `json:"existed,omitempty"`
}

// AWSDeviceKind says what an MFA device is.
type AWSDeviceKind string

// The kinds of devices.
const (
	AWSVirtual  AWSDeviceKind = "virtual"  // it has a seed (TOTP)
	AWSHardware AWSDeviceKind = "hardware" // a token that came with a seed of its own
	AWSFIDO     AWSDeviceKind = "fido"     // a passkey or security key
)

// AWSEnrolled is the document of "oathctl aws enroll" and "oathctl aws resync".
type AWSEnrolled struct {
	User    string      `json:"user"`
	Devices []AWSDevice `json:"devices"`
	// Complete says that every copy that was asked for is there and proved. Lost names the keys whose loss would cost a device.
	Complete bool     `json:"complete"`
	Lost     []string `json:"lost_with,omitempty"`
}

// AWSCredentials is the document of "oathctl aws credentials", in the form of the AWS CLI's credential_process.
type AWSCredentials struct {
	// Version is 1.
	Version         int    `json:"Version"`
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string `json:"SecretAccessKey"`
	SessionToken    string `json:"SessionToken"`
	// Expiration is when they end.
	Expiration time.Time `json:"Expiration"`
}

// AWSCoverage is the document of "oathctl aws coverage".
type AWSCoverage struct {
	// Number is the AWS account's.
	Number string    `json:"account_number"`
	At     time.Time `json:"at"`
	// Users begin with root, where it could be looked at.
	Users []AWSUser `json:"users"`
	// Unused are devices that were made and are enabled for nobody.
	Unused []AWSDevice `json:"unused,omitempty"`
	// Problems counts the users that are without a device or at risk.
	Problems int `json:"problems"`
	// Notes say what could not be looked at.
	Notes []string `json:"notes,omitempty"`
}

// AWSUser is a user, and how it would fare.
type AWSUser struct {
	// User is its name, "root" in angle brackets for the root user, as in AWS's credential report.
	User string  `json:"user"`
	Risk AWSRisk `json:"risk"`
	// SignsIn says that it has a password or an active access key, Unknown that AWS did not tell.
	SignsIn bool        `json:"signs_in"`
	Unknown bool        `json:"signs_in_unknown,omitempty"`
	Devices []AWSDevice `json:"devices"`
}

// AWSRisk says how a user at AWS would fare.
type AWSRisk string

// The risks of a user.
const (
	AWSSafe      AWSRisk = "safe"      // two keys or more have a device of it
	AWSAtRisk    AWSRisk = "at_risk"   // the loss of one key would lock it out
	AWSElsewhere AWSRisk = "elsewhere" // its devices are not on these keys
	AWSWithout   AWSRisk = "without"   // it signs in without any
	AWSIdle      AWSRisk = "idle"      // it has none, and nothing to sign in with
)

// AWS has oathctl-aws do a verb. What it says on the way goes to hear, the document of the last line into document.
func AWS(ctx context.Context, verb string, asked, document any, hear func(AWSLine)) error {
	path, err := Find("oathctl-aws")
	if err != nil {
		return err
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, path, verb, string(text))
	// It takes back at AWS what it has begun.
	c.Cancel, c.WaitDelay = func() error { return c.Process.Signal(syscall.SIGTERM) }, awsPatience
	var complaint bytes.Buffer
	c.Stderr = &complaint
	said, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", path, err)
	}
	err = listen(said, document, hear)
	if ended := c.Wait(); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("cannot use what %s says: it ended in the middle: %s", path, cmp.Or(strings.TrimSpace(complaint.String()), fmt.Sprint(ended)))
	}
	return err
}

// awsPatience is how long oathctl-aws may take to put things right when it is broken off.
const awsPatience = 20 * time.Second

// listen reads lines until the last one.
func listen(said io.Reader, document any, hear func(AWSLine)) error {
	for d := json.NewDecoder(said); ; {
		var line AWSLine
		switch err := d.Decode(&line); {
		case err != nil:
			return err
		case line.Error != nil:
			return line.Error
		case line.Done != nil:
			return json.Unmarshal(line.Done, document)
		}
		hear(line)
	}
}
