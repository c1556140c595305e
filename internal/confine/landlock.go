package confine

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// landlock forbids whatever the kernel's Landlock knows, with no exception, and returns its version.
//
// Signals are left to the filter: kernels of version 6 without the erratum 2 keep the threads of one process from signalling
// each other while the wall goes up, and Go waits for ever.
func landlock() (version int, err error) {
	if version, err = landlockVersion(); err != nil {
		return 0, err
	}
	rules := everything(version)
	ruleset, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	if errno != 0 {
		return 0, fmt.Errorf("cannot use Landlock: %w", errno)
	}
	defer unix.Close(int(ruleset))
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return 0, err
	}
	if err := onAllThreads(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); err != nil {
		return 0, err
	}
	return version, nil
}

// landlockVersion returns which Landlock the kernel has.
func landlockVersion() (int, error) {
	n, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, fmt.Errorf("the kernel has no Landlock: %w", errno)
	}
	return int(n), nil
}

// everything is what a version of Landlock can forbid (landlock(7), "VERSIONS").
func everything(version int) unix.LandlockRulesetAttr {
	var all unix.LandlockRulesetAttr
	for _, since := range []struct {
		version        int
		files, net, to uint64
	}{
		{version: 1, files: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1},
		{version: 2, files: unix.LANDLOCK_ACCESS_FS_REFER},
		{version: 3, files: unix.LANDLOCK_ACCESS_FS_TRUNCATE},
		{version: 4, net: unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP},
		{version: 5, files: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
		{version: 6, to: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET},
	} {
		if version >= since.version {
			all.Handled_access_fs |= since.files
			all.Handled_access_net |= since.net
			all.Scoped |= since.to
		}
	}
	return all
}

// onAllThreads makes a system call that concerns one thread on each of them. A program linked with cgo has threads that Go does
// not know, and cannot.
func onAllThreads(call, a, b, c uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(call, a, b, c, 0, 0, 0)
	if errors.Is(errno, syscall.ENOTSUP) {
		return errors.New("the program is linked with cgo")
	}
	if errno != 0 {
		return fmt.Errorf("cannot use Landlock: %w", errno)
	}
	return nil
}
