package main

import "github.com/oathd/oathd/internal/kin"

// check makes findings of what was seen. It looks at nothing by itself, so that it can be tried with anything.
type check struct {
	name string
	of   func(sight) []kin.Finding
}

// checks are in the order in which things depend on each other: what comes first may be why the rest does not work.
var checks = []check{
	{"program", checkProgram},
	{"settings", checkSettings},
	{"permissions", checkPermissions},
	{"ledger", checkLedger},
	{"escrow", checkEscrow},
	{"bus", checkBus},
	{"unit", checkUnit},
	{"daemon", checkDaemon},
	{"version", checkVersion},
	{"clock", checkClock},
	{"pcscd", checkPCSCD},
	{"usb", checkUSB},
	{"reader", checkReaders},
	{"held", checkHeld},
	{"keys", checkKeys},
	{"secrets", checkSecrets},
	{"intents", checkIntents},
	{"reminders", checkReminders},
}

// examine runs all checks.
func examine(s sight) []kin.Finding {
	var all []kin.Finding
	for _, c := range checks {
		for _, f := range c.of(s) {
			f.Check = c.name
			all = append(all, f)
		}
	}
	return all
}

func fine(found string) []kin.Finding { return one(kin.VerdictOK, found, "", "") }

func none(found string) []kin.Finding { return one(kin.VerdictNone, found, "", "") }

func warning(found, means, mend string) []kin.Finding {
	return one(kin.VerdictWarning, found, means, mend)
}

func broken(found, means, mend string) []kin.Finding {
	return one(kin.VerdictBroken, found, means, mend)
}

func one(state kin.Verdict, found, means, mend string) []kin.Finding {
	return []kin.Finding{{State: state, Found: found, Means: means, Mend: mend}}
}
