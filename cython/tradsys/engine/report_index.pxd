"""Where in the event log a session's reports are (protocols/journal.md, 6)."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t


cdef struct IndexEntry:
    uint64_t event_seq     # event that holds the report
    uint32_t session_id
    uint32_t report_seq
    int32_t previous       # the session's entry before this one, -1: none
    uint32_t pad           # zero

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass


cdef class ReportIndex:
    # shape, fixed
    cdef int64_t sessions_max      # session ids are below
    cdef int64_t entries_max       # entries there is room for
    # hot
    cdef int64_t entry_count       # entries in use
    cdef uint64_t event_seq        # last event seen
    cdef int64_t stride_reports    # reports between two entries of a session, at most
    cdef int64_t stride_events     # events between two entries of a session that reports, at most
    cdef IndexEntry* entries       # in order of event_seq
    cdef int32_t* newest           # by session: its newest entry, -1: none
    cdef pthread_mutex_t mutex     # the writer's thread observes, the engine's thread looks up

    cdef void observe(self, const uint8_t* events, int64_t count) noexcept nogil
    cdef void note(self, uint32_t session_id, uint32_t report_seq, uint64_t event_seq) noexcept nogil
    cdef void thin_out(self) noexcept nogil
    cdef void append(self, uint32_t session_id, uint32_t report_seq, uint64_t event_seq) noexcept nogil

# The highest report_seq in [first, last], first >= 1, that the event tells the session, or 0.
cdef uint32_t report_of(const uint8_t* event, uint32_t session_id, uint32_t first, uint32_t last) noexcept nogil
