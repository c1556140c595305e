package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

// version is set when a release is built (-ldflags -X).
var version = "devel"

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is, and which the daemon is",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.version(c.Context()) },
	}
}

func (a *app) version(ctx context.Context) error {
	v := versions{Version: version, API: api.Version}
	status, err := a.client.Status(ctx)
	if err == nil {
		v.Daemon = &status
	} else if api.CodeOf(err) != api.CodeNoDaemon {
		return err
	}
	return a.term.answer(v, versionWords(v))
}

func versionWords(v versions) []string {
	if v.Daemon == nil {
		return []string{"oathctl " + v.Version, "oathd   not running"}
	}
	return []string{"oathctl " + v.Version, "oathd   " + v.Daemon.Version}
}
