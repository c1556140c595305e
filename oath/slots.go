package oath

import (
	"math/bits"
	"sync"
	"syscall"
	"unsafe"
)

// The sizes of a slot are powers of two between these. A page for each secret would be 40 MB for the
// seeds of a large export, of which RLIMIT_MEMLOCK (8 MiB) lets a fifth be locked, and two calls of the kernel each.
const (
	smallestSlot = 32
	largestSlot  = 1024
	slotClasses  = 6
	slotsAtOnce  = 16 << 10 // bytes that are asked of the kernel at a time
)

// slots hands out pieces of locked pages. What comes back was wiped, and is handed out again: the pages
// stay with the process, as many as it needed at its busiest moment.
type slots struct {
	mu   sync.Mutex
	free [slotClasses][]*byte
}

var small slots

// class is the index of the smallest slots that hold n bytes.
func class(n int) int { return bits.Len(uint(max(n, smallestSlot)-1)) - bits.Len(uint(smallestSlot-1)) }

// take returns a slot of zeros for n bytes, nil if the kernel gives no pages.
func (s *slots) take(n int) *byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := class(n)
	if len(s.free[c]) == 0 {
		s.free[c] = append(s.free[c], cut(lockedPages(slotsAtOnce), smallestSlot<<c)...)
	}
	last := len(s.free[c]) - 1
	if last < 0 {
		return nil
	}
	slot := s.free[c][last]
	s.free[c] = s.free[c][:last]
	return slot
}

// give takes a slot for n bytes back, which are zeros.
func (s *slots) give(slot *byte, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free[class(n)] = append(s.free[class(n)], slot)
}

func cut(pages []byte, size int) []*byte {
	var list []*byte
	for i := 0; i < len(pages); i += size {
		list = append(list, &pages[i])
	}
	return list
}

// lockedPages returns n bytes outside the Go heap, nil if there are none.
func lockedPages(n int) []byte {
	pages, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil
	}
	// Both are best effort: a machine with a tiny RLIMIT_MEMLOCK still has to work.
	_ = syscall.Mlock(pages)
	_ = syscall.Madvise(pages, madvDontDump)
	return pages
}

// allocate returns n zero bytes, and whether they are outside the heap.
func allocate(n int) (first *byte, locked bool) {
	if n <= largestSlot {
		first = small.take(n)
	} else {
		first = unsafe.SliceData(lockedPages(n))
	}
	if first == nil {
		return unsafe.SliceData(make([]byte, n)), false
	}
	return first, true
}

// release gives n bytes of allocate back, which are zeros.
func release(first *byte, n int) {
	if n <= largestSlot {
		small.give(first, n)
		return
	}
	_ = syscall.Munmap(unsafe.Slice(first, n))
}
