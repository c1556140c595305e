package agent

import (
	"fmt"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Coverage draws accounts × keys, as the ledger and the keys that are plugged in tell.
func (a *Agent) Coverage() api.Coverage {
	v := a.view.Load()
	c := api.Coverage{At: time.Now().UTC(), Keys: []api.Key{}, Rows: []api.CoverageRow{}}
	for _, k := range v.keyList {
		if k.State == api.KeyAdopted {
			c.Keys = append(c.Keys, k.Key)
		}
	}
	for _, acc := range v.accountList {
		if !acc.recorded {
			continue
		}
		row := api.CoverageRow{Account: acc.Account, Risk: v.risk(acc)}
		row.Advice = v.advice(acc, row.Risk)
		c.Rows = append(c.Rows, row)
		switch {
		case acc.Superseded:
		case row.Risk == api.RiskSafe:
			c.Safe++
		default:
			c.AtRisk++
		}
	}
	c.Losses = v.losses()
	c.Reminders = a.reminders(v)
	return c
}

// risk says what the loss of a key would mean for the account.
func (v *view) risk(acc *accountView) api.Risk {
	soft := true
	for _, s := range acc.sources {
		soft = soft && (s.Soft || !s.there())
	}
	switch {
	case acc.Proved < 2 && acc.Escrow == api.EscrowLive && acc.oath.Type != oath.HOTP:
		return api.RiskEscrow
	case !acc.live:
		return api.RiskNoCopy
	case soft && v.anyReal:
		return api.RiskOnlySoft
	case acc.oath.Type == oath.HOTP:
		return api.RiskHOTP
	case acc.Proved >= 2:
		return api.RiskSafe
	case acc.Proved == 1:
		return api.RiskOneLoss
	}
	return api.RiskUnproven
}

// advice says what to do about a risk.
func (v *view) advice(acc *accountView, r api.Risk) string {
	switch r {
	case api.RiskEscrow:
		return fmt.Sprintf("%d of %d copies; the escrow can make more: \"oathctl restore --to KEY\"", acc.Proved, acc.Wanted)
	case api.RiskOneLoss:
		return fmt.Sprintf("one copy, and nobody can read it off %s: enrol anew at the service onto two keys, or add the seed from where it is kept",
			v.keys[v.keysThatCount(acc)[0]].Label)
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

// lostWith names the key whose loss would cost the account.
func (v *view) lostWith(acc *accountView) []string {
	if keys := v.keysThatCount(acc); len(keys) == 1 && acc.Escrow != api.EscrowLive {
		return []string{v.keys[keys[0]].Label}
	}
	return nil
}
