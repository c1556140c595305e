// Package config owns the daemon's settings: one table (Settings), from which defaults, flags, the
// environment, the checks and the README's list come. What is unknown is an error, never a default.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/oathd/oathd/internal/nearest"
)

const (
	// prefix begins the names of the environment variables.
	prefix = "OATHD_"

	// maxFile bounds what is read of a file; all settings together take a few hundred bytes.
	maxFile = 1 << 20
)

// notSettings are variables that begin like a setting. Daemons that this project's tests start
// inherit the place of its sample files.
var notSettings = []string{"OATHD_SAMPLES"}

// Load returns the settings: the defaults, over them $XDG_CONFIG_HOME/oathd/config.toml if there is one,
// over that OATHD_* of the environment, over that those of flags that AddFlags added (flags may be nil). Every
// value is checked where it stands, even one that a later source replaces. Errors name the file or
// variable, the setting and what is allowed; some carry a hint (hw.Hint).
func Load(flags *pflag.FlagSet) (Config, error) {
	v := viper.NewWithOptions(viper.WithDecoderRegistry(strict{}))
	if err := readFile(v); err != nil {
		return Config{}, err
	}
	if err := checkEnvironment(os.Environ()); err != nil {
		return Config{}, err
	}
	for _, s := range settings {
		if err := v.BindEnv(s.Name, s.Variable()); err != nil {
			return Config{}, err
		}
		if flags == nil || flags.Lookup(s.Flag()) == nil {
			continue
		}
		if err := v.BindPFlag(s.Name, flags.Lookup(s.Flag())); err != nil {
			return Config{}, err
		}
	}
	return resolve(v)
}

// resolve reads what viper chooses, first the settings that have their defaults for themselves.
func resolve(v *viper.Viper) (Config, error) {
	var c Config
	for _, dependent := range []bool{false, true} {
		for _, s := range settings {
			if dependent != (s.beside != nil) {
				continue
			}
			v.SetDefault(s.Name, s.defaultBeside(c))
			if err := s.set(&c, v.Get(s.Name)); err != nil {
				return Config{}, fmt.Errorf("cannot use the setting %s: %w", s.Name, err)
			}
		}
	}
	return c, nil
}

func (s Setting) defaultBeside(others Config) string {
	if s.beside == nil {
		return s.Default
	}
	return s.beside(others)
}

// File is where the file with the settings is, if there is one; "" without a home for it.
func File() string {
	home, err := configHome()
	if err != nil {
		return ""
	}
	return filepath.Join(home, "oathd", "config.toml")
}

// readFile gives the file to viper. No file, or no home for one, is no error.
func readFile(v *viper.Viper) error {
	path := File()
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the settings: %w", err)
	}
	defer f.Close()
	if err := read(v, f); err != nil {
		return fmt.Errorf("cannot use the settings in %s: %w", path, err)
	}
	return nil
}

func read(v *viper.Viper, file io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxFile {
		return fmt.Errorf("the file is longer than %d bytes", maxFile)
	}
	v.SetConfigType("toml")
	err = v.ReadConfig(strings.NewReader(string(text)))
	if parse, ok := errors.AsType[viper.ConfigParseError](err); ok {
		return parse.Unwrap()
	}
	return err
}

// strict is viper's TOML decoder with our checks. They stand here because viper folds the case of
// names later, and then one of two silently wins.
type strict struct{}

// Decoder returns the decoder of a format.
func (strict) Decoder(format string) (viper.Decoder, error) {
	inner, err := viper.NewCodecRegistry().Decoder(format)
	return strictDecoder{inner}, err
}

type strictDecoder struct{ inner viper.Decoder }

// Decode decodes a file and checks each of its settings.
func (d strictDecoder) Decode(b []byte, into map[string]any) error {
	if err := d.inner.Decode(b, into); err != nil {
		return located(err)
	}
	for _, name := range sortedKeys(into) {
		s, ok := lookup(name, Setting.name)
		if !ok {
			return unknown(name, names(Setting.name))
		}
		if err := s.set(new(Config), into[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// located adds the line to a syntax error, where the decoder knows it.
func located(err error) error {
	var position interface{ Position() (row, column int) }
	if errors.As(err, &position) {
		row, column := position.Position()
		return fmt.Errorf("line %d, column %d: %w", row, column, err)
	}
	return err
}

// checkEnvironment refuses variables that begin like a setting and are none, and values that are not allowed.
func checkEnvironment(environ []string) error {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || slices.Contains(notSettings, name) {
			continue
		}
		s, ok := lookup(name, Setting.Variable)
		if !ok {
			return fmt.Errorf("cannot use the environment: %w", unknown(name, names(Setting.Variable)))
		}
		if value == "" { // viper, as most programs, takes it as not set
			continue
		}
		if err := s.set(new(Config), value); err != nil {
			return fmt.Errorf("cannot use the environment: %s: %w", name, err)
		}
	}
	return nil
}

func unknown(name string, known []string) error {
	return fmt.Errorf("unknown setting %s (did you mean %q?)", quote(name), nearest.To(name, known))
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
