package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// bashVerb is what the script of bash calls: oathctl __bash COMP_WORDBREAKS LINE, where LINE ends at the
// cursor. It prints a line of options for compopt, then a line for each element of COMPREPLY.
//
// Bash hands out words as they were typed and cut up at COMP_WORDBREAKS, and puts what it gets into the line as
// it is. So the line is read here, as the shell would read it but with nothing expanded, and what is answered
// is quoted to fit behind what stays of it.
func (a *app) bashCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "__bash WORDBREAKS LINE",
		Hidden:             true,
		DisableFlagParsing: true,
		Args:               cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			options, replies := a.completeBash(c.Context(), args[1], args[0])
			_, err := fmt.Fprintln(a.term.out, strings.Join(append([]string{options}, replies...), "\n"))
			return err
		},
	}
}

func (a *app) completeBash(ctx context.Context, line, breaks string) (options string, replies []string) {
	words, last := splitBash(line, breaks)
	if len(words) == 0 {
		return "+o default", nil // the cursor is still at the program's name
	}
	candidates, directive := a.candidates(ctx, append(words[1:], last.text))
	options = "+o default"
	if directive&(cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveError) == 0 {
		options = "-o default"
	}
	if directive&cobra.ShellCompDirectiveNoSpace != 0 {
		options += " -o nospace"
	}
	// The candidates for --flag=value are values alone.
	if flag, _, found := strings.Cut(last.text, "="); found && strings.HasPrefix(flag, "-") {
		for i := range candidates {
			candidates[i] = flag + "=" + candidates[i]
		}
	}
	return options, last.replies(candidates)
}

// bashWord is the word that is being typed.
type bashWord struct {
	// text is what the program would get of it.
	text string
	// kept is the part of text that stays in the line as it is typed, as bash replaces only what follows the
	// last word break or quote.
	kept string
	// quote is the one that what follows kept stands in, 0 for none; closed says that it was closed again.
	quote  byte
	closed bool
}

// replies fits the candidates to what is typed. Those that begin with it exactly go before those that do so in
// another case; one that merely contains it can only replace the whole.
func (w bashWord) replies(candidates []string) []string {
	for _, fits := range []func(c string) bool{
		func(c string) bool { return strings.HasPrefix(c, w.text) },
		func(c string) bool { return len(c) >= len(w.text) && strings.EqualFold(c[:len(w.text)], w.text) },
		func(string) bool { return w.kept == "" && len(candidates) == 1 },
	} {
		var replies []string
		for _, c := range candidates {
			if fits(c) {
				replies = append(replies, w.quoted(c[len(w.kept):]))
			}
		}
		if len(replies) > 0 {
			return replies
		}
	}
	return nil
}

// quoted writes s such that bash reads it as it is, behind what stays of the word.
func (w bashWord) quoted(s string) string {
	switch w.quote {
	case '\'':
		s = strings.ReplaceAll(s, "'", `'\''`)
	case '"':
		// An exclamation mark that is escaped inside double quotes keeps its backslash.
		s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`", "!", `"'!'"`).Replace(s)
	default:
		return escaped(s)
	}
	if w.closed {
		s += string(w.quote)
	}
	return s
}

// escaped puts a backslash before every character that may mean something to bash.
func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		harmless := c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-./:@%+,=", c) >= 0
		if !harmless {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// kept is what stays of a character that breaks words. The ones with which a variable or a host begins are
// replaced with what follows (rl_special_prefixes).
func kept(c byte) string {
	if c == '@' || c == '$' {
		return ""
	}
	return string(c)
}

// splitBash reads a command line up to the cursor: the words before the last one, and that.
func splitBash(line, breaks string) (words []string, last bashWord) {
	var text []byte
	begun := false
	end := func() {
		if begun {
			words = append(words, string(text))
		}
		text, begun, last = nil, false, bashWord{}
	}
	var open byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case open == 0 && (c == ' ' || c == '\t' || c == '\n'):
			end()
			continue
		case c == open:
			open, last.closed = 0, true
		case open == 0 && (c == '\'' || c == '"'):
			open = c
			last = bashWord{kept: string(text), quote: c}
		case c == '\\' && open != '\'' && i+1 < len(line) && (open == 0 || strings.IndexByte("\\\"$`", line[i+1]) >= 0):
			i++
			text = append(text, line[i])
		case c == '\\' && open == 0: // the cursor is behind it
		default:
			if open == 0 && strings.IndexByte(breaks, c) >= 0 {
				last = bashWord{kept: string(text) + kept(c)}
			}
			text = append(text, c)
		}
		begun = true
	}
	last.text = string(text)
	return slices.Clip(words), last
}
