"""The sequencer, and its Python face."""
import contextlib
import threading

import numpy as np

cimport cython
from libc.stdint cimport uint32_t
from libc.string cimport memmove

from tradsys.core.engine cimport Engine
from tradsys.core.memory cimport arena_give, arena_take
from tradsys.engine.frames cimport FRAME_HEAD_BYTES, command_size, stamp_records
from tradsys.engine.log_writer cimport FAILED_ENGINE, FAILED_NOT, LogWriter
from tradsys.engine.report_index cimport ReportIndex
from tradsys.wire.records cimport SCHEMA_ID, SCHEMA_VERSION, NewOrder

from tradsys.engine import reports as report_lookup
from tradsys.engine.event_files import EventFiles
from tradsys.engine.recovery import recover
from tradsys.engine.settings import Settings
from tradsys.engine.snapshots import SnapshotWriter
from tradsys.errors import EngineStoppedError, InputError, JournalError
from tradsys.wire.records import EVENT_COMMON

cdef enum:
    EVENT_BYTES = 128
    PIECE_BYTES = 65536  # records decided and framed in one go
    WAIT_US = 1000       # a wait for the writer's thread looks again after that long
    READ_EVENTS_MAX = 1048576


@cython.final
cdef class Sequencer:
    """Sequencer, journal, event log and group commit around one engine.

    Invariants: command seqs rise by one without gaps, in the journal as in the engine; ``last_ts_ns`` never falls; an event
    beyond ``released_event_seq()`` is not yet as durable as the setting asks for and must not be shown to anybody.

    Made by ``Sequencer.open``; one thread calls, save for ``read_events`` and ``reports``, which any thread may call that
    holds the GIL.
    """

    def __cinit__(self, Engine engine not None, LogWriter writer not None, ReportIndex index not None, venue, settings):
        self.engine = engine
        self.writer = writer
        self.index = index
        self.venue = venue
        self.settings = settings
        self.batch_capacity = settings.batch_bytes
        self.batch = <uint8_t*>arena_take(self.batch_capacity)
        self.ring_first_event = engine.last_event_seq + 1
        self.event_files = EventFiles(venue, writer.venue_id)
        self.snapshots = SnapshotWriter(venue, settings, writer.venue_id)

    def __dealloc__(self):
        if self.batch is not NULL:
            arena_give(self.batch, self.batch_capacity)

    def __del__(self):
        # a sequencer dropped without close: its thread must end, or it would keep the writer for ever
        if self.writer is not None and self.thread is not None:
            self.writer.ask_to_stop()

    # ---- one turn ----

    cdef uint8_t* reserve(self, int64_t size_bytes) noexcept nogil:
        cdef int64_t framed = self.batch_used + size_bytes + FRAME_HEAD_BYTES * (self.batch_count + 1)
        if self.batch_used + size_bytes > self.batch_capacity or framed > self.writer.journal_free():
            return NULL
        if self.stopped():
            return NULL
        return self.batch + self.batch_used

    cdef void push(self, int64_t size_bytes) noexcept nogil:
        self.batch_used += size_bytes
        self.batch_count += 1

    # final, so that calls from Cython go straight to the function; cpdef gives Python the same verb
    cpdef int64_t commit(self, int64_t ts_ns) except -1 nogil:
        """Sequence, decide, journal and log the batch at time `ts_ns`; the number of commands decided.

        A time before that of the last command counts as that one. Commands whose events find no room stay in the batch
        for the next commit.

        Raises
        ------
        EngineStoppedError
            A write, a sync or the engine has failed; also with an empty batch.
        """
        if self.stopped():
            return self.give_up()
        if self.batch_count == 0 and not self.engine.is_unfinished():
            return 0
        if not self.writer.make_room(
            self.batch_used + FRAME_HEAD_BYTES * self.batch_count, self.engine.last_seq + 1, self.engine.last_event_seq + 1
        ):
            return 0
        return self.decide(ts_ns if ts_ns > self.last_ts_ns else self.last_ts_ns)

    cdef int64_t decide(self, int64_t ts_ns) except -1 nogil:
        """Decide what fits the event ring, journal that, keep the rest."""
        cdef uint64_t seq_before = self.engine.last_seq, events_before = self.engine.last_event_seq
        cdef int64_t at = 0, piece = 0, consumed = 0, free, decided
        self.in_doubt = True  # until the engine and the journal agree again: an error in between ends the run
        if self.engine.is_unfinished() and not self.go_on():
            return self.give_up()
        # piece by piece, so that each stays in the cache
        while at < self.batch_used and consumed == piece and not self.engine.is_unfinished():
            free = self.writer.event_free(self.engine.last_event_seq)
            if free <= 0:
                break
            piece = stamp_records(
                self.batch + at, self.batch_used - at, PIECE_BYTES, self.engine.last_seq + 1, ts_ns
            )
            if piece < 0:
                return self.give_up()
            self.engine.set_event_buffer(self.writer.event_slot(self.engine.last_event_seq + 1), free)
            consumed = self.engine.apply(self.batch + at, piece)
            if consumed == 0 and free == self.writer.event_ring_events:
                return self.give_up()  # the ring is empty and still too small: settings.ring_events rules it out
            self.writer.append(self.batch + at, consumed)
            at += consumed
        decided = <int64_t>(self.engine.last_seq - seq_before)
        if decided > 0:
            self.last_ts_ns = ts_ns
            self.batch_used -= at
            self.batch_count -= decided
            if self.batch_used > 0:
                memmove(self.batch, self.batch + at, <size_t>self.batch_used)
        if self.engine.last_event_seq != events_before and self.writer.publish(self.engine.last_event_seq) != 0:
            return self.give_up()
        self.in_doubt = False
        return decided

    cdef bint go_on(self) except -1 nogil:
        """Decide what the last command has set off, as far as the ring takes it; False: not even an empty one does."""
        cdef int64_t free = self.writer.event_free(self.engine.last_event_seq)
        cdef uint64_t before = self.engine.last_event_seq
        if free <= 0:
            return True
        self.engine.set_event_buffer(self.writer.event_slot(before + 1), free)
        self.engine.apply(self.batch, 0)
        return self.engine.last_event_seq != before or free < self.writer.event_ring_events or not self.engine.is_unfinished()

    cdef bint stopped(self) noexcept nogil:
        """Tell whether nothing is decided any more."""
        return self.closed or self.in_doubt or self.writer.failure() != FAILED_NOT

    cdef int64_t give_up(self) except -1 nogil:
        """Stop for good, say why."""
        if not self.closed:
            self.writer.fail(FAILED_ENGINE, 0)
        with gil:
            if self.closed:
                raise EngineStoppedError("the sequencer is closed")
            raise EngineStoppedError(
                f"the engine has stopped, {self.writer.failure_text}; events up to {self.writer.released()} were released; "
                "restart to recover"
            )

    cpdef uint64_t released_event_seq(self) noexcept nogil:
        """Give the last event that may leave."""
        return self.writer.released()

    cdef const uint8_t* event_at(self, uint64_t event_seq) noexcept nogil:
        if self.events_contiguous(event_seq, event_seq) == 0:
            return NULL
        return self.writer.event_slot(event_seq)

    cdef int64_t events_contiguous(self, uint64_t first_seq, uint64_t last_seq) noexcept nogil:
        cdef uint64_t last = self.engine.last_event_seq if last_seq > self.engine.last_event_seq else last_seq
        cdef uint64_t kept = <uint64_t>self.writer.event_ring_events
        if first_seq < self.ring_first_event or first_seq > last or self.engine.last_event_seq - first_seq >= kept:
            return 0
        return <int64_t>(last - first_seq) + 1

    cdef void clear_release(self) noexcept nogil:
        self.writer.clear_release()

    # ---- Python face ----

    def fileno(self):
        """Give a descriptor that is readable when events were released by the writer's thread (fsync), or it failed.

        For the poll of a loop that sleeps; `heard` makes it wait for the next release.
        """
        return self.writer.release_fd

    def heard(self):
        """Make `fileno` wait for the next release; look at `released_event_seq` after this, not before."""
        self.clear_release()

    @classmethod
    def open(cls, data_dir, durability="batch", **settings):
        """Recover the venue in `data_dir`, or begin one there, and go on.

        Parameters
        ----------
        data_dir : path-like
        durability : {"none", "batch", "fsync"}
        **settings
            Fields of `tradsys.engine.settings.Settings`; capacities must be those the journal was made with.

        Returns
        -------
        Sequencer
            What recovery found is in its `recovery`.

        Raises
        ------
        InUseError, ConfigError, CorruptionError, JournalError, OSError
            See protocols/journal.md, 4.
        """
        return recover(Settings(data_dir=data_dir, durability=durability, **settings), cls)

    def submit(self, records):
        """Put commands into the batch.

        Parameters
        ----------
        records : contiguous ndarray, bytes or memoryview
            Records of commands back to back; `seq` and `ts_ns` are filled in by commit.

        Returns
        -------
        int
            How many bytes were taken: less than given when the batch is full.

        Raises
        ------
        InputError
            Something is no command of our schema; nothing was taken.
        """
        cdef const uint8_t[::1] view = as_bytes(records)
        cdef int64_t at = 0, size = view.shape[0], record_size
        if size == 0:
            return 0
        check_commands(view)
        with nogil:
            while at < size:
                record_size = <int64_t>(<const NewOrder*>&view[at]).block_length + 8
                if not self.take(&view[at], record_size):
                    break
                at += record_size
        return at

    cdef bint take(self, const uint8_t* record, int64_t size) noexcept nogil:
        """Copy one record into the batch; False: there is no room."""
        cdef uint8_t* room = self.reserve(size)
        if room is NULL:
            return False
        memmove(room, record, <size_t>size)
        self.push(size)
        return True

    def run(self, records, int64_t ts_ns):
        """Submit and commit all of the commands, waiting for room where there is none; the number of commands decided.

        Parameters
        ----------
        records : contiguous ndarray, bytes or memoryview
        ts_ns : int
            Time of every commit this takes.

        Raises
        ------
        InputError, EngineStoppedError
        """
        cdef const uint8_t[::1] view = as_bytes(records)
        cdef int64_t at = 0, size = view.shape[0], count = 0, decided, record_size
        if size == 0:
            return 0
        check_commands(view)
        with nogil:
            while at < size or self.batch_count > 0 or self.engine.is_unfinished():
                while at < size:
                    record_size = <int64_t>(<const NewOrder*>&view[at]).block_length + 8
                    if not self.take(&view[at], record_size):
                        break
                    at += record_size
                decided = self.commit(ts_ns)
                count += decided
                if decided == 0:
                    self.writer.wait_moved(WAIT_US)
        return count

    def wait_released(self, uint64_t event_seq=0):
        """Wait until an event, or every event so far (0), is released; raises EngineStoppedError when it never will be."""
        cdef uint64_t wanted = event_seq if event_seq else self.engine.last_event_seq
        with nogil:
            while self.writer.released() < wanted:
                if self.stopped():
                    self.give_up()
                self.writer.wait_moved(WAIT_US)
        return self.writer.released()

    def wait_stored(self):
        """Wait until every event so far is in the event files; raises EngineStoppedError when it never will be."""
        with nogil:
            while self.writer.stored() < self.engine.last_event_seq:
                if self.stopped():
                    self.give_up()
                self.writer.wait_moved(WAIT_US)

    def read_events(self, uint64_t first_seq, int64_t count):
        """Read events from memory or disk, released or not.

        Parameters
        ----------
        first_seq : int
            From 1.
        count : int
            At most as many.

        Returns
        -------
        ndarray of EVENT_COMMON
            A copy; shorter at the end of the log.

        Raises
        ------
        JournalError
            The log does not reach back so far.
        """
        if first_seq < 1 or count < 0:
            raise InputError(f"first_seq must be at least 1 and count at least 0, were {first_seq} and {count}")
        cdef uint64_t last = self.engine.last_event_seq
        cdef int64_t here
        if first_seq > last or count == 0:
            return np.empty(0, EVENT_COMMON)
        count = min(count, <int64_t>(last - first_seq) + 1, READ_EVENTS_MAX)
        pieces = []
        while count > 0:  # twice where the ring wraps or the disk ends
            here = self.events_contiguous(first_seq, first_seq + <uint64_t>count - 1)
            if here > 0:
                piece = np.frombuffer(self.ring_view(first_seq, here), EVENT_COMMON).copy()
            else:  # an event that is not in memory has been written: look no further than that
                here = min(count, <int64_t>(self.writer.stored() - first_seq) + 1)
                piece = self.event_files.read(first_seq, here)
            if len(piece) == 0:
                break
            pieces.append(piece)
            first_seq += <uint64_t>len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, EVENT_COMMON), *pieces])

    def ring_view(self, uint64_t first_seq, int64_t count):
        """Look at events in memory without a copy, valid until the next commit; they must be there."""
        if count < 1 or self.events_contiguous(first_seq, first_seq + <uint64_t>count - 1) != count:
            raise JournalError(f"events {first_seq} .. {first_seq + count - 1} are not all in memory")
        cdef uint8_t* base = self.writer.event_slot(first_seq)
        return <uint8_t[:count * EVENT_BYTES]>base

    def reports(self, uint32_t session_id, uint32_t first_report_seq, int64_t count):
        """Give the released events that hold reports first_report_seq .. + count - 1 of a session, in order.

        An event that holds two of them (a match of a session with itself) is given once.

        Returns
        -------
        ndarray of EVENT_COMMON
            A copy; shorter when the session has no more reports.
        """
        return report_lookup.find_reports(self, session_id, first_report_seq, count)

    def snapshot(self, wait=False):
        """Copy the whole state between two commits and have it written by a thread.

        Parameters
        ----------
        wait : bool
            Return only when the file is in place; raises what went wrong with it.

        Returns
        -------
        int
            Time the copy took, ns: the pause. -1: the one before is still being written, none was made.
        """
        if self.stopped():
            self.give_up()
        return self.snapshots.take(self, wait)

    def housekeeping(self):
        """Make a snapshot when `snapshot_commands` have passed since the last; call it now and then from the duty cycle."""
        if not self.stopped() and self.snapshots.is_due(self.engine.last_seq):
            self.snapshots.take(self, False)

    def state_size(self):
        """Size of `save_state`'s copy, bytes."""
        return self.engine.snapshot_size()

    def save_state(self, uint8_t[::1] target not None):
        """Copy the engine's state; `target` has at least `state_size()` bytes. Returns the bytes written."""
        cdef int64_t written
        if target.shape[0] < self.engine.snapshot_size():
            raise ValueError(f"room must be {self.engine.snapshot_size()} bytes, was {target.shape[0]}")
        with nogil:
            written = self.engine.save_quickly(&target[0])  # the file has a checksum; a hash would lengthen the pause
        return written

    def close(self):
        """Write and sync everything, make a snapshot if settings say so, let the directory go. Harmless when repeated."""
        if self.closed:
            return
        healthy = not self.stopped()
        self.closed = True
        try:
            if healthy and self.settings.snapshot_at_close and self.snapshots.last_seq < self.engine.last_seq:
                self.snapshots.finish()  # the one before may still be on its way
                self.snapshots.take(self, False)
        finally:
            with contextlib.ExitStack() as last:  # each of them, whatever the others raise
                last.callback(self.venue.unlock)
                last.callback(self.event_files.close)
                last.callback(self.snapshots.finish)
                last.callback(self.stop_writer)
        if healthy and self.writer.failure() != FAILED_NOT:
            raise EngineStoppedError(f"closing: {self.writer.failure_text}")

    def stop_writer(self):
        """End the writer's thread, everything written, and close its files."""
        if self.thread is not None:
            self.writer.ask_to_stop()
            self.thread.join()
            self.thread = None
        self.writer.sync()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    @property
    def last_seq(self):
        """Seq of the last command decided."""
        return self.engine.last_seq

    @property
    def last_event_seq(self):
        """Seq of the last event, released or not."""
        return self.engine.last_event_seq

    @property
    def stored_event_seq(self):
        """Seq of the last event in the event files."""
        return self.writer.stored()

    @property
    def pending(self):
        """Commands in the batch."""
        return self.batch_count

    @property
    def failure(self):
        """What has failed, as a sentence; None while nothing has."""
        return self.writer.failure_text

    @property
    def figures(self):
        """Counters of this run: writes, syncs, segments, snapshots."""
        return self.writer.figures | self.snapshots.figures

    def inject_fault(self, int operation, int64_t after, int code):
        """Drill: make a file operation fail; see LogWriter.inject_fault."""
        self.writer.inject_fault(operation, after, code)

    def hold_writer(self, bint held):
        """Drill: make the writer's thread wait before its next write, or go on."""
        self.writer.hold(held)

    # ---- recovery ----

    def apply_again(self, const uint8_t[::1] records not None, int64_t begin):
        """Recovery: decide journalled records from byte `begin` on, as many as the event ring takes.

        Returns
        -------
        int
            The byte behind the last record decided.
        """
        cdef uint64_t last = self.engine.last_event_seq, stored = self.writer.stored()
        cdef int64_t free = self.writer.event_ring_events, consumed
        cdef const uint8_t* rest = &records[0] + begin
        if last > stored:
            free -= <int64_t>(last - stored)
        with nogil:
            self.engine.set_event_buffer(self.writer.event_slot(last + 1), free)
            consumed = self.engine.apply(rest, records.shape[0] - begin)
        if consumed == 0 and self.engine.last_event_seq == last and free == self.writer.event_ring_events:
            raise JournalError(f"command {self.engine.last_seq + 1} may cause more events than the ring's {free}")
        return begin + consumed

    @property
    def unfinished(self):
        """Whether events of the last command wait for room in the ring."""
        return self.engine.is_unfinished()

    def store_events(self):
        """Recovery: store every event derived so far; raises OSError."""
        self.writer.store_events(self.engine.last_event_seq)

    def begin_at(self, int64_t last_ts_ns, recovery):
        """Recovery: the state is complete; the writer's thread starts."""
        self.last_ts_ns = last_ts_ns
        self.recovery = recovery
        self.snapshots.last_seq = recovery.snapshot_seq
        self.event_files.refresh()
        self.thread = threading.Thread(target=self.writer.run, name="tradsys-journal", daemon=True)
        self.thread.start()


cdef const uint8_t[::1] as_bytes(records):
    """Look at contiguous records as bytes."""
    if isinstance(records, np.ndarray):
        if not records.flags.c_contiguous:
            raise InputError("records must be contiguous")
        return records.reshape(-1).view(np.uint8)
    return memoryview(records).cast("B")


cdef int check_commands(const uint8_t[::1] view) except -1:
    """Refuse what is no command of our schema."""
    cdef int64_t at = 0, size = view.shape[0], record_size
    cdef const NewOrder* head
    while at < size:
        head = <const NewOrder*>&view[at]
        if size - at < 24:
            raise InputError(f"a command must have at least 24 bytes, {size - at} were left at byte {at}")
        record_size = command_size(head.template_id)
        if record_size == 0 or head.block_length + 8 != record_size or record_size > size - at:
            raise InputError(
                f"at byte {at} a command of {record_size} bytes must be, was template {head.template_id} "
                f"with block length {head.block_length} and {size - at} bytes left"
            )
        if head.schema_id != SCHEMA_ID or head.version != SCHEMA_VERSION:
            raise InputError(
                f"schema must be {SCHEMA_ID} version {SCHEMA_VERSION}, was {head.schema_id} version {head.version}"
            )
        at += record_size
    return 0
