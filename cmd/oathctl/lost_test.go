package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

// TestLostWithoutSecret has nobody say what opens the escrow: people are told what is at risk all the same, programs get the one
// document that they parse, which is the error.
func TestLostWithoutSecret(t *testing.T) {
	key := api.Key{ID: "aaaa", Label: "daily", State: api.KeyLost}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/keys", answers(api.Keys{Keys: []api.Key{key}}))
	mux.HandleFunc("POST /v1/keys/aaaa/lost", answers(api.LostReport{Key: key, Recipient: true}))
	daemon := fakeDaemon(t, mux)
	for want, document := range map[string]bool{"daily is lost": false, `{"error":{`: true} {
		term, out, _ := fakeTerminal()
		term.json = document
		a := &app{term: term, client: daemon}
		err := a.lost(t.Context(), withFlag{"passphrase"}, "daily", true)
		if err == nil || !strings.Contains(err.Error(), "a secret is missing") {
			t.Errorf("%v", err)
		}
		term.fail(err)
		if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 1 || !strings.HasPrefix(lines[0], want) {
			t.Errorf("it prints %q, want %q", lines, want)
		}
	}
}
