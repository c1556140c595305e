package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/internal/need"
)

// TestExport takes a seed out of the escrow for other people's programs: ykman writes its URI to a key of its own, oathtool
// computes with its secret, zbarimg reads its picture, and all codes are those of the copy that was left.
func TestExport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	zbarimg := need.Program(t, "zbarimg", "zbar-tools")
	const pin = hwtest.FactoryPIN + "\n"
	b.mustType(pin, "key", "enroll", "daily", "--yes")
	paper := filepath.Join(b.dir, "paper.html")
	b.mustType(pin, "escrow", "init", "--key", "daily", "--paper", paper)
	b.do("add", "--qr", picture, "--to", "daily", "--issuer", "Béla & Co", "--name", "root")

	by := []string{"--yes", "--with", "piv:daily"}
	uri := strings.TrimSpace(b.mustType(pin, append([]string{"export", "root", "--uri"}, by...)...))
	b.ykman[1].Run("oath", "accounts", "uri", uri)
	sameCode(t, secretOf(t, uri), b.ofKey(1, "Béla & Co:root"), b.ofCtl("root", "--key", "daily"))

	code := filepath.Join(b.dir, "code.png")
	b.mustType(pin, append([]string{"export", "root", "--qr", "--out", code}, by...)...)
	read, err := exec.Command(zbarimg, "-q", "--raw", code).Output()
	if err != nil || strings.TrimSpace(string(read)) != uri {
		t.Errorf("zbarimg reads %q, %v; want %q", read, err, uri)
	}
}

// secretOf is what a URI holds, and what the demonstration's picture does.
func secretOf(t *testing.T, uri string) string {
	t.Helper()
	_, rest, _ := strings.Cut(uri, "?secret=")
	secret, _, _ := strings.Cut(rest, "&")
	if secret != pictureSeed {
		t.Fatalf("%s has another secret than was added", uri)
	}
	return secret
}
