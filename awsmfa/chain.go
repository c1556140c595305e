package awsmfa

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// role is one that is assumed on the way.
type role struct {
	ARN, ExternalID, Session string
	Lifetime                 time.Duration
}

// chain is the way from an access key to what a profile stands for.
type chain struct {
	// own are the credentials that it begins with; from says how the profile with them is called.
	own  aws.Credentials
	from string
	// device is the MFA device's ARN, "" where no profile names it.
	device string
	// roles are assumed one after the other; there may be none.
	roles []role
	// lifetime is that of the last credentials.
	lifetime time.Duration
}

// chain reads the way from the profile, as the AWS CLI would go it.
func (a *AWS) chain(ctx context.Context, asked kin.AWSObtain) (c chain, err error) {
	shared := sharedOf(a.config)
	c = chain{from: a.profile, device: asked.Device}
	base := &shared
	for base.RoleARN != "" && !(a.profile == "" && os.Getenv("AWS_ACCESS_KEY_ID") != "") {
		c.roles = append(c.roles, roleOf(base))
		c.device = orElse(c.device, base.MFASerial)
		if base.Source == nil {
			return c, &api.Error{Code: api.CodeNotSupported, Message: "cannot use " + named(base.Profile) + ": it assumes a role without a source_profile", Hint: "give it a source_profile that has an access key"}
		}
		base = base.Source
	}
	slices.Reverse(c.roles)
	c.device = orElse(c.device, base.MFASerial)
	if c.own, err = a.own(ctx, base); err != nil {
		return c, err
	}
	c.lifetime, err = lifetime(asked.Seconds, c.roles)
	return c, err
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// sharedOf is what the configuration files say of the profile.
func sharedOf(cfg aws.Config) config.SharedConfig {
	for _, source := range cfg.ConfigSources {
		if shared, ok := source.(config.SharedConfig); ok {
			return shared
		}
	}
	return config.SharedConfig{}
}

func roleOf(s *config.SharedConfig) role {
	r := role{ARN: s.RoleARN, ExternalID: s.ExternalID, Session: orElse(s.RoleSessionName, "oathctl")}
	if s.RoleDurationSeconds != nil {
		r.Lifetime = *s.RoleDurationSeconds
	}
	return r
}

// own are the credentials that the chain begins with.
func (a *AWS) own(ctx context.Context, base *config.SharedConfig) (aws.Credentials, error) {
	cfg := a.config
	if base.Profile != sharedOf(a.config).Profile {
		if err := a.enter(base.Profile); err != nil {
			return aws.Credentials{}, err
		}
		var err error
		if cfg, err = a.load(ctx, base.Profile); err != nil {
			return aws.Credentials{}, a.explain(err, "use %s", named(base.Profile))
		}
	}
	if base.Credentials.HasKeys() && a.profile != "" {
		return base.Credentials, nil // of a profile that is its own source
	}
	own, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return own, a.explain(noCredentials(err), "use %s", named(base.Profile))
	}
	return own, nil
}

// The bounds of lifetimes (STS API reference: GetSessionToken and AssumeRole, DurationSeconds; a chained role gets an hour at most).
const (
	shortest        = 15 * time.Minute
	longestSession  = 36 * time.Hour
	longestRole     = 12 * time.Hour
	longestChained  = time.Hour
	usualSession    = 12 * time.Hour
	usualRole       = time.Hour
	chainedFromHere = 2
)

// lifetime settles how long the last credentials live: as asked for, else as the profile says, else as usual.
func lifetime(seconds int, roles []role) (time.Duration, error) {
	d, limit, usual := time.Duration(seconds)*time.Second, longestSession, usualSession
	if n := len(roles); n > 0 {
		limit, usual = longestRole, usualRole
		if n >= chainedFromHere {
			limit = longestChained
		}
		if d == 0 {
			d = min(roles[n-1].Lifetime, limit)
		}
	}
	if d == 0 {
		d = usual
	}
	if d < shortest || d > limit {
		return 0, &api.Error{Code: api.CodeBadRequest, Message: "cannot get credentials that live " + d.String(), Hint: "AWS allows from " + shortest.String() + " to " + limit.String() + " here"}
	}
	return d, nil
}
