package importer

import (
	"strings"
	"testing"
)

func TestCSV(t *testing.T) {
	const text = "Name, TOTP ,Notes\r\n" + // names are taken without blanks and in any case
		"a,b,c\r\n" +
		"\"d,\"\"e\"\"\",\"f\r\ng\",\"\"\n" +
		"\n" +
		"short\n" +
		",,\n" +
		"last,\"x\",y"
	in := &input{data: []byte(text)}
	if !in.hasColumns("totp", "name") || in.hasColumns("totp", "other") {
		t.Error("the columns are not those of the first line")
	}
	var got []string
	for row, err := range in.csv() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row.text("name")+"|"+row.text("totp")+"|"+row.text("notes")+"|"+row.text("other"))
	}
	want := []string{"a|b|c|", "d,\"e\"|f\r\ng||", "|||", "short|||", "|||", "last|x|y|"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	for row, err := range in.csv() {
		if err != nil || row.text("name") != "a" {
			t.Errorf("%q, %v", row.fields, err)
		}
		break
	}
}
