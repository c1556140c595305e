package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/oathd/oathd/hw"
)

// home gives the test an environment of its own and returns its home directory.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, prefix) {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", dir)
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "run"))
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("XDG_STATE_HOME", "")
	return dir
}

// write writes the settings' file of the test's home.
func write(t *testing.T, home, text string) string {
	t.Helper()
	path := filepath.Join(home, ".config", "oathd", "config.toml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// parse returns the flags of a command line.
func parse(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("oathd", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func defaults(home string) Config {
	return Config{
		Socket: filepath.Join(home, "run/oathd/oathd.sock"), CodesSocket: filepath.Join(home, "run/oathd/codes.sock"), Ledger: filepath.Join(home, ".local/state/oathd/ledger.db"),
		DBus: "auto", Notifications: true, Copies: 2, Search: true, LogLevel: "info", StopTimeout: 5 * time.Second, SoftPersonality: "yubikey-5.7", SoftTouch: "instant",
	}
}

func TestDefaults(t *testing.T) {
	dir := home(t)
	for name, flags := range map[string]*pflag.FlagSet{"no flags": nil, "other flags": pflag.NewFlagSet("", pflag.ContinueOnError), "flags": parse(t)} {
		got, err := Load(flags)
		if want := defaults(dir); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestEverySettingInTheFile(t *testing.T) {
	dir := home(t)
	write(t, dir, `
socket = "/run/me/s"
codes_socket = "off"
ledger = ":memory:"
dbus = "unix:path=/run/bus"
notifications = false
ykman_passwords = true
copies = 3
key_order = ["blue", "12345678", "one, two"]
search = false
search_keyword = "otp"
search_codes = true
log_level = "debug"
stop_timeout = "1m30s"
soft_keys = 8
soft_personality = "neo"
soft_touch = "manual"
soft_slow = true
insecure_state = "~/soft.json"
`)
	want := Config{
		Socket: "/run/me/s", CodesSocket: Off, Ledger: ":memory:", DBus: "unix:path=/run/bus", YkmanPasswords: true, Copies: 3, KeyOrder: []string{"blue", "12345678", "one, two"},
		SearchKeyword: "otp", SearchCodes: true,
		LogLevel: "debug", StopTimeout: 90 * time.Second, SoftKeys: 8, SoftPersonality: "neo", SoftTouch: "manual",
		SoftSlow: true, InsecureState: filepath.Join(dir, "soft.json"),
	}
	got, err := Load(nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if fields := reflect.TypeFor[Config]().NumField(); fields != len(settings) {
		t.Errorf("Config has %d fields, the table %d settings", fields, len(settings))
	}
}

func TestLaterSourcesWin(t *testing.T) {
	dir := home(t)
	write(t, dir, "copies = 3\nsoft_keys = 3\nsoft_slow = true\nkey_order = [\"file\"]")
	t.Setenv("OATHD_SOFT_KEYS", "4")
	t.Setenv("OATHD_SOFT_SLOW", "false")
	t.Setenv("OATHD_KEY_ORDER", "blue, red")
	t.Setenv("OATHD_LOG_LEVEL", "") // as if it were not set
	got, err := Load(parse(t, "--soft-keys", "5", "--stop-timeout=0s", "--soft-slow"))
	want := defaults(dir)
	want.Ledger = memory
	want.Copies, want.SoftKeys, want.SoftSlow, want.KeyOrder, want.StopTimeout = 3, 5, true, []string{"blue", "red"}, 0
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// TestSoftKeysStayOutOfTheLedger: who only tries them out must not find them among the real ones for ever.
func TestSoftKeysStayOutOfTheLedger(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string // below the home, unless it is in memory
	}{
		{"no soft keys", nil, ".local/state/oathd/ledger.db"},
		{"soft keys", []string{"--soft-keys=2"}, ":memory:"},
		{"soft keys that last", []string{"--soft-keys=2", "--insecure-state=/s"}, ".local/state/oathd/soft-ledger.db"},
		{"a ledger that is set", []string{"--soft-keys=2", "--ledger=$XDG_STATE_HOME/oathd/ledger.db"}, ".local/state/oathd/ledger.db"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := home(t)
			want := test.want
			if want != memory {
				want = filepath.Join(dir, want)
			}
			if got, err := Load(parse(t, test.args...)); err != nil || got.Ledger != want {
				t.Errorf("got %s, %v, want %s", got.Ledger, err, want)
			}
		})
	}
	dir := home(t)
	write(t, dir, `ledger = "~/l"`)
	t.Setenv("OATHD_SOFT_KEYS", "1")
	if got, err := Load(nil); err != nil || got.Ledger != filepath.Join(dir, "l") {
		t.Errorf("with the file's: got %s, %v", got.Ledger, err)
	}
}

// TestCodesSocketIsBesideTheOther: a second daemon with a socket of its own must not get into the first one's way.
func TestCodesSocketIsBesideTheOther(t *testing.T) {
	dir := home(t)
	for want, args := range map[string][]string{
		filepath.Join(dir, "run/oathd/codes.sock"): nil,
		"/a/codes.sock": {"--socket=/a/b.sock"},
		"/c":            {"--socket=/a/b.sock", "--codes-socket=/c"},
		Off:             {"--codes-socket=off"},
	} {
		if got, err := Load(parse(t, args...)); err != nil || got.CodesSocket != want {
			t.Errorf("%q: got %s, %v, want %s", args, got.CodesSocket, err, want)
		}
	}
}

func TestFlagCanTakeBack(t *testing.T) {
	write(t, home(t), "key_order = [\"file\"]\ninsecure_state = \"/file\"\nsoft_slow = true")
	got, err := Load(parse(t, "--key-order=", "--insecure-state=", "--soft-slow=false"))
	if err != nil || got.KeyOrder != nil || got.InsecureState != "" || got.SoftSlow {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPaths(t *testing.T) {
	dir := home(t)
	t.Setenv("XDG_STATE_HOME", "/state")
	t.Setenv("XDG_CONFIG_HOME", "relative") // "should consider the path invalid and ignore it"
	for text, want := range map[string]string{
		"/a/../b":                  "/b",
		"~/x":                      filepath.Join(dir, "x"),
		"$HOME/x":                  filepath.Join(dir, "x"),
		"$XDG_RUNTIME_DIR/a/b":     filepath.Join(dir, "run/a/b"),
		"$XDG_STATE_HOME/oathd/db": "/state/oathd/db",
		"$XDG_CONFIG_HOME/x":       filepath.Join(dir, ".config/x"),
	} {
		if got, err := expand(text); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestFlagPaths(t *testing.T) {
	dir := home(t)
	t.Chdir(dir)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"here.db":            filepath.Join(here, "here.db"),
		"../up.db":           filepath.Join(filepath.Dir(here), "up.db"),
		":memory:":           ":memory:",
		"$HOME/quoted.db":    filepath.Join(dir, "quoted.db"),
		"/absolute/./ledger": "/absolute/ledger",
	} {
		got, err := Load(parse(t, "--ledger", text))
		if err != nil || got.Ledger != want {
			t.Errorf("%s: got %s, %v, want %s", text, got.Ledger, err, want)
		}
	}
}

// TestBadFile reads files of one mistake each: the error names the file, the setting and what is allowed.
func TestBadFile(t *testing.T) {
	for text, want := range map[string]string{
		`sockt = "/x"`:                  `unknown setting "sockt" (did you mean "socket"?)`,
		`Socket = "/x"`:                 `unknown setting "Socket" (did you mean "socket"?)`,
		"[soft]\nkeys = 2":              `unknown setting "soft" (did you mean`,
		`"soft.keys" = 2`:               `unknown setting "soft.keys" (did you mean "soft_keys"?)`,
		`socket = 5`:                    `socket: 5 is not a string`,
		`socket = "here"`:               `socket: "here" is not an absolute path`,
		`socket = ""`:                   `socket: "" is not an absolute path`,
		`socket = ":memory:"`:           `socket: ":memory:" is not an absolute path`,
		`ledger = "$TMP/x"`:             `ledger: "$TMP/x" is not an absolute path`,
		`ledger = "/a\u0000b"`:          `is not an absolute path`,
		`copies = 0`:                    `copies: 0 is not a whole number from 1 to 100`,
		`copies = 101`:                  `copies: 101 is not a whole number from 1 to 100`,
		`copies = 2.5`:                  `copies: 2.5 is not a whole number`,
		`copies = "two"`:                `copies: "two" is not a whole number`,
		`copies = [2]`:                  `copies: [2] is not a whole number`,
		`key_order = 5`:                 `key_order: 5 is not a list such as ["blue", "red"]`,
		`key_order = ["a", 5]`:          `key_order: 5 in the list is not a string`,
		`key_order = ["a", ""]`:         `key_order: the list has an empty entry`,
		`log_level = "warning"`:         `log_level: "warning" is none of debug, info, warn, error (did you mean "warn"?)`,
		`dbus = "on"`:                   `dbus: "on" is none of auto, off (did you mean "off"?)`,
		`dbus = "tcp:host=localhost"`:   `is none of auto, off`,
		`dbus = true`:                   `dbus: true is not a string`,
		`log_level = 3`:                 `log_level: 3 is not a string`,
		`stop_timeout = 5`:              `stop_timeout: 5 is not a duration such as "10s"`,
		`stop_timeout = "5"`:            `stop_timeout: "5" is not a duration`,
		`stop_timeout = "-5s"`:          `stop_timeout: "-5s" is not a duration`,
		`soft_slow = "yes"`:             `soft_slow: "yes" is neither true nor false`,
		`search_keyword = "one time"`:   `search_keyword: "one time" is not one word`,
		`search_keyword = " "`:          `search_keyword: " " is not one word`,
		`search = "maybe"`:              `search: "maybe" is neither true nor false`,
		`soft_slow = 1`:                 `soft_slow: 1 is neither true nor false`,
		`soft_personality = "yubikey5"`: `(did you mean "yubikey-5.7"?)`,
		"copies = 2\ncopies = 3":        `toml`,
		"copies = 2\n= 3":               `line 2, column 1`,
		"copies = \xff":                 `line 1`,
		`log_level = "` + strings.Repeat("ü", 100) + `"`: `…`,
		strings.Repeat("#", maxFile) + "\n":              `longer than 1048576 bytes`,
	} {
		t.Run(text[:min(len(text), 20)], func(t *testing.T) {
			path := write(t, home(t), text)
			_, err := Load(nil)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, want %s", err, want)
			}
			if begin := "cannot use the settings in " + path + ": "; !strings.HasPrefix(err.Error(), begin) {
				t.Errorf("%v does not begin with %s", err, begin)
			}
		})
	}
}

func TestUnreadableFile(t *testing.T) {
	dir := home(t)
	if err := os.MkdirAll(filepath.Join(dir, ".config/oathd/config.toml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(nil); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: got %v", err)
	}
	t.Setenv("XDG_CONFIG_HOME", "/dev/null")
	if _, err := Load(nil); err == nil || !strings.Contains(err.Error(), "cannot read the settings") {
		t.Errorf("below a file: got %v", err)
	}
}

func TestBadEnvironment(t *testing.T) {
	for _, test := range []struct{ variable, value, want string }{
		{"OATHD_SOKET", "/x", `cannot use the environment: unknown setting "OATHD_SOKET" (did you mean "OATHD_SOCKET"?)`},
		{"OATHD_", "", `unknown setting "OATHD_"`},
		{"OATHD_socket", "/x", `(did you mean "OATHD_SOCKET"?)`},
		{"OATHD_COPIES", "0", `cannot use the environment: OATHD_COPIES: "0" is not a whole number from 1 to 100`},
		{"OATHD_COPIES", "99999999999999999999", `is not a whole number`},
		{"OATHD_KEY_ORDER", "a,,b", `empty entry`},
	} {
		t.Run(test.variable+"="+test.value, func(t *testing.T) {
			home(t)
			t.Setenv(test.variable, test.value)
			_, err := Load(parse(t, "--copies=5")) // what is not used is checked as well
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestSamplesAreNoSetting(t *testing.T) {
	home(t)
	t.Setenv("OATHD_SAMPLES", "/samples")
	if _, err := Load(nil); err != nil {
		t.Error(err)
	}
}

func TestBadFlags(t *testing.T) {
	for arg, want := range map[string]string{
		"--soft-keys=65":     `invalid argument "65" for "--soft-keys" flag: "65" is not a whole number from 0 to 64`,
		"--log-level=loud":   `is none of debug, info, warn, error`,
		"--soft-slow=maybe":  `neither true nor false`,
		"--stop-timeout=5":   `not a duration`,
		"--socket=":          `"" is not an absolute path`,
		"--sokcet=/x":        `unknown flag`,
		"--key-order=a,,b":   `empty entry`,
		"--soft-touch=Never": `(did you mean "never"?)`,
	} {
		flags := pflag.NewFlagSet("oathd", pflag.ContinueOnError)
		AddFlags(flags)
		if err := flags.Parse([]string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", arg, err, want)
		}
	}
}

func TestFlagUsage(t *testing.T) {
	flags := pflag.NewFlagSet("oathd", pflag.ContinueOnError)
	AddFlags(flags)
	usage := flags.FlagUsages()
	for _, want := range []string{`--socket path `, `(default $XDG_RUNTIME_DIR/oathd/oathd.sock)`, `--copies number `, `--key-order list `, "--soft-slow  "} {
		if !strings.Contains(usage, want) {
			t.Errorf("%q is missing in\n%s", want, usage)
		}
	}
	if err := flags.Parse([]string{"--soft-slow"}); err != nil || flags.Lookup("soft-slow").Value.String() != "true" {
		t.Errorf("a boolean flag without a value is %s, %v", flags.Lookup("soft-slow").Value, err)
	}
}

func TestNoRuntimeDir(t *testing.T) {
	dir := home(t)
	t.Setenv("XDG_RUNTIME_DIR", "")
	old := userRuns
	t.Cleanup(func() { userRuns = old })

	userRuns = filepath.Join(dir, "user")
	_, err := Load(nil)
	if err == nil || !strings.Contains(err.Error(), "XDG_RUNTIME_DIR is not set") || !strings.Contains(hw.Hint(err), "--socket") {
		t.Errorf("got %v, hint %q", err, hw.Hint(err))
	}
	if got, err := Load(parse(t, "--socket=/s")); err != nil || got.Socket != "/s" || got.CodesSocket != "/codes.sock" {
		t.Errorf("with --socket: got %+v, %v", got, err)
	}
	mine := filepath.Join(userRuns, strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(nil); err != nil || got.Socket != filepath.Join(mine, "oathd/oathd.sock") {
		t.Errorf("with a directory of logind: got %s, %v", got.Socket, err)
	}
	userRuns = "/dev/null"
	if _, err := Load(nil); err == nil {
		t.Error("a path below a file was taken")
	}
}

func TestNoHome(t *testing.T) {
	home(t)
	t.Setenv("HOME", "")
	_, err := Load(nil)
	if err == nil || !strings.Contains(err.Error(), "cannot use the setting ledger: neither XDG_STATE_HOME nor HOME is set") || hw.Hint(err) == "" {
		t.Errorf("got %v", err)
	}
	if _, err := Load(parse(t, "--ledger=/l")); err != nil {
		t.Errorf("with --ledger: %v", err)
	}
}

// FuzzFile reads what may stand in a file: it is refused, or gives a Config in which every value is allowed.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"copies = 3", `key_order = ["a"]`, `socket = "~/x"`, "[a]\nb = 1", "soft_keys = 0x10", "stop_timeout = 1979-05-27",
		"copies = nan", `key_order = [["a"]]`, "socket = '''\n/x'''", "a.b.c = 1", "copies = 2\r\n\x00",
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Setenv("HOME", dir)
	f.Setenv("XDG_RUNTIME_DIR", dir)
	f.Fuzz(func(t *testing.T, text []byte) {
		v := viper.NewWithOptions(viper.WithDecoderRegistry(strict{}))
		if err := read(v, strings.NewReader(string(text))); err != nil {
			return
		}
		c, err := resolve(v)
		if err != nil {
			t.Fatalf("read took what resolve refuses: %v", err)
		}
		if c.Copies < 1 || c.Copies > 100 || !filepath.IsAbs(c.Socket) || c.StopTimeout < 0 {
			t.Errorf("took %+v", c)
		}
	})
}
