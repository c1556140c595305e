package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
)

// handedOut are the verbs that work over a socket for lists and codes, refused those that do not.
var (
	handedOut = [][]string{{"accounts"}, {"keys"}, {"code", "amazon"}}
	refused   = [][]string{
		{"coverage"}, {"log"}, {"verify"}, {"resume"}, {"rename", "amazon", "aws"}, {"remove", "amazon"},
		{"key", "label", "main", "mine"}, {"key", "site", "main", "here"}, {"key", "reset", "main", "--force"}, {"softkey", "pull", "1000001"},
	}
)

// lends has a daemon with an account lend its codes.sock: ask runs oathctl in the other place.
func (d *daemon) lends(t *testing.T, ask func(args ...string) (string, error)) {
	t.Helper()
	d.present("1000001")
	d.do("key", "adopt", "1000001", "--label", "main")
	d.ctl("add", "--qr", picture) // one copy where two are wanted is a status of its own
	must := func(args ...string) string {
		out, err := ask(args...)
		if err != nil {
			t.Fatalf("oathctl %v: %v\n%s\noathd said:\n%s", args, err, out, &d.log)
		}
		return strings.TrimSuffix(out, "\n")
	}
	for _, verb := range handedOut {
		if must(verb...) == "" {
			t.Errorf("oathctl %v says nothing", verb)
		}
	}
	sameCode(t, pictureSeed, func() string { return d.do("code", "amazon") }, func() string { return must("code", "amazon") })
	for _, verb := range refused {
		if out, err := ask(verb...); err == nil || !strings.Contains(out, "this socket is for lists and codes alone") {
			t.Errorf("oathctl %v: %v\n%s", verb, err, out)
		}
	}
	if keys := d.do("keys"); !strings.Contains(keys, "main") || strings.Contains(keys, "here") {
		t.Errorf("afterwards the keys are:\n%s", keys)
	}
}

// codes is the path of the daemon's codes.sock.
func (d *daemon) codes() string { return filepath.Join(filepath.Dir(d.client.Socket), "codes.sock") }

// TestOverSSH forwards codes.sock with ssh -R, to another user of this machine where the test can have one.
func TestOverSSH(t *testing.T) {
	t.Parallel()
	d := start(t, build(t), os.Environ(), "--soft-keys", "1")
	remote := forward(t, d.codes())
	d.lends(t, func(args ...string) (string, error) {
		out, err := exec.Command(filepath.Join(d.bin, "oathctl"), append([]string{"--socket", remote}, args...)...).CombinedOutput()
		return string(out), err
	})
}

// forward has ssh listen in place of the socket, at the other end of a connection to an sshd of the test's own, and
// returns where.
func forward(t *testing.T, socket string) (remote string) {
	t.Helper()
	ssh := need.Program(t, "ssh", "openssh-client")
	dir := filepath.Dir(filepath.Dir(socket))
	key, control, there := filepath.Join(dir, "key"), filepath.Join(dir, "control"), filepath.Join(dir, "there")
	remote = filepath.Join(there, "codes.sock")
	newKey(t, key)
	name, server := sshd(t, there, key+".pub")
	// It goes to the background once the forwarding stands, and leaves stderr open: a pipe would never end.
	log, err := os.Create(filepath.Join(dir, "ssh.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(ssh, "-f", "-N", "-F", "none", "-M", "-S", control, "-i", key, "-R", remote+":"+socket, "-o", "ProxyCommand="+server,
		"-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", name+"@there")
	cmd.Stderr = log
	err = cmd.Run()
	t.Cleanup(func() { _ = exec.Command(ssh, "-F", "none", "-S", control, "-O", "exit", "there").Run() })
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("cannot connect to sshd: %v\n%s", err, said)
	}
	return remote
}

func newKey(t *testing.T, path string) {
	t.Helper()
	if out, err := exec.Command(need.Program(t, "ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("cannot make a key: %v: %s", err, out)
	}
}

// sshd prepares an sshd in dir that lets the key in, and returns as whom, and the command that runs it: on a pipe, as under
// inetd, so that it takes no port. Root's test has it run as nobody, as another machine would have another user.
func sshd(t *testing.T, dir, key string) (name, command string) {
	t.Helper()
	command = need.Program(t, "sshd", "openssh-server") + " -i -e -f " + dir + "/config"
	who, err := user.Current()
	if err == nil && who.Uid == "0" {
		who, err = user.Lookup("nobody")
		command = "setpriv --reuid=" + who.Uid + " --regid=" + who.Gid + " --clear-groups " + command
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	newKey(t, dir+"/host")
	config := fmt.Sprintf("HostKey %s/host\nAuthorizedKeysFile %s/authorized\nStrictModes no\nUsePAM yes\nPidFile none\n", dir, dir)
	err = errors.Join(os.Rename(key, dir+"/authorized"), os.WriteFile(dir+"/config", []byte(config), 0o644))
	uid, _ := strconv.Atoi(who.Uid)
	for _, file := range []string{"", "host", "authorized", "config"} {
		err = errors.Join(err, os.Chown(filepath.Join(dir, file), uid, -1))
	}
	if err != nil {
		t.Fatal(err)
	}
	return who.Username, command
}

// TestInContainer mounts codes.sock into an empty root directory with namespaces of its own, as a container has them, and
// runs the client there: it needs nothing but itself.
func TestInContainer(t *testing.T) {
	t.Parallel()
	unshare := need.Program(t, "unshare", "util-linux")
	bin := release(t)
	d := start(t, bin, os.Environ(), "--soft-keys", "1")
	root := t.TempDir()
	for _, name := range []string{"oathctl", "codes.sock"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const enter = `mount --bind "$1/oathctl" "$3/oathctl" && mount --bind "$2" "$3/codes.sock" && cd "$3" && shift 3 && exec chroot . /oathctl --socket /codes.sock "$@"`
	contain := func(args ...string) *exec.Cmd {
		return exec.Command(unshare, append([]string{"--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "sh", "-c", enter, "sh", bin, d.codes(), root}, args...)...)
	}
	out, _ := contain("version").CombinedOutput() // lends judges it
	need.That(t, !bytes.Contains(out, []byte("unshare failed")), "namespaces of its own: run it outside of a container (%s)", out)
	d.lends(t, func(args ...string) (string, error) {
		out, err := contain(args...).CombinedOutput()
		return string(out), err
	})
}
