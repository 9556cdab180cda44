"""Memory taken once, at construction: zeroed, page-aligned, real only where it has been touched."""
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap

cdef extern from "<sys/mman.h>" nogil:
    int MAP_NORESERVE
    int MADV_HUGEPAGE
    int madvise(void* addr, size_t length, int advice)

# From this size on large pages pay: one TLB entry instead of 512.
cdef enum:
    LARGE_PAGES_FROM_BYTES = 4194304    # 4 MiB


cdef void* arena_take(int64_t size_bytes) except NULL:
    """Reserve zeroed memory of `size_bytes`; pages become real when first written.

    Raises
    ------
    MemoryError
        When the address space is refused.
    """
    assert size_bytes > 0
    cdef void* arena = mmap(NULL, <size_t> size_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if arena == MAP_FAILED:
        raise MemoryError(f"no address space for an arena of {size_bytes} bytes")
    if size_bytes >= LARGE_PAGES_FROM_BYTES:
        madvise(arena, <size_t> size_bytes, MADV_HUGEPAGE)   # a wish: without it the same, slower
    return arena


cdef void arena_give(void* arena, int64_t size_bytes) noexcept nogil:
    """Return what `arena_take` gave; NULL is ignored."""
    if arena != NULL:
        munmap(arena, <size_t> size_bytes)
