package picture

import (
	"strings"

	"github.com/oathd/oathd/ipc/api"
)

// manyKeys is from how many keys on their names are written upright.
const manyKeys = 9

// HTML draws the coverage as one page.
func HTML(c api.Coverage) []byte {
	p := page{c: c, labels: labels(c)}
	p.raw("<!DOCTYPE html>\n")
	p.in("html", []string{"lang", "en"}, func() {
		p.head()
		class := ""
		if len(p.c.Keys) >= manyKeys {
			class = "many"
		}
		p.in("body", nil, func() { p.in("main", []string{"class", class}, p.body) })
	})
	p.line()
	return []byte(p.b.String())
}

// page is an HTML page while it is written.
type page struct {
	markup
	c      api.Coverage
	labels map[string]string
}

const title = "Which account is on which key"

func (p *page) head() {
	p.in("head", nil, func() {
		p.void("meta", "charset", "utf-8")
		p.void("meta", "name", "viewport", "content", "width=device-width, initial-scale=1")
		// Nothing is fetched and nothing runs, whatever a name might be made to look like.
		p.void("meta", "http-equiv", "Content-Security-Policy", "content", "default-src 'none'; style-src 'unsafe-inline'")
		p.void("meta", "name", "referrer", "content", "no-referrer")
		p.el("title", title+" · oathd")
		p.in("style", nil, func() { p.raw("\n" + colours(":root") + pageStyle) })
	})
	p.line()
}

func (p *page) body() {
	p.in("header", nil, func() {
		p.el("h1", title)
		p.el("p", moment(p.c.At), "class", "dim")
		v := verdict(p.c)
		p.el("p", v.words, "class", "verdict "+v.class)
	})
	p.line()
	if len(p.c.Rows) > 0 {
		p.in("div", []string{"class", "wide"}, p.matrix)
		p.legend()
	}
	p.losses()
	p.todos()
	p.reminders()
	p.el("footer", "Made by oathctl coverage. No secret is in this page, but your accounts and where your keys are: "+
		"keep it as you keep your address book.")
}

func (p *page) matrix() {
	p.in("table", []string{"class", "all"}, func() {
		p.el("caption", "Accounts and the keys that hold copies of them", "class", "said")
		p.in("thead", nil, func() { p.in("tr", nil, p.headings) })
		p.line()
		p.in("tbody", nil, func() {
			for _, row := range p.c.Rows {
				p.row(row)
			}
		})
	})
	p.line()
}

func (p *page) headings() {
	p.el("th", "Account", "scope", "col")
	for _, k := range p.c.Keys {
		p.in("th", []string{"scope", "col", "class", "key"}, func() {
			p.in("div", nil, func() {
				p.text(k.Label)
				for _, line := range about(k) {
					p.el("span", line)
				}
			})
		})
	}
	p.el("th", "Risk", "scope", "col")
}

func (p *page) row(row api.CoverageRow) {
	class := ""
	if row.Account.Superseded {
		class = "old"
	}
	p.in("tr", []string{"class", class}, func() {
		p.in("th", []string{"scope", "row"}, func() { p.account(row.Account) })
		for _, k := range p.c.Keys {
			m, words := markOf(row.Account, k.ID)
			p.in("td", []string{"class", "cell"}, func() { p.mark(m, words) })
		}
		f := fateOf(row)
		p.in("td", nil, func() { p.el("span", f.words, "class", "pill "+f.class) })
	})
	p.line()
}

func (p *page) account(a api.Account) {
	if a.Issuer == "" {
		p.text(a.Name)
		return
	}
	p.text(a.Issuer)
	p.el("span", a.Name)
}

// mark draws a sign with its words for those who point at it, and for those who listen.
func (p *page) mark(m mark, words string) {
	p.in("span", []string{"class", "mark " + m.class, "title", words}, func() {
		if m.path != "" {
			p.in("svg", []string{"viewBox", "0 0 16 16", "aria-hidden", "true"}, func() { p.void("path", "d", m.path) })
		}
		p.el("span", words, "class", "said")
	})
}

func (p *page) legend() {
	p.in("ul", []string{"class", "legend", "aria-hidden", "true"}, func() {
		for _, state := range legend {
			if used(p.c, state) {
				p.sign(marks[state])
			}
		}
		p.sign(noCopy)
	})
	p.line()
}

func (p *page) sign(m mark) {
	p.in("li", nil, func() {
		p.in("span", []string{"class", "mark " + m.class}, func() {
			p.in("svg", []string{"viewBox", "0 0 16 16"}, func() { p.void("path", "d", m.path) })
		})
		p.text(m.words)
	})
}

func (p *page) losses() {
	list := p.c.Distinct()
	if len(list) == 0 || len(p.c.Rows) == 0 {
		return
	}
	p.el("h2", "What a single loss would cost")
	p.in("div", []string{"class", "wide"}, func() {
		p.in("table", []string{"class", "loss"}, func() {
			p.in("thead", nil, func() {
				p.in("tr", nil, func() {
					p.el("th", "If this is lost", "scope", "col")
					p.el("th", "it costs", "scope", "col")
				})
			})
			p.in("tbody", nil, func() {
				for _, l := range list {
					p.loss(l)
				}
			})
		})
	})
	p.line()
}

func (p *page) loss(l api.Loss) {
	p.in("tr", nil, func() {
		p.in("th", []string{"scope", "row"}, func() {
			p.text(l.Name)
			p.el("span", lossWords(l))
		})
		p.in("td", nil, func() {
			for _, f := range costOf(l) {
				p.el("span", f.words, "class", "pill "+f.class)
				p.names(f.accounts)
			}
		})
	})
	p.line()
}

func (p *page) names(ids []string) {
	var names []string
	for _, id := range ids {
		names = append(names, p.labels[id])
	}
	if len(names) > 0 {
		p.el("span", strings.Join(names, ", "), "class", "names")
	}
}

func (p *page) todos() {
	list := todos(p.c)
	if len(list) == 0 {
		return
	}
	p.el("h2", "What to do")
	p.in("ul", []string{"class", "todo"}, func() {
		for _, t := range list {
			p.in("li", nil, func() {
				p.el("b", strings.Join(t.accounts, ", "))
				p.text(t.advice)
			})
		}
	})
	p.line()
}

func (p *page) reminders() {
	if len(p.c.Reminders) == 0 {
		return
	}
	p.el("h2", "Not to forget")
	p.in("ul", []string{"class", "todo"}, func() {
		for _, r := range p.c.Reminders {
			p.el("li", r)
		}
	})
	p.line()
}
