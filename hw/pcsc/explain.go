package pcsc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
)

// meanings says what libpcsclite's errors mean to the rest of oathd (pcsclite.h; what is returned when was seen
// with 1.9.9).
var meanings = map[scard.Error]error{
	scard.ErrRemovedCard:       hw.ErrRemoved,
	scard.ErrNoSmartcard:       hw.ErrRemoved,
	scard.ErrReaderUnavailable: hw.ErrRemoved,
	scard.ErrUnknownReader:     hw.ErrRemoved,
	// The reader is gone, and with it every handle of a card in it.
	scard.ErrInvalidHandle: hw.ErrRemoved,
	scard.ErrInvalidValue:  hw.ErrRemoved,
	// The card died in the middle of a command, nearly always because it was pulled out then.
	scard.ErrNotTransacted: hw.ErrRemoved,
	scard.ErrResetCard:     hw.ErrReset,
	// A card that is being reset has no protocol (seen with 1.9.9).
	scard.ErrProtoMismatch:     hw.ErrReset,
	scard.ErrSharingViolation:  hw.ErrHeld,
	scard.ErrSecurityViolation: hw.ErrRefused,
	scard.ErrNoService:         hw.ErrUnavailable,
	scard.ErrServiceStopped:    hw.ErrUnavailable,
	scard.ErrCommError:         hw.ErrUnavailable,
	scard.ErrShutdown:          hw.ErrUnavailable,
}

// broken reports whether err says that a context is of no more use.
func broken(err error) bool {
	return errors.Is(err, scard.ErrInvalidHandle) || meaning(err) == hw.ErrUnavailable
}

// meaning returns the error of package hw that err stands for, or nil.
func meaning(err error) error {
	code, _ := errors.AsType[scard.Error](err)
	return meanings[code]
}

// explain says what could not be done, with the meaning of err and what the user can do about it.
// libpcsclite's own words stay in the text, for those who search for them.
func explain(what string, err error) error {
	cause := meaning(err)
	switch {
	case cause == nil:
		return hinted(fmt.Errorf("cannot %s: %w", what, err))
	case errors.Is(err, scard.ErrServiceStopped):
		return hw.WithHint(fmt.Errorf("cannot %s: %w, not in the version of libpcsclite (%v)", what, cause, err), "%s", versionHint)
	}
	return hinted(fmt.Errorf("cannot %s: %w (%v)", what, cause, err))
}

// lost explains why a session ended that pcscd had let us have. A pcscd that ends in the middle of a call can look like one
// that refuses, so its own word is kept for the text only; whether it refuses shows at the next attempt.
func lost(err error) error {
	return hinted(fmt.Errorf("cannot see the readers: %w (%v)", hw.ErrUnavailable, err))
}

// hinted adds the hint that fits err, if there is one.
func hinted(err error) error {
	switch {
	case errors.Is(err, hw.ErrUnavailable):
		return hw.WithHint(err, "%s", startHint())
	case errors.Is(err, hw.ErrRefused):
		return hw.WithHint(err, "%s", polkitHint())
	case errors.Is(err, hw.ErrHeld):
		return hw.WithHint(err, "%s", HolderHint())
	case errors.Is(err, scard.ErrUnresponsiveCard), errors.Is(err, scard.ErrUnpoweredCard):
		return hw.WithHint(err, "pull the key out and plug it in again")
	}
	return err
}

// versionHint is for a pcscd that answers, but not to this libpcsclite: what SCARD_E_SERVICE_STOPPED means at the greeting
// (winscard_svc.c, CMD_VERSION).
const versionHint = "pcscd and libpcsclite are of different versions. If pcscd was only not started again since it was replaced: " +
	"sudo systemctl restart pcscd. Else bring both up to date: sudo apt install pcscd libpcsclite1"

// startHint says how to get a pcscd.
func startHint() string {
	if socket := os.Getenv("PCSCLITE_CSOCK_NAME"); socket != "" {
		return fmt.Sprintf("PCSCLITE_CSOCK_NAME is set: start the pcscd that listens at %s, or unset it", socket)
	}
	if !installed("pcscd") {
		return "install it: sudo apt install pcscd (Fedora: sudo dnf install pcsc-lite; Arch: sudo pacman -S pcsclite ccid)"
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return "start it: sudo systemctl enable --now pcscd.socket"
	}
	return "start it: sudo pcscd"
}

// installed looks for a program where administrators' programs are, too: they are in no ordinary user's PATH.
func installed(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	return slices.ContainsFunc([]string{"/usr/sbin", "/usr/local/sbin", "/sbin"}, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, program))
		return err == nil
	})
}

// polkitHint says how to be let in. polkit allows org.debian.pcsc-lite.access_pcsc and .access_card to active local
// sessions only.
func polkitHint() string {
	name := "NAME"
	if self, err := user.Current(); err == nil {
		name = self.Username
	}
	return fmt.Sprintf(`polkit lets only the active local session use keys: log in at the machine itself, or (for SSH) write `+
		`/etc/polkit-1/rules.d/60-pcsc.rules with: polkit.addRule(function(action, subject) { `+
		`if (action.id.indexOf("org.debian.pcsc-lite.") == 0 && subject.user == %q) return polkit.Result.YES; }); `+
		`and start oathd again`, name)
}

// holders are programs that are known to open keys exclusively, by the name that the kernel cuts to 15 bytes
// (proc(5), comm), with what makes them share.
var holders = map[string]string{
	"scdaemon": "put the lines “disable-ccid” and “pcsc-shared” into ~/.gnupg/scdaemon.conf (GnuPG 2.2.28 or later), " +
		"then run: gpgconf --kill scdaemon",
	"ykman":           "wait for it to end",
	"authenticator":   "close Yubico Authenticator",
	"yubioath-deskto": "close Yubico Authenticator",
	"yubikey-agent":   "stop it: systemctl --user stop yubikey-agent",
	"age-plugin-yubi": "wait for it to end",
	"pivy-agent":      "stop it",
	"ykman-gui":       "close it",
	"nitropy":         "wait for it to end",
	"ssh-pkcs11-help": "remove the card from the SSH agent: ssh-add -e",
	"pkcs11-tool":     "wait for it to end",
}

// HolderHint says what to do about a key that another program holds: it names those of the running programs that may be it.
func HolderHint() string { return holderHint(runningPrograms()) }

// holderHint names those of the running programs that may hold the key. Nobody is killed: what they do may
// be worth more than a code.
func holderHint(running []string) string {
	var hints []string
	for name, remedy := range holders {
		if slices.Contains(running, name) {
			hints = append(hints, fmt.Sprintf("%s is running: %s", name, remedy))
		}
	}
	if len(hints) == 0 {
		return "close the program that uses the key; if it is GnuPG: " + holders["scdaemon"]
	}
	slices.Sort(hints)
	return strings.Join(hints, "; ")
}

// runningPrograms returns the names of the processes that this user may see.
func runningPrograms() []string {
	files, _ := filepath.Glob("/proc/[0-9]*/comm") // the pattern is a good one
	var names []string
	for _, file := range files {
		if name, err := os.ReadFile(file); err == nil {
			names = append(names, strings.TrimSpace(string(name)))
		}
	}
	return names
}
