package main

import (
	"context"
	"fmt"
	"time"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/internal/words"
	"github.com/oathd/oathd/ipc/api"
)

// countedLife is how long a code that is counted stays in the clipboard; it lives until it is used.
const countedLife = 30 * time.Second

// copyCode puts a code into the clipboard for as long as it lives.
func (a *app) copyCode(ctx context.Context, code api.Code) error {
	until := code.ValidUntil
	if until.IsZero() {
		until = time.Now().Add(countedLife).Truncate(time.Second).UTC()
	}
	c, err := kin.Copy(ctx, code.Code, until)
	if err != nil {
		return &api.Error{Code: api.CodeInternal, Message: err.Error(), Hint: "install wl-clipboard, xclip or xsel; without --copy the code is printed"}
	}
	document := copied{Account: code.Account, Label: code.Label, Tool: c.Tool}
	if c.Clears {
		document.ClearsAt = until
	}
	return a.term.answer(document, []string{copiedWords(document, code, time.Now())})
}

func copiedWords(c copied, code api.Code, now time.Time) string {
	text := fmt.Sprintf("%s copied with %s, ", c.Label, c.Tool)
	if c.Tool == "terminal" {
		text = fmt.Sprintf("%s handed to the terminal to copy (not every terminal does), ", c.Label)
	}
	text += words.Validity(code, now)
	if c.ClearsAt.IsZero() {
		return text + "it stays in the clipboard"
	}
	return text + fmt.Sprintf("out of the clipboard in %d s", max(0, words.Seconds(c.ClearsAt.Sub(now))))
}
