package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"

	"github.com/oathd/oathd/internal/kin"
)

// login is what polkit may make of this session.
type login struct {
	// remote says that it came over SSH; lingers that the user's services run without a session.
	remote, lingers bool
}

func lookAtLogin(root string) (l login) {
	l.remote = os.Getenv("SSH_CONNECTION") != ""
	if self, err := user.Current(); err == nil {
		_, err := os.Stat(filepath.Join(root, "var/lib/systemd/linger", self.Username)) // loginctl(1), enable-linger
		l.lingers = err == nil
	}
	return l
}

func checkPCSCD(s sight) []kin.Finding {
	const means = "no key can be seen"
	fault, d := s.self.PCSC, s.daemon.status
	switch {
	case s.self.Bay == soft || s.daemon.err == nil && d.Bay == soft:
		return none("soft keys need no pcscd")
	case fault != nil && s.self.Refused:
		return broken(fault.Message, s.login.refusal(), fault.Hint)
	case fault != nil:
		return broken(fault.Message, means, fault.Hint)
	case s.daemon.err == nil && d.Trouble != "":
		return broken("the daemon sees no keys: "+d.Trouble, s.login.refusal(), d.Hint)
	case s.self.Bay == "":
		return nil
	}
	return fine(fmt.Sprintf("pcscd answers, and shows readers: %d", s.self.Readers))
}

// refusal says why polkit may refuse what it lets others do.
func (l login) refusal() string {
	switch {
	case l.remote:
		return "no key can be seen; this session came over SSH, so for polkit it is not the active local one"
	case l.lingers:
		return "no key can be seen; your services linger (loginctl enable-linger), and have no active local session while you are not logged in at the machine"
	}
	return "no key can be seen"
}
