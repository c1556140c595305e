package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"rsc.io/qr"
)

// picture is a PNG of one code. rsc.io/qr is not the library that reads it.
func picture(t *testing.T, text string) []byte {
	t.Helper()
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	return code.PNG()
}

func TestURIs(t *testing.T) {
	for _, text := range []string{"otpauth://totp/GitHub:me?secret=JBSWY3DPEHPK3PXP", "otpauth-migration://offline?data=x"} {
		var out, errOut bytes.Buffer
		status := run(bytes.NewReader(picture(t, " "+text)), &out, &errOut)
		if status != 0 || out.String() != text+"\n" || errOut.Len() > 0 {
			t.Errorf("status %d, %q, %s", status, out.String(), errOut.String())
		}
	}
}

func TestOthersAreLeftOut(t *testing.T) {
	found, err := sort([]string{"https://example.org", "otpauth://totp/a?secret=MY", "WIFI:S:x;;"})
	if err != nil || len(found.uris) != 1 || found.others != 2 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestUnusable(t *testing.T) {
	tests := map[string]struct {
		in   io.Reader
		want string
	}{
		"empty":       {strings.NewReader(""), "neither PNG nor JPEG nor WebP"},
		"no otpauth":  {bytes.NewReader(picture(t, "https://example.com/")), "1 QR code, none with an otpauth URI"},
		"two lines":   {bytes.NewReader(picture(t, "otpauth://x\notpauth://y")), "none with an otpauth URI"},
		"huge":        {io.LimitReader(zeros{}, 65<<20), "larger than 64 MiB"},
		"broken pipe": {iotest.ErrReader(os.ErrClosed), "file already closed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			status := run(test.in, &out, &errOut)
			if got := errOut.String(); status != 1 || !strings.HasPrefix(got, "cannot use the picture: ") || !strings.Contains(got, test.want) {
				t.Errorf("status %d, got %q, want %q", status, got, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("wrote %q", out.String())
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutputFails(t *testing.T) {
	var errOut bytes.Buffer
	if status := run(bytes.NewReader(picture(t, "otpauth://totp/a?secret=MY")), full{}, &errOut); status != 1 {
		t.Errorf("status %d", status)
	}
	if want := "cannot write what the picture holds: no space left\n"; errOut.String() != want {
		t.Errorf("got %q, want %q", errOut.String(), want)
	}
}
