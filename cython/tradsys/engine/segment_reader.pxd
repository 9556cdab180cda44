"""One journal segment read, checked and taken apart (protocols/journal.md, 1 and 4.4)."""
from libc.stdint cimport int64_t, uint8_t

from tradsys.engine.frames cimport FrameScan


cdef class SegmentReader:
    # identity
    cdef readonly object path
    cdef readonly object first_seq         # from the header
    cdef readonly object first_event_seq
    cdef readonly object venue_id
    # the walk
    cdef FrameScan scan
    cdef uint8_t* memory                   # the file's bytes up to its last data
    cdef int64_t memory_size               # bytes allocated
    cdef readonly int64_t file_size        # bytes

    cdef int load(self, int fd) except -1
