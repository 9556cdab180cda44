"""The files behind the sequencer: journal segments and event files, written through two rings (protocols/journal.md, 1-3)."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.engine.report_index cimport ReportIndex, pthread_mutex_t

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_cond_t:
        pass

cdef enum:
    DURABILITY_NONE = 0    # released at once, written by the thread
    DURABILITY_BATCH = 1   # released when write(2) of the commit has returned; the engine's thread writes
    DURABILITY_FSYNC = 2   # released when fdatasync(2) has returned; the writer's thread writes and syncs

# What failed: the operation a FaultCode names.
cdef enum:
    FAILED_NOT = 0
    FAILED_JOURNAL_WRITE = 1
    FAILED_JOURNAL_SYNC = 2
    FAILED_SEGMENT_CREATE = 3
    FAILED_EVENT_WRITE = 4
    FAILED_EVENT_CREATE = 5
    FAILED_ENGINE = 6

# How far the engine's thread has come; the writer's thread takes a copy under the mutex.
cdef struct Progress:
    int64_t appended         # frames, bytes since the start of this run
    uint64_t event_seq       # last event of the commands in them
    int64_t roll_at          # where a segment begins, bytes since the start of this run; -1: none asked for
    uint64_t roll_seq        # seq of its first command
    uint64_t roll_event_seq  # event_seq the next event had


cdef class LogWriter:
    # identity
    cdef int journal_dir            # directory descriptors
    cdef int events_dir
    cdef int release_fd             # eventfd: readable when the thread has released events, or has failed
    cdef uint64_t venue_id
    cdef int durability
    cdef int64_t segment_bytes      # size of a segment made from now on
    cdef int64_t events_per_file
    cdef ReportIndex index          # sees every event on its way to the file
    # rings
    cdef uint8_t* journal_ring      # frames at [position & (bytes - 1)]
    cdef int64_t journal_ring_bytes
    cdef uint8_t* event_ring        # event n at [(n - 1) & (events - 1)]
    cdef int64_t event_ring_events
    # the engine's thread
    cdef Progress ahead             # as far as the engine's thread has come
    cdef int64_t segment_begin      # where the current segment's first frame lies, bytes since the start of this run
    cdef int64_t segment_room       # size of the current segment, bytes
    # whoever writes the journal: the engine's thread with batch, else the writer's
    cdef int journal_fd
    cdef int64_t file_begin         # position of the open segment's first frame, bytes since the start of this run
    # the writer's thread
    cdef int events_fd
    cdef uint64_t events_file_first # first event_seq of the open events file
    cdef int spare_fd               # next segment, preallocated; -1: none
    cdef int64_t spare_number       # in its temporary name
    cdef bint spare_failed
    # read by both sides, written by one; through atomics
    cdef int64_t written            # frames handed to the file, bytes since the start of this run
    cdef int64_t rolled             # last roll_at that was carried out
    cdef uint64_t released_event    # events that may leave
    cdef uint64_t journaled_event   # events whose commands have been written
    cdef uint64_t stored_event      # events that have been written
    cdef int32_t failed             # FAILED_...; not 0: nothing goes on
    cdef int32_t failed_errno
    # under the mutex
    cdef Progress published
    cdef bint stopping
    cdef bint sleeping
    cdef bint waiting               # the engine's thread waits for room or release
    cdef pthread_mutex_t mutex
    cdef pthread_cond_t wake        # to the writer's thread
    cdef pthread_cond_t moved       # from it
    # drills
    cdef int32_t fault_operation    # FAILED_... to be made fail
    cdef int64_t fault_after        # after that many of it
    cdef int32_t fault_errno
    cdef bint held                  # the thread is to wait before its next write
    # figures
    cdef int64_t write_count        # writes of the journal
    cdef int64_t sync_count
    cdef int64_t segment_count      # segments begun in this run

    cdef int64_t journal_free(self) noexcept nogil
    cdef int64_t event_free(self, uint64_t last_event_seq) noexcept nogil
    cdef uint8_t* event_slot(self, uint64_t event_seq) noexcept nogil
    cdef bint make_room(self, int64_t frame_bytes, uint64_t next_seq, uint64_t next_event_seq) noexcept nogil
    cdef void append(self, const uint8_t* records, int64_t size) noexcept nogil
    cdef int publish(self, uint64_t last_event_seq) noexcept nogil
    cdef uint64_t released(self) noexcept nogil
    cdef uint64_t stored(self) noexcept nogil
    cdef void clear_release(self) noexcept nogil
    cdef int failure(self) noexcept nogil
    cdef bint wait_moved(self, int64_t timeout_us) noexcept nogil
    cdef void work(self) noexcept nogil
    cdef int flush_journal(self, Progress* upto) noexcept nogil
    cdef int flush_piece(self, int64_t begin, int64_t end) noexcept nogil
    cdef int roll(self, Progress* upto) noexcept nogil
    cdef int flush_events(self, uint64_t upto, bint all_of_them) noexcept nogil
    cdef bint journal_waits(self) noexcept nogil
    cdef int open_events_file(self, uint64_t first_event_seq) noexcept nogil
    cdef int create_segment(self, const char* name, int* code) noexcept nogil
    cdef void prepare_spare(self) noexcept nogil
    cdef int fail(self, int32_t operation, int32_t code) noexcept nogil
    cdef int32_t drill(self, int32_t operation) noexcept nogil
    cdef bint has_work(self) noexcept nogil
    cdef int put_all(self, int fd, const uint8_t* data, int64_t size, int64_t offset) noexcept nogil
