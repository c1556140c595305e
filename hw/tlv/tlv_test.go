package tlv_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/oathd/oathd/hw/tlv"
)

func TestAppend(t *testing.T) {
	for n, header := range map[int]string{
		0: "7100", 1: "7101", 127: "717f", 128: "718180", 255: "7181ff", 256: "71820100", 65535: "7182ffff",
	} {
		got := tlv.Append([]byte{9}, 0x71, make([]byte, n)...)
		if want := "09" + header; hex.EncodeToString(got[:len(got)-n]) != want {
			t.Errorf("%d bytes: header %x, want %s", n, got[:len(got)-n], want)
		}
	}
	if got := tlv.AppendBare(nil, 0x78, 2); !bytes.Equal(got, []byte{0x78, 2}) {
		t.Errorf("bare: %x", got)
	}
}

func TestAppendPanicsOnTooLong(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("65536 bytes did not panic")
		}
	}()
	tlv.Append(nil, 1, make([]byte, 65536)...)
}

func TestParse(t *testing.T) {
	list, err := tlv.Parse([]byte{0x71, 1, 0xaa, 0x99, 0, 0x71, 0x81, 2, 0xbb, 0xcc})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Fatalf("%d elements: %v", len(list), list)
	}
	if v, ok := tlv.Find(list, 0x71); !ok || !bytes.Equal(v, []byte{0xaa}) {
		t.Errorf("first 71: %x, %t", v, ok)
	}
	if v, ok := tlv.Find(list, 0x99); !ok || len(v) != 0 {
		t.Errorf("99: %x, %t", v, ok)
	}
	if v, ok := tlv.Find(list, 0x72); ok || v != nil {
		t.Errorf("72 was found: %x", v)
	}
	all := slices.Collect(tlv.All(list, 0x71))
	if len(all) != 2 || !bytes.Equal(all[1], []byte{0xbb, 0xcc}) {
		t.Errorf("all 71: %x", all)
	}
	for first := range tlv.All(list, 0x71) {
		if first[0] != 0xaa {
			t.Errorf("the first of all is %x", first)
		}
		break
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"71", "7101", "7180", "7181", "718102ff", "7182", "718201", "7182000100ff71", "7183000001aa", "71ff"} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if list, err := tlv.Parse(b); !errors.Is(err, tlv.ErrMalformed) || list != nil {
			t.Errorf("%s: %v, %v", in, list, err)
		}
	}
}

// FuzzParse holds that what can be read can be written, and is read alike again.
func FuzzParse(f *testing.F) {
	f.Add([]byte{0x71, 1, 0xaa})
	f.Add([]byte{0x71, 0x82, 0, 1, 0xaa, 0x72, 0x81, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := tlv.Parse(b)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range list {
			again = tlv.Append(again, e.Tag, e.Value...)
		}
		if len(again) > len(b) {
			t.Errorf("%x is written longer, as %x", b, again)
		}
		second, err := tlv.Parse(again)
		if err != nil || !slices.EqualFunc(list, second, equal) {
			t.Errorf("%x read again: %v, %v", again, second, err)
		}
	})
}

func equal(a, b tlv.TLV) bool { return a.Tag == b.Tag && bytes.Equal(a.Value, b.Value) }
