package importer

import (
	"fmt"
	"strings"
	"testing"
)

// javaMap is the head of a map of n elements.
func javaMap(n byte) string {
	return javaMagic + "sr" + javaHashMap + "\x3f\x40\x00\x00\x00\x00\x00\x0c" + "w\x08\x00\x00\x00\x10\x00\x00\x00" + string([]byte{n})
}

func TestJavaMap(t *testing.T) {
	for _, test := range []struct{ data, want string }{
		{javaMap(0) + "x", "[]"},
		{javaMap(1) + "t\x00\x01at\x00\x01bx", "[a=b]"},
		// Handles count from the class and the map: the third is the first text.
		{javaMap(2) + "t\x00\x01at\x00\x01b" + "q\x00\x7e\x00\x03q\x00\x7e\x00\x02x", "[a=b b=a]"},
		{javaMap(1) + "t\x00\x01a|\x00\x00\x00\x00\x00\x00\x00\x03bcdx", "[a=bcd]"},
		// NUL, é, and U+1F600 as two surrogates, each in three bytes; then one alone, and what is no UTF-8 of any kind.
		{javaMap(1) + "t\x00\x01at\x00\x0a\xc0\x80\xc3\xa9\xed\xa0\xbd\xed\xb8\x80x", "[a=\x00é😀]"},
		{javaMap(1) + "t\x00\x01at\x00\x06\xed\xa0\xbdbc\xffx", "[a=\ufffdbc\ufffd]"},
		{javaMap(1) + "t\x00\x01a", "it is cut off: 1 bytes are missing"},
		{javaMap(1) + "t\x00\x01at\x00", "it is cut off: 1 bytes are missing"},
		{javaMap(1) + "q\x00\x7e", "it is cut off: 2 bytes are missing"},
		{javaMap(1) + "q\x00\x7e\x00\x02t\x00\x01b", errJavaMap.Error()},
		{javaMap(1) + "q\x00\x00\x00\x00t\x00\x01b", errJavaMap.Error()},
		{javaMap(1) + "pp", errJavaMap.Error()},
		{javaMap(1) + "|\x00\x00\x00\x01\x00\x00\x00\x00", ErrLimit.Error() + ": a text of 4294967296 bytes"},
		{strings.Replace(javaMap(0), "w\x08", "w\x09", 1), errJavaMap.Error()},
	} {
		pairs, err := readJavaMap([]byte(test.data))
		var list []string
		for _, p := range pairs {
			list = append(list, p.key+"="+string(p.value))
		}
		got := fmt.Sprint(list)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q: %q, want %q", test.data[len(javaMap(0))-1:], got, test.want)
		}
	}
}
