package confine

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is a system call that the filter lets through: always, or if one argument, masked, is a value.
type call struct {
	number      uint32
	conditional bool
	argument    int
	mask, value uint32
}

// always are the calls that Go's runtime and the reading and writing of what is open take (runtime/sys_linux_*.s,
// runtime/os_linux.go).
var always = []uint32{
	unix.SYS_READ, unix.SYS_PREAD64, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_LSEEK,
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK, unix.SYS_MLOCK, unix.SYS_MUNLOCK,
	unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_RESTART_SYSCALL,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETRANDOM,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// calls are all that the filter lets through: always, and those that are harmless within the process, which are another
// thread, and a signal to one of its own.
func calls() []call {
	var list []call
	for _, number := range slices.Concat(always, special) {
		list = append(list, call{number: number})
	}
	return append(list,
		call{number: unix.SYS_CLONE, conditional: true, argument: 0, mask: unix.CLONE_THREAD, value: unix.CLONE_THREAD},
		call{number: unix.SYS_TGKILL, conditional: true, argument: 0, mask: math.MaxUint32, value: uint32(os.Getpid())},
	)
}

// The places in struct seccomp_data, on machines whose lowest byte comes first (seccomp(2)).
const (
	atNumber       = 0
	atArchitecture = 4
	atArguments    = 16
	argumentSize   = 8
)

// filter lets no system call through on any thread but those of calls.
func filter() error {
	if architecture == 0 {
		return errors.New("no filter of system calls is known for " + runtime.GOARCH)
	}
	// The promise is this thread's; the kernel gives it to the others together with the filter.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot filter system calls: %w", err)
	}
	code := program(calls())
	p := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, seccompSetModeFilter, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&p)))
	if errno != 0 {
		return fmt.Errorf("cannot filter system calls: %w", errno)
	}
	return nil
}

// seccompSetModeFilter is SECCOMP_SET_MODE_FILTER of seccomp(2), which package unix does not name.
const seccompSetModeFilter = 1

// program writes the filter in the kernel's language. What is not let through fails with EPERM. clone3 alone fails as if it did
// not exist: a C library then takes clone, whose arguments can be looked at.
func program(calls []call) []unix.SockFilter {
	code := []unix.SockFilter{
		load(atArchitecture),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: architecture, Jt: 1},
		verdict(unix.SECCOMP_RET_KILL_PROCESS),
		load(atNumber),
	}
	for _, c := range calls {
		code = append(code, c.code()...)
	}
	code = append(code, call{number: unix.SYS_CLONE3}.code()...)
	code[len(code)-1] = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))
	return append(code, verdict(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)))
}

// code lets the call through, and goes on behind itself for any other.
func (c call) code() []unix.SockFilter {
	if !c.conditional {
		return []unix.SockFilter{
			{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: c.number, Jf: 1},
			verdict(unix.SECCOMP_RET_ALLOW),
		}
	}
	return []unix.SockFilter{
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: c.number, Jf: 5},
		load(atArguments + uint32(c.argument)*argumentSize),
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.mask},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: c.value, Jf: 1},
		verdict(unix.SECCOMP_RET_ALLOW),
		verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)),
	}
}

func load(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

func verdict(v uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v}
}
