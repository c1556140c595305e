package main

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/oathd/oathd/config"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/bus"
)

// presence is who sits at the screen, as far as a search wants to know.
type presence interface {
	// Locked reports whether nobody does.
	Locked() bool
	// Tell tells that person something; it never blocks.
	Tell(title, text string)
}

// seat is a presence with a clipboard.
type seat struct{ presence }

// Copy has a child of its own put a text into the clipboard of the session that is on the screen.
func (seat) Copy(ctx context.Context, text string, until time.Time) error {
	_, err := kin.CopyInSession(ctx, text, until)
	if err == nil {
		return nil
	}
	refusal := &api.Error{Code: api.CodeInternal, Message: err.Error(), Hint: "install wl-clipboard or xclip, or ask for it in a terminal: oathctl code --copy"}
	if errors.Is(err, exec.ErrNotFound) {
		refusal.Hint = "install oathd whole: oathctl-clip belongs to it"
	}
	return refusal
}

// searchOf says how the desktop finds accounts, if it is to.
func searchOf(c config.Config, who presence) bus.Search {
	if !c.Search {
		return bus.Search{}
	}
	return bus.Search{Desktop: seat{who}, Keyword: c.SearchKeyword, ShowCodes: c.SearchCodes}
}
