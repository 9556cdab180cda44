"""The recovery door: gap fills, snapshots and definitions on a ROUTER socket, and the periodic snapshots.
Paced by turn.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.marketdata.channel cimport Channel
from tradsys.marketdata.publisher cimport Publisher
from tradsys.marketdata.snapshot cimport SnapshotWalk
from tradsys.wire.libzmq cimport zmq_msg_t

cdef enum:
    IDENTITY_BYTES_MAX = 255


cdef enum RequestKind:
    REQUEST_GAP_FILL = 1
    REQUEST_SNAPSHOT = 2
    REQUEST_DONE = 3


cdef struct Request:
    uint64_t request_id
    uint64_t next_seq                  # gap fill: next number to send; snapshot: number of the answer's next message
    uint64_t end_seq                   # gap fill: one past the last number
    int64_t blocked_since_ns           # when the peer stopped taking answers; 0: it takes them
    uint32_t instrument_id
    uint16_t channel
    uint8_t kind                       # RequestKind
    uint8_t walking                    # the snapshot walk is this request's
    int32_t identity_bytes
    uint8_t identity[IDENTITY_BYTES_MAX + 1]


cdef class RecoveryDoor:
    # parts
    cdef readonly Publisher publisher
    cdef SnapshotWalk walk
    cdef void* router                  # NULL: no door, periodic snapshots only
    cdef object _keep
    # requests under way
    cdef Request* requests
    cdef int64_t request_count
    cdef int64_t turn_of               # request that is served next
    cdef uint8_t* frame                # answer under construction
    cdef int64_t frame_bytes_max
    cdef uint8_t* walk_frame           # frame of the snapshot under way that its peer has not taken yet
    cdef int64_t walk_frame_bytes      # 0: none waits
    cdef int walk_frame_count          # messages in it
    # periodic snapshots
    cdef bint cycle_walking            # the walk is the cycle's
    cdef uint32_t cycle_instrument     # next in the cycle; 0: the cycle has not begun
    cdef int64_t cycle_due_ns
    cdef bint cycle_first              # requests have had a walk since the cycle was due
    # settings
    cdef readonly int64_t requests_max
    cdef readonly int64_t requests_per_peer_max
    cdef readonly int64_t requests_per_turn
    cdef readonly int64_t messages_per_turn
    cdef readonly int64_t gap_fill_messages_max
    cdef readonly int64_t peer_timeout_ns
    cdef int64_t walk_timeout_ns
    cdef readonly int64_t cycle_ns     # 0: no periodic snapshots
    # figures
    cdef readonly int64_t answered     # requests met in full
    cdef readonly int64_t refused      # answered with RequestRefused
    cdef readonly int64_t dropped      # unanswerable, or the peer took no more
    cdef readonly int64_t messages     # sent in answers
    cdef readonly int64_t cycles       # of periodic snapshots completed

    cdef int64_t serve(self, int64_t now_ns) except -1
    cdef int _receive(self, int64_t now_ns) except -1
    cdef int _take(self, const uint8_t* identity, int64_t identity_bytes, const uint8_t* record,
                   int64_t record_bytes,
                   int64_t now_ns) except -1
    cdef int _judge(self, const uint8_t* record, int64_t record_bytes, Request* request) except -1
    cdef int _judge_gap_fill(self, const uint8_t* record, Request* request) except -1
    cdef int _judge_snapshot(self, const uint8_t* record, Request* request) except -1
    cdef int _refuse(self, const Request* request, int reason) except -1
    cdef void _drop(self, int64_t index) noexcept nogil
    cdef int64_t _serve_one(self, Request* request, int64_t budget, int64_t now_ns) except -2
    cdef int64_t _fill_gap(self, Request* request, int64_t now_ns) except -2
    cdef int64_t _send_snapshot(self, Request* request, int64_t budget, int64_t now_ns) except -2
    cdef int _pack_walk(self, Request* request, int64_t budget, int64_t now_ns) except -1 nogil
    cdef bint _walk_is_free(self) noexcept nogil
    cdef int64_t _not_sent(self, Request* request, int outcome, int64_t now_ns, int64_t timeout_ns) noexcept nogil
    cdef bint _next_in_cycle(self, int64_t now_ns) except -1
    cdef int _begin_walk(self, uint32_t instrument_id, uint64_t request_id) except -1
    cdef int _send(self, const Request* request, const uint8_t* answer, int64_t answer_bytes) noexcept nogil
    cdef int64_t _cycle(self, int64_t budget, int64_t now_ns) except -1
    cdef Channel _retained_channel(self, uint16_t channel)
