package hw_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
)

// cardFunc is a card made of one function.
type cardFunc func(command []byte) ([]byte, error)

func (f cardFunc) Transmit(command []byte) ([]byte, error) { return f(command) }

// script is a card that expects commands and gives answers, both in hexadecimal.
type script struct {
	t     *testing.T
	steps [][2]string
}

func (s *script) Transmit(command []byte) ([]byte, error) {
	s.t.Helper()
	if len(s.steps) == 0 {
		s.t.Fatalf("one command too many: %x", command)
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	if got := hex.EncodeToString(command); got != step[0] {
		s.t.Fatalf("command %s, want %s", got, step[0])
	}
	answer, err := hex.DecodeString(step[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, nil
}

func TestExchange(t *testing.T) {
	long := bytes.Repeat([]byte{0xaa}, 300)
	head, tail := strings.Repeat("aa", 255), strings.Repeat("aa", 45)
	for name, test := range map[string]struct {
		command hw.Command
		steps   [][2]string
		want    string
		err     error
	}{
		"no data":                              {hw.Command{INS: 0xa1}, [][2]string{{"00a1000000", "9000"}}, "", nil},
		"data and answer":                      {hw.Command{INS: 2, P1: 3, P2: 4, Data: []byte{5}}, [][2]string{{"00020304010500", "01029000"}}, "0102", nil},
		"select":                               {hw.SelectCommand([]byte{0xa0, 1}), [][2]string{{"00a4040002a00100", "9000"}}, "", nil},
		"a refusal":                            {hw.Command{INS: 2}, [][2]string{{"0002000000", "6a80"}}, "", hw.StatusWrongData},
		"a refusal with data":                  {hw.Command{INS: 2}, [][2]string{{"0002000000", "07076a80"}}, "0707", hw.StatusWrongData},
		"more":                                 {hw.Command{INS: 1}, [][2]string{{"0001000000", "01026102"}, {"00a5000000", "036101"}, {"00a5000000", "049000"}}, "01020304", nil},
		"more, nothing at first":               {hw.Command{INS: 1}, [][2]string{{"0001000000", "61ff"}, {"00a5000000", "039000"}}, "03", nil},
		"more, then a refusal":                 {hw.Command{INS: 1}, [][2]string{{"0001000000", "0161ff"}, {"00a5000000", "6982"}}, "01", hw.StatusAuthRequired},
		"more, by the standard's instruction":  {hw.Command{INS: 1}, [][2]string{{"0001000000", "016102"}, {"00a5000000", "6d00"}, {"00c0000000", "026101"}, {"00c0000000", "039000"}}, "010203", nil},
		"more, and no way to get it":           {hw.Command{INS: 1}, [][2]string{{"0001000000", "016102"}, {"00a5000000", "6d00"}, {"00c0000000", "6d00"}}, "01", hw.StatusInsUnknown},
		"more, and nothing comes":              {hw.Command{INS: 1}, [][2]string{{"0001000000", "016102"}, {"00a5000000", "9000"}}, "", hw.ErrNoRest},
		"more, and nothing is known of it":     {hw.Command{INS: 1}, [][2]string{{"0001000000", "016100"}, {"00a5000000", "6985"}}, "", hw.ErrNoRest},
		"more, of nobody knows how much":       {hw.Command{INS: 1}, [][2]string{{"0001000000", "0161ff"}, {"00a5000000", "9000"}}, "01", nil},
		"another length":                       {hw.Command{INS: 2, Data: []byte{5}}, [][2]string{{"000200000105" + "00", "6c02"}, {"000200000105" + "02", "01029000"}}, "0102", nil},
		"another length, again and again":      {hw.Command{INS: 2}, [][2]string{{"0002000000", "6c02"}, {"0002000002", "6c03"}}, "", hw.Status(0x6c03)},
		"more, in another length":              {hw.Command{INS: 1}, [][2]string{{"0001000000", "016102"}, {"00a5000000", "6c02"}, {"00a5000002", "02039000"}}, "010203", nil},
		"no progress":                          {hw.Command{INS: 1}, [][2]string{{"0001000000", "61ff"}, {"00a5000000", "61ff"}}, "", hw.ErrMalformed},
		"a chain of commands":                  {hw.Command{INS: 1, Data: long}, [][2]string{{"10010000ff" + head, "9000"}, {"000100002d" + tail + "00", "9000"}}, "", nil},
		"a chain that is refused":              {hw.Command{INS: 1, Data: long}, [][2]string{{"10010000ff" + head, "6883"}}, "", hw.Status(0x6883)},
		"an answer inside a chain of commands": {hw.Command{INS: 1, Data: long}, [][2]string{{"10010000ff" + head, "016101"}}, "", hw.ErrMalformed},
		"no answer":                            {hw.Command{INS: 1}, [][2]string{{"0001000000", ""}}, "", hw.ErrMalformed},
		"one byte":                             {hw.Command{INS: 1}, [][2]string{{"0001000000", "90"}}, "", hw.ErrMalformed},
		"no answer in the middle":              {hw.Command{INS: 1}, [][2]string{{"0001000000", "0161ff"}, {"00a5000000", ""}}, "", hw.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			card := &script{t: t, steps: test.steps}
			got, err := hw.Link{Card: card, MoreINS: 0xa5}.Exchange(test.command)
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if hex.EncodeToString(got) != test.want {
				t.Errorf("answer %x, want %s", got, test.want)
			}
			if len(card.steps) > 0 {
				t.Errorf("%d commands were not sent", len(card.steps))
			}
		})
	}
}

// endless answers every command with so many bytes and "more".
func endless(n int, count *int) hw.Card {
	return cardFunc(func([]byte) ([]byte, error) {
		*count++
		return append(make([]byte, n), 0x61, 0xff), nil
	})
}

func TestExchangeIsBounded(t *testing.T) {
	for _, n := range []int{1, 256} {
		var count int
		_, err := hw.Link{Card: endless(n, &count), MoreINS: 0xc0}.Exchange(hw.Command{})
		if !errors.Is(err, hw.ErrMalformed) || count > 4200 {
			t.Errorf("%d bytes a time: %v after %d commands", n, err, count)
		}
	}
}

func TestExchangePassesErrorsOn(t *testing.T) {
	for failAt := range 2 {
		n := 0
		card := cardFunc(func([]byte) ([]byte, error) {
			if n++; n > failAt {
				return nil, hw.ErrRemoved
			}
			return []byte{1, 0x61, 0}, nil
		})
		if answer, err := (hw.Link{Card: card}).Exchange(hw.Command{}); !errors.Is(err, hw.ErrRemoved) || answer != nil {
			t.Errorf("failing at command %d: %x, %v", failAt, answer, err)
		}
	}
}

func TestExchangeWipesTheCommand(t *testing.T) {
	var sent [][]byte
	card := cardFunc(func(command []byte) ([]byte, error) {
		sent = append(sent, command)
		return []byte{0x90, 0}, nil
	})
	if _, err := (hw.Link{Card: card}).Exchange(hw.Command{INS: 1, Data: bytes.Repeat([]byte("seed"), 100)}); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 2 {
		t.Fatalf("%d commands, want 2", len(sent))
	}
	for _, command := range sent {
		if !bytes.Equal(command, make([]byte, len(command))) {
			t.Errorf("left behind: %q", command)
		}
	}
}

func TestEncodeRefusesLongData(t *testing.T) {
	if _, err := (hw.Command{Data: make([]byte, 255)}).Encode(); err != nil {
		t.Errorf("255 bytes: %v", err)
	}
	if b, err := (hw.Command{Data: make([]byte, 256)}).Encode(); err == nil {
		t.Errorf("256 bytes: %x", b)
	}
}

// FuzzLink has a card answer with the pieces of the input: a length, then so many bytes.
func FuzzLink(f *testing.F) {
	f.Add([]byte("\x02\x90\x00"), 3)
	f.Add([]byte("\x03\x01\x61\xff\x02\x61\xff"), 300)
	f.Add([]byte(""), 0)
	f.Fuzz(func(t *testing.T, pieces []byte, size int) {
		rest, sent := pieces, 0
		card := cardFunc(func(command []byte) ([]byte, error) {
			sent++
			if len(command) < 4 || len(command) > 261 {
				t.Fatalf("a command of %d bytes", len(command))
			}
			if len(rest) == 0 {
				rest = pieces
			}
			if len(rest) == 0 {
				return nil, nil
			}
			n := min(int(rest[0]), len(rest)-1)
			answer := rest[1 : 1+n]
			rest = rest[1+n:]
			return bytes.Clone(answer), nil
		})
		data := make([]byte, min(max(size, 0), 2000))
		answer, err := hw.Link{Card: card, MoreINS: 0xa5}.Exchange(hw.Command{INS: 1, Data: data})
		if len(answer) > 64<<10 || sent > 4200 {
			t.Errorf("%d bytes in %d commands: %v", len(answer), sent, err)
		}
		if status, ok := errors.AsType[hw.Status](err); ok && status == hw.StatusOK {
			t.Error("9000 as an error")
		}
	})
}
