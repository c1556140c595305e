package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// This file owns everything that oathctl prints or asks. Its rules:
//
//   - Standard output carries the answer and nothing else: words for people, or with --json one JSON
//     document, or one a line where the daemon sends several. An answer that failed is {"error":…}.
//   - Everything said on the way goes to standard error: progress, warnings, questions' surroundings,
//     errors. -q leaves warnings and errors.
//   - An error is one line "oathctl: cannot …", then what there is to choose from, then "hint: …".
//   - Questions are asked only where standard input is a terminal, and on the terminal itself, so that
//     redirections neither hide them nor answer them. Secrets are not echoed, and go into locked memory.
//   - Colours and symbols are for terminals that have them, never in files, not with NO_COLOR or
//     TERM=dumb, and nothing is said by colour alone.
//   - No line holds a control character, whatever a key says its accounts are called.

// terminal is where the user is, if anywhere.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	// outTTY says that standard output is a terminal; outLook and errLook what can be seen there.
	outTTY           bool
	outLook, errLook ink.Look
	// columns is the width of the terminal, 80 if it is none.
	columns int
	// asks says that standard input is a terminal, so that somebody can be asked.
	asks bool
	// json and quiet are the flags.
	json, quiet bool
}

func newTerminal(std streams) *terminal {
	t := &terminal{in: std.in, out: std.out, err: std.err, outTTY: isTerminal(std.out), asks: isTerminal(std.in), columns: 80}
	t.outLook, t.errLook = ink.LookAt(t.outTTY), ink.LookAt(isTerminal(std.err))
	if f, ok := std.out.(*os.File); ok && t.outTTY {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			t.columns = w
		}
	}
	return t
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// answer prints what the verb was run for: document with --json, else the lines.
func (t *terminal) answer(document any, lines []string) error {
	if t.json {
		return t.document(document)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(t.out, t.outLook.Render(line)); err != nil {
			return fmt.Errorf("cannot write the answer: %w", err)
		}
	}
	return nil
}

// document prints one JSON document on one line.
func (t *terminal) document(v any) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	return nil
}

// say prints lines on the way, unless -q.
func (t *terminal) say(lines ...string) {
	if !t.quiet {
		t.tell(lines...)
	}
}

// warn prints a warning.
func (t *terminal) warn(text string) { t.tell(ink.Paint(ink.Yellow, "warning:") + " " + text) }

func (t *terminal) tell(lines ...string) {
	for _, line := range lines {
		fmt.Fprintln(t.err, t.errLook.Render(line))
	}
}

// fail prints an error, with its candidates and its hint.
func (t *terminal) fail(err error) {
	if _, silent := errors.AsType[ended](err); silent {
		return
	}
	failure := asAPI(err)
	if t.json {
		_ = t.document(api.ErrorBody{Error: failure}) // there is no better place to complain
	}
	t.tell(strings.Split(ink.Paint(ink.Red, "oathctl:")+" "+failure.Message, "\n")...)
	for _, c := range failure.Candidates {
		t.tell("  " + candidate(c))
	}
	if failure.Hint != "" {
		t.tell(ink.Paint(ink.Bold, "hint:") + " " + failure.Hint)
	}
}

// asAPI puts any error into the API's words, of which the message is the whole chain's.
func asAPI(err error) *api.Error {
	if usage, ok := errors.AsType[*usageError](err); ok {
		return &api.Error{Code: api.CodeBadRequest, Message: usage.message, Hint: usage.hint}
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		whole := *e
		whole.Message = err.Error()
		return &whole
	}
	return &api.Error{Code: api.CodeInternal, Message: err.Error()}
}

func candidate(c api.Candidate) string {
	if c.Note == "" {
		return c.Label + "  (" + c.ID + ")"
	}
	return c.Label + "  (" + c.ID + ", " + c.Note + ")"
}

// ask asks for a line and returns it without blanks around it.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	line, err := t.askLine(ctx, question)
	if err != nil {
		return "", err
	}
	defer line.Wipe()
	return strings.TrimSpace(string(line.Bytes())), nil
}

// askLine asks for a line, the caller's to wipe.
func (t *terminal) askLine(ctx context.Context, question string) (*oath.Secret, error) {
	tty, err := openTTY()
	if err != nil {
		return nil, err
	}
	defer tty.Close()
	return tty.readLine(ctx, t.errLook.Render(question+" "), echoed)
}

// askSecret asks for a line without showing what is typed.
func (t *terminal) askSecret(ctx context.Context, question string) (*oath.Secret, error) {
	tty, err := openTTY()
	if err != nil {
		return nil, err
	}
	defer tty.Close()
	return tty.readLine(ctx, t.errLook.Render(question+" "), hidden)
}

// confirm asks a question whose answer is no, unless it is a clear yes.
func (t *terminal) confirm(ctx context.Context, question string) (bool, error) {
	answer, err := t.ask(ctx, question+" [y/N]")
	if err != nil {
		return false, err
	}
	return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"), nil
}

// choose lists things and asks which are meant; it returns their indexes, none for an empty answer.
func (t *terminal) choose(ctx context.Context, question string, things []string) ([]int, error) {
	for i, thing := range things {
		t.tell(fmt.Sprintf("%3d  %s", i+1, thing))
	}
	for {
		answer, err := t.ask(ctx, question+" [numbers, \"all\", or nothing]")
		if err != nil {
			return nil, err
		}
		chosen, err := parseChoice(answer, len(things))
		if err == nil {
			return chosen, nil
		}
		t.tell(err.Error())
	}
}

// parseChoice reads "all" or numbers from 1 to n, each once, with commas or blanks between them.
func parseChoice(answer string, n int) ([]int, error) {
	var chosen []int
	if strings.EqualFold(answer, "all") {
		for i := range n {
			chosen = append(chosen, i)
		}
		return chosen, nil
	}
	taken := make(map[int]bool)
	for field := range strings.FieldsFuncSeq(answer, func(r rune) bool { return r == ',' || r == ' ' }) {
		i, err := strconv.Atoi(field)
		if err != nil || i < 1 || i > n {
			return nil, fmt.Errorf("cannot read %q: it is a number from 1 to %d, several, or \"all\"", field, n)
		}
		if !taken[i] {
			chosen = append(chosen, i-1)
		}
		taken[i] = true
	}
	return chosen, nil
}
