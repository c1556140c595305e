package picture

// The colours, by name, in light and dark. Text on paper and on band has a contrast of 4.5 or more, signs have 3 or more (WCAG 2.2,
// 1.4.3 and 1.4.11).
var (
	light = palette{
		"paper": "#ffffff", "band": "#f5f7fa", "line": "#d5dbe3", "ink": "#1b2129", "dim": "#56606d",
		"good": "#116932", "goodtint": "#d9f2e1", "warn": "#855100", "warntint": "#fdecc8",
		"bad": "#b3202c", "badtint": "#fde0e0", "none": "#5a6470", "nonetint": "#eef1f4",
	}
	dark = palette{
		"paper": "#12161c", "band": "#1a2028", "line": "#343d49", "ink": "#e6ebf1", "dim": "#9aa6b4",
		"good": "#5fd086", "goodtint": "#173524", "warn": "#eab54e", "warntint": "#3a2c10",
		"bad": "#ff8d8d", "badtint": "#431d20", "none": "#8e99a7", "nonetint": "#222932",
	}
)

type palette map[string]string

// colourNames is the order in which the colours are declared.
var colourNames = []string{"paper", "band", "line", "ink", "dim", "good", "goodtint", "warn", "warntint", "bad", "badtint", "none", "nonetint"}

// declare writes the palette as custom properties.
func (p palette) declare() string {
	text := ""
	for _, name := range colourNames {
		text += "--" + name + ":" + p[name] + ";"
	}
	return text
}

// colours declares both palettes; paper is always light.
func colours(root string) string {
	return root + "{color-scheme:light dark;" + light.declare() + "}\n" +
		"@media screen and (prefers-color-scheme:dark){" + root + "{" + dark.declare() + "}}\n"
}

const fonts = "ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',sans-serif"

// pageStyle is the page's style sheet, beside the colours.
const pageStyle = `*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.45 ` + fonts + `;-webkit-text-size-adjust:100%}
main{max-width:66rem;margin:0 auto;padding:2.5rem 1.5rem 3rem}
h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.01em;margin:0}
h2{font-size:1.15rem;margin:2.5rem 0 .75rem}
p{margin:.35rem 0}
.dim,footer{color:var(--dim);font-size:.875rem}
.verdict{display:inline-block;margin:1rem 0 1.25rem;padding:.5rem .9rem;border-radius:.6rem;font-weight:600;font-size:1.05rem}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:.75rem}
table{border-collapse:separate;border-spacing:0;width:100%}
th,td{padding:.5rem .75rem;text-align:left;vertical-align:middle;overflow-wrap:anywhere}
thead th{background:var(--band);border-bottom:1px solid var(--line);vertical-align:bottom;font-size:.875rem}
tbody tr+tr>*{border-top:1px solid var(--line)}
tbody th{font-weight:600}
tbody th span,thead th span{display:block;font-weight:400;font-size:.8125rem;color:var(--dim)}
.key,.cell{text-align:center;width:1%;min-width:5rem}
.key{overflow-wrap:normal}
.key div{max-width:12rem;overflow-wrap:break-word;margin:0 auto}
.key span{white-space:nowrap;max-width:12rem;overflow:hidden;text-overflow:ellipsis}
.all th:first-child{min-width:13rem;border-right:1px solid var(--line)}
.many .key,.many .cell{min-width:2.25rem;padding:.4rem .2rem}
.many .key div{writing-mode:vertical-rl;transform:rotate(180deg);margin:0 auto;text-align:left;white-space:nowrap;max-height:18rem;overflow:hidden}
.many .key span{display:inline;max-width:none}
.many .key span::before{content:" · "}
@media screen{.all th:first-child{position:sticky;left:0;background:var(--paper)}
.many .all tr>:last-child{position:sticky;right:0;background:var(--paper);border-left:1px solid var(--line)}
.all thead tr>:first-child,.many .all thead tr>:last-child{background:var(--band)}}
.mark{display:inline-flex;width:1.75rem;height:1.75rem;border-radius:.5rem;align-items:center;justify-content:center;vertical-align:middle}
.mark svg{width:1.125rem;height:1.125rem;fill:none;stroke:currentColor;stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round}
.cell .none{background:none}
.none svg{stroke-width:3}
.good{color:var(--good);background:var(--goodtint)}
.warn{color:var(--warn);background:var(--warntint)}
.bad{color:var(--bad);background:var(--badtint)}
.none{color:var(--none);background:var(--nonetint)}
.pill{display:inline-block;padding:.1rem .6rem;border-radius:1rem;font-size:.8125rem;font-weight:600;white-space:nowrap}
.old th{font-weight:400;text-decoration:line-through;color:var(--dim)}
.legend{display:flex;flex-wrap:wrap;gap:.35rem 1.25rem;list-style:none;margin:.9rem 0 0;padding:0;font-size:.875rem;color:var(--dim)}
.legend .mark{width:1.375rem;height:1.375rem;border-radius:.4rem;margin-right:.4rem}
.legend .mark svg{width:.9rem;height:.9rem}
.loss th:first-child{width:32%}
.names+.pill{margin-top:.5rem}
.names{display:block;font-size:.875rem;color:var(--dim);margin-top:.2rem}
.todo{margin:0;padding:0;list-style:none}
.todo li{padding:.7rem 0;border-top:1px solid var(--line)}
.todo li:first-child{border-top:0;padding-top:0}
.todo b{display:block}
footer{margin-top:2.5rem;padding-top:1rem;border-top:1px solid var(--line)}
.said{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media screen and (max-width:40rem){main{padding:1.5rem 1rem}th,td{padding:.45rem .4rem}.all th:first-child{min-width:8.5rem}
.key,.cell{min-width:3.25rem}.all .key{font-size:.75rem}main:not(.many) .key span{display:none}}
@media print{@page{margin:14mm}@page across{size:landscape}body{font-size:10pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}main{max-width:none;padding:0}
.wide{overflow:visible}tr,.todo li,.legend{break-inside:avoid}h2{break-after:avoid}thead{display:table-header-group}
.many{page:across;font-size:8pt}.many th,.many th span{font-size:8pt}.many .mark{width:1rem;height:1rem;border-radius:.25rem}.many .mark svg{width:.8rem;height:.8rem}
.many .key,.many .cell{min-width:0;padding:.25rem 0}.many .key div{max-height:13rem}.many .pill{font-size:7pt}}
`
