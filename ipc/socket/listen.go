package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/oathd/oathd/hw"
)

// The names by which systemd hands over the doors' sockets (FileDescriptorName= of systemd.socket(5)).
const (
	APIName   = "api"
	CodesName = "codes"
)

// maxPath is the longest path of a Unix socket: sun_path of unix(7) without its final zero.
const maxPath = 107

// Inherited are the sockets that systemd has handed over, by name.
type Inherited map[string]*net.UnixListener

// Inherit takes what systemd has handed over, which can be done once. It takes no other kind of socket: a TCP port
// would be open to every user and to every web page.
func Inherit() (Inherited, error) { return inherit(activation.Files(true)) }

func inherit(files []*os.File) (Inherited, error) {
	found := Inherited{}
	var err error
	for _, f := range files {
		err = errors.Join(err, found.take(f))
	}
	if err != nil {
		found.Close()
		return nil, err
	}
	return found, nil
}

func (i Inherited) take(f *os.File) error {
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return fmt.Errorf("cannot use the file %q that systemd passed: %w", f.Name(), err)
	}
	unixListener, ok := l.(*net.UnixListener)
	known := f.Name() == APIName || f.Name() == CodesName
	if network := l.Addr().Network(); !ok || network != "unix" || !known || i[f.Name()] != nil {
		_ = l.Close()
		return hw.WithHint(fmt.Errorf("cannot use the socket %q (%s) that systemd passed", f.Name(), network),
			"a unit has one ListenStream= with a path, and FileDescriptorName=%s or %s", APIName, CodesName)
	}
	i[f.Name()] = unixListener
	return nil
}

// Close closes what nobody has listened on.
func (i Inherited) Close() {
	for _, l := range i {
		_ = l.Close()
	}
	clear(i)
}

// Listen returns the socket of that name if systemd has handed it over, else a new one at path.
func (i Inherited) Listen(name, path string) (*net.UnixListener, error) {
	if l := i[name]; l != nil {
		delete(i, name)
		return l, nil
	}
	return Listen(path)
}

// Listen returns a new socket at path: mode 0600, in a directory that is this user's alone, which it creates. A
// socket that another daemon left behind is replaced; one that is answered is an error.
func Listen(path string) (*net.UnixListener, error) {
	if len(path) > maxPath {
		return nil, hw.WithHint(fmt.Errorf("cannot listen on %s: a socket's path has at most %d bytes", path, maxPath),
			"choose a shorter one with --socket")
	}
	if err := privateDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	l, err := listen(path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(path); err != nil {
			return nil, err
		}
		l, err = listen(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	return l, nil
}

// listen is what nobody else can reach even before the chmod, as the directory is closed to them.
func listen(path string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// privateDir creates dir for this user alone, or checks that it is.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot create the socket's directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot check the socket's directory: %w", err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != uint32(os.Getuid()) {
		return hw.WithHint(fmt.Errorf("cannot use the directory %s: it belongs to user %d", dir, owner),
			"choose one of your own with --socket")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return hw.WithHint(fmt.Errorf("cannot use the directory %s: it is open to others (mode %04o)", dir, mode),
			"chmod 700 %s, or choose another with --socket", dir)
	}
	return nil
}

// removeStale removes a socket that nobody answers. Two daemons that start at once may both find it
// stale, and the second then removes the first one's new socket; the lock on the ledger, which a
// daemon takes before it listens, keeps all but strangers with another ledger from getting that far.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot check %s: %w", path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return hw.WithHint(fmt.Errorf("cannot listen on %s: there is something else of that name", path),
			"choose another path with --socket")
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
		return hw.WithHint(fmt.Errorf("cannot listen on %s: another daemon answers there", path),
			"oathd is running already, and oathctl talks to it; stop it first to start another")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot find out who listens on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("cannot remove a stale socket: %w", err)
	}
	return nil
}
