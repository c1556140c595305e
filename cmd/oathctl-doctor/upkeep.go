package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

func checkHeld(s sight) (found []kin.Finding) {
	for _, reader := range s.self.Held {
		found = append(found, broken("another program has the key in "+reader+" for itself", "no code can be had from it until it lets go", s.self.HeldHint)...)
	}
	return found
}

func checkKeys(s sight) (found []kin.Finding) {
	present := 0
	for _, k := range s.daemon.keys {
		if !k.Present {
			continue
		}
		present++
		found = append(found, checkKey(k, s.self.Held)...)
	}
	switch {
	case s.daemon.err != nil:
		return nil
	case present == 0:
		return none("no key is plugged in")
	case found == nil:
		return fine(fmt.Sprintf("%d plugged in, and all of them can be used", present))
	}
	return found
}

// checkKey says what is wrong with one key, but that it is held: that was said.
func checkKey(k api.Key, held []string) []kin.Finding {
	switch {
	case slices.Contains(held, k.Reader):
		return nil
	case k.Trouble != "" && k.State == api.KeySeen: // it may be no security key at all
		return one(kin.VerdictNone, k.Label+": "+k.Trouble, "no code can be had from it", k.Hint)
	case k.Trouble != "":
		return broken(k.Label+": "+k.Trouble, "no code can be had from it", k.Hint)
	case k.Locked:
		return warning(k.Label+" is locked: its password is not known to oathd", "no code can be had from it until it is unlocked", fmt.Sprintf("oathctl password unlock %q", k.Label))
	}
	return nil
}

func checkIntents(s sight) []kin.Finding {
	switch n := s.daemon.status.OpenIntents; {
	case s.daemon.err != nil:
		return nil
	case n > 0:
		return warning(fmt.Sprintf("begun and not finished: %d", n), "accounts may have fewer copies than it seems", "oathctl resume")
	}
	return fine("nothing was left unfinished")
}

// checkReminders passes on what the daemon says was put off: "WHAT: what to do", and a name may hold a colon too.
func checkReminders(s sight) (found []kin.Finding) {
	for _, reminder := range s.daemon.reminders {
		what, mend := reminder, ""
		if i := strings.LastIndex(reminder, ": "); i >= 0 {
			what, mend = reminder[:i], reminder[i+2:]
		}
		if command, ok := strings.CutPrefix(mend, "run "); ok {
			mend = strings.Trim(command, `"`)
		}
		found = append(found, warning(what, "", mend)...)
	}
	if found == nil && s.daemon.err == nil && s.daemon.escrow.Exists {
		return fine("each way to open the escrow was tried of late")
	}
	return found
}
