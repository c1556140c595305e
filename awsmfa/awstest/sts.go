package awstest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

func getCallerIdentity(c *call) (any, *refusal) {
	id := "AROA" + identifier(c.who.role) + ":" + c.who.session
	if c.who.owner != nil {
		id = c.who.owner.id
	}
	return struct{ UserId, Account, Arn string }{id, c.number, c.arnOf(c.who)}, nil
}

func getSessionToken(c *call) (any, *refusal) {
	if c.who.temporary {
		return nil, refuse("AccessDenied", "Cannot call GetSessionToken with session credentials")
	}
	lasts := c.duration(12 * time.Hour)
	if c.who.owner.isRoot() {
		lasts = min(c.duration(time.Hour), time.Hour)
	}
	who, refused := c.withCode()
	if refused != nil {
		return nil, refused
	}
	return struct{ Credentials shapeCredentials }{c.open(who, c.now.Add(lasts))}, nil
}

func (c *call) duration(unless time.Duration) time.Duration {
	if n, err := strconv.Atoi(c.param("DurationSeconds")); err == nil {
		return time.Duration(n) * time.Second
	}
	return unless
}

// withCode is the caller, with the code that it brought, if any.
func (c *call) withCode() (principal, *refusal) {
	serial, code := c.param("SerialNumber"), c.param("TokenCode")
	who := c.who
	switch {
	case serial == "" && code == "":
		return who, nil
	case serial == "" || code == "":
		return who, refuse("AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	}
	d := c.devices[serial]
	if d == nil || d.owner == nil || d.owner != who.owner {
		return who, refuse("AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	}
	if c.refuseCode || !d.accept(code, c.now) {
		return who, refuse("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	}
	who.mfa = true
	return who, nil
}

func assumeRole(c *call) (any, *refusal) {
	if c.who.owner != nil && c.who.owner.isRoot() {
		return nil, refuse("AccessDenied", "Roles may not be assumed by root accounts.")
	}
	who, refused := c.withCode()
	if refused != nil {
		return nil, refused
	}
	arn := c.param("RoleArn")
	name, ours := strings.CutPrefix(arn, c.arn("role/"))
	role, known := c.roles[name]
	if !ours || !known || !role.admits(who, c.param("ExternalId")) {
		return nil, c.denied("sts:AssumeRole", arn, "")
	}
	lasts := c.duration(time.Hour)
	switch {
	case c.who.owner == nil && lasts > time.Hour:
		return nil, refuse("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case lasts > role.Longest:
		return nil, refuse("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	// The session does not tell that a code was brought: "the temporary credentials do not include MFA information".
	session := principal{role: name, session: c.param("RoleSessionName")}
	return struct {
		Credentials     shapeCredentials
		AssumedRoleUser shapeAssumedRoleUser
	}{
		c.open(session, c.now.Add(lasts)),
		shapeAssumedRoleUser{AssumedRoleId: "AROA" + identifier(name) + ":" + session.session, Arn: c.arnOf(session)},
	}, nil
}

// admits is the role's trust policy.
func (r Role) admits(who principal, externalID string) bool {
	if r.NeedsMFA && !who.mfa || r.ExternalID != "" && r.ExternalID != externalID {
		return false
	}
	if who.owner == nil {
		return slices.Contains(r.Trusts, who.role)
	}
	return !slices.Contains(who.owner.Lacks, "sts:AssumeRole") && (len(r.Trusts) == 0 || slices.Contains(r.Trusts, who.owner.Name))
}
