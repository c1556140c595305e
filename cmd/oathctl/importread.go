package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// maxPasswordFiles is how many passwords oathctl-import takes for one file.
const maxPasswordFiles = 3

// reading reads files into a pile.
type reading struct {
	a *app
	p *pile
	// passwords are those that were given in files.
	passwords []*oath.Secret
	// open says that it was said that Landlock is missing.
	open bool
}

// readPile reads all files. One that cannot be read does not keep the others from it, unless it is the only one; the pile is the
// caller's to wipe.
func (a *app) readPile(ctx context.Context, o importOptions, files []string) (*pile, error) {
	r := &reading{a: a, p: &pile{o: o}}
	defer func() {
		for _, s := range r.passwords {
			s.Wipe()
		}
	}()
	for _, path := range o.passwords {
		password, err := readPasswordFile(path)
		if err != nil {
			return nil, err
		}
		r.passwords = append(r.passwords, password)
	}
	sources := len(files) + o.picture.count()
	for _, path := range files {
		if err := r.fails(ctx, path, sources == 1, r.path(ctx, path)); err != nil {
			return nil, err
		}
	}
	for _, what := range o.picture.grabs() {
		if err := r.fails(ctx, "the "+what, sources == 1, r.grabbed(ctx, what)); err != nil {
			return nil, err
		}
	}
	return r.p, nil
}

// fails notes that a source cannot be read; it returns the error, and forgets all, if there is no other or nobody waits.
func (r *reading) fails(ctx context.Context, name string, only bool, err error) error {
	if err != nil && (ctx.Err() != nil || only) {
		r.p.wipe()
		return err
	}
	if err != nil {
		r.p.files = append(r.p.files, importedFile{File: name, Error: asAPI(err)})
	}
	return nil
}

// grabbed reads the QR codes on the screen, or in the clipboard's picture.
func (r *reading) grabbed(ctx context.Context, what string) error {
	picture, err := r.a.grab(ctx, what)
	if err != nil {
		return err
	}
	defer picture.Close()
	return r.file(ctx, "the "+what, picture, "")
}

func readPasswordFile(path string) (*oath.Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, badInput("", "cannot read the password: %w", err)
	}
	defer f.Close()
	text, err := readAll(f, maxPassword)
	if err != nil {
		return nil, badInput("", "cannot read the password: %s: %w", path, err)
	}
	defer text.Wipe()
	return oath.CopySecret(trimLineEnd(text.Bytes())), nil
}

// path reads what a path names: a file, a password store, or standard input.
func (r *reading) path(ctx context.Context, path string) error {
	if path == "-" {
		in, ok := r.a.term.in.(*os.File)
		if !ok {
			return badInput("", "cannot import standard input: it is no file")
		}
		return r.file(ctx, "standard input", in, r.p.o.format)
	}
	f, err := os.Open(path)
	if err != nil {
		return badInput("", "cannot import %s: %w", path, errors.Unwrap(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return r.store(ctx, path)
	}
	return r.file(ctx, path, f, r.p.o.format)
}

// file takes what is in an open file.
func (r *reading) file(ctx context.Context, name string, f *os.File, format string) error {
	got, err := r.read(ctx, name, f, format)
	if err != nil {
		return importError(name, err)
	}
	r.take(name, got)
	return nil
}

// read has oathctl-import read an open file.
func (r *reading) read(ctx context.Context, name string, f *os.File, format string) (kin.Imported, error) {
	asked := 0
	got, err := kin.Import(ctx, f, format, func(bool) (*oath.Secret, error) {
		asked++
		return r.password(ctx, name, asked)
	})
	if ctx.Err() != nil {
		got.Wipe()
		return kin.Imported{}, interrupted()
	}
	return got, err
}

func (r *reading) take(name string, got kin.Imported) {
	if got.Landlock == 0 && !r.open {
		r.open = true
		r.a.term.warn("there is no Landlock here: what reads the files has only a filter of system calls around it")
	}
	for _, note := range got.Notes {
		r.a.term.warn(name + ": " + note)
	}
	r.p.take(name, got)
}

// importError names the file, and what to do about it.
func importError(name string, err error) error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		whole := *e
		whole.Message = "cannot import " + name + ": " + e.Message
		return &whole
	}
	hint := ""
	if e, ok := errors.AsType[*kin.ImportError](err); ok {
		hint = e.Hint
	}
	return badInput(hint, "cannot import %s: %w", name, err)
}

// password returns what to try at the n-th time that a password is asked for.
func (r *reading) password(ctx context.Context, name string, n int) (*oath.Secret, error) {
	if n <= len(r.passwords) {
		return r.passwords[n-1].Clone(), nil
	}
	if !r.a.term.asks {
		e := &api.Error{Code: api.CodeBadRequest, Message: "it is encrypted and needs a password", Hint: "--password-file FILE names a file with it"}
		if len(r.passwords) > 0 {
			e.Message = "it is encrypted, and its password is none of those in the files"
		}
		return nil, e
	}
	if n > 1 {
		r.a.term.tell("That is not its password.")
	}
	return r.a.term.askSecret(ctx, "Password of "+name+" (not shown):")
}

// store reads a password store: a directory of files that GnuPG decrypts (pass(1)). Files without a one-time code are left out; one
// that cannot be read, perhaps because it is encrypted for somebody else, does not keep the others from it.
func (r *reading) store(ctx context.Context, dir string) error {
	files, err := encrypted(dir)
	if err != nil {
		return badInput("", "cannot import %s: %w", dir, err)
	}
	without, failed := 0, []importedFile(nil)
	for _, path := range files {
		switch err := r.stored(ctx, path); {
		case ctx.Err() != nil || api.CodeOf(err) == api.CodeCanceled:
			return err
		case errors.Is(err, errNoCode):
			without++
		case err != nil:
			failed = append(failed, importedFile{File: path, Error: asAPI(err)})
		}
	}
	if len(failed) == len(files) {
		return failed[0].Error
	}
	r.p.files = append(r.p.files, failed...)
	if without > 0 {
		r.a.term.say(fmt.Sprintf("%s: %s without a one-time code left out", dir, count(without, "file", "files")))
	}
	return nil
}

// errNoCode is for a file of a password store in which there is no one-time code.
var errNoCode = errors.New("there is no one-time code in it")

// stored takes what is in a file of a password store. The plain text goes from gpg to the confined reader in memory.
func (r *reading) stored(ctx context.Context, path string) error {
	plain, err := decrypt(ctx, path)
	if err != nil {
		return err
	}
	defer plain.Close()
	got, err := r.read(ctx, path, plain, cmp.Or(r.p.o.format, "pass-otp"))
	if none, ok := errors.AsType[*kin.ImportError](err); ok && none.None {
		return errNoCode
	}
	if err != nil {
		return importError(path, err)
	}
	r.take(path, got)
	return nil
}

// encrypted lists the files of a password store.
func encrypted(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."): // .git
			return fs.SkipDir
		case d.Type().IsRegular() && filepath.Ext(path) == ".gpg":
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("it is a directory without a file that ends in .gpg")
	}
	return files, err
}

// inEnglish is the environment in which a program says things that can be looked at, but reads what is typed as ever.
func inEnglish() []string {
	env := append(os.Environ(), "LC_MESSAGES=C")
	if all := os.Getenv("LC_ALL"); all != "" {
		env = append(env, "LC_ALL=", "LC_CTYPE="+all)
	}
	return env
}

// decrypt has gpg decrypt a file into memory that no other file system has, to be read from its beginning.
func decrypt(ctx context.Context, path string) (*os.File, error) {
	fd, err := unix.MemfdCreate("plain", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt %s: %w", path, err)
	}
	plain := os.NewFile(uintptr(fd), "plain")
	var complaint bytes.Buffer
	c := exec.CommandContext(ctx, "gpg", "--quiet", "--decrypt", "--", path)
	c.Stdout, c.Stderr = plain, &complaint
	c.Env = inEnglish()
	if err = c.Run(); err == nil {
		_, err = plain.Seek(0, 0)
	}
	switch {
	case ctx.Err() != nil:
		err = interrupted()
	case errors.Is(err, exec.ErrNotFound):
		err = badInput("install GnuPG, e.g. with \"apt-get install gpg\"", "cannot decrypt %s: %w", path, err)
	case strings.Contains(complaint.String(), "cancelled"):
		err = &api.Error{Code: api.CodeCanceled, Message: "cannot decrypt " + path + ": you said no"}
	case err != nil:
		said := append([]string{err.Error()}, strings.Split(strings.TrimSpace(complaint.String()), "\n")...)
		err = badInput("\"gpg --decrypt "+path+"\" shows more", "cannot decrypt %s: %s", path, cmp.Or(said[len(said)-1], said[0]))
	}
	if err != nil {
		_ = plain.Close()
		return nil, err
	}
	return plain, nil
}
