package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/config"
	"github.com/oathd/oathd/hw/pcsc"
	"github.com/oathd/oathd/ipc/bus"
	"github.com/oathd/oathd/ipc/desktop"
	"github.com/oathd/oathd/ipc/line"
	"github.com/oathd/oathd/ipc/socket"
	"github.com/oathd/oathd/ledger"
)

// oathd is the house put together.
type oathd struct {
	ledger *ledger.Ledger
	agent  *agent.Agent
	doors  []door
	bus    *bus.Server
	// desktop is the same buses as seen by a client of theirs.
	desktop *desktop.Desktop
	log     *slog.Logger
}

// door is a socket and who answers there; name is systemd's for it.
type door struct {
	name     string
	server   *socket.Server
	listener *net.UnixListener
}

// open takes what the daemon needs for itself, the ledger first: its lock is what keeps two daemons apart.
func open(ctx context.Context, c config.Config, log *slog.Logger) (*oathd, error) {
	book, err := ledger.Open(ctx, c.Ledger)
	if err != nil {
		return nil, err
	}
	d := &oathd{ledger: book, log: log}
	if err := d.assemble(ctx, c); err != nil {
		d.shut()
		return nil, errors.Join(err, book.Close())
	}
	return d, nil
}

func (d *oathd) assemble(ctx context.Context, c config.Config) error {
	d.desktop = desktop.New(desktopOptions(c, d.log))
	core := agent.Options{
		Ledger: d.ledger, Log: d.log, LedgerPath: c.Ledger,
		Version: programVersion(), BuildTime: buildTime(),
		Copies: c.Copies, KeyOrder: c.KeyOrder, ClockWarning: d.desktop.ClockWarning, Keyring: d.desktop,
	}
	front := socket.Options{Log: d.log, StopTimeout: c.StopTimeout}
	soft, err := softKeys(c)
	switch {
	case err != nil:
		return err
	case soft != nil:
		core.Bay, core.BayName, front.Soft = soft, "soft", soft
	default:
		core.Bay, core.BayName, core.Enroller = pcsc.New(d.log), "pcsc", enroller()
	}
	if d.agent, err = agent.New(ctx, core); err != nil {
		return err
	}
	front.Agent = d.agent
	if d.bus, err = bus.New(bus.Options{Agent: d.agent, Search: searchOf(c, d.desktop), Address: c.DBus, StopTimeout: c.StopTimeout, Log: d.log}); err != nil {
		return err
	}
	return d.listen(c, front)
}

// desktopOptions says where the desktop is: the session's bus is the one that is served, the system's is what goes with it.
func desktopOptions(c config.Config, log *slog.Logger) desktop.Options {
	o := desktop.Options{Session: c.DBus, System: line.System(), Quiet: !c.Notifications, Ykman: c.YkmanPasswords, Log: log}
	switch c.DBus {
	case bus.Off, "":
		o.Session, o.System = "", ""
	case bus.Auto:
		o.Session = line.Session()
	}
	return o
}

// listen opens the doors: the user's own, and the one for lists and codes.
func (d *oathd) listen(c config.Config, front socket.Options) error {
	passed, err := socket.Inherit()
	if err != nil {
		return err
	}
	defer passed.Close()
	if err := d.openDoor(passed, socket.APIName, c.Socket, front); err != nil || c.CodesSocket == config.Off {
		return err
	}
	front.CodesOnly = true
	return d.openDoor(passed, socket.CodesName, c.CodesSocket, front)
}

func (d *oathd) openDoor(passed socket.Inherited, name, path string, front socket.Options) error {
	l, err := passed.Listen(name, path)
	if err != nil {
		return err
	}
	d.doors = append(d.doors, door{name, socket.New(front), l})
	return nil
}

// shut closes doors that nobody answers at yet.
func (d *oathd) shut() {
	for _, door := range d.doors {
		_ = door.listener.Close()
	}
}

// run answers until ctx ends. The core goes on until the last request has ended, and without the core
// there is nothing to answer.
func (d *oathd) run(ctx context.Context) error {
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	ended := make(chan error, 1)
	go func() {
		defer stopServing()
		ended <- d.agent.Run(working)
	}()
	var beside sync.WaitGroup
	beside.Go(func() { d.bus.Serve(serving) })
	beside.Go(func() { d.desktop.Run(serving, d.agent) })
	boss := serviceManager(d.log)
	defer boss.close()
	d.ready(boss)
	beside.Go(func() { boss.follow(serving, d.agent) })
	err := d.serve(serving)
	stopServing()
	beside.Wait()
	stopWorking()
	return errors.Join(err, <-ended)
}

// serve answers at all doors until ctx ends, or one of them breaks.
func (d *oathd) serve(ctx context.Context) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	closed := make(chan error)
	for _, door := range d.doors {
		go func() {
			defer stop()
			closed <- door.server.Serve(ctx, door.listener)
		}()
	}
	for range d.doors {
		err = errors.Join(err, <-closed)
	}
	return err
}

// ready tells people, and systemd, that the sockets are there.
func (d *oathd) ready(boss *manager) {
	s := d.agent.Status()
	about := []any{"keys", s.Bay, "ledger", s.Ledger, "version", s.Version}
	for _, door := range d.doors {
		about = append(about, door.name, door.listener.Addr().String())
	}
	d.log.Info("ready", about...)
	boss.tell("READY=1")
}

func (d *oathd) close() error {
	if err := d.ledger.Close(); err != nil {
		return fmt.Errorf("cannot end cleanly: %w", err)
	}
	d.log.Info("ended")
	return nil
}
