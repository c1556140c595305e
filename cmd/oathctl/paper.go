package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func (m made) words(now time.Time) []string {
	lines := escrowWords(m.Escrow, now)
	if m.Paper != "" {
		lines = append(lines, fmt.Sprintf("the recovery paper is in %s: print it, then delete the file", m.Paper))
	}
	return lines
}

// making is a request that may answer with a recovery paper.
type making func(context.Context) (api.Escrow, *oath.Secret, error)

func (a *app) paperCommand() *cobra.Command {
	var w withFlag
	var name string
	c := &cobra.Command{
		Use:   "paper FILE",
		Short: "Make another recovery paper",
		Long: `Draws a new recovery key and writes it to FILE, an HTML page to be printed and deleted. It opens the
escrow beside what opened it before. Nobody can print an old one again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.addRecipient(c.Context(), w, addOneOptions{paper: args[0], name: name})
		},
		ValidArgsFunction: completeFiles,
	}
	w.add(c)
	c.Flags().StringVar(&name, "name", "recovery paper", "what you call it, e.g. where it will be")
	return c
}

// make sends a request. Where it is to give a paper, its file is made first: a paper that can't be written must not open
// anything.
func (a *app) make(ctx context.Context, paper string, request making) (made, error) {
	if paper == "" {
		e, page, err := a.asked(ctx, request)
		page.Wipe()
		return made{Escrow: e}, err
	}
	path, err := filepath.Abs(paper)
	if err != nil {
		return made{}, fmt.Errorf("cannot write the recovery paper: %w", err)
	}
	file, err := newPage(path)
	if err != nil {
		return made{}, err
	}
	if _, err := file.WriteString(unfinishedPage()); err != nil {
		return made{}, badInput("make room, or name a file elsewhere", "cannot write the recovery paper: %w", errors.Join(err, file.Close(), os.Remove(path)))
	}
	e, page, err := a.asked(ctx, request)
	if err != nil {
		return made{}, errors.Join(err, file.Close(), os.Remove(path))
	}
	defer page.Wipe()
	if err := finishPage(file, page.Bytes()); err != nil {
		return made{}, unprinted(err)
	}
	return made{Escrow: e, Paper: path}, nil
}

// newPage makes the file of a recovery paper, which replaces nothing.
func newPage(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, badInput("name a file that is not there yet", "cannot write the recovery paper: %w", err)
	}
	return file, nil
}

// writable finds out whether a recovery paper could be made there.
func writable(path string) error {
	file, err := newPage(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(path))
}

// unfinishedPage keeps room for a recovery paper while its key is made, so that a full disk is noticed before. It is what is left in the file
// if nobody finishes it.
func unfinishedPage() string {
	return "<!DOCTYPE html><title>No recovery paper</title><p>There is no key on this paper: it was not finished. " +
		"\"oathctl escrow paper FILE\" makes another.</p>" + strings.Repeat("\n", 64<<10)
}

// finishPage puts the page in its place, and closes the file.
func finishPage(file *os.File, page []byte) error {
	_, err := file.WriteAt(page, 0)
	if err == nil {
		err = file.Truncate(int64(len(page)))
	}
	return errors.Join(err, file.Sync(), file.Close())
}

// unprinted is the error of a recovery key that nobody has.
func unprinted(err error) error {
	return &api.Error{
		Code: api.CodeInternal, Message: fmt.Sprintf("cannot write the recovery paper, though its key was made: %v", err),
		Hint: "\"oathctl escrow paper\" makes another, \"oathctl escrow recipients remove\" takes this one out",
	}
}

func (a *app) asked(ctx context.Context, request making) (e api.Escrow, page *oath.Secret, err error) {
	err = a.opened(ctx, func(ctx context.Context) error {
		e, page, err = request(ctx)
		return err
	})
	return e, page, err
}
