package escrow

import "errors"

// ErrNotTried is a Trial's error for a recipient whose identity was not there.
var ErrNotTried = errors.New("not tried")

// Trial is what a drill found of one recipient.
type Trial struct {
	Recipient Recipient
	// Err is nil if it opened the vault.
	Err error
}

// Drill opens the vault with each identity in turn, and has check look at what it opened, unless that is nil.
// There is a trial for each recipient, and one for each identity that is none.
func (v *Vault) Drill(ids []*Identity, check func(*Open) error) []Trial {
	trials := make([]Trial, len(v.Recipients))
	place := map[string]int{}
	for i, r := range v.Recipients {
		trials[i] = Trial{Recipient: r, Err: ErrNotTried}
		place[r.Public] = i
	}
	for _, id := range ids {
		err := v.try(id, check)
		if i, ok := place[id.recipient]; ok {
			trials[i].Err = err
		} else {
			trials = append(trials, Trial{Recipient{Public: id.recipient}, err})
		}
	}
	return trials
}

func (v *Vault) try(id *Identity, check func(*Open) error) error {
	o, err := v.Unlock("drill", id)
	if err != nil {
		return err
	}
	defer o.Close()
	if check == nil {
		return nil
	}
	return check(o)
}
