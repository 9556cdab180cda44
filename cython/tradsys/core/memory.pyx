"""Memory taken once, at construction: zeroed, page-aligned, real only where it has been touched."""
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap

cdef extern from "<sys/mman.h>" nogil:
    int MAP_NORESERVE
    int MADV_HUGEPAGE
    int madvise(void* addr, size_t length, int advice)

# From this size on large pages pay: one TLB entry instead of 512, and the cache lines of an arena lie in all sets of the
# caches alike. Scattered 4 KiB pages may crowd some sets for as long as the process lives. An arena begins with a large
# page; what is left at its end stays on small ones, so that no memory becomes real that is not used.
cdef enum:
    LARGE_PAGE_BYTES = 2097152          # 2 MiB
    SMALL_PAGE_BYTES = 4096             # what munmap works in


cdef void* arena_take(int64_t size_bytes) except NULL:
    """Reserve zeroed memory of `size_bytes`; pages become real when first written.

    Raises
    ------
    MemoryError
        When the address space is refused.
    """
    assert size_bytes > 0
    cdef bint large = size_bytes >= LARGE_PAGE_BYTES
    cdef size_t wanted = <size_t> ((size_bytes + SMALL_PAGE_BYTES - 1) & ~<int64_t> (SMALL_PAGE_BYTES - 1))
    cdef size_t before
    cdef char* arena = <char*> mmap(NULL, wanted + (LARGE_PAGE_BYTES if large else 0), PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if arena == <char*> MAP_FAILED:
        raise MemoryError(f"no address space for an arena of {size_bytes} bytes")
    if large:
        before = (LARGE_PAGE_BYTES - <size_t> arena % LARGE_PAGE_BYTES) % LARGE_PAGE_BYTES
        if before:
            munmap(arena, before)
        arena += before
        munmap(arena + wanted, LARGE_PAGE_BYTES - before)
        madvise(arena, wanted, MADV_HUGEPAGE)   # a wish: without it the same, slower
    return arena


cdef void arena_give(void* arena, int64_t size_bytes) noexcept nogil:
    """Return what `arena_take` gave; NULL is ignored."""
    if arena != NULL:
        munmap(arena, <size_t> size_bytes)
