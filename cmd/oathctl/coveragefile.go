package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/picture"
	"github.com/oathd/oathd/ipc/api"
)

// pictures are the files that a coverage is drawn into; "-" is standard output.
type pictures struct{ html, svg string }

func (p *pictures) add(c *cobra.Command) {
	c.Flags().StringVar(&p.html, "html", "", "draw it as an HTML page into this file, - for standard output")
	c.Flags().StringVar(&p.svg, "svg", "", "draw it as an SVG picture into this file, - for standard output")
	completes(c, map[string]completion{"html": completeFiles, "svg": completeFiles})
}

// check refuses two documents on standard output.
func (p pictures) check(json bool) error {
	documents := 0
	for _, file := range []string{p.html, p.svg} {
		if file == "-" {
			documents++
		}
	}
	if documents > 1 || documents == 1 && json {
		return usagef("name a file", "cannot write two documents to standard output")
	}
	return nil
}

// wanted says that there is to be a picture.
func (p pictures) wanted() bool { return p.html != "" || p.svg != "" }

// draw writes the pictures.
func (a *app) draw(p pictures, c api.Coverage) error {
	for _, d := range []struct {
		file string
		draw func(api.Coverage) []byte
	}{{p.html, picture.HTML}, {p.svg, picture.SVG}} {
		if err := a.drawInto(d.file, d.draw, c); err != nil {
			return fmt.Errorf("cannot write the picture: %w", err)
		}
	}
	return nil
}

func (a *app) drawInto(file string, draw func(api.Coverage) []byte, c api.Coverage) error {
	switch file {
	case "":
		return nil
	case "-":
		_, err := a.term.out.Write(draw(c))
		return err
	}
	err := replaceFile(file, draw(c))
	if err == nil {
		a.term.say(file + ": your accounts and where your keys are, but no secret")
	}
	return err
}
