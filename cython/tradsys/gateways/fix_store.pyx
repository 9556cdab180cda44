"""The store of one FIX session."""
import os

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, strerror

cimport cython
from posix.unistd cimport fdatasync, ftruncate, pread, write

from tradsys.engine.frames cimport crc32c

from tradsys.errors import CorruptionError, JournalError

cdef enum:
    INDEX_STRIDE = 64
    REF_STRIDE = 16
    READ_BYTES = 65536       # at a time, for one request
    READS_MAX = 16
    PENDING_BEGIN = 65536
    CRC_FROM = 8             # bytes of a record not under its checksum
    RECORD_BYTES_MAX = 65536
    LOAD_BYTES = 1048576
    REFUSALS_KEPT = 16       # refused logons in a row


@cython.final
cdef class FixStore:
    """One file of a session's messages.

    Everything before the last flush is on disk in the order it was appended; the index names places in the file only.

    Parameters
    ----------
    path : path
        Created when missing. A torn last write is cut off.

    Raises
    ------
    CorruptionError
        A record does not hold although later writes are there.
    """

    def __cinit__(self, path):
        self.path = path
        self.fd = -1
        self.pending_capacity = PENDING_BEGIN
        self.pending = <uint8_t*> malloc(self.pending_capacity)
        if self.pending == NULL:
            raise MemoryError("no memory for a FIX store")

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self.size = os.fstat(self.fd).st_size

    def __dealloc__(self):
        if self.fd >= 0:
            os.close(self.fd)
        free(self.pending)
        free(self.index_seqs)
        free(self.index_offsets)
        free(self.ref_refs)
        free(self.ref_offsets)

    # ------------------------------------------------------------------------------------------ writing

    @cython.overflowcheck(False)
    cdef int append(self, const StoreHead* head, const uint8_t* data, int64_t data_bytes) except -1:
        cdef int64_t size = HEAD_BYTES + data_bytes
        cdef int64_t capacity
        cdef uint8_t* room
        cdef StoreHead* record
        assert 0 <= data_bytes <= RECORD_BYTES_MAX - HEAD_BYTES
        if self.pending_bytes + size > self.pending_capacity:
            capacity = 2 * (self.pending_bytes + size)
            room = <uint8_t*> realloc(self.pending, capacity)
            if room == NULL:
                raise MemoryError("no memory for a FIX store")
            self.pending, self.pending_capacity = room, capacity
        record = <StoreHead*> (self.pending + self.pending_bytes)
        memcpy(record, head, HEAD_BYTES)
        record.size = <uint32_t> size
        if self.pending_bytes == 0:
            record.flags |= FLAG_FIRST
        if data_bytes:
            memcpy(self.pending + self.pending_bytes + HEAD_BYTES, data, data_bytes)
        record.crc = crc32c(<const uint8_t*> record + CRC_FROM, size - CRC_FROM, 0)
        self.note(record, self.size + self.pending_bytes)
        self.pending_bytes += size
        return 0

    cdef int note(self, const StoreHead* head, int64_t offset) except -1:
        """Index a business message sent, or a request."""
        if head.kind == RECORD_IN and head.client_ref:
            return self.note_request(head, offset)
        if head.kind != RECORD_OUT or head.flags & FLAG_ADMIN:
            return 0
        self.indexed += 1
        if (self.indexed - 1) % INDEX_STRIDE:
            return 0
        if self.index_count == self.index_capacity:
            self.index_capacity = max(256, 2 * self.index_capacity)
            self.index_seqs = <uint64_t*> realloc(self.index_seqs, self.index_capacity * sizeof(uint64_t))
            self.index_offsets = <int64_t*> realloc(self.index_offsets, self.index_capacity * sizeof(int64_t))
            if self.index_seqs == NULL or self.index_offsets == NULL:
                raise MemoryError("no memory for the index of a FIX store")
        self.index_seqs[self.index_count] = head.seq
        self.index_offsets[self.index_count] = offset
        self.index_count += 1
        return 0

    cdef int note_request(self, const StoreHead* head, int64_t offset) except -1:
        """Index a request that became a command; references go up."""
        self.requests += 1
        if (self.requests - 1) % REF_STRIDE:
            return 0
        if self.ref_count == self.ref_capacity:
            self.ref_capacity = max(256, 2 * self.ref_capacity)
            self.ref_refs = <uint64_t*> realloc(self.ref_refs, self.ref_capacity * sizeof(uint64_t))
            self.ref_offsets = <int64_t*> realloc(self.ref_offsets, self.ref_capacity * sizeof(int64_t))
            if self.ref_refs == NULL or self.ref_offsets == NULL:
                raise MemoryError("no memory for the index of a FIX store")
        self.ref_refs[self.ref_count] = head.client_ref
        self.ref_offsets[self.ref_count] = offset
        self.ref_count += 1
        return 0

    cdef int64_t end(self) noexcept nogil:
        return self.size + self.pending_bytes

    cdef int note_refusal(self, int64_t begin) except -1:
        cdef bint is_next = begin == self.refusal_end
        self.refusals = self.refusals + 1 if is_next else 1
        if is_next and self.refusals > REFUSALS_KEPT and begin == self.size:
            # one write puts these records over those, so that the number the next message has is never lost
            self.size = self.refusal_begin
            os.lseek(self.fd, self.size, os.SEEK_SET)
            self.is_rewound = True
        else:
            self.refusal_begin = begin
        self.refusal_end = self.end()
        return 0

    cdef int flush(self, bint sync) except -1:
        cdef int64_t done = 0, count
        while done < self.pending_bytes:
            count = write(self.fd, self.pending + done, self.pending_bytes - done)
            if count < 0 and errno != EINTR:
                raise JournalError(f"{self.path}: cannot be written: {strerror(errno).decode()}")
            done += count if count > 0 else 0
        if self.is_rewound and done:
            if ftruncate(self.fd, self.size + done):
                raise JournalError(f"{self.path}: cannot be cut: {strerror(errno).decode()}")
            self.is_rewound = False
        if sync and done and fdatasync(self.fd):
            raise JournalError(f"{self.path}: cannot be synced: {strerror(errno).decode()}")
        self.size += done
        self.pending_bytes = 0
        return 0

    # ------------------------------------------------------------------------------------------ reading

    cdef int64_t offset_of(self, uint64_t seq) noexcept nogil:
        cdef int64_t low = 0, high = self.index_count, middle
        while low < high:
            middle = (low + high) // 2
            if self.index_seqs[middle] <= seq:
                low = middle + 1
            else:
                high = middle
        return self.index_offsets[low - 1] if low > 0 else 0

    cdef int64_t offset_of_ref(self, uint64_t client_ref) noexcept nogil:
        cdef int64_t low = 0, high = self.ref_count, middle
        while low < high:
            middle = (low + high) // 2
            if self.ref_refs[middle] <= client_ref:
                low = middle + 1
            else:
                high = middle
        return self.ref_offsets[low - 1] if low > 0 else -1

    def request_of(self, uint64_t client_ref):
        """The request with this reference as it was received; None: it is not in this file, or too far behind its index."""
        cdef int64_t offset = self.offset_of_ref(client_ref)
        cdef int64_t count, at
        cdef StoreHead head
        cdef bytearray room = bytearray(READ_BYTES)
        cdef const uint8_t* data = <const uint8_t*> <char*> room
        for _ in range(READS_MAX):
            count = self.read_at(offset, <uint8_t*> <char*> room, READ_BYTES) if offset >= 0 else 0
            at = 0
            while count - at >= HEAD_BYTES:
                memcpy(&head, data + at, HEAD_BYTES)
                if head.size < HEAD_BYTES or head.size > count - at:
                    break
                if head.kind == RECORD_IN and head.client_ref >= client_ref:
                    return bytes(room[at + HEAD_BYTES:at + head.size]) if head.client_ref == client_ref else None
                at += head.size
            if at == 0:
                return None
            offset += at
        return None

    cdef int64_t read_at(self, int64_t offset, uint8_t* target, int64_t size_bytes) except -1:
        cdef int64_t count = pread(self.fd, target, size_bytes, offset)
        if count < 0:
            raise JournalError(f"{self.path}: cannot be read: {strerror(errno).decode()}")
        return count

    def load(self, take):
        """Read the whole file, giving each record to `take(kind, flags, report_seq, seq, client_ref, ts_ns, next_in, data)`.

        A torn last write is cut off the file; appending goes on behind what is left.
        """
        cdef int64_t good = 0
        cdef StoreHead head
        cdef bytes rest = b""
        cdef int64_t position
        cdef const uint8_t* data
        while True:
            chunk = os.pread(self.fd, LOAD_BYTES, good + len(rest))
            rest += chunk
            data = <const uint8_t*> <const char*> rest
            position = 0
            while _record_at(data + position, len(rest) - position, &head):
                self.note(&head, good + position)
                take(head.kind, head.flags, head.report_seq, head.seq, head.client_ref, head.ts_ns, head.next_in,
                     PyBytes_FromStringAndSize(<const char*> data + position + HEAD_BYTES, head.size - HEAD_BYTES))
                position += head.size
            good += position
            rest = rest[position:]
            if not chunk:
                break
            if position == 0 and len(rest) >= RECORD_BYTES_MAX:
                break
        self._cut(good)

    def _cut(self, int64_t good):
        """Cut the torn end off, unless a later write begins behind it."""
        cdef StoreHead head
        cdef bytes rest = os.pread(self.fd, max(self.size - good, 0), good)
        cdef const uint8_t* data = <const uint8_t*> <const char*> rest
        cdef int64_t i
        for i in range(1, len(rest) - HEAD_BYTES + 1):
            if data[i + 8] and data[i + 9] & FLAG_FIRST and _record_at(data + i, len(rest) - i, &head):
                raise CorruptionError(f"{self.path}: the record at byte {good} does not hold, a later one does")
        self.cut_bytes = self.size - good
        if self.cut_bytes:
            os.ftruncate(self.fd, good)
        self.size = good
        os.lseek(self.fd, good, os.SEEK_SET)

    # ------------------------------------------------------------------------------------------ faces

    def put(self, int kind, bytes data=b"", *, int flags=0, uint32_t report_seq=0, uint64_t seq=0,
            uint64_t client_ref=0, int64_t ts_ns=0, uint64_t next_in=0, int body_offset=0):
        """Append one record; it is on its way with the next `write`."""
        cdef StoreHead head
        head.kind, head.flags, head.body_offset = kind, flags, body_offset
        head.report_seq, head.seq, head.client_ref, head.ts_ns, head.next_in = report_seq, seq, client_ref, ts_ns, next_in
        self.append(&head, <const uint8_t*> <const char*> data, len(data))

    def write(self, bint sync=False):
        """Write what was put."""
        self.flush(sync)

    def place_of(self, uint64_t seq):
        """Where reading for the message `seq` begins [bytes]; at most 64 business messages lie before it."""
        return self.offset_of(seq)


def read_records(bytes data not None):
    """List kind, time [ns] and data of the records of a file, up to the first that does not hold."""
    cdef StoreHead head
    cdef const uint8_t* begin = <const uint8_t*> <const char*> data
    cdef int64_t at = 0
    found = []
    while _record_at(begin + at, len(data) - at, &head):
        found.append((head.kind, head.ts_ns, data[at + HEAD_BYTES:at + head.size]))
        at += head.size
    return found


cdef bint _record_at(const uint8_t* data, int64_t size_bytes, StoreHead* head) noexcept nogil:
    """Whether a whole record that holds begins there."""
    if size_bytes < HEAD_BYTES:
        return False
    memcpy(head, data, HEAD_BYTES)
    if head.size < HEAD_BYTES or head.size > RECORD_BYTES_MAX or head.size > size_bytes:
        return False
    return (RECORD_BASE <= head.kind <= RECORD_ORDER
            and head.crc == crc32c(data + CRC_FROM, head.size - CRC_FROM, 0))
