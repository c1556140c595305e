package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// version and built (seconds since the epoch) are set by the linker. Without them, what the Go tool has recorded counts.
var version, built string

// programVersion is the version in words, "devel" where nobody knows.
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// buildTime is before every moment at which the program runs under a right clock; the zero time where
// nobody knows.
func buildTime() time.Time {
	if seconds, err := strconv.ParseInt(built, 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC()
	}
	t, err := time.Parse(time.RFC3339, buildSetting("vcs.time"))
	if err != nil {
		return time.Time{}
	}
	return t
}

func buildSetting(key string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			line := "oathd " + programVersion()
			if t := buildTime(); !t.IsZero() {
				line += " of " + t.Format(time.DateOnly)
			}
			fmt.Fprintln(c.OutOrStdout(), line+", "+runtime.Version())
		},
	}
}
