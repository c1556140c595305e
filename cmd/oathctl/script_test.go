package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

func TestMain(m *testing.M) {
	testscript.Main(housed{m}, map[string]func(){"oathctl": checkedMain})
}

// housed gives the tests a directory for the programs that they build.
type housed struct{ *testing.M }

var house string

func (h housed) Run() int {
	var err error
	if house, err = os.MkdirTemp("", "oathctl-test"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(house)
	return h.M.Run()
}

var build = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", house+"/", "../oathd", "../oathctl-import", "../oathctl-qr", "../oathctl-grab", "../oathctl-export", "../oathctl-clip", "../oathctl-doctor", "../oathctl-aws").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return nil
})

// programs builds oathd and what oathctl starts, once, and returns their directory.
func programs(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return house
}

var buildPlain = sync.OnceValue(func() error {
	c := exec.Command("go", "build", "-o", filepath.Join(house, "plain")+"/", ".", "../oathctl-import", "../oathctl-qr", "../oathctl-grab", "../oathctl-export", "../oathctl-clip", "../oathctl-doctor", "../oathctl-aws")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return nil
})

// plainPrograms builds oathctl and its kin as they are released, without the race detector, and returns their
// directory.
func plainPrograms(t *testing.T) string {
	t.Helper()
	if err := buildPlain(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(house, "plain")
}

// TestScripts runs the real oathctl against the real oathd. Beside testscript's own commands there are:
//
//	daemon [ARG...]      starts oathd with these arguments, and two soft keys, and waits for the keys
//	stopd                ends it
//	adopted              adopts both keys, as daily and spare
//	status N COMMAND...  runs a command that must exit with status N
//	totp SECRET ARG...   the last output is the code that "oathtool ARG... SECRET" computes
//	uris N FILE          writes a file of N accounts
//	different FILE...    no line is in them twice
//	keyring              starts a bus at BUS, with the desktop's keyring
//	atAWS A... - B...    starts a stand-in of AWS, with a profile for each user, and for each A a device and a file A.uri for what its console shows
func TestScripts(t *testing.T) {
	need.Program(t, "age", "age")
	need.Program(t, "oathtool", "oathtool")
	need.Program(t, "zbarimg", "zbar-tools")
	need.Program(t, "dbus-daemon", "dbus")
	need.Program(t, "gdbus", "libglib2.0-bin")
	need.Program(t, "gnome-keyring-daemon", "gnome-keyring")
	need.Program(t, "python3", "python3")
	bin := programs(t)
	pictures, err := filepath.Abs("testdata/pictures")
	if err != nil {
		t.Fatal(err)
	}
	exports, err := filepath.Abs("../../importer/testdata")
	if err != nil {
		t.Fatal(err)
	}
	seen := t.TempDir()
	t.Cleanup(func() {
		strangersRead(t, seen)
		if !t.Failed() && flag.Lookup("test.run").Value.String() == "" {
			wantAllSeen(t, seen)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/scripts",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ALONE", filepath.SplitList(env.Getenv("PATH"))[0]) // where oathctl is, and nothing else
			env.Setenv("PATH", env.Getenv("PATH")+":"+bin)
			env.Setenv("PICTURES", pictures)
			env.Setenv("EXPORTS", exports)
			env.Setenv(seenJSON, seen)
			env.Values["daemon"] = new(*running)
			return prepare(env.WorkDir, env.Setenv)
		},
		Cmds: joined(escrowCommands, map[string]func(*testscript.TestScript, bool, []string){
			"daemon": scriptDaemon, "stopd": scriptStop, "adopted": scriptAdopted, "status": scriptStatus, "totp": scriptTOTP, "uris": scriptURIs,
			"different": scriptDifferent, "atAWS": scriptAWS(t), "keyring": scriptKeyring,
		}),
	})
}

// prepare gives oathd and oathctl directories of their own.
func prepare(dir string, setenv func(name, value string)) error {
	setenv("DBUS_SESSION_BUS_ADDRESS", "") // theirs are no buses for our daemons
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/system/bus")
	for name, sub := range map[string]string{"XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config"} {
		path := filepath.Join(dir, sub)
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		setenv(name, path)
	}
	setenv("LANG", "C.UTF-8")
	setenv("GORACE", "atexit_sleep_ms=0") // else each race-built oathctl costs a second
	return nil
}

// scriptDaemon starts a daemon for the script; the script's value "daemon" holds it.
func scriptDaemon(ts *testscript.TestScript, _ bool, args []string) {
	env := []string{"PATH=" + ts.Getenv("PATH")}
	for _, name := range []string{"XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	ts.Defer(cancel)
	socket := filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "oathd", "oathd.sock")
	d, err := startDaemon(ctx, env, socket, append([]string{"--soft-keys", "2"}, args...)...)
	ts.Check(err)
	*ts.Value("daemon").(**running) = d
	ts.Defer(func() { ts.Check(d.stop()) })
}

func scriptStop(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check((*ts.Value("daemon").(**running)).stop())
}

// scriptURIs writes a file of so many accounts.
func scriptURIs(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "otpauth://totp/Service%d:user?secret=%s\n", i, strings.Repeat("AB", i+1)+strings.Repeat("A", (80-2*(i+1))%8))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text.String()), 0o600))
}

func scriptDifferent(ts *testscript.TestScript, _ bool, args []string) {
	in := map[string]string{}
	for _, file := range args {
		for line := range strings.Lines(ts.ReadFile(file)) {
			if other, twice := in[line]; twice {
				ts.Fatalf("%s and %s both have the line %s", other, file, line)
			}
			in[line] = file
		}
	}
}

func scriptAdopted(ts *testscript.TestScript, _ bool, _ []string) {
	d := *ts.Value("daemon").(**running)
	keys, err := d.client.Keys(context.Background())
	ts.Check(err)
	slices.SortFunc(keys, func(a, b api.Key) int { return cmp.Compare(a.Serial, b.Serial) })
	for i, label := range []string{"daily", "spare"} {
		ts.Check(ts.Exec("oathctl", "key", "adopt", keys[i].ID, "--label", label))
	}
}

func scriptStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// scriptTOTP accepts the code of this time step or, as it may have ended meanwhile, of the one before.
func scriptTOTP(ts *testscript.TestScript, _ bool, args []string) {
	got := strings.TrimSpace(ts.ReadFile("stdout"))
	now := time.Now()
	var codes []string
	for _, at := range []time.Time{now, now.Add(-5 * time.Second)} {
		options := append([]string{"--base32", "--now", "@" + strconv.FormatInt(at.Unix(), 10)}, args[1:]...)
		out, err := exec.Command("oathtool", append(options, args[0])...).Output()
		ts.Check(err)
		codes = append(codes, strings.TrimSpace(string(out)))
	}
	if got != codes[0] && got != codes[1] {
		ts.Fatalf("the code is %q, oathtool says %q", got, codes)
	}
}
