package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

// declaredCodes reads the error codes from the source that declares them.
func declaredCodes(t *testing.T) []api.ErrorCode {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../ipc/api/error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []api.ErrorCode
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "ErrorCode" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, api.ErrorCode(text))
		}
		return true
	})
	return codes
}

func TestEveryCodeHasAStatus(t *testing.T) {
	codes := declaredCodes(t)
	if len(codes) != len(statuses) {
		t.Errorf("%d codes are declared, %d have a status", len(codes), len(statuses))
	}
	for _, code := range codes {
		if status, ok := statuses[code]; !ok || status == exitDone || status == exitPartly {
			t.Errorf("%s has status %d", code, status)
		}
	}
}

func TestExitStatus(t *testing.T) {
	absent := &api.Error{Code: api.CodeKeyAbsent, Message: "cannot reach spare"}
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{context.Canceled, 1},
		{&api.Error{Code: "from a later version"}, 1},
		{usagef("", "cannot"), 2},
		{fmt.Errorf("outer: %w", usagef("", "cannot")), 2},
		{absent, 4},
		{fmt.Errorf("outer: %w", absent), 4},
		{ended(7), 7},
		{fmt.Errorf("outer: %w", ended(8)), 8},
	}
	for _, test := range tests {
		if got := exitStatus(test.err); got != test.want {
			t.Errorf("%v: got %d, want %d", test.err, got, test.want)
		}
	}
}

func TestReportError(t *testing.T) {
	outcome := func(state api.CopyState, code api.ErrorCode) api.Outcome {
		if code == "" {
			return api.Outcome{State: state}
		}
		return api.Outcome{State: state, Error: &api.Error{Code: code}}
	}
	proved, touch := outcome(api.CopyProved, ""), outcome(api.CopyPending, api.CodeTouchTimeout)
	tests := map[string]struct {
		report api.Report
		want   int
	}{
		"complete":        {api.Report{Complete: true, Accounts: []api.AccountReport{{Proved: 2, Outcomes: []api.Outcome{proved, proved}}}}, 0},
		"nothing to do":   {api.Report{Complete: true}, 0},
		"one of two":      {api.Report{Accounts: []api.AccountReport{{Proved: 1, Outcomes: []api.Outcome{proved, touch}}}}, 7},
		"too few keys":    {api.Report{Accounts: []api.AccountReport{{Proved: 1, Outcomes: []api.Outcome{proved}}}}, 7},
		"none, no reason": {api.Report{Accounts: []api.AccountReport{{Outcomes: []api.Outcome{outcome(api.CopyPending, "")}}}}, 7},
		"none, touch":     {api.Report{Accounts: []api.AccountReport{{Outcomes: []api.Outcome{touch}}}}, 5},
		"none, absent":    {api.Report{Accounts: []api.AccountReport{{Outcomes: []api.Outcome{outcome(api.CopyPending, api.CodeKeyAbsent)}}}}, 4},
		"wrong proof":     {api.Report{Accounts: []api.AccountReport{{Proved: 1, Outcomes: []api.Outcome{proved, outcome("", api.CodeProofFailed)}}}}, 8},
		"mismatch":        {api.Report{Complete: true, Accounts: []api.AccountReport{{Outcomes: []api.Outcome{outcome(api.CopyMismatch, "")}}}}, 8},
	}
	for name, test := range tests {
		if got := exitStatus(reportError(test.report)); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}
