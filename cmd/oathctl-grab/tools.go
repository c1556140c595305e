package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// patience is how long a tool may take.
const patience = 15 * time.Second

// photographer is a program that takes pictures of the screen.
type photographer struct {
	// needs is the variable that is set wherever the program can work.
	needs string
	// command prints the picture, or, where it has the argument intoFile, writes it to a file.
	command []string
}

// intoFile stands for the name of a file.
const intoFile = "FILE"

// photographers are tried in this order. X11's comes last: on Wayland it sees the windows of X11 alone, or black.
var photographers = []photographer{
	{"WAYLAND_DISPLAY", []string{"grim", "-t", "png", "-"}},
	{"DISPLAY", []string{"gnome-screenshot", "--file=" + intoFile}},
	{"DISPLAY", []string{"spectacle", "--background", "--nonotify", "--fullscreen", "--output", intoFile}},
	{"DISPLAY", []string{"import", "-silent", "-window", "root", "png:-"}},
}

// screen asks the desktop for a picture of the screen and, where it has none to give, the programs that can take one.
func screen(ctx context.Context) ([]byte, error) {
	picture, err := portal(ctx)
	if err == nil || errors.Is(err, errDeclined) || ctx.Err() != nil {
		return picture, err
	}
	failures := []string{err.Error()}
	for _, p := range photographers {
		if os.Getenv(p.needs) == "" {
			continue
		}
		picture, err := p.take(ctx)
		if err == nil {
			return picture, nil
		}
		failures = append(failures, err.Error())
	}
	return nil, fmt.Errorf("cannot take a picture of the screen: %s", strings.Join(failures, "; "))
}

// take takes a picture. A program that wants a file gets one in a folder of ours, which is memory where there is a runtime
// directory.
func (p photographer) take(ctx context.Context) ([]byte, error) {
	if !strings.Contains(strings.Join(p.command, " "), intoFile) {
		return output(ctx, p.command)
	}
	dir, err := os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), "oathctl-grab-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the picture: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "screen.png")
	command := slices.Clone(p.command)
	for i := range command {
		command[i] = strings.Replace(command[i], intoFile, file, 1)
	}
	if _, err := output(ctx, command); err != nil {
		return nil, err
	}
	return readPicture(file)
}

// board is a way to the clipboard: it lists the types that what is in there can be had in, and gives one.
type board struct {
	needs       string
	types, give []string
}

var boards = []board{
	{"WAYLAND_DISPLAY", []string{"wl-paste", "--list-types"}, []string{"wl-paste", "--no-newline", "--type"}},
	{"DISPLAY", []string{"xclip", "-selection", "clipboard", "-out", "-target", "TARGETS"}, []string{"xclip", "-selection", "clipboard", "-out", "-target"}},
}

// clipboard returns the picture in the clipboard.
func clipboard(ctx context.Context) ([]byte, error) {
	failures := []string{}
	for _, b := range boards {
		if os.Getenv(b.needs) == "" {
			continue
		}
		picture, err := b.picture(ctx)
		if err == nil {
			return picture, nil
		}
		failures = append(failures, err.Error())
	}
	if len(failures) == 0 {
		failures = append(failures, "there is no desktop here")
	}
	return nil, fmt.Errorf("cannot read the clipboard's picture: %s", strings.Join(failures, "; "))
}

func (b board) picture(ctx context.Context) ([]byte, error) {
	types, err := output(ctx, b.types)
	if err != nil {
		return nil, err
	}
	for _, wanted := range []string{"image/png", "image/jpeg", "image/webp"} {
		if slices.Contains(strings.Fields(string(types)), wanted) {
			return output(ctx, append(slices.Clone(b.give), wanted))
		}
	}
	return nil, errors.New("there is no picture in it")
}

// output returns what a command prints.
func output(ctx context.Context, command []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.WaitDelay = time.Second // a process that it leaves behind may keep the pipes
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", command[0], err)
	}
	data, err := io.ReadAll(io.LimitReader(out, int64(maxPicture)+1))
	if len(data) > maxPicture {
		cancel()
		err = fmt.Errorf("it is larger than %d MiB", maxPicture>>20)
	}
	if ended := c.Wait(); err == nil {
		err = ended
	}
	switch {
	case err == nil:
		return data, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("it takes more than %s", patience)
	case complaint.Len() > 0:
		line, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		err = errors.New(line)
	}
	return nil, fmt.Errorf("%s: %w", command[0], err)
}

// readPicture reads a file that is a picture, and nothing else.
func readPicture(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, int64(maxPicture)+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxPicture:
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxPicture>>20)
	case !bytes.HasPrefix(data, []byte("\x89PNG")) && !bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return nil, fmt.Errorf("%s is neither PNG nor JPEG", name)
	}
	return data, nil
}
