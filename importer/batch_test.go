package importer

import (
	"reflect"
	"strings"
	"testing"
)

func TestJoin(t *testing.T) {
	read := func(names ...string) []Export {
		var list []Export
		for _, name := range names {
			export, err := Read(fixture(t, name), Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(export.Wipe)
			list = append(list, export)
		}
		return list
	}
	for _, test := range []struct {
		files []string
		want  []Batch
		// missing are the parts that the first batch lacks.
		missing []int
	}{
		{[]string{"google_batch1.txt"}, []Batch{{99, 3, []int{0}}}, []int{1, 2}},
		{[]string{"google_batch2.txt", "otpauth_bom.txt", "google_batch1.txt", "google_batch2.txt"}, []Batch{{99, 3, []int{0, 1}}}, []int{2}},
		{[]string{"google.txt", "google_batch1.txt"}, []Batch{{1234, 1, []int{0}}, {99, 3, []int{0}}}, nil},
	} {
		got := Join(read(test.files...))
		if !reflect.DeepEqual(got, test.want) || !reflect.DeepEqual(got[0].Missing(), test.missing) {
			t.Errorf("%v: %v, of which %v are missing, want %v", test.files, got, got[0].Missing(), test.missing)
		}
	}
	if got := Join(read("aegis.json")); got != nil {
		t.Errorf("Aegis has batches: %v", got)
	}
}

// TestSeveralCodesInOneFile has a picture's texts, one a line, of two exports and an account.
func TestSeveralCodesInOneFile(t *testing.T) {
	text := strings.Join([]string{
		string(fixture(t, "google_batch1.txt")), string(fixture(t, "otpauth_bom.txt"))[3:], string(fixture(t, "google_batch2.txt")), string(fixture(t, "google.txt")),
	}, "")
	export, err := Read([]byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer export.Wipe()
	if want := strings.Join([]string{alice, alice, dave, carol, alice, carol, dave, mallory, long}, "\n") + "\n"; lines(export.Entries) != want {
		t.Errorf("got\n%swant\n%s", lines(export.Entries), want)
	}
	if want := []Batch{{99, 3, []int{0, 1}}, {1234, 1, []int{0}}}; !reflect.DeepEqual(export.Batches, want) {
		t.Errorf("batches %v, want %v", export.Batches, want)
	}
}

func TestMigrationErrors(t *testing.T) {
	for data, want := range map[string]string{
		"":                     "no account",
		"%4":                   "not escaped properly",
		"%zz":                  "not base64",
		"Cg":                   "cut off or damaged",
		"CgUK%2F%2F%2F%2F%2Fw": "cut off or damaged",
		"Cwo":                  "field of type 3",
		"CAE":                  "it has no secret", // an account that is a number
		"GAAgAA":               "batch of 0 codes",
		"GP%2F%2F%2F%2F8H":     "at most 10000 are granted",
		"GAIgAg":               "code 3 of 2",
		"GAIg____________AQ":   "code 0 of 2",
	} {
		export, err := Read([]byte("otpauth-migration://offline?data="+data), Options{})
		if err != nil || len(export.Entries) != 1 || export.Entries[0].Problem == nil || !strings.Contains(export.Entries[0].Problem.Error(), want) {
			t.Errorf("%q: %s%v, want %q", data, lines(export.Entries), err, want)
		}
	}
	if _, err := Read([]byte("otpauth-migration://offline"), Options{}); err != nil {
		t.Errorf("a URI without data sinks the file: %v", err)
	}
}
