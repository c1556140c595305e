package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// commands names the commands that a key has seen.
func commands(k *softkey.Key) string {
	names := map[byte]string{
		0x01: "PUT", 0x1d: "CONFIG", 0xa1: "LIST", 0xa2: "CALCULATE", 0xa3: "VALIDATE", 0xa4: "ALL", 0xa5: "MORE",
	}
	var seen []string
	for _, a := range k.APDUs() {
		switch name, known := names[a.INS]; {
		case a.INS == 0xa4 && a.P1 == 0x04:
			seen = append(seen, "SELECT")
		case known:
			seen = append(seen, name)
		default:
			seen = append(seen, fmt.Sprintf("%02X", a.INS))
		}
	}
	return strings.Join(seen, " ")
}

// TestWire counts every command that reaches a key, for each costs a neighbour's PIN or a person's time.
func TestWire(t *testing.T) {
	const period = 600 // so that hardly a test runs into the next step
	for _, test := range []struct {
		name, open string
		password   string
	}{
		{name: "open", open: "SELECT"},
		{name: "password", open: "SELECT VALIDATE", password: "correct horse"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bay := softkey.NewBay()
			key, err := softkey.New(softkey.Options{Serial: 7, Personality: "yubikey-5.4"})
			if err != nil {
				t.Fatal(err)
			}
			bay.Insert(key)
			a, ctx, who := runAgent(t, bay), t.Context(), agent.Caller{Name: "test"}
			adopt(t, a, 7)
			if test.password != "" {
				if _, err := a.SetPassword(ctx, who, "7", oath.TakeSecret([]byte(test.password))); err != nil {
					t.Fatal(err)
				}
			}
			sees := func(what, want string, act func() error) {
				t.Helper()
				key.ForgetAPDUs()
				if err := act(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if got := commands(key); got != want {
					t.Errorf("%s: the key saw %s; want %s", what, got, want)
				}
			}
			sees("a copy", test.open+" LIST PUT CALCULATE", func() error {
				_, err := a.Add(ctx, who, api.AddRequest{Copies: 1, Accounts: []api.NewAccount{{
					Issuer: "Example", Name: "alice", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: period, SeedBytes: 20,
				}}}, []*oath.Secret{oath.TakeSecret([]byte("12345678901234567890"))}, func(api.Step) {})
				return err
			})
			code := func() error {
				_, err := a.Code(ctx, who, api.CodeRequest{Account: "alice"})
				return err
			}
			sees("a code, the cache empty", test.open+" CALCULATE", code)
			sees("the same code again", "", code)
			sees("plugged in again, unchanged", "SELECT CONFIG "+test.open+" LIST", func() error {
				return replug(t, a, bay, key)
			})
			sees("proved again", test.open+" LIST ALL", func() error {
				_, err := a.Verify(ctx, who, api.VerifyRequest{}, func(api.Step) {})
				return err
			})
		})
	}
}

// replug pulls a key out, plugs it in again, and waits until the agent has looked at it.
func replug(t *testing.T, a *agent.Agent, bay *softkey.Bay, key *softkey.Key) error {
	t.Helper()
	events := a.Events(t.Context())
	bay.Remove(key)
	bay.Insert(key)
	for e := range events {
		if e.Kind == api.EventKeyIn {
			return nil
		}
	}
	return t.Context().Err()
}
