package main

import (
	"bytes"
	"strings"
	"testing"
)

// What the child does with a request is tried in hw/piv; here, that it is reached, and stays out of sight.
func TestEnrollCommand(t *testing.T) {
	var out, errs bytes.Buffer
	root := rootCommand(streams{out: &out, err: &errs})
	root.SetArgs(enroller().Args[1:])
	root.SetIn(strings.NewReader("no request\n"))
	root.SetOut(&out)
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot read the request") || out.Len() > 0 {
		t.Errorf("%v, and on stdout %q", err, out.String())
	}
	if help := root.UsageString(); strings.Contains(help, enrollVerb) {
		t.Errorf("the help shows it:\n%s", help)
	}
}
