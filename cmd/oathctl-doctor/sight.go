package main

import (
	"context"
	"sync"
	"time"

	"github.com/oathd/oathd/internal/kin"
)

const (
	// patience is how long the daemon and each bus may take to answer.
	patience = 5 * time.Second
	// checkPatience is how long "oathd check" may take, which itself waits five seconds for pcscd.
	checkPatience = 15 * time.Second
)

// sight is what was seen, before anything is made of it.
type sight struct {
	now     time.Time
	version string
	daemon  daemon
	// self is what "oathd check" says, or selfErr why it says nothing.
	self    kin.SelfCheck
	selfErr error
	files   []file
	session session
	clock   clock
	login   login
	usb     []device
	driver  driver
	// scdaemon says that GnuPG's is running.
	scdaemon bool
}

// place is where everything is looked for. root is "/", but in tests.
type place struct{ socket, root string }

// look sees to everything at once, and returns when the last has answered or has had its time.
func (p place) look(ctx context.Context) sight {
	s := sight{now: time.Now(), version: version, login: lookAtLogin(p.root)}
	var looking sync.WaitGroup
	looking.Go(func() {
		s.daemon = askDaemon(ctx, p.socket)
		s.self, s.selfErr = selfCheck(ctx, s.daemon)
		s.files = lookAtFiles(s.self, s.daemon.socket)
	})
	looking.Go(func() { s.session = lookAtSession(ctx, sessionAddress()) })
	looking.Go(func() { s.clock = lookAtClock(ctx, systemAddress()) })
	looking.Go(func() {
		s.usb, s.driver, s.scdaemon = lookAtUSB(p.root), lookAtDriver(p.root), runs(p.root, "scdaemon")
	})
	looking.Wait()
	return s
}

// selfCheck has oathd look at the settings, the ledger and pcscd: those of the daemon that runs, if one does.
func selfCheck(ctx context.Context, d daemon) (kin.SelfCheck, error) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	var args []string
	if d.err == nil {
		args = append(args, "--ledger", d.status.Ledger)
	}
	if d.err == nil && d.status.Bay == soft {
		args = append(args, "--soft-keys", "1")
	}
	return kin.Check(ctx, args...)
}
