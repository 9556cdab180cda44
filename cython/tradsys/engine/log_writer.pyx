"""Journal segments and event files, written through two rings; a thread without the GIL writes behind the engine."""
import os

cimport cython
from libc.errno cimport EINTR, EIO, errno
from libc.stdint cimport uint16_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset

from tradsys.engine.frames cimport crc32c, mark_write_start, write_frames
from tradsys.engine.ring cimport map_ring, unmap_ring
from tradsys.wire.records cimport SCHEMA_ID, SCHEMA_VERSION

cdef extern from * nogil:
    """
    #include <fcntl.h>
    #include <pthread.h>
    #include <stdio.h>
    #include <sys/eventfd.h>
    #include <time.h>
    #include <unistd.h>

    static inline int64_t load_i64(const int64_t* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void put_i64(int64_t* p, int64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline uint64_t load_seq(const uint64_t* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void put_seq(uint64_t* p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline int32_t load_i32(const int32_t* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void put_i32(int32_t* p, int32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline int take_fd(int* p) { return __atomic_exchange_n(p, -1, __ATOMIC_ACQ_REL); }
    static inline int load_fd(const int* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void put_fd(int* p, int fd) { __atomic_store_n(p, fd, __ATOMIC_RELEASE); }

    static void cond_init_monotonic(pthread_cond_t* cond) {
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(cond, &attributes);
        pthread_condattr_destroy(&attributes);
    }
    static int cond_wait_us(pthread_cond_t* cond, pthread_mutex_t* mutex, int64_t us) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (us % 1000000) * 1000;
        until.tv_sec += us / 1000000 + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        return pthread_cond_timedwait(cond, mutex, &until);
    }
    static int open_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
    static void raise_eventfd(int fd) { uint64_t one = 1; if (write(fd, &one, 8) < 0) return; }
    static void clear_eventfd(int fd) { uint64_t count; if (read(fd, &count, 8) < 0) return; }
    static int open_new(int dir, const char* name) {
        return openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    }
    """
    int64_t load_i64(const int64_t* p)
    void put_i64(int64_t* p, int64_t v)
    uint64_t load_seq(const uint64_t* p)
    void put_seq(uint64_t* p, uint64_t v)
    int32_t load_i32(const int32_t* p)
    void put_i32(int32_t* p, int32_t v)
    int take_fd(int* p)
    int load_fd(const int* p)
    void put_fd(int* p, int fd)
    void cond_init_monotonic(pthread_cond_t* cond)
    int cond_wait_us(pthread_cond_t* cond, pthread_mutex_t* mutex, int64_t us)
    int open_new(int dir, const char* name)
    int open_eventfd()
    void raise_eventfd(int fd)
    void clear_eventfd(int fd)
    int posix_fallocate(int fd, int64_t offset, int64_t length)
    int renameat(int from_dir, const char* before, int to_dir, const char* after)
    int pthread_mutex_init(pthread_mutex_t* mutex, void* attributes)
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)
    int pthread_mutex_destroy(pthread_mutex_t* mutex)
    int pthread_cond_signal(pthread_cond_t* cond)
    int pthread_cond_broadcast(pthread_cond_t* cond)
    int pthread_cond_destroy(pthread_cond_t* cond)
    Py_ssize_t pwrite(int fd, const void* data, size_t size, int64_t offset)
    int fdatasync(int fd)
    int fsync(int fd)
    int close(int fd)

DURABILITIES = {"none": DURABILITY_NONE, "batch": DURABILITY_BATCH, "fsync": DURABILITY_FSYNC}
OPERATIONS = {
    FAILED_JOURNAL_WRITE: "writing the journal",
    FAILED_JOURNAL_SYNC: "syncing the journal",
    FAILED_SEGMENT_CREATE: "making a journal segment",
    FAILED_EVENT_WRITE: "writing the event log",
    FAILED_EVENT_CREATE: "making an events file",
    FAILED_ENGINE: "deciding commands",
}

cdef enum:
    SEGMENT_HEAD_BYTES = 64
    EVENTS_HEAD_BYTES = 128
    EVENT_BYTES = 128
    FORMAT_VERSION = 1
    IDLE_US = 10000             # the thread looks again after that long, whatever happens
    LAZY_BYTES = 1048576        # durability none: frames worth a write
    LAZY_EVENTS = 4096          # events worth a write, and the most in one


@cython.final
cdef class LogWriter:
    """Frames and events on their way to their files.

    Invariants: ``stored_event <= journaled_event <= event_seq of the engine``: no event is on disk before its command;
    ``released_event`` moves only as the durability allows; once ``failed`` is set, none of the three moves any more.
    Ring bytes in [written, appended) and events in (min(stored, released), last] are never overwritten.

    Parameters
    ----------
    journal_dir, events_dir : int
        Open directory descriptors, taken over.
    venue_id : int
    durability : {"none", "batch", "fsync"}
    index : ReportIndex
        Sees every event that is stored.
    segment_bytes, journal_ring_bytes, event_ring_events, events_per_file : int
        Capacities; the rings are powers of two.
    """

    def __cinit__(
        self,
        int journal_dir,
        int events_dir,
        uint64_t venue_id,
        str durability,
        ReportIndex index not None,
        int64_t segment_bytes,
        int64_t journal_ring_bytes,
        int64_t event_ring_events,
        int64_t events_per_file,
    ):
        self.journal_dir = journal_dir
        self.events_dir = events_dir
        self.journal_fd = self.events_fd = self.spare_fd = -1
        self.release_fd = open_eventfd()
        if self.release_fd < 0:
            raise OSError(errno, f"eventfd: {os.strerror(errno)}")
        if durability not in DURABILITIES:
            raise ValueError(f"durability must be one of {', '.join(DURABILITIES)}, was {durability!r}")
        if events_per_file < 1 or segment_bytes < SEGMENT_HEAD_BYTES + 1024:
            raise ValueError(f"files must hold something, were {segment_bytes} bytes and {events_per_file} events")
        self.venue_id = venue_id
        self.durability = DURABILITIES[durability]
        self.index = index
        self.segment_bytes = segment_bytes
        self.events_per_file = events_per_file
        self.journal_ring_bytes = journal_ring_bytes
        self.event_ring_events = event_ring_events
        self.ahead.roll_at = self.rolled = -1
        self.journal_ring = map_ring(journal_ring_bytes)
        self.event_ring = map_ring(event_ring_events * EVENT_BYTES)
        pthread_mutex_init(&self.mutex, NULL)
        cond_init_monotonic(&self.wake)
        cond_init_monotonic(&self.moved)

    def __dealloc__(self):
        unmap_ring(self.journal_ring, self.journal_ring_bytes)
        unmap_ring(self.event_ring, self.event_ring_events * EVENT_BYTES)
        for fd in (
            self.journal_fd, self.events_fd, self.spare_fd, self.journal_dir, self.events_dir, self.release_fd
        ):
            if fd >= 0:
                close(fd)

    # ---- the engine's thread ----

    cdef int64_t journal_free(self) noexcept nogil:
        return self.journal_ring_bytes - (self.ahead.appended - load_i64(&self.written))

    cdef int64_t event_free(self, uint64_t last_event_seq) noexcept nogil:
        cdef uint64_t released = load_seq(&self.released_event), stored = load_seq(&self.stored_event)
        return self.event_ring_events - <int64_t>(last_event_seq - (released if released < stored else stored))

    cdef uint8_t* event_slot(self, uint64_t event_seq) noexcept nogil:
        return self.event_ring + ((event_seq - 1) & <uint64_t>(self.event_ring_events - 1)) * EVENT_BYTES

    cdef bint make_room(self, int64_t frame_bytes, uint64_t next_seq, uint64_t next_event_seq) noexcept nogil:
        """Begin a segment if the current one cannot hold that many bytes more; False: not now, try again later."""
        if self.ahead.appended - self.segment_begin + frame_bytes <= self.segment_room - SEGMENT_HEAD_BYTES:
            return True
        if self.ahead.roll_at >= 0 and load_i64(&self.rolled) != self.ahead.roll_at:
            return False
        self.ahead.roll_at = self.segment_begin = self.ahead.appended
        self.ahead.roll_seq = next_seq
        self.ahead.roll_event_seq = next_event_seq
        self.segment_room = self.segment_bytes
        return True

    cdef void append(self, const uint8_t* records, int64_t size) noexcept nogil:
        """Frame sequenced records into the ring; there must be room."""
        cdef int64_t at = self.ahead.appended & (self.journal_ring_bytes - 1)
        self.ahead.appended += write_frames(self.journal_ring + at, records, size)

    cdef int publish(self, uint64_t last_event_seq) noexcept nogil:
        """Hand everything appended to the writer, by the durability's rule; -1: failed, nothing was released."""
        cdef bint signal
        self.ahead.event_seq = last_event_seq
        if self.durability == DURABILITY_BATCH:
            if self.flush_journal(&self.ahead) != 0:
                return -1
        if load_i32(&self.failed) != FAILED_NOT:
            return -1
        if self.durability != DURABILITY_FSYNC:
            put_seq(&self.released_event, last_event_seq)
        pthread_mutex_lock(&self.mutex)
        self.published = self.ahead
        signal = self.sleeping and self.has_work()
        pthread_mutex_unlock(&self.mutex)
        if signal:
            pthread_cond_signal(&self.wake)
        return 0

    cdef uint64_t released(self) noexcept nogil:
        return load_seq(&self.released_event)

    cdef uint64_t stored(self) noexcept nogil:
        return load_seq(&self.stored_event)

    cdef void clear_release(self) noexcept nogil:
        """Make `release_fd` wait for the next release."""
        clear_eventfd(self.release_fd)

    cdef int failure(self) noexcept nogil:
        return load_i32(&self.failed)

    cdef bint wait_moved(self, int64_t timeout_us) noexcept nogil:
        """Sleep until the thread has got on; False: nothing was heard of it in that time."""
        cdef int code
        pthread_mutex_lock(&self.mutex)
        self.waiting = True
        pthread_cond_signal(&self.wake)
        code = cond_wait_us(&self.moved, &self.mutex, timeout_us)
        self.waiting = False
        pthread_mutex_unlock(&self.mutex)
        return code == 0

    # ---- the writer's thread ----

    def run(self):
        """Body of the writer's thread; returns when told to stop, with everything written, or after a failure."""
        with nogil:
            self.work()

    cdef void work(self) noexcept nogil:
        cdef Progress upto
        cdef bint stop = False
        while not stop:
            if self.spare_fd < 0 and not self.spare_failed:
                self.prepare_spare()
            pthread_mutex_lock(&self.mutex)
            while self.held and not self.stopping:
                cond_wait_us(&self.wake, &self.mutex, IDLE_US)
            if not self.stopping and not self.waiting and not self.has_work():
                self.sleeping = True
                cond_wait_us(&self.wake, &self.mutex, IDLE_US)
                self.sleeping = False
            upto = self.published
            stop = self.stopping
            pthread_mutex_unlock(&self.mutex)
            if self.durability != DURABILITY_BATCH and self.failure() == FAILED_NOT:
                self.flush_journal(&upto)
            if self.failure() == FAILED_NOT:
                self.flush_events(load_seq(&self.journaled_event), stop)
            pthread_mutex_lock(&self.mutex)
            if self.waiting:
                pthread_cond_broadcast(&self.moved)
            pthread_mutex_unlock(&self.mutex)

    cdef bint has_work(self) noexcept nogil:
        """Is there something that should not wait? Called with the mutex held."""
        cdef int64_t waiting = self.published.appended - self.written
        if self.durability == DURABILITY_FSYNC and (
            waiting > 0 or self.published.event_seq != load_seq(&self.journaled_event)
        ):
            return True
        if self.durability == DURABILITY_NONE and waiting >= LAZY_BYTES:
            return True
        return load_seq(&self.journaled_event) - self.stored_event >= LAZY_EVENTS

    # ---- whoever writes the journal ----

    cdef int flush_journal(self, Progress* upto) noexcept nogil:
        """Write the frames up to `upto`, then let go of what is safe by the durability's rule."""
        cdef int64_t begin = self.written, end
        if begin == upto.appended and upto.event_seq == load_seq(&self.journaled_event):
            return 0  # events may come without a command: what the last one set off (rule 10.6)
        while begin < upto.appended:
            end = upto.appended
            if upto.roll_at >= begin and self.rolled != upto.roll_at:
                if upto.roll_at > begin:
                    end = upto.roll_at if upto.roll_at < end else end
                elif self.roll(upto) != 0:
                    return -1
            if self.flush_piece(begin, end) != 0:
                return -1
            begin = end
            put_i64(&self.written, begin)
        put_seq(&self.journaled_event, upto.event_seq)
        if self.durability == DURABILITY_FSYNC:
            put_seq(&self.released_event, upto.event_seq)
            raise_eventfd(self.release_fd)
        return 0

    cdef int flush_piece(self, int64_t begin, int64_t end) noexcept nogil:
        """Write the frames in [begin, end) with one write, and sync them where that is asked for."""
        cdef uint8_t* frames = self.journal_ring + (begin & (self.journal_ring_bytes - 1))
        cdef int code = self.drill(FAILED_JOURNAL_WRITE)
        mark_write_start(frames)
        if code == 0:
            code = self.put_all(self.journal_fd, frames, end - begin, SEGMENT_HEAD_BYTES + begin - self.file_begin)
        if code != 0:
            return self.fail(FAILED_JOURNAL_WRITE, code)
        self.write_count += 1
        if self.durability == DURABILITY_FSYNC:
            code = self.drill(FAILED_JOURNAL_SYNC)
            if code == 0 and fdatasync(self.journal_fd) != 0:
                code = errno
            if code != 0:
                return self.fail(FAILED_JOURNAL_SYNC, code)
            self.sync_count += 1
        return 0

    cdef int roll(self, Progress* upto) noexcept nogil:
        """Make the next segment the current one."""
        cdef char[64] temporary
        cdef char[64] name
        cdef uint8_t[64] head
        cdef int64_t number = self.spare_number
        cdef int fd = take_fd(&self.spare_fd), code = self.drill(FAILED_SEGMENT_CREATE)
        snprintf(temporary, sizeof(temporary), b"journal-%lld.tmp", <long long>number)
        if code == 0 and fd < 0:
            snprintf(temporary, sizeof(temporary), b"journal-new.tmp")
            fd = self.create_segment(temporary, &code)
        if code == 0:
            make_head(head, b"TSJRNL01", upto.roll_seq, upto.roll_event_seq, self.venue_id)
            code = self.put_all(fd, head, SEGMENT_HEAD_BYTES, 0)
        if code == 0:
            snprintf(name, sizeof(name), b"journal-%020llu.log", <unsigned long long>upto.roll_seq)
            if renameat(self.journal_dir, temporary, self.journal_dir, name) != 0:
                code = errno
        if code == 0 and self.durability == DURABILITY_FSYNC and fsync(self.journal_dir) != 0:
            code = errno
        if code != 0:
            if fd >= 0:
                close(fd)
            return self.fail(FAILED_SEGMENT_CREATE, code)
        if self.journal_fd >= 0:
            close(self.journal_fd)
        self.journal_fd = fd
        self.file_begin = upto.roll_at
        self.segment_count += 1
        put_i64(&self.rolled, upto.roll_at)
        return 0

    cdef int create_segment(self, const char* name, int* code) noexcept nogil:
        """Make a segment with all its room; its descriptor, or -1 with the system's error in `code`."""
        cdef int fd = open_new(self.journal_dir, name)
        if fd < 0:
            code[0] = errno
            return -1
        code[0] = posix_fallocate(fd, 0, self.segment_bytes)
        if code[0] == 0:
            return fd
        close(fd)
        return -1

    cdef void prepare_spare(self) noexcept nogil:
        """Have the next segment ready. When that fails it is tried again when the segment is needed, and fails there."""
        cdef char[64] name
        cdef int code = 0
        self.spare_number += 1
        snprintf(name, sizeof(name), b"journal-%lld.tmp", <long long>self.spare_number)
        cdef int fd = self.create_segment(name, &code)
        self.spare_failed = fd < 0
        put_fd(&self.spare_fd, fd)

    cdef int flush_events(self, uint64_t upto, bint all_of_them) noexcept nogil:
        """Store the events up to `upto`; with fsync the journal goes first, so this may stop in between."""
        cdef uint64_t stored = self.stored_event
        cdef int64_t count, room
        cdef int code
        while stored < upto:
            if self.events_fd < 0 or <int64_t>(stored + 1 - self.events_file_first) >= self.events_per_file:
                if self.open_events_file(stored + 1) != 0:
                    return -1
            room = self.events_per_file - <int64_t>(stored + 1 - self.events_file_first)
            count = <int64_t>(upto - stored)
            count = count if count < room else room
            count = count if count < LAZY_EVENTS else LAZY_EVENTS
            code = self.drill(FAILED_EVENT_WRITE)
            if code == 0:
                code = self.put_all(
                    self.events_fd,
                    self.event_slot(stored + 1),
                    count * EVENT_BYTES,
                    EVENTS_HEAD_BYTES + <int64_t>(stored + 1 - self.events_file_first) * EVENT_BYTES,
                )
            if code != 0:
                return self.fail(FAILED_EVENT_WRITE, code)
            self.index.observe(self.event_slot(stored + 1), count)
            stored += <uint64_t>count
            put_seq(&self.stored_event, stored)
            if self.durability == DURABILITY_FSYNC and not all_of_them and self.journal_waits():
                return 0
        return 0

    cdef bint journal_waits(self) noexcept nogil:
        """Have further frames been published?"""
        cdef bint waits
        pthread_mutex_lock(&self.mutex)
        waits = self.published.appended > self.written
        pthread_mutex_unlock(&self.mutex)
        return waits

    cdef int open_events_file(self, uint64_t first_event_seq) noexcept nogil:
        """Begin the events file whose first event that is."""
        cdef char[64] name
        cdef uint8_t[128] head
        cdef int code = self.drill(FAILED_EVENT_CREATE), fd = -1
        if code == 0:
            snprintf(name, sizeof(name), b"events-%020llu.log", <unsigned long long>first_event_seq)
            fd = open_new(self.events_dir, name)
            code = errno if fd < 0 else 0
        if code == 0:
            memset(head, 0, sizeof(head))
            make_head(head, b"TSEVNT01", first_event_seq, 0, self.venue_id)
            code = self.put_all(fd, head, EVENTS_HEAD_BYTES, 0)
        if code != 0:
            if fd >= 0:
                close(fd)
            return self.fail(FAILED_EVENT_CREATE, code)
        if self.events_fd >= 0:
            close(self.events_fd)
        self.events_fd = fd
        self.events_file_first = first_event_seq
        return 0

    cdef int put_all(self, int fd, const uint8_t* data, int64_t size, int64_t offset) noexcept nogil:
        """Write all of it; 0, or the system's error."""
        cdef Py_ssize_t done
        while size > 0:
            done = pwrite(fd, data, <size_t>size, offset)
            if done < 0 and errno == EINTR:
                continue
            if done <= 0:
                return errno if done < 0 else EIO
            data += done
            size -= done
            offset += done
        return 0

    cdef int fail(self, int32_t operation, int32_t code) noexcept nogil:
        """Stop for good; the first failure is the one remembered."""
        if load_i32(&self.failed) == FAILED_NOT:
            self.failed_errno = code
            put_i32(&self.failed, operation)
            raise_eventfd(self.release_fd)  # a loop that sleeps hears of it at once
        return -1

    cdef int32_t drill(self, int32_t operation) noexcept nogil:
        """The system error a drill wants this operation to meet, or 0."""
        if self.fault_operation != operation:
            return 0
        self.fault_after -= 1
        return self.fault_errno if self.fault_after < 0 else 0

    # ---- opening and closing; no thread runs ----

    def resume(self, int journal_fd, int64_t offset, int64_t segment_bytes, uint64_t event_seq):
        """Go on in a segment, its next frame at `offset`; take over the descriptor. -1: the next frame begins a segment."""
        if journal_fd >= 0:
            self.journal_fd = journal_fd
            self.file_begin = self.segment_begin = SEGMENT_HEAD_BYTES - offset
            self.segment_room = segment_bytes
        self.ahead.event_seq = self.journaled_event = self.released_event = event_seq
        self.published = self.ahead

    def resume_events(self, int events_fd, uint64_t first_event_seq, uint64_t stored_event_seq):
        """Go on in an events file; -1: the next event begins one."""
        if self.events_fd >= 0:
            os.close(self.events_fd)
        self.events_fd = events_fd
        self.events_file_first = first_event_seq
        self.stored_event = stored_event_seq

    def store_events(self, uint64_t event_seq):
        """Recovery: store what was derived again up to `event_seq`; raises OSError."""
        cdef int code
        with nogil:
            code = self.flush_events(event_seq, True)
        if code != 0:
            raise OSError(self.failed_errno, f"{OPERATIONS[self.failed]}: {os.strerror(self.failed_errno)}")

    def ask_to_stop(self):
        """Make the thread write what there is and end."""
        pthread_mutex_lock(&self.mutex)
        self.stopping = True
        pthread_cond_signal(&self.wake)
        pthread_mutex_unlock(&self.mutex)

    def sync(self):
        """Sync journal and events file and close all; raises OSError. Last call."""
        for fd in (self.journal_fd, self.events_fd):
            if fd >= 0 and self.failed == FAILED_NOT:
                os.fdatasync(fd)
        for fd in (self.journal_fd, self.events_fd, self.spare_fd, self.journal_dir, self.events_dir):
            if fd >= 0:
                os.close(fd)
        self.journal_fd = self.events_fd = self.spare_fd = self.journal_dir = self.events_dir = -1

    def hold(self, bint held):
        """Drill: make the thread wait before its next write, or go on; as a disk does that does not answer."""
        pthread_mutex_lock(&self.mutex)
        self.held = held
        pthread_cond_signal(&self.wake)
        pthread_mutex_unlock(&self.mutex)

    def inject_fault(self, int operation, int64_t after, int code):
        """Drill: make the operation (a key of OPERATIONS) fail with a system error, `after` of them from now on."""
        self.fault_after = after
        self.fault_errno = code
        self.fault_operation = operation

    @property
    def failure_text(self):
        """What failed, as a sentence; None while nothing has."""
        if self.failure() == FAILED_NOT:
            return None
        if self.failed == FAILED_ENGINE:
            return OPERATIONS[FAILED_ENGINE]
        return f"{OPERATIONS[self.failed]}: {os.strerror(self.failed_errno)} (errno {self.failed_errno})"

    @property
    def figures(self):
        """Writes and syncs of the journal and segments begun in this run; events stored."""
        return {
            "writes": self.write_count,
            "syncs": self.sync_count,
            "segments": self.segment_count,
            "stored_event_seq": load_seq(&self.stored_event),
            "journaled_event_seq": load_seq(&self.journaled_event),
        }


cdef void make_head(uint8_t* head, const char* magic, uint64_t first, uint64_t first_event, uint64_t venue_id) noexcept nogil:
    """Fill in the 64 bytes of a file header, checksum last."""
    memset(head, 0, 64)
    memcpy(head, magic, 8)
    (<uint32_t*>(head + 8))[0] = FORMAT_VERSION
    (<uint16_t*>(head + 12))[0] = SCHEMA_ID
    (<uint16_t*>(head + 14))[0] = SCHEMA_VERSION
    (<uint64_t*>(head + 16))[0] = first
    (<uint64_t*>(head + 24))[0] = first_event
    (<uint64_t*>(head + 32))[0] = venue_id
    (<uint32_t*>(head + 60))[0] = crc32c(head, 60, 0)
