package config

import (
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
)

// AddFlags adds a flag for each setting, for Load to look at. A bad value is an error when the flags
// are parsed.
func AddFlags(flags *pflag.FlagSet) {
	for _, s := range settings {
		flag := flags.VarPF(&flagValue{setting: s, text: s.Default}, s.Flag(), "", strings.ReplaceAll(s.Meaning, "`", ""))
		if s.Type() == "boolean" {
			flag.NoOptDefVal = "true"
		}
	}
}

// flagValue is a setting as pflag wants it.
type flagValue struct {
	setting Setting
	text    string
}

// String returns the value as it was given.
func (v *flagValue) String() string { return v.text }

// Type names the kind of value for the list of flags. "bool" is pflag's and viper's word for flags
// that need no value; the other words mean nothing to them.
func (v *flagValue) Type() string {
	if v.setting.Type() == "boolean" {
		return "bool"
	}
	return v.setting.Type()
}

// Set checks a value. Only here may a path be relative: it is typed by somebody who knows where they are.
func (v *flagValue) Set(text string) error {
	if v.setting.path && !v.special(text) {
		path, err := filepath.Abs(text)
		if err != nil {
			return err
		}
		text = path
	}
	if err := v.setting.set(new(Config), text); err != nil {
		return err
	}
	v.text = text
	return nil
}

// special reports whether a text is not to be seen as a relative path.
func (v *flagValue) special(text string) bool {
	first, _, _ := strings.Cut(text, "/")
	_, known := directories[first]
	for _, value := range v.setting.Values {
		known = known || value == text
	}
	return known || text == ""
}
