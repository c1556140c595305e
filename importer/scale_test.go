package importer

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/need"
)

// many makes exports of n accounts.
var many = map[string]func(n int) string{
	"otpauth": func(n int) string {
		return repeat(n, "\n", "otpauth://totp/Example:user%[1]d@example.org?secret=%[2]s&issuer=Example&algorithm=SHA256&digits=8&period=60")
	},
	"google-migration": func(n int) string {
		var b strings.Builder
		for i := range n / 10 {
			var message []byte
			for k := range 10 {
				name := fmt.Sprintf("user%d@example.org", i*10+k)
				parameters := "\x0a\x14" + strings.Repeat("s", 20) + "\x12" + string(rune(len(name))) + name + "\x1a\x07Example\x20\x01\x28\x01\x30\x02"
				message = append(message, "\x0a"+string(rune(len(parameters)))+parameters...)
			}
			message = append(message, "\x10\x01\x28\x07"...)
			fmt.Fprintf(&b, "otpauth-migration://offline?data=%s\n", url.QueryEscape(base64.StdEncoding.EncodeToString(message)))
		}
		return b.String()
	},
	"aegis": func(n int) string {
		return `{"version":1,"header":{"slots":null,"params":null},"db":{"version":2,"entries":[` + repeat(n, ",",
			`{"type":"totp","uuid":"x","name":"user%[1]d@example.org","issuer":"Example","note":"","icon":null,"info":{"secret":"%[2]s","algo":"SHA1","digits":6,"period":30}}`) + `]}}`
	},
	"2fas": func(n int) string {
		return `{"services":[` + repeat(n, ",",
			`{"name":"Example","secret":"%[2]s","otp":{"account":"user%[1]d@example.org","issuer":"Example","digits":6,"period":30,"algorithm":"SHA1","tokenType":"TOTP"}}`) + `],"schemaVersion":4}`
	},
	"andotp": func(n int) string {
		return "[" + repeat(n, ",", `{"secret":"%[2]s","issuer":"Example","label":"user%[1]d@example.org","digits":6,"type":"TOTP","algorithm":"SHA1","thumbnail":"Default","last_used":0,"period":30,"tags":[]}`) + "]"
	},
	"gnome-authenticator": func(n int) string {
		return "[" + repeat(n, ",", `{"secret":"%[2]s","label":"user%[1]d@example.org","digits":6,"type":"TOTP","algorithm":"SHA1","thumbnail":"Default","last_used":0,"period":30,"tags":["Example"]}`) + "]"
	},
	"stratum": func(n int) string {
		return `{"Authenticators":[` + repeat(n, ",",
			`{"Type":2,"Icon":null,"Issuer":"Example","Username":"user%[1]d@example.org","Secret":"%[2]s","Pin":null,"Algorithm":0,"Digits":6,"Period":30,"Counter":0}`) + `]}`
	},
	"otpclient": func(n int) string {
		return "[" + repeat(n, ",", `{"type":"TOTP","label":"user%[1]d@example.org","issuer":"Example","digits":6,"algo":"SHA1","secret":"%[2]s","period":30}`) + "]"
	},
	"pskc": func(n int) string {
		return `<?xml version="1.0"?><KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">` + repeat(n, "\n",
			`<KeyPackage><DeviceInfo><Manufacturer>M</Manufacturer></DeviceInfo><Key Id="%[1]d" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp"><Issuer>Example</Issuer><FriendlyName>user%[1]d@example.org</FriendlyName><AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters><Data><Secret><PlainValue>c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=</PlainValue></Secret><TimeInterval><PlainValue>30</PlainValue></TimeInterval></Data></Key></KeyPackage>`) + `</KeyContainer>`
	},
}

// repeat joins n copies of form, of which each gets a number and a seed.
func repeat(n int, separator, form string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(separator)
		}
		fmt.Fprintf(&b, form+"%[3]s", i, "ONZXG43TONZXG43TONZXG43TONZXG43T", "")
	}
	return b.String()
}

// TestTenThousandAccounts, fewer with the race detector, holds the time and the memory that reading them may take.
func TestTenThousandAccounts(t *testing.T) {
	const n = 10_000 / patience
	for name, form := range many {
		t.Run(name, func(t *testing.T) { readMany(t, name, []byte(form(n)), n) })
	}
}

// readMany reads an export of n accounts, and looks at what came and at what that took.
func readMany(t *testing.T, format string, data []byte, n int) {
	t.Helper()
	var export Export
	begin := worked(t)
	grown := peak(t, func() {
		var err error
		if export, err = Read(data, Options{}); err != nil {
			t.Fatal(err)
		}
	})
	took := worked(t) - begin
	defer export.Wipe()
	if export.Format != format || len(export.Entries) != n || len(export.Problems()) > 0 {
		t.Fatalf("read as %q with %d accounts and %d problems", export.Format, len(export.Entries), len(export.Problems()))
	}
	last := export.Entries[n-1]
	if got := last.Account.Label(); !strings.HasSuffix(got, fmt.Sprintf(":user%d@example.org", n-1)) || string(last.Seed.Bytes()) != strings.Repeat("s", 20) {
		t.Errorf("the last is %q", got)
	}
	if took > time.Second {
		t.Errorf("it took %v", took)
	}
	if most := 64<<20 + 4*len(data); grown > most {
		t.Errorf("it took %d kB more than before, at most %d", grown>>10, most>>10)
	}
	t.Logf("%d kB in %v, %d kB of memory", len(data)>>10, took, grown>>10)
}

// worked returns the processor time that this process has had: others' work does not count.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// peak returns by how many bytes the process grew while it did something, at most (proc(5), clear_refs and VmHWM).
func peak(t *testing.T, do func()) int {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	need.That(t, err == nil, "a kernel that measures its memory (%v)", err)
	before := status(t, "VmRSS:")
	do()
	return status(t, "VmHWM:") - before
}

func status(t *testing.T, field string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte(field))
	var kB int
	if _, err := fmt.Sscan(string(rest), &kB); err != nil {
		t.Fatal(err)
	}
	return kB << 10
}
