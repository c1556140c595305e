package awstest

import (
	"net/url"
	"time"
)

// RootUser is the name under which root is arranged for.
const RootUser = ""

// AccessKey is the long-term key of a user, or of root.
func (s *Server) AccessKey(user string) AccessKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner(user).key
}

func (s *Server) owner(user string) *owner {
	if user == RootUser {
		return s.account.root
	}
	o := s.account.users[user]
	if o == nil {
		s.t.Fatalf("awstest: there is no user %s", user)
	}
	return o
}

// ARN is the name of something in the account: "user/alice", "mfa/phone", "role/admin".
func (s *Server) ARN(what string) string { return s.account.arn(what) }

// Device is a virtual MFA device as the service knows it.
type Device struct {
	// Serial is its ARN.
	Serial string
	// User is whose it is, "" if it is not enabled or root's; Enabled tells those apart.
	User    string
	Enabled bool
	// Used is the last step whose code was accepted.
	Used uint64
}

// Devices lists all of the account.
func (s *Server) Devices() []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Device
	for _, d := range s.account.sorted() {
		x := Device{Serial: d.serial, Enabled: d.owner != nil, Used: d.used}
		if d.owner != nil {
			x.User = d.owner.Name
		}
		list = append(list, x)
	}
	return list
}

// Enrol gives a user, or root, a device, as if it had been enabled long ago, and returns its serial number.
func (s *Server) Enrol(user, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &device{serial: s.account.arn("mfa/" + name), seed: randomBytes(40), owner: s.owner(user), enabled: s.account.made}
	s.account.devices[d.serial] = d
	return d.serial
}

// Attach gives a user a device that is not virtual, with whatever serial number: a passkey's is an ARN too, "…:u2f/user/alice/desk-ABC".
func (s *Server) Attach(user, serial string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account.devices[serial] = &device{serial: serial, owner: s.owner(user), enabled: s.account.made}
}

// Seed is the seed of a device, in base32.
func (s *Server) Seed(serial string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(serial).base32()
}

// Code is the code of a device that is so far from the service's now: 0, or period by period before and after.
func (s *Server) Code(serial string, from time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(serial).code(stepAt(s.clock().Add(from)))
}

func (s *Server) find(serial string) *device {
	d := s.account.devices[serial]
	if d == nil {
		s.t.Fatalf("awstest: there is no device %s", serial)
	}
	return d
}

// Expire ends all temporary credentials.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.account.grants {
		if g.who.temporary {
			g.expires = s.clock()
		}
	}
}

// Console is the URI of the QR code that AWS's console shows for a device, of root as of users.
func (s *Server) Console(serial, account string) string {
	label := url.PathEscape("Amazon Web Services:" + serial + "@" + account)
	return "otpauth://totp/" + label + "?secret=" + s.Seed(serial) + "&issuer=Amazon%20Web%20Services"
}
