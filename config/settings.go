package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config is what the daemon was told.
type Config struct {
	// Socket, CodesSocket and Ledger are absolute paths. CodesSocket may also be Off, Ledger ":memory:".
	Socket, CodesSocket, Ledger string
	// DBus is "auto", "off" or the address of a bus.
	DBus string
	// Notifications says whether the desktop tells people what happens.
	Notifications bool
	// YkmanPasswords says whether keys are unlocked with what ykman remembers.
	YkmanPasswords bool
	// Copies is how many keys an account is written to when nothing else is said.
	Copies int
	// KeyOrder lists labels or serials; a code comes from the first of them that can give it.
	KeyOrder []string
	// SoftKeys is how many soft keys to plug in instead of real ones, 0 for none. The Soft fields below
	// say how they are; their names are hw/softkey's.
	SoftKeys        int
	SoftPersonality string
	SoftTouch       string
	SoftSlow        bool
	// InsecureState is the file that keeps the soft keys' seeds in clear, "" for none.
	InsecureState string
	// Search says whether the searches of desktops find accounts; SearchKeyword must be typed first, "" for none; SearchCodes has
	// them show codes.
	Search        bool
	SearchKeyword string
	SearchCodes   bool
	// LogLevel is "debug", "info", "warn" or "error".
	LogLevel string
	// StopTimeout is how long requests under way may take once the daemon is told to end.
	StopTimeout time.Duration
}

// Setting is one line of the table from which defaults, flags, checks and the README's list come.
type Setting struct {
	// Name is the key in the file. The flag is --name with hyphens, the variable OATHD_NAME in capitals.
	Name string
	// Default is written as it would be in the environment.
	Default string
	// Meaning is for people: one phrase, in Markdown.
	Meaning string
	// Values are all that a text may be, or what a path may be besides a path; none: anything.
	Values []string
	// Prefix is what any other text must begin with, "" where there is no other.
	Prefix string
	// Min and Max bound a number.
	Min, Max int

	// word says that a text is one word, or none.
	path, word bool
	field      func(*Config) any
	// beside returns the default in the company of the other settings; nil where that is always Default.
	beside func(Config) string
}

// Off is what CodesSocket is where there is to be none.
const Off = "off"

// memory is the ledger that lasts as long as the daemon; the word is SQLite's.
const memory = ":memory:"

var settings = []Setting{
	{
		Name: "socket", Default: "$XDG_RUNTIME_DIR/oathd/oathd.sock",
		Meaning: "where the daemon listens",
		path:    true, field: func(c *Config) any { return &c.Socket },
	},
	{
		Name: "codes_socket", Default: "$XDG_RUNTIME_DIR/oathd/codes.sock", Values: []string{Off},
		Meaning: "where it listens for lists and codes alone: the socket to forward or to mount. `codes.sock` beside `socket` unless it is set; `off` for nowhere",
		path:    true, field: func(c *Config) any { return &c.CodesSocket },
		beside: func(c Config) string { return filepath.Join(filepath.Dir(c.Socket), "codes.sock") },
	},
	{
		Name: "ledger", Default: ownLedger, Values: []string{memory},
		Meaning: "the record of what is on which key; `:memory:` keeps none. With soft keys it is `:memory:` unless it is set, or, with `insecure_state`, `soft-ledger.db` beside the other",
		path:    true, field: func(c *Config) any { return &c.Ledger },
		beside: usualLedger,
	},
	{
		Name: "dbus", Default: "auto", Values: []string{"auto", "off"}, Prefix: "unix:",
		Meaning: "the bus to serve D-Bus on, and to meet the desktop on: the session's where there is one, none, or the one at an address such as `unix:path=/run/bus`",
		field:   func(c *Config) any { return &c.DBus },
	},
	{
		Name: "notifications", Default: "true",
		Meaning: "whether the desktop shows which key is to be touched and for whom, new keys, and copies that no longer match",
		field:   func(c *Config) any { return &c.Notifications },
	},
	{
		Name: "ykman_passwords", Default: "false",
		Meaning: "whether keys are also unlocked with the passwords that `ykman` and Yubico Authenticator remember",
		field:   func(c *Config) any { return &c.YkmanPasswords },
	},
	{
		Name: "copies", Default: "2", Min: 1, Max: 100,
		Meaning: "how many keys an account is written to when nothing else is said",
		field:   func(c *Config) any { return &c.Copies },
	},
	{
		Name:    "key_order",
		Meaning: "labels or serial numbers of keys: a code comes from the first of them that can give it",
		field:   func(c *Config) any { return &c.KeyOrder },
	},
	{
		Name: "search", Default: "true",
		Meaning: "whether the searches of GNOME and KDE find accounts",
		field:   func(c *Config) any { return &c.Search },
	},
	{
		Name:    "search_keyword",
		Meaning: "a word, such as `otp`, that must be typed before the name in these searches; without one, three letters of a name are enough",
		word:    true, field: func(c *Config) any { return &c.SearchKeyword },
	},
	{
		Name: "search_codes", Default: "false",
		Meaning: "whether these searches show codes that were given in the same time step; GNOME then copies a code by itself, too, and never takes it out of the clipboard",
		field:   func(c *Config) any { return &c.SearchCodes },
	},
	{
		Name: "log_level", Default: "info", Values: []string{"debug", "info", "warn", "error"},
		Meaning: "how much the daemon says on standard error",
		field:   func(c *Config) any { return &c.LogLevel },
	},
	{
		Name: "stop_timeout", Default: "5s",
		Meaning: "how long requests under way may take once the daemon is told to end",
		field:   func(c *Config) any { return &c.StopTimeout },
	},
	{
		Name: "soft_keys", Default: "0", Max: 64,
		Meaning: "how many soft keys to plug in, instead of looking for real ones",
		field:   func(c *Config) any { return &c.SoftKeys },
	},
	{
		Name: "soft_personality", Default: "yubikey-5.7",
		Values:  []string{"yubikey-5.7", "yubikey-5.4", "yubikey-4.3", "neo", "nitrokey-3", "canokey", "pico-fido"},
		Meaning: "what the soft keys behave like",
		field:   func(c *Config) any { return &c.SoftPersonality },
	},
	{
		Name: "soft_touch", Default: "instant", Values: []string{"instant", "manual", "never"},
		Meaning: "when soft keys are touched that ask for it: at once, by `oathctl softkey touch`, or never",
		field:   func(c *Config) any { return &c.SoftTouch },
	},
	{
		Name: "soft_slow", Default: "false",
		Meaning: "whether the soft keys take as long as a real key",
		field:   func(c *Config) any { return &c.SoftSlow },
	},
	{
		Name: "insecure_state", Values: []string{""},
		Meaning: "a file that keeps the soft keys, their seeds in clear",
		path:    true, field: func(c *Config) any { return &c.InsecureState },
	},
}

const (
	ownLedger  = "$XDG_STATE_HOME/oathd/ledger.db"
	softLedger = "$XDG_STATE_HOME/oathd/soft-ledger.db"
)

// usualLedger keeps soft keys out of the record of real ones: what was only tried would stay in it for ever.
func usualLedger(c Config) string {
	switch {
	case c.SoftKeys == 0:
		return ownLedger
	case c.InsecureState == "":
		return memory
	}
	return softLedger
}

// Settings returns the table, in the order in which it is documented.
func Settings() []Setting { return slices.Clone(settings) }

// Flag returns the name of the setting's flag, without the hyphens in front.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Name, "_", "-") }

// Variable returns the name of the setting's environment variable.
func (s Setting) Variable() string { return prefix + strings.ToUpper(s.Name) }

// Type names what a value is: "path", "text", "number", "boolean", "duration" or "list".
func (s Setting) Type() string {
	switch s.field(new(Config)).(type) {
	case *int:
		return "number"
	case *bool:
		return "boolean"
	case *time.Duration:
		return "duration"
	case *[]string:
		return "list"
	}
	if s.path {
		return "path"
	}
	return "text"
}

// Markdown returns the table as the README shows it.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| setting | type | default | meaning |\n|---|---|---|---|\n")
	for _, s := range settings {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, s.Type(), code(s.Default), s.Meaning+s.choice())
	}
	return b.String()
}

// choice lists the values of a text that the meaning leaves open.
func (s Setting) choice() string {
	if s.Type() != "text" || len(s.Values) == 0 {
		return ""
	}
	values := make([]string, len(s.Values))
	for i, v := range s.Values {
		values[i] = code(v)
	}
	return ": " + strings.Join(values, ", ")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// names returns the names of all settings, in each form.
func names(form func(Setting) string) []string {
	list := make([]string, len(settings))
	for i, s := range settings {
		list[i] = form(s)
	}
	return list
}

// lookup finds the setting whose form is name.
func lookup(name string, form func(Setting) string) (Setting, bool) {
	i := slices.Index(names(form), name)
	if i < 0 {
		return Setting{}, false
	}
	return settings[i], true
}

func (s Setting) name() string { return s.Name }
