package awsmfa

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// noCredentials marks an error of looking for some.
func noCredentials(err error) error { return errors.Join(errNoCredentials, err) }

// Credentials gives what a profile stands for, opened with a code: a session, or the role at the end of a chain. They come from the cache
// until shortly before they end; of many who ask at once, one asks for a code.
func (a *AWS) Credentials(ctx context.Context, asked kin.AWSObtain) (kin.AWSCredentials, error) {
	c, err := a.chain(ctx, asked)
	if err != nil {
		return kin.AWSCredentials{}, err
	}
	o := &obtaining{AWS: a, chain: c, asked: asked, cache: openCache()}
	final := o.name("final")
	if found, ok := o.cache.load(final); ok && !asked.Anew {
		return found, nil
	}
	unlock, err := o.cache.lock(ctx, o.name("lock"))
	if err != nil {
		return kin.AWSCredentials{}, err
	}
	defer unlock()
	if found, ok := o.cache.load(final); ok && !asked.Anew {
		return found, nil // somebody else was quicker
	}
	got, err := o.obtain(ctx)
	if err != nil {
		return kin.AWSCredentials{}, err
	}
	o.keep(final, got)
	return document(got), nil
}

// obtaining is the way along a chain.
type obtaining struct {
	*AWS
	chain chain
	asked kin.AWSObtain
	cache *cache
}

// name names an entry of the cache by all that what is in it depends on. The lock is one for all that take codes of one device.
func (o *obtaining) name(what string) string {
	c, endpoint := o.chain, aws.ToString(o.config.BaseEndpoint)
	switch what {
	case "lock":
		return entryName(what, c.own.AccessKeyID, endpoint)
	case "session":
		return entryName(what, c.own.AccessKeyID, endpoint, c.device, o.sessionLife())
	}
	return entryName(what, c.own.AccessKeyID, endpoint, c.device, c.roles, c.lifetime, o.asked.Direct)
}

// keep puts credentials into the cache; that they could not be is told, and no reason to fail.
func (o *obtaining) keep(name string, got aws.Credentials) {
	if err := o.cache.store(name, document(got)); err != nil {
		o.note("cannot keep the credentials: " + err.Error() + "; each call will take a code")
	}
}

// obtain goes the way. A code opens a session, and that opens the roles; or the first role, where there is to be no session.
func (o *obtaining) obtain(ctx context.Context) (aws.Credentials, error) {
	roles := o.chain.roles
	switch {
	case o.chain.own.SessionToken != "" && len(roles) == 0:
		return aws.Credentials{}, &api.Error{Code: api.CodeBadRequest, Message: "cannot open a session: the credentials of " + named(o.profile) + " are a session's", Hint: "name a profile with a long-term access key"}
	case o.chain.own.SessionToken != "":
		return o.assume(ctx, o.chain.own, roles) // AWS gives no session for a session; it may have been made with MFA
	case o.asked.Direct && len(roles) == 0:
		return aws.Credentials{}, &api.Error{Code: api.CodeBadRequest, Message: "cannot do without a session: " + named(o.profile) + " assumes no role"}
	}
	if err := o.findDevice(ctx); err != nil {
		return aws.Credentials{}, err
	}
	if o.asked.Direct {
		got, err := o.assumeWithCode(ctx, roles[0])
		if err != nil {
			return got, err
		}
		return o.assume(ctx, got, roles[1:])
	}
	session, err := o.opened(ctx)
	if err != nil {
		return session, err
	}
	return o.assume(ctx, session, roles)
}

// findDevice finds the user's device on the keys, where nobody named it.
func (o *obtaining) findDevice(ctx context.Context) error {
	if o.chain.device != "" {
		return nil
	}
	o.use(static(o.chain.own))
	_, user, err := o.whose(ctx, "")
	if err == nil {
		o.chain.device, err = o.onlyDevice(ctx, user)
	}
	if api.CodeOf(err) == api.CodeNotFound || api.CodeOf(err) == api.CodeAmbiguous {
		err = add(err, "", "or set mfa_serial in the profile")
	}
	return err
}

// sessionLife is how long the session lives that opens the roles, or that is asked for.
func (o *obtaining) sessionLife() time.Duration {
	if len(o.chain.roles) == 0 {
		return o.chain.lifetime
	}
	return usualSession
}

// opened is a session for roles, or the one that is asked for: where both live for as long, one does for all.
func (o *obtaining) opened(ctx context.Context) (aws.Credentials, error) {
	name := o.name("session")
	if found, ok := o.cache.load(name); ok && !o.asked.Anew {
		return credentials(found), nil
	}
	got, err := o.session(ctx, o.chain.own, o.chain.device, o.sessionLife())
	if err == nil {
		o.keep(name, got)
	}
	return got, err
}

// session opens a session with a code.
func (a *AWS) session(ctx context.Context, own aws.Credentials, device string, life time.Duration) (got aws.Credentials, err error) {
	err = a.twice(ctx, func(ctx context.Context) error {
		code, err := a.codeOf(ctx, device)
		if err != nil {
			return err
		}
		out, err := a.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{SerialNumber: &device, TokenCode: &code, DurationSeconds: seconds(life)}, as(own))
		if err == nil {
			got = taken(out.Credentials)
		}
		return err
	})
	if err != nil {
		return got, a.explain(err, "open a session with %s", device)
	}
	return got, nil
}

// assumeWithCode assumes a role with a code.
func (o *obtaining) assumeWithCode(ctx context.Context, r role) (got aws.Credentials, err error) {
	err = o.twice(ctx, func(ctx context.Context) error {
		code, err := o.codeOf(ctx, o.chain.device)
		if err != nil {
			return err
		}
		in := o.assumption(r)
		in.SerialNumber, in.TokenCode = &o.chain.device, &code
		out, err := o.sts.AssumeRole(ctx, in, as(o.chain.own))
		if err == nil {
			got = taken(out.Credentials)
		}
		return err
	})
	if err != nil {
		return got, o.explain(err, "assume %s with %s", r.ARN, o.chain.device)
	}
	return got, nil
}

// assume goes from credentials through roles.
func (o *obtaining) assume(ctx context.Context, from aws.Credentials, roles []role) (aws.Credentials, error) {
	for _, r := range roles {
		out, err := o.sts.AssumeRole(ctx, o.assumption(r), as(from))
		if err != nil {
			return from, o.explain(err, "assume %s", r.ARN)
		}
		from = taken(out.Credentials)
	}
	return from, nil
}

// assumption asks for a role; the last one lives as long as is asked for.
func (o *obtaining) assumption(r role) *sts.AssumeRoleInput {
	life := r.Lifetime
	if r == o.chain.roles[len(o.chain.roles)-1] {
		life = o.chain.lifetime
	}
	in := &sts.AssumeRoleInput{RoleArn: &r.ARN, RoleSessionName: &r.Session}
	if r.ExternalID != "" {
		in.ExternalId = &r.ExternalID
	}
	if life > 0 {
		in.DurationSeconds = seconds(life)
	}
	return in
}

func seconds(d time.Duration) *int32 { return aws.Int32(int32(d / time.Second)) }

// as has one request made with these credentials.
func as(c aws.Credentials) func(*sts.Options) {
	return func(o *sts.Options) { o.Credentials = static(c) }
}

// static gives always the same.
func static(c aws.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

func taken(c *types.Credentials) aws.Credentials {
	return aws.Credentials{
		AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey), SessionToken: aws.ToString(c.SessionToken),
		CanExpire: true, Expires: aws.ToTime(c.Expiration).UTC(),
	}
}

func document(c aws.Credentials) kin.AWSCredentials {
	return kin.AWSCredentials{Version: 1, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: c.Expires}
}

func credentials(d kin.AWSCredentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: d.AccessKeyID, SecretAccessKey: d.SecretAccessKey, SessionToken: d.SessionToken, CanExpire: true, Expires: d.Expiration}
}
