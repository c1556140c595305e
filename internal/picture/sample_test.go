package picture

import (
	"fmt"
	"strings"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// noon is when the samples were taken.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// letters spell out states.
var letters = map[rune]api.CopyState{
	'p': api.CopyProved, 'w': api.CopyWritten, 'u': api.CopyUnproven, 'n': api.CopyPending, 'm': api.CopyMissing, 'x': api.CopyMismatch, '?': "of a later version",
}

// drawn is a coverage of accounts named "Service 0:me" and so on, each spelled out: a letter a key, "-" for none.
func drawn(keys int, rows ...string) api.Coverage {
	c := api.Coverage{At: noon}
	for k := range keys {
		c.Keys = append(c.Keys, api.Key{ID: fmt.Sprint("key", k), Label: fmt.Sprint("label ", k), State: api.KeyAdopted})
	}
	for i, copies := range rows {
		row := api.CoverageRow{Account: api.Account{ID: fmt.Sprint("id", i), Issuer: fmt.Sprint("Service ", i), Name: "me"}, Risk: api.RiskSafe}
		for k, letter := range copies {
			if state, there := letters[letter]; there {
				row.Account.Copies = append(row.Account.Copies, api.Copy{Key: fmt.Sprint("key", k), State: state, ProvedAt: noon.AddDate(0, 0, -k)})
			}
		}
		c.Rows = append(c.Rows, row)
		c.Safe++
	}
	return c
}

// usual has something of everything.
func usual() api.Coverage {
	c := drawn(3, "pp-", "pwu", "nmx", "--p", "?--", "p--")
	c.Keys[0].Site, c.Keys[0].Holder = "home", "Ada"
	c.Keys[1].Site, c.Keys[1].Soft = "home", true
	c.Keys[2].State = api.KeyLost
	for i, risk := range []api.Risk{api.RiskSafe, api.RiskHOTP, api.RiskNoCopy, api.RiskEscrow, "of a later version", api.RiskOneLoss} {
		c.Rows[i].Risk = risk
	}
	c.Rows[1].Account.Issuer = ""
	c.Rows[2].Advice, c.Rows[4].Advice, c.Rows[5].Advice = "enrol anew", "enrol anew", "not to be said"
	c.Rows[5].Account.Superseded = true
	c.Rows[0].Account.Copies[0].Touch = true
	c.Safe, c.AtRisk = 1, 4
	c.Losses = []api.Loss{
		{Kind: api.LossKey, Name: "label 0", Keys: []string{"key0"}, Accounts: []string{"id1", "id4"}, Escrow: []string{"id3"}},
		{Kind: api.LossKey, Name: "label 1", Keys: []string{"key1"}},
		{Kind: api.LossSite, Name: "home", Keys: []string{"key0", "key1"}, Accounts: []string{"id0"}},
		{Kind: api.LossHolder, Name: "Ada", Keys: []string{"key0"}, Accounts: []string{"id1"}},
	}
	c.Reminders = []string{"drill the escrow"}
	return c
}

// hostile are names that somebody might give an account to get out of the place where it is written.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `&lt;b&gt; &amp; &#60;`, `]]><!--`, `-->`, `</style></title></svg>`,
	"\x00\x01\x1b[2Jcontrol", "\u202egnp.exe", "\xff\xfe not UTF-8", "\ufffe\uffff", "}body{display:none}", strings.Repeat("漢", 64), strings.Repeat("a", 300), "", " ",
}

// named is a coverage in which everything that has a name has this one.
func named(name string) api.Coverage {
	c := usual()
	for i := range c.Keys {
		k := &c.Keys[i]
		k.Label, k.Site, k.Holder = name, name, name
	}
	for i := range c.Rows {
		r := &c.Rows[i]
		r.Account.Issuer, r.Account.Name, r.Advice, r.Risk = name, name, name, api.Risk(name)
		r.Account.Copies = append(r.Account.Copies, api.Copy{Key: "key1", State: api.CopyState(name)})
	}
	for i := range c.Losses {
		c.Losses[i].Name = name
	}
	c.Reminders = []string{name}
	return c
}
