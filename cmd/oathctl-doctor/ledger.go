package main

import (
	"fmt"

	"github.com/oathd/oathd/internal/kin"
)

// inMemory is a ledger that lasts as long as the daemon.
const inMemory = ":memory:"

func checkLedger(s sight) []kin.Finding {
	self := s.self
	switch {
	case self.Ledger == "":
		return nil
	case self.LedgerFault != nil:
		return broken(self.LedgerFault.Message, "oathd cannot work with it; the keys are not affected", self.LedgerFault.Hint)
	case self.Tampered:
		return broken("the chain of the audit log is broken in "+self.Ledger, "something else than oathd has written there",
			"see from where on: oathctl log; then compare it with a backup of the ledger")
	case self.Ledger == inMemory:
		return none("the ledger is kept in memory alone")
	case self.NoLedger:
		return none("there is no ledger yet: " + self.Ledger)
	case self.OldLedger:
		return fine(self.Ledger + " is whole; oathd will bring it up to date")
	}
	return fine(self.Ledger + " is whole")
}

func checkEscrow(s sight) []kin.Finding {
	const means = "no seed can be taken out of it or put into it"
	e := s.daemon.escrow
	switch {
	case s.self.EscrowFault != nil:
		return broken(s.self.EscrowFault.Message, means, s.self.EscrowFault.Hint)
	case s.daemon.err != nil:
		return nil
	case e.Trouble != "":
		return broken(e.Trouble, means, e.Hint)
	case !e.Exists:
		return one(kin.VerdictNone, "there is no escrow", "an account whose keys are all lost has to be enrolled anew", "oathctl escrow init")
	}
	return fine(fmt.Sprintf("the escrow can be used: seeds %d, ways to open it %d", e.Seeds, len(e.Recipients)))
}
