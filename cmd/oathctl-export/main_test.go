package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/oathd/oathd/internal/need"
)

const (
	uri  = "otpauth://totp/B%C3%A9la%20%26%20%3CCo%3E:al?secret=JBSWY3DPEHPK3PXP&issuer=B%C3%A9la%20%26%20%3CCo%3E&algorithm=SHA256&digits=8&period=60"
	hotp = "otpauth://hotp/eve?secret=JBSWY3DPEHPK3PXP&algorithm=SHA1&digits=6&counter=7"
)

func written(t *testing.T, form, input string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := run([]string{form}, strings.NewReader(input), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v, %s", program, err, out)
	}
	return string(out)
}

// zbarimg reads what we draw: in a picture, and on a terminal as its eyes see it.
func TestCodesAreRead(t *testing.T) {
	zbar := need.Program(t, "zbarimg", "zbar-tools")
	for form, picture := range map[string][]byte{
		"png":     written(t, "png", uri+"\n"),
		"colours": seen(t, string(written(t, "colours", uri))),
		"blocks":  seen(t, string(written(t, "blocks", uri))),
	} {
		if got := output(t, zbar, "-q", "--raw", file(t, "code.png", picture)); got != uri+"\n" {
			t.Errorf("%s: %q", form, got)
		}
	}
}

// seen is a terminal's picture of half blocks, white on black unless the text says otherwise.
func seen(t *testing.T, text string) []byte {
	t.Helper()
	const size = 6
	rows := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var modules [][2]bool
	width := 0
	for _, row := range rows {
		light, ground := true, false
		columns := len(modules)
		for len(row) > 0 {
			if rest, ok := strings.CutPrefix(row, "\x1b["); ok {
				code, after, _ := strings.Cut(rest, "m")
				light, ground, row = strings.HasPrefix(code, "97"), strings.HasSuffix(code, "107"), after
				continue
			}
			r := []rune(row)[0]
			row = row[len(string(r)):]
			modules = append(modules, map[rune][2]bool{'█': {light, light}, '▀': {light, ground}, '▄': {ground, light}, ' ': {ground, ground}}[r])
		}
		width = len(modules) - columns
	}
	p := image.NewGray(image.Rect(0, 0, width*size, len(rows)*2*size))
	for y := range p.Rect.Max.Y {
		for x := range p.Rect.Max.X {
			if modules[y/size/2*width+x/size][y/size%2] {
				p.Set(x, y, color.White)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestPSKC has Debian's pskctool hold it against the schema, and python-pskc read and decrypt it.
func TestPSKC(t *testing.T) {
	pskctool := need.Program(t, "pskctool", "pskctool python3-pskc")
	const show = `import sys, pskc
p = pskc.PSKC(sys.argv[1])
if len(sys.argv) > 2: p.encryption.derive_key(sys.argv[2])
k, = p.keys
assert len(sys.argv) < 3 or k.check()
print(k.id, k.issuer, k.friendly_name, k.algorithm.split(":")[-1], k.algorithm_suite, k.response_length, k.response_encoding, k.time_interval, k.counter, k.secret.hex(), sep="|")`
	const seed = "48656c6c6f21deadbeef\n"
	for _, test := range []struct{ uri, want string }{
		{uri, "Béla & <Co>:al|Béla & <Co>|al|totp|HMAC-SHA256|8|DECIMAL|60|None|" + seed},
		{hotp, "eve|None|eve|hotp|HMAC-SHA1|6|DECIMAL|None|7|" + seed},
	} {
		for _, password := range []string{"", "pässword & more"} {
			text := written(t, "pskc", test.uri+"\n"+password)
			path := file(t, "export.xml", text)
			if got := output(t, pskctool, "--validate", path); got != "OK\n" {
				t.Errorf("pskctool says %q of\n%s", got, text)
			}
			args := []string{"-c", show, path}
			if password != "" {
				args = append(args, password)
			}
			if got := output(t, "/usr/bin/python3", args...); got != test.want {
				t.Errorf("python-pskc reads %q, want %q", got, test.want)
			}
			if clear := bytes.Contains(text, []byte("SGVsbG8h3q2+7w==")); clear != (password == "") {
				t.Errorf("with the password %q the seed is in clear: %t", password, clear)
			}
		}
	}
	if a, b := written(t, "pskc", uri+"\nx"), written(t, "pskc", uri+"\nx"); bytes.Equal(a, b) {
		t.Error("two files have the same salt")
	}
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		in   string
		want string
	}{
		"no form":            {nil, uri, "usage"},
		"another form":       {[]string{"mp3"}, uri, "usage"},
		"nothing":            {[]string{"pskc"}, "", "cannot read the URI"},
		"no URI":             {[]string{"pskc"}, "JBSWY3DPEHPK3PXP", "cannot read the URI"},
		"too long":           {[]string{"png"}, strings.Repeat("x", maxInput+1), "longer than"},
		"more than fits":     {[]string{"blocks"}, strings.Repeat("x", 4000), "cannot make a QR code"},
		"a QR with password": {[]string{"png"}, uri + "\nsecret", "cannot encrypt a QR code"},
		"Steam":              {[]string{"pskc"}, "otpauth://totp/Steam:al?secret=JBSWY3DPEHPK3PXP&issuer=Steam", "no name for Steam"},
	} {
		var out bytes.Buffer
		err := run(test.args, strings.NewReader(test.in), &out)
		if err == nil || !strings.Contains(err.Error(), test.want) || out.Len() > 0 || strings.Contains(fmt.Sprint(err), "JBSWY3DP") {
			t.Errorf("%s: %v, %d bytes", name, err, out.Len())
		}
	}
	if err := run([]string{"png"}, iotest.ErrReader(errors.New("gone")), new(bytes.Buffer)); err == nil {
		t.Error("it wrote what it could not read")
	}
	if err := run([]string{"png"}, strings.NewReader(uri), full{}); err == nil {
		t.Error("it did not notice that nothing was written")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
