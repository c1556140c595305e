package agent

import (
	"fmt"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// Coverage draws accounts × keys, as the ledger and the keys that are plugged in tell.
func (a *Agent) Coverage() api.Coverage {
	v := a.view.Load()
	c := api.Coverage{At: time.Now().UTC(), Keys: []api.Key{}, Rows: []api.CoverageRow{}}
	for _, k := range v.keyList {
		if k.State != api.KeySeen {
			c.Keys = append(c.Keys, k.Key)
		}
	}
	for _, acc := range v.accountList {
		if !acc.recorded {
			continue
		}
		row := api.CoverageRow{Account: acc.Account, Risk: v.risk(acc)}
		row.Advice = acc.advice(row.Risk)
		c.Rows = append(c.Rows, row)
		switch {
		case acc.Superseded:
		case row.Risk == api.RiskSafe:
			c.Safe++
		default:
			c.AtRisk++
		}
	}
	return c
}

// risk says what the loss of a key would mean for the account.
func (v *view) risk(acc *accountView) api.Risk {
	there, soft := 0, 0
	for _, s := range acc.sources {
		if s.State != api.CopyMissing && s.State != api.CopyPending {
			there++
			if s.Soft {
				soft++
			}
		}
	}
	switch {
	case there == 0:
		return api.RiskNoCopy
	case soft == there && v.anyReal():
		return api.RiskOnlySoft
	case acc.Type == "hotp":
		return api.RiskHOTP
	case acc.Proved >= 2:
		return api.RiskSafe
	case acc.Proved == 1:
		return api.RiskOneLoss
	}
	return api.RiskUnproven
}

// advice says what to do about a risk.
func (acc *accountView) advice(r api.Risk) string {
	switch r {
	case api.RiskOneLoss:
		return fmt.Sprintf("one copy, and nobody can read it off %s: enrol anew at the service onto two keys, or add the seed from where it is kept", acc.provedOn())
	case api.RiskUnproven:
		return "nobody knows which seed this is: run \"oathctl verify --touch\""
	case api.RiskNoCopy:
		return "no key holds it: enrol anew at the service, or \"oathctl remove\" it"
	case api.RiskHOTP:
		return "a counter lives on one key only: keep the service's recovery codes"
	case api.RiskOnlySoft:
		return "only soft keys have it: add it to a real key"
	}
	return ""
}

func (acc *accountView) provedOn() string {
	for _, s := range acc.sources {
		if s.proved {
			return s.KeyLabel
		}
	}
	return "its key"
}
