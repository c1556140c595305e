package config

import (
	"cmp"
	"os"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/roff"
)

const manual = "../packaging/man/oathd.1"

// TestManual holds the daemon's manual page against the settings.
func TestManual(t *testing.T) {
	want := manualPage()
	if *update {
		if err := os.WriteFile(manual, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(manual); err != nil || string(got) != want {
		t.Errorf("%s is not what the settings say (%v): go test ./config -run Manual -update", manual, err)
	}
}

func manualPage() string {
	p := roff.New("oathd", "one-time codes from security keys, each account on several of them")
	p.Section("SYNOPSIS")
	p.Bold("oathd [FLAG...]")
	p.Section("DESCRIPTION")
	p.Paragraphs(`oathd talks to security keys with an OATH application over pcscd. It writes one seed to several keys and proves each
copy, keeps an encrypted escrow, and gives codes to the programs of the user who runs it, over D-Bus and over a Unix
socket. People ask it through oathctl(1).

Where systemd runs the session, it is started when it is first asked:

  systemctl --user enable --now oathd.socket oathd-codes.socket`)
	p.Section("SETTINGS")
	p.Paragraphs(`Each stands in the file under its name, in the environment as OATHD_NAME, or is the flag --name, with hyphens; the last named wins.`)
	for _, s := range settings {
		p.Item(s.Name+" (default "+cmp.Or(s.Default, "none")+")", strings.ReplaceAll(s.Meaning, "`", ""))
	}
	p.Section("FILES")
	p.Item("$XDG_CONFIG_HOME/oathd/config.toml", "the settings; ~/.config is the usual place")
	p.Item("$XDG_STATE_HOME/oathd/ledger.db", "what is on which key, and the escrow, encrypted; ~/.local/state is the usual place")
	p.Item("$XDG_RUNTIME_DIR/oathd/oathd.sock", "the socket of the user's own programs")
	p.Item("$XDG_RUNTIME_DIR/oathd/codes.sock", "the socket for lists and codes alone")
	p.Section("SEE ALSO")
	p.Bold("oathctl(1), pcscd(8)")
	return p.Text()
}
