package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

// printed are the documents that each verb prints with --json. Any of them may instead print an api.ErrorBody.
var printed = map[string][]any{
	"accounts":                 {api.Accounts{}},
	"add":                      {api.Line{}},
	"aws coverage":             {kin.AWSCoverage{}},
	"aws credentials":          {kin.AWSCredentials{}},
	"aws enroll":               {api.Line{}, kin.AWSEnrolled{}},
	"aws pair":                 {api.Line{}, awsPaired{}},
	"aws resync":               {kin.AWSEnrolled{}},
	"aws setup":                {awsProfile{}},
	"code":                     {api.Code{}, copied{}},
	"completion":               {script{}},
	"coverage":                 {api.Coverage{}},
	"doctor":                   {kin.Diagnosis{}},
	"escrow backup":            {backupFile{}},
	"escrow drill":             {api.EscrowDrill{}},
	"escrow init":              {made{}},
	"escrow open":              {api.Escrow{}},
	"escrow paper":             {made{}},
	"escrow recipients":        {recipients{}},
	"escrow recipients add":    {made{}},
	"escrow recipients remove": {api.Escrow{}},
	"escrow status":            {api.Escrow{}},
	"events":                   {api.Event{}},
	"export":                   {exportFile{}},
	"import":                   {imports{}, formats{}, api.Line{}},
	"key adopt":                {api.Key{}},
	"key enroll":               {api.Enrollment{}},
	"key holder":               {api.Key{}},
	"key label":                {api.Key{}},
	"key lost":                 {api.LostReport{}},
	"key reset":                {api.Key{}},
	"key site":                 {api.Key{}},
	"keys":                     {api.Keys{}},
	"log":                      {api.Audit{}},
	"password clear":           {api.Key{}},
	"password set":             {api.Key{}},
	"password unlock":          {api.Key{}},
	"password remember":        {api.Key{}},
	"password forget":          {api.Key{}},
	"plan":                     {api.Plan{}, api.Line{}},
	"alias":                    {api.Account{}},
	"remove":                   {api.Report{}},
	"rename":                   {api.Report{}},
	"restore":                  {api.Line{}},
	"resume":                   {api.Line{}},
	"rotate":                   {api.Line{}, api.Report{}},
	"runbook":                  {runbookText{}},
	"runbook set":              {api.Account{}},
	"softkey plug":             {api.SoftKeys{}},
	"softkey pull":             {api.SoftKeys{}},
	"softkey touch":            {api.SoftKeys{}},
	"verify":                   {api.Line{}},
	"version":                  {versions{}},
}

// silent are the verbs that print no document: they show something, are the shells', or are nothing without a verb behind them.
var silent = []string{"", "help", "watch", "__bash", "key", "password", "softkey", "escrow", "aws"}

// verbs are all that can be run, by their whole names.
func verbs() []string {
	var names []string
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		name := strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), "oathctl"), " ")
		if !slices.Contains(silent, name) {
			names = append(names, name)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{term: new(terminal), client: new(client.Client)}).rootCommand())
	return names
}

func TestEveryVerbSaysWhatItPrints(t *testing.T) {
	known := verbs()
	for _, verb := range known {
		if printed[verb] == nil {
			t.Errorf("json_test.go does not say what %q prints with --json", verb)
		}
	}
	for verb := range printed {
		if !slices.Contains(known, verb) {
			t.Errorf("json_test.go says what %q prints, which is no verb", verb)
		}
	}
}

// checkedMain is main for the scripts: where --json is given, what is printed must be what the verb is said to print.
func checkedMain() {
	if !slices.Contains(os.Args, "--json") {
		main()
		return
	}
	read, write, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	shown := os.Stdout
	os.Stdout = write
	text := make(chan []byte)
	go func() {
		var all bytes.Buffer
		_, _ = io.Copy(io.MultiWriter(&all, shown), read)
		text <- all.Bytes()
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	status := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	_ = write.Close()
	if err := checkJSON(verbOf(os.Args[1:]), <-text); err != nil {
		fmt.Fprintln(os.Stderr, "not as docs/json.md has it:", err)
		status = 99
	}
	os.Exit(status)
}

// verbOf is the whole name of the verb that the arguments name.
func verbOf(args []string) string {
	found, _, err := (&app{term: new(terminal), client: new(client.Client)}).rootCommand().Find(args)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(found.CommandPath(), "oathctl"), " ")
}

// checkJSON compares what a verb has printed with what it is said to print, and keeps it for the foreign program.
func checkJSON(verb string, text []byte) error {
	kept, err := os.OpenFile(filepath.Join(os.Getenv(seenJSON), strings.ReplaceAll(verb, " ", "-")), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer kept.Close()
	for line := range bytes.Lines(text) {
		if checkDocument([]any{api.ErrorBody{}}, line) == nil {
			continue
		}
		if err := checkDocument(printed[verb], line); err != nil {
			return fmt.Errorf("%q printed %s: %w", verb, line, err)
		}
		if _, err := kept.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// checkDocument reads a line as one of the documents. No field may be unknown.
func checkDocument(documents []any, line []byte) (errs error) {
	for _, document := range documents {
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		err := d.Decode(reflect.New(reflect.TypeOf(document)).Interface())
		if err == nil {
			return nil
		}
		errs = errors.Join(errs, fmt.Errorf("as %T: %w", document, err))
	}
	return errs
}

func TestCheckDocumentCanFail(t *testing.T) {
	for line, want := range map[string]string{
		`{"keys":[]}`: "", `{"account":"a","label":"b"}`: "", `{"keyz":[]}`: "unknown field", `{"keys":{}}`: "cannot unmarshal", `x`: "invalid character",
	} {
		err := checkDocument([]any{api.Keys{}, copied{}}, []byte(line))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// seenJSON names the variable with the directory in which the scripts leave what the verbs have printed.
const seenJSON = "OATHCTL_TEST_JSON_SEEN"

// strangersRead has a foreign program read all that was printed.
func strangersRead(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	tool := exec.Command("python3", "-m", "json.tool", "--json-lines")
	tool.Stdin = bytes.NewReader(all)
	if out, err := tool.CombinedOutput(); err != nil {
		t.Errorf("python3 cannot read what was printed: %v: %.500s", err, out)
	}
}

// wantAllSeen wants the scripts to have had every verb print JSON.
func wantAllSeen(t *testing.T, dir string) {
	t.Helper()
	for _, verb := range verbs() {
		if info, err := os.Stat(filepath.Join(dir, strings.ReplaceAll(verb, " ", "-"))); err != nil || info.Size() == 0 {
			t.Errorf("no script runs oathctl --json %s", verb)
		}
	}
}
