package pcsc

import (
	"encoding/hex"
	"errors"
	"testing"
)

func TestExchangeT0(t *testing.T) {
	for name, test := range map[string]struct {
		command string
		steps   [][2]string
		want    string
	}{
		"header alone":                 {"00a10000", [][2]string{{"00a10000", "9000"}}, "9000"},
		"an answer":                    {"00a1000000", [][2]string{{"00a1000000", "019000"}}, "019000"},
		"the applet has more":          {"00a1000000", [][2]string{{"00a1000000", "016102"}}, "016102"},
		"an empty part":                {"00a5000000", [][2]string{{"00a5000000", "6102"}}, "6102"},
		"data":                         {"100100000107", [][2]string{{"100100000107", "9000"}}, "9000"},
		"data and an answer":           {"00a400000107" + "00", [][2]string{{"00a400000107", "6102"}, {"00c0000002", "01029000"}}, "01029000"},
		"data and a part of an answer": {"00a400000107" + "00", [][2]string{{"00a400000107", "6100"}, {"00c0000000", "016110"}}, "016110"},
		"data, refused":                {"00a400000107" + "00", [][2]string{{"00a400000107", "6a80"}}, "6a80"},
	} {
		t.Run(name, func(t *testing.T) {
			steps := test.steps
			command, _ := hex.DecodeString(test.command)
			got, err := exchangeT0(command, func(sent []byte) ([]byte, error) {
				if len(steps) == 0 || hex.EncodeToString(sent) != steps[0][0] {
					t.Fatalf("sent %x with %v to come", sent, steps)
				}
				answer, err := hex.DecodeString(steps[0][1])
				steps = steps[1:]
				return answer, err
			})
			if err != nil || hex.EncodeToString(got) != test.want || len(steps) > 0 {
				t.Errorf("%x, %v, with %v to come", got, err, steps)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := exchangeT0([]byte{0, 0xa1, 0, 0, 0}, func([]byte) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
