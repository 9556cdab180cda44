"""Ring memory. A record at any position of the ring is contiguous, so neither engine nor readers handle the wrap."""
import os

from libc.errno cimport errno

cdef extern from "<sys/mman.h>" nogil:
    enum:
        PROT_NONE, PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_FIXED, MAP_POPULATE
        MFD_CLOEXEC, MADV_HUGEPAGE
    void* MAP_FAILED
    int memfd_create(const char* name, unsigned int flags)
    void* mmap(void* address, size_t length, int protection, int flags, int fd, Py_ssize_t offset)
    int munmap(void* address, size_t length)
    int madvise(void* address, size_t length, int advice)

cdef extern from "<unistd.h>" nogil:
    int ftruncate(int fd, Py_ssize_t length)
    int close(int fd)
    long sysconf(int name)
    enum:
        _SC_PAGESIZE


cdef uint8_t* map_ring(int64_t size) except NULL:
    if size < sysconf(_SC_PAGESIZE) or size & (size - 1):
        raise ValueError(f"a ring must be a power of two of at least a page, was {size} bytes")
    cdef int fd = memfd_create(b"tradsys-ring", MFD_CLOEXEC)
    if fd < 0:
        raise OSError(errno, f"memfd_create: {os.strerror(errno)}")
    cdef uint8_t* base = NULL
    cdef int code = 0
    if ftruncate(fd, size) != 0:
        code = errno
    else:
        base = map_twice(fd, size)
        if base is NULL:
            code = errno
    close(fd)
    if base is NULL:
        raise OSError(code, f"a ring of {size} bytes cannot be mapped: {os.strerror(code)}")
    return base


cdef uint8_t* map_twice(int fd, int64_t size) noexcept:
    """Reserve room for both copies, then put the same pages into each half."""
    cdef uint8_t* base = <uint8_t*>mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    cdef int half
    if base == <uint8_t*>MAP_FAILED:
        return NULL
    for half in range(2):
        if mmap(base + half * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED:
            munmap(base, 2 * size)
            return NULL
        madvise(base + half * size, size, MADV_HUGEPAGE)  # a wish: fewer page walks where the system grants it
    touch(base, size)
    touch(base + size, size)
    return base


cdef void touch(uint8_t* base, int64_t size) noexcept nogil:
    """Read a byte of each page, so that the first pass of the ring does not stop at page faults."""
    cdef volatile uint8_t* page = base
    cdef int64_t at = 0
    cdef uint8_t seen
    while at < size:
        seen = page[at]
        page[at] = seen
        at += 4096


cdef void unmap_ring(uint8_t* base, int64_t size) noexcept nogil:
    if base is not NULL:
        munmap(base, 2 * size)
