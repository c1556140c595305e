package roff

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
)

// TestPage has a page rendered by man's own formatter, and wants to find in it what was written.
func TestPage(t *testing.T) {
	p := New("some-program", "does something")
	p.Section("SYNOPSIS")
	p.Bold(`some-program [--flag "x"]`)
	p.Section("DESCRIPTION")
	p.Paragraphs("It says:\n\n  some-program --json > ~/a.txt\n  .leading dot \\n 'quoted'\n\nAnd goes on.")
	p.Subsection("FLAGS")
	p.Item("--flag X", ".first `x`")
	if got, want := p.Text(), `.TH SOME-PROGRAM 1 "" oathd "User Commands"
.SH "NAME"
some\-program \- does something
.SH "SYNOPSIS"
.B "some\-program [\-\-flag \(dqx\(dq]"
.SH "DESCRIPTION"
It says:
.PP
.RS 4
.nf
some\-program \-\-json > \(ti/a.txt
\&.leading dot \en \(aqquoted\(aq
.fi
.RE
.PP
And goes on.
.SS "FLAGS"
.TP
.B "\-\-flag X"
\&.first \(gax\(ga
`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	cmd := exec.Command(need.Program(t, "groff", "groff-base"), "-man", "-Tutf8", "-ww", "-P-cbou")
	cmd.Stdin = strings.NewReader(p.Text())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("groff: %v\n%s", err, out)
	}
	for _, want := range []string{`some-program [--flag "x"]`, "some-program --json > ~/a.txt", `.leading dot \n 'quoted'`, ".first `x`"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the page lacks %q:\n%s", want, out)
		}
	}
}
