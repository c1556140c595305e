package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/oathd/oathd/hw"
)

// directories are what a path may begin with (XDG Base Directory Specification, version 0.8). A variable that
// isn't set, or isn't absolute, counts as missing there.
var directories = map[string]func() (string, error){
	"~":                os.UserHomeDir,
	"$HOME":            os.UserHomeDir,
	"$XDG_RUNTIME_DIR": runtimeDir,
	"$XDG_STATE_HOME":  func() (string, error) { return homeDir("XDG_STATE_HOME", ".local/state") },
	"$XDG_CONFIG_HOME": configHome,
}

func configHome() (string, error) { return homeDir("XDG_CONFIG_HOME", ".config") }

func homeDir(variable, fallback string) (string, error) {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", hw.WithHint(fmt.Errorf("neither %s nor HOME is set", variable), "set HOME to your home directory")
	}
	return filepath.Join(home, fallback), nil
}

// userRuns is where logind makes the runtime directories.
var userRuns = "/run/user"

// runtimeDir falls back to logind's directory, which exists while the user is logged in: a cron job or sudo
// may have lost the variable.
func runtimeDir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return dir, nil
	}
	dir := filepath.Join(userRuns, strconv.Itoa(os.Getuid()))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return "", hw.WithHint(fmt.Errorf("XDG_RUNTIME_DIR is not set and %s does not exist", dir),
		"log in as the user (with `sudo -iu USER` nothing sets it), or name a place with --socket")
}
