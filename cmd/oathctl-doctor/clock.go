package main

import (
	"context"
	"time"

	"github.com/oathd/oathd/internal/kin"
)

// clock is what systemd-timedated says of the clock; known is false where it says nothing.
type clock struct{ known, synchronised, ntp bool }

func lookAtClock(ctx context.Context, address string) (c clock) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	bus, err := connect(ctx, address)
	if err != nil {
		return clock{}
	}
	defer bus.Close()
	dated := bus.Object("org.freedesktop.timedate1", "/org/freedesktop/timedate1")
	get := func(property string, into *bool) bool {
		return dated.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, "org.freedesktop.timedate1", property).Store(into) == nil
	}
	c.known = get("NTPSynchronized", &c.synchronised) && get("NTP", &c.ntp)
	return c
}

func checkClock(s sight) []kin.Finding {
	const (
		means = "codes are right only while the clock is, to some seconds"
		mend  = "sudo timedatectl set-ntp true"
	)
	switch {
	case s.selfErr == nil && s.now.Before(s.self.Built):
		return broken("the clock says "+s.now.UTC().Format(time.DateOnly)+", and oathd was built on "+s.self.Built.Format(time.DateOnly), "oathd gives no code at such a time", mend)
	case !s.clock.known:
		return none("nobody says whether the clock is synchronised (systemd-timedated)")
	case !s.clock.synchronised && s.clock.ntp:
		return warning("the clock is not synchronised yet", means, "see why: timedatectl timesync-status")
	case !s.clock.synchronised:
		return warning("the clock is not synchronised", means, mend)
	}
	return fine("the clock is synchronised")
}
