package main

import (
	"errors"
	"fmt"

	"rsc.io/qr"
)

// quiet is the empty border that a code needs, in modules (ISO/IEC 18004, section 5.3.8).
const quiet = 4

var errPassword = errors.New("cannot encrypt a QR code: nothing could read it")

func draw(uri, password []byte) (*qr.Code, error) {
	if len(password) > 0 {
		return nil, errPassword
	}
	code, err := qr.Encode(string(uri), qr.M)
	if err != nil {
		return nil, fmt.Errorf("cannot make a QR code: %w", err)
	}
	return code, nil
}

// asPNG draws a picture of eight pixels a module.
func asPNG(uri, password []byte) ([]byte, error) {
	code, err := draw(uri, password)
	if err != nil {
		return nil, err
	}
	return code.PNG(), nil
}

// asColours draws for a terminal with colours, whatever its background is: each character is two modules, the upper one in the
// foreground's colour.
func asColours(uri, password []byte) ([]byte, error) {
	code, err := draw(uri, password)
	if err != nil {
		return nil, err
	}
	upper := map[bool]string{true: "30", false: "97"}
	lower := map[bool]string{true: "40", false: "107"}
	return lines(code, func(above, below bool) string {
		return "\x1b[" + upper[above] + ";" + lower[below] + "m▀"
	}, "\x1b[0m\n"), nil
}

// asBlocks draws for light text on a dark ground: the blocks are the white modules.
func asBlocks(uri, password []byte) ([]byte, error) {
	code, err := draw(uri, password)
	if err != nil {
		return nil, err
	}
	blocks := map[[2]bool]string{{false, false}: "█", {false, true}: "▀", {true, false}: "▄", {true, true}: " "}
	return lines(code, func(above, below bool) string { return blocks[[2]bool{above, below}] }, "\n"), nil
}

// lines draws two rows of modules as a line of characters; those outside the code are white.
func lines(code *qr.Code, character func(above, below bool) string, end string) []byte {
	var out []byte
	for y := -quiet; y < code.Size+quiet; y += 2 {
		for x := -quiet; x < code.Size+quiet; x++ {
			out = append(out, character(code.Black(x, y), code.Black(x, y+1))...)
		}
		out = append(out, end...)
	}
	return out
}
