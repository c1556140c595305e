package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

// maxBackup bounds a backup in bytes, as the daemon does.
const maxBackup = 64 << 20

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write ledger and escrow to one file",
		Long: `Writes everything that a bare machine needs to FILE, encrypted: what opens the escrow opens it, with
"oathctl escrow open" or, in ten years, with tar and age alone; the file says how. What is there by
that name is replaced.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles,
		RunE:              func(c *cobra.Command, args []string) error { return a.backup(c.Context(), args[0]) },
	}
}

func (a *app) backup(ctx context.Context, path string) error {
	file, err := a.client.EscrowBackup(ctx)
	if err != nil {
		return err
	}
	if err := replaceFile(path, file); err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	return a.term.answer(backupFile{path, len(file)}, []string{fmt.Sprintf("%s: %d bytes; keep it apart from what opens it", path, len(file))})
}

// replaceFile writes a file that is there whole or not at all.
func replaceFile(path string, content []byte) error {
	part, err := os.CreateTemp(filepath.Dir(path), ".oathd-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = part.Write(content)
	if err = errors.Join(err, part.Sync(), part.Close()); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir has a name that was given in it outlast a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (a *app) escrowOpenCommand() *cobra.Command {
	var w withFlag
	c := &cobra.Command{
		Use:   "open FILE",
		Short: "Rebuild ledger and escrow from a backup, on a bare machine",
		Long: `Rebuilds ledger and escrow from a backup. The ledger has to be empty. What opened the escrow when the
backup was made opens it.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles,
		RunE:              func(c *cobra.Command, args []string) error { return a.escrowOpen(c.Context(), w, args[0]) },
	}
	w.add(c)
	return c
}

func (a *app) escrowOpen(ctx context.Context, w withFlag, path string) error {
	file, err := readBackup(path)
	if err != nil {
		return err
	}
	if a.term.asks {
		if err := a.nothingYet(ctx); err != nil {
			return err
		}
	}
	p := &prompts{a: a}
	defer p.close()
	open, err := a.backupOpener(ctx, w, p)
	if err != nil {
		return err
	}
	defer open.wipe()
	var e api.Escrow
	err = a.opened(ctx, func(ctx context.Context) (err error) {
		e, err = a.client.EscrowOpen(ctx, api.EscrowOpenRequest{Opener: open.Opener}, open.secret, file)
		return err
	})
	if err != nil {
		return err
	}
	return a.term.answer(e, escrowWords(e, time.Now()))
}

// nothingYet finds out before anything is asked that a backup would take the place of what is there.
func (a *app) nothingYet(ctx context.Context) error {
	e, err := a.client.Escrow(ctx)
	if err != nil {
		return err
	}
	keys, err := a.client.Keys(ctx)
	if err != nil {
		return err
	}
	if e.Exists || slices.ContainsFunc(keys, func(k api.Key) bool { return k.State != api.KeySeen }) {
		return &api.Error{Code: api.CodeConflict, Message: "cannot rebuild the ledger: there is one",
			Hint: "move the ledger's file away first, with the daemon stopped, if the backup is to take its place"}
	}
	return nil
}

func readBackup(path string) ([]byte, error) {
	about, err := os.Stat(path)
	if err == nil && about.Size() > maxBackup {
		err = fmt.Errorf("it has %d bytes, and no backup has more than %d", about.Size(), maxBackup)
	}
	var file []byte
	if err == nil {
		file, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, badInput("", "cannot read the backup: %w", err)
	}
	return file, nil
}
