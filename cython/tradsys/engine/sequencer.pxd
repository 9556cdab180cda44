"""The sequencer: puts commands in one order, journals and decides them, lets their events go when they are durable.

    room = sequencer.reserve(80)            # a place in this turn's batch; NULL: try again after the next commit
    ... write the record there ...
    sequencer.push(80)
    decided = sequencer.commit(now_ns)      # journal, decide, log
    ... read event_at(n) for n up to released_event_seq() ...

One thread calls; none of these functions needs the GIL, and none allocates.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from tradsys.core.engine cimport Engine
from tradsys.engine.log_writer cimport LogWriter
from tradsys.engine.report_index cimport ReportIndex


cdef class Sequencer:
    # parts
    cdef readonly Engine engine
    cdef readonly ReportIndex index
    cdef LogWriter writer
    cdef readonly object venue          # the data directory: a tradsys.engine.data_dir.DataDir
    cdef readonly object recovery       # what recovery found and did: a RecoveryReport
    cdef object thread                  # the writer's thread
    cdef readonly object settings       # tradsys.engine.settings.Settings
    cdef object event_files             # reads the event log on disk
    cdef object snapshots               # makes and writes snapshots: a SnapshotWriter
    # the batch
    cdef uint8_t* batch                 # records back to back, waiting for commit
    cdef int64_t batch_capacity         # bytes
    cdef int64_t batch_used             # bytes
    cdef int64_t batch_count            # records
    # state of the run
    cdef bint in_doubt                  # the engine is ahead of the journal: between deciding and journalling, or failed there
    cdef bint closed
    cdef readonly int64_t last_ts_ns    # time of the last command
    cdef uint64_t ring_first_event      # first event the memory ring has held in this run

    # Room for one record of that size (a multiple of 8), valid until push or the next reserve. NULL: the batch is full, or
    # what is written and released lags behind, or the engine has failed: commit, serve the readers, try again.
    cdef uint8_t* reserve(self, int64_t size_bytes) noexcept nogil
    # The record written there joins the batch.
    cdef void push(self, int64_t size_bytes) noexcept nogil
    # Sequence, decide, journal and log the batch; commands decided. Those whose events found no room stay for the next
    # commit. Raises JournalError when the engine has failed; call it with an empty batch too, to hear of that.
    cpdef int64_t commit(self, int64_t ts_ns) except -1 nogil
    # Events up to here may leave.
    cpdef uint64_t released_event_seq(self) noexcept nogil
    # The event in memory, 128 bytes, or NULL: then it is on disk (read_events). Valid until the next commit.
    cdef const uint8_t* event_at(self, uint64_t event_seq) noexcept nogil
    # How many of the events first .. last lie back to back in memory from event_at(first) on.
    cdef int64_t events_contiguous(self, uint64_t first_seq, uint64_t last_seq) noexcept nogil

    # fileno() is readable when the thread has released events; this makes it wait for the next time.
    cdef void clear_release(self) noexcept nogil

    cdef bint take(self, const uint8_t* record, int64_t size) noexcept nogil
    cdef int64_t decide(self, int64_t ts_ns) except -1 nogil
    cdef bint go_on(self) except -1 nogil
    cdef bint stopped(self) noexcept nogil
    cdef int64_t give_up(self) except -1 nogil
