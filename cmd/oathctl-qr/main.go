// Command oathctl-qr reads a picture (PNG, JPEG or WebP) from standard input and writes the otpauth
// URIs of all QR codes in it to standard output, one a line. oathctl starts it for "oathctl add --qr".
//
// It is a program of its own because it reads files of strangers, for which it needs neither the
// daemon's socket nor the file system, and gives them up before it reads a byte; and because linking the
// decoders would cost every start of oathctl 0.3 ms of 2.0.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/oathd/oathd/internal/confine"
)

// memory is how much of it the collector tries to do with, in bytes: a picture of the largest size, unpacked.
const memory = 400 << 20

func main() {
	debug.SetMemoryLimit(memory)
	if _, err := confine.Enter(confine.Budget{Memory: 4 * memory, CPU: time.Minute}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit status: 0, or 1 after a line on stderr that says why. A note that does not
// keep the codes from being used goes to stderr too.
func run(in io.Reader, out, errOut io.Writer) int {
	found, err := read(in)
	if err != nil {
		fmt.Fprintf(errOut, "cannot use the picture: %v\n", err)
		return 1
	}
	if found.others > 0 {
		fmt.Fprintf(errOut, "%s in the picture left out: not an otpauth URI\n", count(found.others, "QR code"))
	}
	w := bufio.NewWriter(out)
	for _, uri := range found.uris {
		fmt.Fprintln(w, uri)
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintf(errOut, "cannot write what the picture holds: %v\n", err)
		return 1
	}
	return 0
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
