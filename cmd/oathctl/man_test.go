package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oathd/oathd/internal/roff"
	"github.com/oathd/oathd/ipc/client"
)

const manual = "../../packaging/man/oathctl.1"

// TestManual holds the manual page against the verbs and their flags.
func TestManual(t *testing.T) {
	root := (&app{term: new(terminal), client: new(client.Client)}).rootCommand()
	want := manualPage(root)
	if *update {
		if err := os.WriteFile(manual, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(manual); err != nil || string(got) != want {
		t.Errorf("%s is not what the verbs say (%v): go test ./cmd/oathctl -run Manual -update", manual, err)
	}
}

func manualPage(root *cobra.Command) string {
	p := roff.New("oathctl", "one-time codes from security keys")
	p.Section("SYNOPSIS")
	p.Bold("oathctl [FLAG...] VERB [ARGUMENT...]")
	p.Section("DESCRIPTION")
	p.Paragraphs(root.Long)
	p.Section("FLAGS OF ALL VERBS")
	manualFlags(p, root.PersistentFlags())
	p.Section("VERBS")
	manualVerbs(p, root)
	p.Section("ENVIRONMENT")
	p.Item("OATHD_SOCKET", "the daemon's socket; oathd reads it too")
	p.Item("NO_COLOR", "if it is set, nothing is coloured")
	p.Section("SEE ALSO")
	p.Bold("oathd(1), ykman(1), pcscd(8)")
	return p.Text()
}

// manualVerbs describes the verbs below one, and those below them.
func manualVerbs(p *roff.Page, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		if c.HasSubCommands() {
			manualVerbs(p, c)
		}
		if len(c.Commands()) > 0 && !c.HasAvailableLocalFlags() && c.Long == "" {
			continue // nothing without a verb behind it
		}
		p.Subsection(strings.TrimPrefix(c.UseLine(), "oathctl "))
		if c.Long != "" {
			p.Paragraphs(c.Long)
		} else {
			p.Paragraphs(c.Short + ".")
		}
		manualFlags(p, c.NonInheritedFlags())
	}
}

func manualFlags(p *roff.Page, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if f.NoOptDefVal == "" && value != "" {
			name += " " + strings.ToUpper(value)
		}
		p.Item(name, usage)
	})
}
