package main

import (
	"cmp"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oathd/oathd/config"
	"github.com/oathd/oathd/internal/roff"
)

const manual = "../../packaging/man/oathd.1"

var update = flag.Bool("update", false, "write the manual page anew")

// TestManual holds the manual page against the settings and commands.
func TestManual(t *testing.T) {
	want := manualPage(rootCommand(streams{io.Discard, io.Discard}))
	if *update {
		if err := os.WriteFile(manual, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(manual); err != nil || string(got) != want {
		t.Errorf("%s is not what the program says (%v): go test ./cmd/oathd -run Manual -update", manual, err)
	}
}

func manualPage(root *cobra.Command) string {
	p := roff.New("oathd", "one-time codes from security keys, each account on several of them")
	p.Section("SYNOPSIS")
	p.Bold("oathd [COMMAND] [FLAG...]")
	p.Section("DESCRIPTION")
	p.Paragraphs(`oathd talks to security keys with an OATH application over pcscd. It writes one seed to several keys and proves each
copy, keeps an encrypted escrow, and gives codes to the programs of the user who runs it, over D-Bus and over a Unix
socket. People ask it through oathctl(1).`)
	p.Section("SETTINGS")
	p.Paragraphs(`Each stands in the file under its name, in the environment as OATHD_NAME, or is the flag --name, with hyphens; the last named wins.`)
	for _, s := range config.Settings() {
		p.Item(s.Name+" (default "+cmp.Or(s.Default, "none")+")", strings.ReplaceAll(s.Meaning, "`", ""))
	}
	p.Section("COMMANDS")
	manualCommands(p, root)
	p.Section("SERVICE")
	manualService(p)
	p.Section("FILES")
	p.Item("$XDG_CONFIG_HOME/oathd/config.toml", "the settings; ~/.config is the usual place")
	p.Item("$XDG_STATE_HOME/oathd/ledger.db", "what is on which key, and the escrow, encrypted; ~/.local/state is the usual place")
	p.Item("$XDG_RUNTIME_DIR/oathd/oathd.sock", "the socket of the user's own programs")
	p.Item("$XDG_RUNTIME_DIR/oathd/codes.sock", "the socket for lists and codes alone")
	p.Section("SEE ALSO")
	p.Bold("oathctl(1), pcscd(8), systemd.exec(5)")
	return p.Text()
}

// manualCommands describes the commands that people may want. Those that set up an escrow's slot are hidden.
func manualCommands(p *roff.Page, root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		p.Subsection(strings.TrimPrefix(c.UseLine(), "oathd "))
		p.Paragraphs(cmp.Or(c.Long, c.Short+"."))
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			setting := root.Flags().Lookup(f.Name)
			if f.Hidden || f.Name == "help" || setting != nil && setting.Usage == f.Usage {
				return
			}
			value, usage := pflag.UnquoteUsage(f)
			p.Item(strings.TrimSpace("--"+f.Name+" "+strings.ToUpper(value)), usage)
		})
	}
}

// manualService tells what one has to know of the units that packages bring.
func manualService(p *roff.Page) {
	p.Paragraphs(`Where oathd came as a package, systemd listens at its sockets in each session, and starts it when it is first asked, there or
on D-Bus:

  systemctl --user status oathd
  journalctl --user -u oathd
  systemctl --user mask oathd.socket oathd-codes.socket oathd.service

The last keeps it from being started at all. On Arch Linux, and where the units were copied by hand:

  systemctl --user enable --now oathd.socket oathd-codes.socket

If it could not be started several times in a row, the sockets close until

  systemctl --user reset-failed oathd.service
  systemctl --user restart oathd.socket oathd-codes.socket

To have it started when a key is plugged in, in the sessions of all users:

  sudo cp /usr/share/doc/oathd/examples/70-oathd.rules /etc/udev/rules.d/
  sudo udevadm control --reload

The service writes to the ledger's directory alone, and is ready once it is on the bus. So these settings want a word in the
unit (systemctl --user edit oathd), below [Service]:`)
	p.Item("ledger", "elsewhere: ReadWritePaths=/its/directory. So does $XDG_STATE_HOME outside of the home before systemd 254.")
	p.Item("dbus", "off, or on another bus: Type=notify")
	p.Item("socket, codes_socket", "are the units' here: systemctl --user edit oathd-codes.socket, with ListenStream= (twice, the first time empty)")
}
