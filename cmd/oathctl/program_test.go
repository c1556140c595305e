package main

import (
	"testing"

	"github.com/oathd/oathd/ipc/client"
)

func TestVerbIn(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"code", "x"}, "code"},
		{[]string{"--json", "-q", "watch"}, "watch"},
		{[]string{"--socket", "/run/s", "watch", "x"}, "watch"},
		{[]string{"--socket=/run/s", "watch"}, "watch"},
		{[]string{"--wait", "5s"}, ""},
		{[]string{"--socket"}, ""},
		{[]string{"--nonsense", "watch"}, "watch"},
	} {
		root := (&app{term: new(terminal), client: new(client.Client)}).rootCommand()
		if got := verbIn(root, test.args); got != test.want {
			t.Errorf("%q: got %q, want %q", test.args, got, test.want)
		}
	}
}
