package confine

import "golang.org/x/sys/unix"

const architecture = unix.AUDIT_ARCH_X86_64

// special are the calls that Go makes on this architecture only: a new thread's own data, and an older way to wait.
var special = []uint32{unix.SYS_ARCH_PRCTL, unix.SYS_EPOLL_WAIT}
