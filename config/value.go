package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oathd/oathd/internal/nearest"
)

// set puts a value into its field of c, or says what is allowed. raw is a string from the environment,
// a flag or a default, or whatever a TOML file holds.
func (s Setting) set(c *Config, raw any) error {
	switch field := s.field(c).(type) {
	case *int:
		return s.setNumber(field, raw)
	case *bool:
		return setBoolean(field, raw)
	case *time.Duration:
		return setDuration(field, raw)
	case *[]string:
		return setList(field, raw)
	case *string:
		return s.setText(field, raw)
	}
	panic("config: setting " + s.Name + " has no type")
}

func (s Setting) setNumber(field *int, raw any) error {
	n, ok := raw.(int64)
	if text, isText := raw.(string); isText {
		var err error
		n, err = strconv.ParseInt(text, 10, 64)
		ok = err == nil
	}
	if !ok || n < int64(s.Min) || n > int64(s.Max) {
		return fmt.Errorf("%s is not a whole number from %d to %d", quote(raw), s.Min, s.Max)
	}
	*field = int(n)
	return nil
}

func setBoolean(field *bool, raw any) error {
	switch raw {
	case true, "true":
		*field = true
	case false, "false":
		*field = false
	default:
		return fmt.Errorf("%s is neither true nor false", quote(raw))
	}
	return nil
}

func setDuration(field *time.Duration, raw any) error {
	text, _ := raw.(string)
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf(`%s is not a duration such as "10s" or "1m30s"`, quote(raw))
	}
	*field = d
	return nil
}

// setList takes an array of strings, or one string with commas.
func setList(field *[]string, raw any) error {
	var list []string
	switch raw := raw.(type) {
	case string:
		if raw == "" {
			break
		}
		for entry := range strings.SplitSeq(raw, ",") {
			list = append(list, strings.TrimSpace(entry))
		}
	case []any:
		for _, entry := range raw {
			text, ok := entry.(string)
			if !ok {
				return fmt.Errorf("%s in the list is not a string", quote(entry))
			}
			list = append(list, text)
		}
	default:
		return fmt.Errorf(`%s is not a list such as ["blue", "red"]`, quote(raw))
	}
	if slices.Contains(list, "") {
		return fmt.Errorf("the list has an empty entry")
	}
	*field = list
	return nil
}

func (s Setting) setText(field *string, raw any) error {
	text, ok := raw.(string)
	if !ok {
		return fmt.Errorf("%s is not a string", quote(raw))
	}
	if s.word && text != "" && !slices.Equal(strings.Fields(text), []string{text}) {
		return fmt.Errorf("%s is not one word", quote(text))
	}
	if s.path && !slices.Contains(s.Values, text) {
		var err error
		if text, err = expand(text); err != nil {
			return err
		}
	} else if !s.allows(text) {
		return fmt.Errorf("%s is none of %s (did you mean %q?)", quote(text), strings.Join(s.Values, ", "), nearest.To(text, s.Values))
	}
	*field = text
	return nil
}

// allows reports whether a text is one of those that the setting may have.
func (s Setting) allows(text string) bool {
	return len(s.Values) == 0 || slices.Contains(s.Values, text) || s.Prefix != "" && strings.HasPrefix(text, s.Prefix)
}

// expand makes an absolute path of one that may begin with ~ or with one of the directories of the XDG
// Base Directory Specification.
func expand(path string) (string, error) {
	first, rest, _ := strings.Cut(path, "/")
	if dir, ok := directories[first]; ok {
		root, err := dir()
		if err != nil {
			return "", err
		}
		return filepath.Join(root, rest), nil
	}
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("%s is not an absolute path; it may also begin with ~/ or $XDG_STATE_HOME/", quote(path))
	}
	return filepath.Clean(path), nil
}

// quote shows a value much as a TOML file would hold it, cut off where it is long.
func quote(raw any) string {
	const limit = 60
	text, quoted := raw.(string)
	if !quoted {
		text = fmt.Sprint(raw)
	}
	rest := ""
	if len(text) > limit {
		text, rest = text[:limit], "…"
	}
	if quoted {
		text = strconv.Quote(text)
	}
	return text + rest
}
