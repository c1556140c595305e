// Command oathctl-import reads another program's export, or a picture of QR codes, for "oathctl import".
//
// It is a program of its own because files of strangers are read in it: it gets one open file, shuts itself in, and only then reads
// the first byte. What it has from there on is the file, a pipe on which it tells what it found, and one on which passwords come
// (package kin has both ends).
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/oathd/oathd/importer"
	"github.com/oathd/oathd/internal/confine"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/oath"
)

const (
	// maxFile bounds what is read: password managers put attachments into their exports.
	maxFile = 512 << 20
	// baseMemory is for the most expensive password hash that is granted (1 GiB), twice, as the first may not be collected yet when
	// the next is begun; copies is how many times the file may be in memory beside it.
	baseMemory = 2<<30 + 256<<20
	copies     = 6
	// maxCPU is enough for three attempts at the most expensive password hash.
	maxCPU = 3 * time.Minute
)

func main() {
	list := flag.Bool("list", false, "list the formats, as JSON")
	format := flag.String("format", "", "the format; else it is found out")
	flag.Parse()
	if *list {
		os.Exit(listFormats(os.Stdout))
	}
	os.Exit(run(kin.ImportSide{In: os.Stdin, Out: os.Stdout}, *format))
}

func listFormats(out io.Writer) int {
	var formats []kin.ImportFormat
	for _, f := range importer.Formats() {
		formats = append(formats, kin.ImportFormat(f))
	}
	if err := json.NewEncoder(out).Encode(formats); err != nil {
		return 1
	}
	return 0
}

// run confines the process and tells what the file holds. It returns the exit status, which is 0 wherever it could say anything.
func run(side kin.ImportSide, format string) int {
	file := side.File()
	size, err := sizeOf(file)
	var walls confine.Walls
	if err == nil {
		walls, err = enter(size)
	}
	var found kin.Imported
	if err == nil {
		found, err = read(file, size, importer.Options{Format: format, Password: side.Password})
	}
	defer found.Wipe()
	found.Landlock = walls.Landlock
	if err == nil {
		err = side.Found(found)
	} else {
		err = side.Failed(kin.ImportError{Message: err.Error(), Hint: hint(err), None: errors.Is(err, importer.ErrNone)})
	}
	if err != nil {
		return 1 // nobody listens any more
	}
	return 0
}

// sizeOf is how many bytes there may be to read.
func sizeOf(file *os.File) (int64, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return 0, err
	case info.IsDir():
		return 0, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return maxFile / 16, nil // a pipe does not say
	case info.Size() > maxFile:
		return 0, fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	return info.Size(), nil
}

// enter confines the process, before it reads what it was given.
func enter(size int64) (confine.Walls, error) {
	memory := baseMemory + copies*uint64(size)
	// Well before the kernel refuses memory, the collector is to look for what is not used any more.
	debug.SetMemoryLimit(int64(memory) / 8 * 5)
	return confine.Enter(confine.Budget{Memory: memory, CPU: maxCPU})
}

// read decodes the file. A mistake in a decoder is the file's failure, not the program's.
func read(file *os.File, size int64, o importer.Options) (found kin.Imported, err error) {
	defer func() {
		if recover() != nil {
			found.Wipe()
			found, err = kin.Imported{}, errors.New("it cannot be decoded: please report which program wrote it")
		}
	}()
	data, err := slurp(file, size)
	if err != nil {
		return found, err
	}
	defer data.Wipe()
	return decode(data.Bytes(), o)
}

// slurp reads the whole file into a Secret.
func slurp(file io.Reader, size int64) (*oath.Secret, error) {
	buf := oath.NewSecret(int(size) + 1)
	defer buf.Wipe()
	n, err := io.ReadFull(file, buf.Bytes())
	switch {
	case err == nil:
		return nil, fmt.Errorf("it is longer than %d bytes", size)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return oath.CopySecret(buf.Bytes()[:n]), nil
	}
	return nil, err
}

func hint(err error) string {
	switch {
	case errors.Is(err, importer.ErrUnknown):
		return "oathctl import --list-formats lists what can be read; --format names one"
	case errors.Is(err, importer.ErrPassword):
		return "it is the password with which the export was made"
	}
	return ""
}
