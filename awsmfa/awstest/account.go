package awstest

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"maps"
	"slices"
	"time"
)

// User is an IAM user.
type User struct {
	// Name is what it is called. Path is part of its ARN, "/" if it is empty.
	Name, Path string
	// Lacks are actions that no policy of it allows, such as "iam:CreateVirtualMFADevice".
	Lacks []string
	// Guarded users need a session made with a code for what changes their devices, as soon as they have one.
	Guarded bool
	// Password tells that it can sign in to the console, Keyless that it has no access key.
	Password, Keyless bool
}

// Role can be assumed.
type Role struct {
	// Name is what it is called.
	Name string
	// Trusts are the names of users and, for chains, of roles that may assume it; all users if it is empty.
	Trusts []string
	// NeedsMFA wants the caller to bring a code, or a session made with one.
	NeedsMFA bool
	// ExternalID must be brought along, if it is not empty.
	ExternalID string
	// Longest is how long a session may last, one hour if it is 0.
	Longest time.Duration
	// Allows are the actions of IAM that it may do.
	Allows []string
}

// account is all that the services know.
type account struct {
	number string
	made   time.Time
	root   *owner
	users  map[string]*owner
	roles  map[string]Role
	// grants are all credentials, by access key.
	grants  map[string]*grant
	devices map[string]*device // by serial number
	report  report
}

// owner is who can have devices: a user, or root, whose name is empty.
type owner struct {
	User
	id  string
	key AccessKey
}

func (o *owner) isRoot() bool { return o.Name == "" }

// AccessKey is a long-term credential.
type AccessKey struct{ ID, Secret string }

// grant is a credential. Long-term ones have neither token nor end.
type grant struct {
	secret, token string
	expires       time.Time
	who           principal
}

// principal is who asks.
type principal struct {
	// owner is the user or root, nil for a role.
	owner *owner
	// role and session are those of an assumed role.
	role, session string
	// temporary credentials are a session's; mfa tells that it was made with a code.
	temporary, mfa bool
}

func newAccount(o Options, now time.Time) *account {
	a := &account{
		number: o.Account, made: now.Add(-400 * 24 * time.Hour), users: map[string]*owner{}, roles: map[string]Role{},
		grants: map[string]*grant{}, devices: map[string]*device{},
	}
	a.root = &owner{id: o.Account}
	a.giveKey(a.root)
	for _, u := range o.Users {
		u.Path = cmp.Or(u.Path, "/")
		a.users[u.Name] = &owner{User: u, id: "AIDA" + identifier(u.Name)}
		if !u.Keyless {
			a.giveKey(a.users[u.Name])
		}
	}
	for _, r := range o.Roles {
		r.Longest = cmp.Or(r.Longest, time.Hour)
		a.roles[r.Name] = r
	}
	return a
}

func (a *account) giveKey(o *owner) {
	o.key = AccessKey{ID: "AKIA" + random(10), Secret: secret(30)}
	a.grants[o.key.ID] = &grant{secret: o.key.Secret, who: principal{owner: o}}
}

// open makes temporary credentials.
func (a *account) open(who principal, expires time.Time) shapeCredentials {
	who.temporary = true
	id := "ASIA" + random(10)
	g := &grant{secret: secret(30), token: secret(240), expires: expires, who: who}
	a.grants[id] = g
	return shapeCredentials{AccessKeyId: id, SecretAccessKey: g.secret, SessionToken: g.token, Expiration: stamp(expires)}
}

// arn names something of IAM's: "user/alice".
func (a *account) arn(what string) string { return "arn:aws:iam::" + a.number + ":" + what }

func (a *account) arnOf(p principal) string {
	switch {
	case p.owner == nil:
		return "arn:aws:sts::" + a.number + ":assumed-role/" + p.role + "/" + p.session
	case p.owner.isRoot():
		return a.arn("root")
	}
	return a.arn("user" + p.owner.Path + p.owner.Name)
}

func (a *account) user(name string) (*owner, *refusal) {
	if o := a.users[name]; o != nil {
		return o, nil
	}
	return nil, refuse("NoSuchEntity", "The user with name %s cannot be found.", name)
}

// devicesOf lists the enabled devices of a user or root, by name.
func (a *account) devicesOf(o *owner) []*device {
	return slices.DeleteFunc(a.sorted(), func(d *device) bool { return d.owner != o })
}

// sorted lists all devices by name.
func (a *account) sorted() []*device {
	return slices.SortedFunc(maps.Values(a.devices), func(x, y *device) int { return cmp.Compare(x.serial, y.serial) })
}

func (a *account) shape(o *owner) shapeUser {
	if o.isRoot() {
		return shapeUser{UserId: o.id, Arn: a.arn("root"), CreateDate: stamp(a.made)}
	}
	return shapeUser{Path: o.Path, UserName: o.Name, UserId: o.id, Arn: a.arnOf(principal{owner: o}), CreateDate: stamp(a.made)}
}

// identifier is what follows the prefix in the id of something with a name, the same each time.
func identifier(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// random is base32 of n random bytes.
func random(n int) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(randomBytes(n))
}

// secret is base64 of n random bytes, n a multiple of three.
func secret(n int) string { return base64.StdEncoding.EncodeToString(randomBytes(n)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
