// Command oathctl-export reads an otpauth URI from standard input and writes it to standard output in another form: as a QR
// code or as PSKC. oathctl starts it for "oathctl export".
//
// It is a program of its own because what draws codes and derives keys makes copies that nobody can wipe: with the process they
// are gone. It has neither the daemon's socket nor a file.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// maxInput bounds the URI and a password, in bytes.
const maxInput = otpauth.MaxLen + 2048

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run writes the URI on the first line of in as args say. PSKC is encrypted if there is a second line: with that password.
func run(args []string, in io.Reader, out io.Writer) error {
	form := writers[""]
	if len(args) == 1 {
		form = writers[args[0]]
	}
	if form == nil {
		return errors.New("usage: oathctl-export png|colours|blocks|pskc < URI [PASSWORD]")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	defer oath.Wipe(text)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the URI: %w", err)
	case len(text) > maxInput:
		return fmt.Errorf("cannot read the URI: it is longer than %d bytes", maxInput)
	}
	uri, password, _ := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	written, err := form(uri, password)
	defer oath.Wipe(written)
	if err != nil {
		return err
	}
	if _, err := out.Write(written); err != nil {
		return fmt.Errorf("cannot hand over what was exported: %w", err)
	}
	return nil
}

// writers are the forms.
var writers = map[string]func(uri, password []byte) ([]byte, error){
	"png":     asPNG,
	"colours": asColours,
	"blocks":  asBlocks,
	"pskc":    asPSKC,
}
