package importer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// numberText is a number of JSON, of which it is not settled yet whether it is one: some programs put theirs into quotation
// marks, and Java's JSON, with which many read what they have written, minds neither those nor a fraction of 0.
type numberText string

// noNumber is what a numberText is where there is something else altogether, which may be secret.
const noNumber = "?"

// UnmarshalJSON reads anything. null and the empty string say nothing.
func (n *numberText) UnmarshalJSON(text []byte) error {
	const longest = 32
	switch inside := bytes.Trim(text, `" `); {
	case string(text) == "null":
		*n = ""
	case len(inside) > longest || len(inside) > 0 && bytes.IndexByte([]byte("-0123456789"), inside[0]) < 0:
		*n = noNumber
	default:
		*n = numberText(inside)
	}
	return nil
}

// numbers sets digits, period and counter from texts, which may be empty.
func (r *record) numbers(digits, period, counter numberText) {
	r.digits = int(r.number("digits", digits))
	r.period = int(r.number("period", period))
	r.counter = r.number("counter", counter)
}

func (r *record) number(what string, text numberText) int64 {
	whole := strings.TrimSpace(string(text))
	if before, fraction, found := strings.Cut(whole, "."); found && strings.Trim(fraction, "0") == "" {
		whole = before
	}
	if whole == "" {
		return 0
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		r.unread = fmt.Errorf("what it says of its %s is no number", what)
		return 0
	}
	return n
}
