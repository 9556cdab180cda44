"""What a FIX session has sent and received, on disk: one append-only file, one write a turn, a sparse index in memory.

A file is a run of records: a 48-byte head and `size` - 48 bytes of data. The first record of each write is marked, so
that damage in the middle is told from the torn end that a crash leaves.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    # begin of a file: report_seq told before it, client_ref = the engine's last client_seq then, seq: the highest on
    # its way to the engine then, 0: none; next_in: what we send next
    RECORD_BASE = 1
    RECORD_IN = 2            # a message received; client_ref: the reference of its command, 0: none
    RECORD_OUT = 3           # a message sent; report_seq: the engine's report in it; client_ref: a copy's place in the log
    RECORD_NUMBERS = 4       # next_in: what the client sends next; client_ref: a copy's place in the log
    RECORD_ORDER = 5         # an order carried over from the file before; report_seq 1: of the message behind it (drop copies)
    FLAG_ADMIN = 1           # an administrative message: a gap fill at a resend
    FLAG_FIRST = 2           # first record of a write
    HEAD_BYTES = 48

cdef struct StoreHead:
    uint32_t size            # bytes, this head included
    uint32_t crc             # CRC-32C of everything behind it
    uint8_t kind             # RECORD_
    uint8_t flags            # FLAG_
    uint16_t body_offset     # RECORD_OUT: where the message's body begins behind its header
    uint32_t report_seq
    uint64_t seq             # MsgSeqNum
    uint64_t client_ref
    int64_t ts_ns            # when, ns since the epoch; RECORD_OUT: its SendingTime
    uint64_t next_in


cdef class FixStore:
    cdef readonly object path
    cdef int fd
    cdef readonly int64_t size         # bytes in the file
    cdef uint8_t* pending              # records not written yet
    cdef int64_t pending_bytes
    cdef int64_t pending_capacity
    cdef uint64_t* index_seqs          # of every INDEX_STRIDE-th business message sent: its number ...
    cdef int64_t* index_offsets        # ... and its place
    cdef int64_t index_count
    cdef int64_t index_capacity
    cdef int64_t indexed               # business messages seen
    cdef uint64_t* ref_refs            # of every REF_STRIDE-th request that became a command: its reference ...
    cdef int64_t* ref_offsets          # ... and its place
    cdef int64_t ref_count
    cdef int64_t ref_capacity
    cdef int64_t requests              # that became commands
    cdef readonly int64_t cut_bytes    # torn end removed when opened
    cdef bint is_rewound               # the file may reach beyond the next write
    # refused logons at the end of the file
    cdef int64_t refusal_begin         # where the newest one's records begin ...
    cdef int64_t refusal_end           # ... and end
    cdef int refusals                  # in a row

    # A record joins this turn's write; nothing is on disk before flush.
    cdef int append(self, const StoreHead* head, const uint8_t* data, int64_t data_bytes) except -1
    # Write what is pending; with `sync` it is on disk afterwards.
    cdef int flush(self, bint sync) except -1
    # Where to begin reading for messages from `seq` on.
    cdef int64_t offset_of(self, uint64_t seq) noexcept nogil
    # Where to begin reading for the request with this reference; -1: it is not in the file.
    cdef int64_t offset_of_ref(self, uint64_t client_ref) noexcept nogil
    # Read written bytes; how many there were.
    cdef int64_t read_at(self, int64_t offset, uint8_t* target, int64_t size_bytes) except -1

    # Where the next record begins.
    cdef int64_t end(self) noexcept nogil
    # What was appended from `begin` on is a refused logon: of many in a row, the newest takes the place of the one before.
    cdef int note_refusal(self, int64_t begin) except -1

    cdef int note(self, const StoreHead* head, int64_t offset) except -1
    cdef int note_request(self, const StoreHead* head, int64_t offset) except -1
