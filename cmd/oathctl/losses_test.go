package main

import (
	"fmt"
	"testing"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// robbed is a coverage of n accounts, "Service 0:me" and so on, with losses.
func robbed(n int, losses ...api.Loss) api.Coverage {
	c := api.Coverage{Losses: losses}
	for i := range n {
		c.Rows = append(c.Rows, api.CoverageRow{Account: api.Account{ID: fmt.Sprint("id", i), Issuer: fmt.Sprint("Service ", i), Name: "me"}})
	}
	return c
}

func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("id", i)
	}
	return list
}

func TestLosses(t *testing.T) {
	expect(t, "nothing", losses(robbed(3, api.Loss{Kind: api.LossKey, Name: "daily", Keys: []string{"1"}}), 80))
	c := robbed(20,
		api.Loss{Kind: api.LossKey, Name: "daily", Keys: []string{"1"}, Accounts: ids(2)},
		api.Loss{Kind: api.LossKey, Name: "spare", Keys: []string{"2"}},
		api.Loss{Kind: api.LossKey, Name: "third", Keys: []string{"3"}, Escrow: ids(3)},
		api.Loss{Kind: api.LossSite, Name: "bank", Keys: []string{"3"}, Escrow: ids(3)},
		api.Loss{Kind: api.LossSite, Name: "home", Keys: []string{"1", "2"}, Accounts: ids(20), Escrow: ids(1)},
		api.Loss{Kind: api.LossHolder, Name: "Ada", Keys: []string{"1", "2", "3"}, Accounts: ids(1)})
	expect(t, "losses", losses(c, 80),
		"",
		"LOST          WITH IT",
		"daily         Service 0:me, Service 1:me",
		"third         3 left to the escrow",
		"home (site)   Service 0:me, Service 1:me and 18 more; 1 left to the escrow",
		"Ada (holder)  Service 0:me")
	expect(t, "narrow", losses(c, 40)[4:5], "home (site)   Service… and 19 more; 1 left to the escrow")
}

// However long the names: some is not wider than it may be, if it may be wide enough for a name's beginning.
func TestSomeFits(t *testing.T) {
	for columns := 24; columns < 100; columns++ {
		for n := 1; n < 12; n++ {
			if text := some(ids(n), columns); ink.Width(text) > columns {
				t.Errorf("%d names in %d columns: %s", n, columns, text)
			}
		}
	}
}
