// Package awsmfa owns what oathd's client does at AWS: MFA devices of IAM users whose seeds go straight to security keys, the sessions and
// roles that such a device opens, and which devices are on which keys.
//
// It asks oathd for codes and never computes one. It is linked by cmd/oathctl-aws alone: the daemon has no network.
package awsmfa

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Keys is oathd, as ipc/client has it. Its errors are *api.Error.
type Keys interface {
	// Accounts lists the accounts whose label contains the query.
	Accounts(ctx context.Context, query string) ([]api.Account, error)
	// Code gives a code; it may wait for a touch, or for the next time step.
	Code(ctx context.Context, r api.CodeRequest) (api.Code, error)
	// Add writes accounts to keys and proves them. The seeds stay the caller's to wipe.
	Add(ctx context.Context, r api.AddRequest, seeds []*oath.Secret, step func(api.Step)) (api.Report, error)
}

// anyRegion is asked where a profile names none: IAM is the same everywhere, and so is what STS gives.
const anyRegion = "us-east-1"

// AWS is a profile's way to IAM and STS.
type AWS struct {
	profile string
	keys    Keys
	tell    func(kin.AWSLine)
	clock   *clock
	// within are the profiles that are being used, by those who started us too.
	within []string
	config aws.Config
	iam    *iam.Client
	sts    *sts.Client
}

// Open finds the credentials of a profile, "" for those that the AWS CLI would take. What happens on the way is told to tell,
// from one goroutine at a time.
func Open(ctx context.Context, profile string, keys Keys, tell func(kin.AWSLine)) (*AWS, error) {
	a := &AWS{profile: profile, keys: keys, tell: tell, clock: newClock(), within: strings.Fields(os.Getenv(profiles))}
	if err := a.enter(profile); err != nil {
		return nil, err
	}
	var err error
	if a.config, err = a.load(ctx, profile); err != nil {
		return nil, a.explain(err, "use %s", named(profile))
	}
	a.use(a.config.Credentials)
	return a, nil
}

// use has AWS asked with these credentials from now on.
func (a *AWS) use(credentials aws.CredentialsProvider) {
	a.config.Credentials = credentials
	a.iam, a.sts = iam.NewFromConfig(a.config), sts.NewFromConfig(a.config)
}

// load reads a profile. Where it assumes a role with a code, oathd gives it.
func (a *AWS) load(ctx context.Context, profile string) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithDefaultRegion(anyRegion), config.WithEC2IMDSClientEnableState(imds.ClientDisabled),
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			o.TokenProvider = func() (string, error) { return a.codeOf(ctx, aws.ToString(o.SerialNumber)) }
		}),
	}
	if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err == nil {
		cfg.HTTPClient = a.clock.around(cfg.HTTPClient) // only now: the configuration puts AWS_CA_BUNDLE into the one it makes
	}
	return cfg, err
}

// profiles names the variable with the profiles that are being used: a credential_process of one of them may start us again.
const profiles = "OATHCTL_AWS_PROFILES"

// enter refuses a profile whose own credential_process this is.
func (a *AWS) enter(profile string) error {
	if profile == "" {
		profile = "default"
	}
	if slices.Contains(a.within, profile) {
		return &api.Error{
			Code: api.CodeBadRequest, Message: "cannot use " + named(profile) + ": its credential_process asks for its own credentials",
			Hint: "name the profile that has the long-term access key; \"oathctl aws setup\" writes a second one beside it",
		}
	}
	a.within = append(a.within, profile)
	return os.Setenv(profiles, strings.Join(a.within, " "))
}

func named(profile string) string {
	if profile == "" {
		return "the default profile"
	}
	return "the profile " + profile
}

// note tells something to people.
func (a *AWS) note(text string) { a.tell(kin.AWSLine{Note: text}) }

// caller is who asks.
type caller struct {
	// partition and account are parts of every ARN; user is the IAM user's name, "" if it is none.
	partition, account, user string
	root                     bool
}

// whoAsks asks AWS whose credentials these are. Where this machine's clock is off it refuses: no code would be taken.
func (a *AWS) whoAsks(ctx context.Context) (caller, error) {
	if _, err := a.config.Credentials.Retrieve(ctx); err != nil {
		return caller{}, a.explain(errors.Join(errNoCredentials, err), "use %s", named(a.profile))
	}
	out, err := a.sts.GetCallerIdentity(ctx, nil)
	if err != nil {
		return caller{}, a.explain(err, "use %s", named(a.profile))
	}
	if err := a.clock.check(); err != nil {
		return caller{}, err
	}
	return parseCaller(aws.ToString(out.Arn))
}

// parseCaller reads the ARN of whoever asks: arn:PARTITION:iam::ACCOUNT:user/PATH/NAME, …:root, arn:PARTITION:sts::ACCOUNT:assumed-role/….
func parseCaller(text string) (caller, error) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 {
		return caller{}, &api.Error{Code: api.CodeAWS, Message: "cannot understand AWS: " + text + " is no ARN"}
	}
	c := caller{partition: parts[1], account: parts[4], root: parts[5] == "root"}
	if path, ok := strings.CutPrefix(parts[5], "user/"); ok && parts[2] == "iam" {
		c.user = path[strings.LastIndexByte(path, '/')+1:]
	}
	return c, nil
}
