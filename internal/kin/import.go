package kin

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/oathd/oathd/oath"
)

// Imported is what oathctl-import found in a file.
type Imported struct {
	// Format is the short name of the file's format, Program what people call the program that wrote it.
	Format  string          `json:"format"`
	Program string          `json:"program"`
	Entries []ImportedEntry `json:"entries"`
	// Batches say which parts of exports that were divided over several QR codes the file holds.
	Batches []ImportedBatch `json:"batches,omitempty"`
	// Notes are for people.
	Notes []string `json:"notes,omitempty"`
	// Landlock is the version of what confined the program besides its filter of system calls; 0: nothing.
	Landlock int `json:"landlock"`
}

// ImportedEntry is one account.
type ImportedEntry struct {
	Issuer    string `json:"issuer"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Algorithm string `json:"algorithm"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period,omitempty"`
	Counter   uint32 `json:"counter,omitempty"`
	// Problem says why no key can hold the account; Rename, that another name would change that.
	Problem string `json:"problem,omitempty"`
	Rename  bool   `json:"rename,omitempty"`
	// Seed follows the JSON raw, SeedBytes long. It is the receiver's to wipe; empty where there is a Problem that no name solves.
	Seed      *oath.Secret `json:"-"`
	SeedBytes int          `json:"seed_bytes"`
}

// ImportedBatch is an export that was divided over several QR codes, as far as it is here.
type ImportedBatch struct {
	ID   int32 `json:"id"`
	Size int   `json:"size"`
	// Indexes are the parts that are here, from 0.
	Indexes []int `json:"indexes"`
}

// Wipe wipes all seeds.
func (i Imported) Wipe() {
	for _, e := range i.Entries {
		e.Seed.Wipe()
	}
}

// ImportError is why a file cannot be used, in oathctl-import's words.
type ImportError struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// None says that nothing is wrong with the file, but that there is no account in it.
	None bool `json:"none,omitempty"`
}

// Error returns the message.
func (e *ImportError) Error() string { return e.Message }

// importLine is what oathctl-import says: that it needs a password, or one of the other two and no more.
type importLine struct {
	Password bool         `json:"password,omitempty"`
	Imported *Imported    `json:"imported,omitempty"`
	Error    *ImportError `json:"error,omitempty"`
}

const (
	// maxImportLine and maxImportSeed bound what is taken from oathctl-import, which the file may have led astray.
	maxImportLine = 64 << 20
	maxImportSeed = 4096
	// maxImportPassword is as long as a password can be: its length is sent in two bytes.
	maxImportPassword = 1<<16 - 1
	// maxImportAsked is how often a password is given: more often than one could be mistyped in good faith.
	maxImportAsked = 10
	// importFile is the descriptor on which the program finds the file.
	importFile = 3
)

// Import has oathctl-import read a file. The program gets the open file and no other, so that it can shut itself in before it
// reads a byte. password is asked for one where the file is encrypted, and again after each wrong one; it is wiped here.
func Import(ctx context.Context, file *os.File, format string, password func(again bool) (*oath.Secret, error)) (Imported, error) {
	path, err := Find("oathctl-import")
	if err != nil {
		return Imported{}, err
	}
	c := exec.CommandContext(ctx, path, "-format", format)
	c.Env = []string{"GOTRACEBACK=none"} // what the program says when it fails may not hold what it read
	c.ExtraFiles = []*os.File{file}      // the first is importFile
	var complaint bytes.Buffer
	c.Stderr = &complaint
	answers, err := c.StdinPipe()
	if err != nil {
		return Imported{}, fmt.Errorf("cannot start %s: %w", path, err)
	}
	said, err := c.StdoutPipe()
	if err != nil {
		return Imported{}, fmt.Errorf("cannot start %s: %w", path, err)
	}
	if err := c.Start(); err != nil {
		return Imported{}, fmt.Errorf("cannot start %s: %w", path, err)
	}
	found, err := converse(said, answers, password)
	_ = answers.Close()
	_, _ = io.Copy(io.Discard, said) // so that it ends, if it said too much
	ended := c.Wait()
	if err == nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		return found, err
	}
	return found, death(ended, complaint.String())
}

// ImportFormat is a format that oathctl-import reads.
type ImportFormat struct {
	Name    string `json:"name"`
	Program string `json:"program"`
	Kind    string `json:"kind"`
	// Encrypted says that its encrypted exports are read too.
	Encrypted bool `json:"encrypted"`
}

// ImportFormats lists the formats, in the order of their names.
func ImportFormats(ctx context.Context) ([]ImportFormat, error) {
	path, err := Find("oathctl-import")
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, path, "-list").Output()
	var formats []ImportFormat
	if err == nil {
		err = json.Unmarshal(out, &formats)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use what %s says: %w", path, err)
	}
	return formats, nil
}

// converse gives the program its passwords and returns what it found. io.ErrUnexpectedEOF is the end of a program that said nothing.
func converse(said io.Reader, answers io.Writer, password func(again bool) (*oath.Secret, error)) (Imported, error) {
	for asked := 0; ; asked++ {
		line, err := readImportLine(said)
		switch {
		case err != nil:
			return Imported{}, err
		case line.Error != nil:
			return Imported{}, line.Error
		case line.Imported != nil:
			return *line.Imported, readSeeds(said, line.Imported)
		case asked == maxImportAsked:
			return Imported{}, errors.New("oathctl-import asks for one password after the other")
		}
		if err := answer(answers, asked > 0, password); err != nil {
			return Imported{}, err
		}
	}
}

// readImportLine reads a length and so much JSON, and not one byte further, for seeds follow it.
func readImportLine(r io.Reader) (line importLine, err error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return line, io.ErrUnexpectedEOF
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxImportLine {
		return line, errors.New("it holds more accounts than are read")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return line, io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(text, &line); err != nil || line.Imported == nil && line.Error == nil && !line.Password {
		return line, errors.New("oathctl-import is not of this version of oathctl")
	}
	return line, nil
}

// readSeeds reads the seeds that follow the JSON. After an error there are none.
func readSeeds(r io.Reader, found *Imported) error {
	for i := range found.Entries {
		e := &found.Entries[i]
		if e.SeedBytes < 0 || e.SeedBytes > maxImportSeed {
			found.Wipe()
			return fmt.Errorf("a seed of %d bytes is not one", e.SeedBytes)
		}
		seed, err := oath.ReadSecret(r, e.SeedBytes)
		if err != nil {
			found.Wipe()
			return io.ErrUnexpectedEOF
		}
		e.Seed = seed
	}
	return nil
}

// answer sends a password behind its length.
func answer(w io.Writer, again bool, password func(again bool) (*oath.Secret, error)) error {
	secret, err := password(again)
	if err != nil {
		return err
	}
	defer secret.Wipe()
	if secret.Len() > maxImportPassword {
		return fmt.Errorf("a password of %d bytes is too long", secret.Len())
	}
	_, err = w.Write(binary.BigEndian.AppendUint16(nil, uint16(secret.Len())))
	if err == nil && secret.Len() > 0 {
		_, err = w.Write(secret.Bytes())
	}
	return err
}

// death says why the program ended without a word: it was killed for what it used, or there is a mistake in it.
func death(ended error, complaint string) error {
	exit, died := errors.AsType[*exec.ExitError](ended)
	switch {
	case strings.Contains(complaint, "out of memory"):
		return errors.New("it takes more memory to read than is granted")
	case died && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return errors.New("it takes longer to read than is granted")
	case ended == nil:
		return errors.New("oathctl-import ended in the middle")
	}
	return fmt.Errorf("oathctl-import cannot deal with it: %w", ended)
}

// ImportSide is oathctl-import's side of Import.
type ImportSide struct {
	// In brings passwords, Out takes what was found.
	In  io.Reader
	Out io.Writer
}

// File returns the file that is to be read.
func (ImportSide) File() *os.File { return os.NewFile(importFile, "the file") }

// Password asks for a password, which is the caller's to wipe.
func (s ImportSide) Password() (*oath.Secret, error) {
	if err := s.line(importLine{Password: true}); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(s.In, length[:]); err != nil {
		return nil, errors.New("there is no password")
	}
	return oath.ReadSecret(s.In, int(binary.BigEndian.Uint16(length[:])))
}

// Found tells what was found; the seeds stay the caller's to wipe.
func (s ImportSide) Found(found Imported) error {
	for i := range found.Entries {
		found.Entries[i].SeedBytes = found.Entries[i].Seed.Len()
	}
	if err := s.line(importLine{Imported: &found}); err != nil {
		return err
	}
	for _, e := range found.Entries {
		if e.Seed.Len() == 0 {
			continue
		}
		if _, err := s.Out.Write(e.Seed.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// Failed tells why nothing was.
func (s ImportSide) Failed(e ImportError) error { return s.line(importLine{Error: &e}) }

func (s ImportSide) line(l importLine) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = s.Out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}
