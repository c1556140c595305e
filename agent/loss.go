package agent

import (
	"slices"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// losses says for each key that is not lost, each site and each holder what it would cost to lose it.
func (v *view) losses() []api.Loss {
	losses := []api.Loss{}
	for _, k := range v.keyList {
		if k.State == api.KeyAdopted {
			losses = append(losses, api.Loss{Kind: api.LossKey, Name: k.Label, Keys: []string{k.ID}})
		}
	}
	losses = append(losses, v.places(api.LossSite, func(k *keyView) string { return k.Site })...)
	losses = append(losses, v.places(api.LossHolder, func(k *keyView) string { return k.Holder })...)
	for i := range losses {
		losses[i].Accounts = []string{}
	}
	for _, acc := range v.accountList {
		if acc.recorded && !acc.Superseded {
			v.addLoss(losses, acc)
		}
	}
	return losses
}

// places gathers the keys that are lost together, in the order in which people see them.
func (v *view) places(kind api.LossKind, place func(*keyView) string) []api.Loss {
	var losses []api.Loss
	for _, k := range v.keyList {
		if k.State != api.KeyAdopted || place(k) == "" {
			continue
		}
		i := slices.IndexFunc(losses, func(l api.Loss) bool { return l.Name == place(k) })
		if i < 0 {
			i = len(losses)
			losses = append(losses, api.Loss{Kind: kind, Name: place(k)})
		}
		losses[i].Keys = append(losses[i].Keys, k.ID)
	}
	return losses
}

// addLoss adds the account to the losses that leave no key with it.
func (v *view) addLoss(losses []api.Loss, acc *accountView) {
	keys := v.holding(acc)
	for i := range losses {
		l := &losses[i]
		switch {
		case len(keys) == 0 || slices.ContainsFunc(keys, func(k string) bool { return !slices.Contains(l.Keys, k) }):
		case acc.Escrow == api.EscrowLive && acc.oath.Type != oath.HOTP: // a counter is on its key only
			l.Escrow = append(l.Escrow, acc.ID)
		default:
			l.Accounts = append(l.Accounts, acc.ID)
		}
	}
}

// holding lists the keys that an account depends on: those with a copy that counts or, where there is none, those
// that are believed to have one.
func (v *view) holding(acc *accountView) []string {
	if keys := v.keysThatCount(acc); len(keys) > 0 {
		return keys
	}
	var keys []string
	for _, s := range acc.sources {
		if s.there() && !slices.Contains(keys, s.Key) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}
