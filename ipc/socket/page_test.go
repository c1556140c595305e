package socket

import (
	"math"
	"net/url"
	"testing"
)

func TestLimit(t *testing.T) {
	for query, want := range map[string]int{"": math.MaxInt, "limit=1": 1, "limit=200": 200, "limit=0": 0, "limit=-1": 0, "limit=": 0, "limit=all": 0} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := limit(q); got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d, %v", query, got, err)
		}
	}
}
