"""Serve those who missed something, without keeping the others waiting."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset

from tradsys.marketdata.channel cimport Channel, claim
from tradsys.marketdata.publisher cimport Publisher
from tradsys.marketdata.snapshot cimport SNAPSHOT_IDLE, SnapshotWalk
from tradsys.wire.libzmq cimport (
    EAGAIN,
    ZMQ_DONTWAIT,
    ZMQ_SNDMORE,
    zmq_error,
    zmq_msg_close,
    zmq_msg_data,
    zmq_msg_init,
    zmq_msg_more,
    zmq_msg_recv,
    zmq_msg_size,
    zmq_msg_t,
    zmq_send,
)
from tradsys.wire.packet cimport FRAME_HEAD_BYTES, write_frame_head
from tradsys.wire.records cimport (
    BLOCK_GAP_FILL_REQUEST,
    BLOCK_REQUEST_REFUSED,
    BLOCK_SNAPSHOT_REQUEST,
    CHANNEL_L1,
    CHANNEL_L2,
    CHANNEL_L3,
    CHANNEL_SNAPSHOT,
    CHANNEL_STATUS,
    CHANNEL_TRADES,
    REJECT_REASON_BAD_BLOCK_LENGTH,
    REJECT_REASON_BAD_FLAGS,
    REJECT_REASON_MALFORMED_FRAME,
    REJECT_REASON_NONE,
    REJECT_REASON_NOT_AVAILABLE,
    REJECT_REASON_THROTTLED,
    REJECT_REASON_UNKNOWN_INSTRUMENT,
    REJECT_REASON_UNKNOWN_TEMPLATE,
    REJECT_REASON_UNSUPPORTED_VERSION,
    SCHEMA_ID,
    SCHEMA_VERSION,
    SIZE_GAP_FILL_REQUEST,
    SIZE_REQUEST_REFUSED,
    SIZE_SNAPSHOT_REQUEST,
    TEMPLATE_GAP_FILL_REQUEST,
    TEMPLATE_REQUEST_REFUSED,
    TEMPLATE_SNAPSHOT_REQUEST,
    GapFillRequest,
    MdInstrument,
    RequestRefused,
    SnapshotBegin,
    SnapshotRequest,
)

# A snapshot whose reader stalls holds up the next one: it is given up sooner than a gap fill.
WALK_TIMEOUT_NS = 250_000_000

cdef enum:
    SENT = 0
    BLOCKED = 1
    GONE = 2


@cython.final
cdef class RecoveryDoor:
    """Answers readers of the feed; knows no more of them than their requests under way.

    Invariant: at most `requests_max` requests are under way, at most `requests_per_peer_max` of one peer, and
    at most one snapshot is being written at a time.

    Parameters
    ----------
    publisher : Publisher
    router : zmq.Socket, optional
        A bound ROUTER with ROUTER_MANDATORY set and bounded queues; without it only periodic snapshots are made.
    requests_max, requests_per_peer_max : int
        More are refused with THROTTLED.
    requests_per_turn : int
        Requests read from the socket in a turn.
    messages_per_turn : int
        Messages of answers and periodic snapshots sent in a turn.
    gap_fill_messages_max : int
        Largest range of one gap fill.
    peer_timeout_ms : int
        How long a peer may refuse its answer before the request is dropped.
    snapshot_cycle_ms : int
        Interval of the periodic snapshots of all instruments; 0: none.

    Notes
    -----
    Same thread as the publisher, between its turns.
    """

    def __cinit__(self, Publisher publisher not None, router=None, *, int64_t requests_max=1024,
                  int64_t requests_per_peer_max=16,
                  int64_t requests_per_turn=64, int64_t messages_per_turn=2048, int64_t gap_fill_messages_max=1_000_000,
                  int64_t peer_timeout_ms=2_000, int64_t snapshot_cycle_ms=5_000):
        if min(requests_max, requests_per_peer_max, requests_per_turn, messages_per_turn,
               gap_fill_messages_max) < 1:
            raise ValueError("the recovery door's limits must be at least 1")
        self.publisher = publisher
        self.walk = SnapshotWalk(publisher.books)
        self._keep = router
        self.router = NULL if router is None else <void*><size_t>int(router.underlying)
        self.requests_max = requests_max
        self.requests_per_peer_max = requests_per_peer_max
        self.requests_per_turn = requests_per_turn
        self.messages_per_turn = messages_per_turn
        self.gap_fill_messages_max = gap_fill_messages_max
        self.peer_timeout_ns = peer_timeout_ms * 1_000_000
        self.cycle_ns = snapshot_cycle_ms * 1_000_000
        self.frame_bytes_max = publisher.l3.frame_bytes_max
        self.requests = <Request*>calloc(<size_t>requests_max, sizeof(Request))
        self.walk_timeout_ns = min(self.peer_timeout_ns, WALK_TIMEOUT_NS)
        self.frame = <uint8_t*>malloc(<size_t>self.frame_bytes_max)
        self.walk_frame = <uint8_t*>malloc(<size_t>self.frame_bytes_max)
        if self.requests == NULL or self.frame == NULL or self.walk_frame == NULL:
            raise MemoryError(f"no memory for {requests_max} requests")

    def __dealloc__(self):
        free(self.requests)
        free(self.frame)
        free(self.walk_frame)

    # ---- a turn ----

    def service(self, int64_t now_ns):
        """Read requests, send a turn's share of answers and periodic snapshots; returns messages sent."""
        return self.serve(now_ns)

    cdef int64_t serve(self, int64_t now_ns) except -1:
        cdef int64_t budget = self.messages_per_turn, sent, idle = 0
        if self.router != NULL:
            self._receive(now_ns)
        while budget > 0 and idle < self.request_count:
            self.turn_of = self.turn_of % self.request_count
            sent = self._serve_one(&self.requests[self.turn_of], budget, now_ns)
            if sent < 0:               # done with, one way or the other
                self._drop(self.turn_of)
                idle = 0
                continue
            idle = idle + 1 if sent == 0 else 0
            budget -= sent
            self.turn_of += 1
        budget -= self._cycle(max(budget, self.messages_per_turn // 8), now_ns)
        return self.messages_per_turn - budget

    # ---- requests in ----

    cdef int _receive(self, int64_t now_ns) except -1:
        """Read requests: identity and one record each."""
        cdef zmq_msg_t identity, record, surplus
        cdef int64_t count = 0, parts
        zmq_msg_init(&identity)
        zmq_msg_init(&record)
        zmq_msg_init(&surplus)
        while count < self.requests_per_turn and zmq_msg_recv(&identity, self.router, ZMQ_DONTWAIT) >= 0:
            count += 1
            parts = 1
            if zmq_msg_more(&identity):
                parts += 1
                zmq_msg_recv(&record, self.router, ZMQ_DONTWAIT)
                if zmq_msg_more(&record):
                    parts += 1
                    zmq_msg_recv(&surplus, self.router, ZMQ_DONTWAIT)
                    while zmq_msg_more(&surplus):
                        zmq_msg_recv(&surplus, self.router, ZMQ_DONTWAIT)
            if parts != 2:
                self.dropped += 1
                continue
            self._take(<const uint8_t*>zmq_msg_data(&identity), <int64_t>zmq_msg_size(&identity),
                       <const uint8_t*>zmq_msg_data(&record), <int64_t>zmq_msg_size(&record), now_ns)
        zmq_msg_close(&identity)
        zmq_msg_close(&record)
        zmq_msg_close(&surplus)
        return 0

    cdef int _take(self, const uint8_t* identity, int64_t identity_bytes, const uint8_t* record,
                   int64_t record_bytes,
                   int64_t now_ns) except -1:
        """Judge a request and put it with those under way, or refuse it."""
        cdef Request request
        cdef int64_t i, open_count = 0
        cdef int reason
        memset(&request, 0, sizeof(request))
        if identity_bytes > IDENTITY_BYTES_MAX:
            self.dropped += 1
            return 0
        memcpy(request.identity, identity, <size_t>identity_bytes)
        request.identity_bytes = <int>identity_bytes
        reason = self._judge(record, record_bytes, &request)
        for i in range(self.request_count):
            if self.requests[i].identity_bytes == identity_bytes and \
                    memcmp(self.requests[i].identity, identity, <size_t>identity_bytes) == 0:
                open_count += 1
        if reason == REJECT_REASON_NONE and \
                (self.request_count == self.requests_max or open_count >= self.requests_per_peer_max):
            reason = REJECT_REASON_THROTTLED
        if reason != REJECT_REASON_NONE:
            return self._refuse(&request, reason)
        self.requests[self.request_count] = request
        self.request_count += 1
        return 0

    cdef int _judge(self, const uint8_t* record, int64_t record_bytes, Request* request) except -1:
        """Read a request record; the reason to refuse it, or NONE."""
        cdef const GapFillRequest* head = <const GapFillRequest*>record
        if record_bytes < 8:
            return REJECT_REASON_MALFORMED_FRAME
        if head.schema_id != SCHEMA_ID or head.version != SCHEMA_VERSION:
            return REJECT_REASON_UNSUPPORTED_VERSION
        if head.template_id == TEMPLATE_GAP_FILL_REQUEST:
            if head.block_length != BLOCK_GAP_FILL_REQUEST:
                return REJECT_REASON_BAD_BLOCK_LENGTH
            if record_bytes != SIZE_GAP_FILL_REQUEST:
                return REJECT_REASON_MALFORMED_FRAME
            return self._judge_gap_fill(record, request)
        if head.template_id == TEMPLATE_SNAPSHOT_REQUEST:
            if head.block_length != BLOCK_SNAPSHOT_REQUEST:
                return REJECT_REASON_BAD_BLOCK_LENGTH
            if record_bytes != SIZE_SNAPSHOT_REQUEST:
                return REJECT_REASON_MALFORMED_FRAME
            return self._judge_snapshot(record, request)
        return REJECT_REASON_UNKNOWN_TEMPLATE

    cdef int _judge_gap_fill(self, const uint8_t* record, Request* request) except -1:
        cdef const GapFillRequest* asked = <const GapFillRequest*>record
        cdef Channel channel
        request.request_id = asked.request_id
        request.kind = REQUEST_GAP_FILL
        request.channel = asked.channel
        if (<const uint16_t*>asked.pad)[0] or (<const uint64_t*>asked.pad2)[0]:
            return REJECT_REASON_BAD_FLAGS
        if asked.channel != CHANNEL_L3 and asked.channel != CHANNEL_L2 and asked.channel != CHANNEL_L1 and \
                asked.channel != CHANNEL_TRADES and asked.channel != CHANNEL_STATUS:
            request.channel = 0
            return REJECT_REASON_NOT_AVAILABLE
        if asked.stream_id != self.publisher.stream_id or asked.count == 0 or asked.count > self.gap_fill_messages_max:
            return REJECT_REASON_NOT_AVAILABLE
        channel = self._retained_channel(asked.channel)
        if channel.find(asked.first_seq) < 0:
            return REJECT_REASON_NOT_AVAILABLE
        request.next_seq = asked.first_seq
        request.end_seq = min(asked.first_seq + asked.count, channel.next_seq - <uint64_t>channel.open_count)
        return REJECT_REASON_NONE

    cdef int _judge_snapshot(self, const uint8_t* record, Request* request) except -1:
        cdef const SnapshotRequest* asked = <const SnapshotRequest*>record
        request.request_id = asked.request_id
        request.kind = REQUEST_SNAPSHOT
        request.instrument_id = asked.instrument_id
        request.next_seq = 1
        if (<const uint32_t*>asked.pad)[0]:
            return REJECT_REASON_BAD_FLAGS
        if asked.instrument_id >= self.publisher.books.instruments_max or \
                (asked.instrument_id and self.publisher.definitions[asked.instrument_id].instrument_id == 0):
            return REJECT_REASON_UNKNOWN_INSTRUMENT
        return REJECT_REASON_NONE

    cdef int _refuse(self, const Request* request, int reason) except -1:
        """Say no, with what could be had."""
        cdef RequestRefused refusal
        cdef Channel channel
        memset(&refusal, 0, sizeof(refusal))
        refusal.block_length = BLOCK_REQUEST_REFUSED
        refusal.template_id = TEMPLATE_REQUEST_REFUSED
        refusal.schema_id = SCHEMA_ID
        refusal.version = SCHEMA_VERSION
        refusal.request_id = request.request_id
        refusal.stream_id = self.publisher.stream_id
        refusal.reject_reason = <uint8_t>reason
        if request.kind == REQUEST_GAP_FILL and request.channel:
            channel = self._retained_channel(request.channel)
            refusal.first_available_seq = channel.first_available_seq()
            refusal.next_seq = channel.next_seq
        self.refused += 1
        if self._send(request, <const uint8_t*>&refusal, SIZE_REQUEST_REFUSED) != SENT:
            self.dropped += 1
        return 0

    cdef Channel _retained_channel(self, uint16_t channel):
        if channel == CHANNEL_L3:
            return self.publisher.l3
        if channel == CHANNEL_L2:
            return self.publisher.l2
        if channel == CHANNEL_L1:
            return self.publisher.l1
        if channel == CHANNEL_TRADES:
            return self.publisher.trades
        return self.publisher.status

    # ---- answers out ----

    cdef void _drop(self, int64_t index) noexcept nogil:
        """Take a request off the list; the last one takes its place."""
        if self.requests[index].walking:
            self.walk.stop()
            self.walk_frame_bytes = 0
        self.request_count -= 1
        self.requests[index] = self.requests[self.request_count]

    cdef int64_t _serve_one(self, Request* request, int64_t budget, int64_t now_ns) except -2:
        """Send the next piece of an answer: messages sent, 0: it must wait, -1: the request is done with."""
        cdef int64_t sent
        if request.kind == REQUEST_DONE:
            return -1
        if request.kind == REQUEST_GAP_FILL:
            sent = self._fill_gap(request, now_ns)
        else:
            sent = self._send_snapshot(request, budget, now_ns)
        if sent > 0:
            self.messages += sent
            request.blocked_since_ns = 0
        return sent

    cdef int64_t _fill_gap(self, Request* request, int64_t now_ns) except -2:
        cdef int32_t message_count = 0
        cdef int outcome
        cdef int64_t frame_bytes
        cdef Channel channel
        if request.next_seq == request.end_seq:
            self.answered += 1
            return -1
        channel = self._retained_channel(request.channel)
        frame_bytes = channel.copy_range(request.next_seq, request.end_seq, self.frame, self.frame_bytes_max,
                                         &message_count)
        if frame_bytes == 0:
            self._refuse(request, REJECT_REASON_NOT_AVAILABLE)
            return -1
        outcome = self._send(request, self.frame, frame_bytes)
        if outcome == SENT:
            request.next_seq += <uint64_t>message_count
            return message_count
        return self._not_sent(request, outcome, now_ns, self.peer_timeout_ns)

    cdef int64_t _not_sent(self, Request* request, int outcome, int64_t now_ns, int64_t timeout_ns) noexcept nogil:
        """A peer that is gone, or has not taken its answer for long, is given up."""
        if request.blocked_since_ns == 0:
            request.blocked_since_ns = now_ns
        if outcome == BLOCKED and now_ns - request.blocked_since_ns < timeout_ns:
            return 0
        self.dropped += 1
        return -1

    cdef int64_t _send_snapshot(self, Request* request, int64_t budget, int64_t now_ns) except -2:
        """Write one frame of a snapshot and send it; only one snapshot is under way at a time."""
        cdef int outcome
        if not request.walking:
            if not self._walk_is_free() or self.cycle_first:
                return 0
            self._begin_walk(request.instrument_id, request.request_id)
            request.walking = 1
        if self.walk_frame_bytes == 0:
            self._pack_walk(request, budget, now_ns)
        outcome = self._send(request, self.walk_frame, self.walk_frame_bytes)
        if outcome != SENT:
            return self._not_sent(request, outcome, now_ns, self.walk_timeout_ns)
        self.walk_frame_bytes = 0
        request.next_seq += <uint64_t>self.walk_frame_count
        if self.walk.stage == SNAPSHOT_IDLE:   # that was its last: the walk is free for another
            request.walking = 0
            request.kind = REQUEST_DONE
            self.answered += 1
            self.cycle_first = self.cycle_ns > 0 and (self.cycle_instrument > 0 or now_ns >= self.cycle_due_ns)
        return self.walk_frame_count

    cdef int _pack_walk(self, Request* request, int64_t budget, int64_t now_ns) except -1 nogil:
        """Fill a frame with what comes next of the snapshot, at most `budget` messages."""
        cdef int64_t used = FRAME_HEAD_BYTES, size_bytes = self.walk.peek_bytes()
        self.walk_frame_count = 0
        while size_bytes and self.walk_frame_count < budget and used + size_bytes <= self.frame_bytes_max:
            self.walk.write(self.walk_frame + used)
            used += size_bytes
            self.walk_frame_count += 1
            size_bytes = self.walk.peek_bytes()
        self.walk_frame_bytes = used
        write_frame_head(self.walk_frame, CHANNEL_SNAPSHOT, self.walk_frame_count, used, self.publisher.stream_id,
                         request.next_seq, now_ns, self.walk.begin.event_seq)
        return 0

    cdef bint _walk_is_free(self) noexcept nogil:
        return self.walk.stage == SNAPSHOT_IDLE and self.walk_frame_bytes == 0 and not self.cycle_walking

    cdef int _begin_walk(self, uint32_t instrument_id, uint64_t request_id) except -1:
        """Start a snapshot of what has been published so far."""
        cdef SnapshotBegin head
        self.publisher.fill_head(&head, instrument_id, request_id)
        if instrument_id:
            return self.walk.begin_book(&head)
        return self.walk.begin_definitions(&head, self.publisher.definitions)

    cdef int _send(self, const Request* request, const uint8_t* answer, int64_t answer_bytes) noexcept nogil:
        """Send one part to the request's peer without waiting."""
        if self.router == NULL:
            return GONE
        if zmq_send(self.router, request.identity, <size_t>request.identity_bytes, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0:
            return BLOCKED if zmq_error() == EAGAIN else GONE
        if zmq_send(self.router, answer, <size_t>answer_bytes, ZMQ_DONTWAIT) < 0:
            return GONE
        return SENT

    # ---- periodic snapshots ----

    cdef int64_t _cycle(self, int64_t budget, int64_t now_ns) except -1:
        """Go on with the snapshots on the SNAPSHOT channel; messages written."""
        cdef Channel channel = self.publisher.snapshots
        cdef int64_t count = 0
        cdef uint8_t* room
        if now_ns - channel.last_send_ns >= self.publisher.heartbeat_ns:
            channel.heartbeat(now_ns, self.publisher.event_seq)
        if not self.cycle_walking and not self._next_in_cycle(now_ns):
            return 0
        while count < budget and self.walk.stage != SNAPSHOT_IDLE:
            claim(channel, self.walk.peek_bytes(), now_ns, self.walk.begin.event_seq, &room)
            self.walk.write(room)
            count += 1
        channel.flush(now_ns, self.walk.begin.event_seq)
        if self.walk.stage == SNAPSHOT_IDLE:
            self.cycle_walking = False
            self.cycle_instrument += 1
        return count

    cdef bint _next_in_cycle(self, int64_t now_ns) except -1:
        """Start on the cycle's next book if it is time and no request has the walk."""
        cdef const MdInstrument* definitions = self.publisher.definitions
        if self.cycle_ns == 0 or not self._walk_is_free():
            return False
        self.cycle_first = False
        if self.cycle_instrument == 0:
            if now_ns < self.cycle_due_ns:
                return False
            self.cycle_due_ns = now_ns + self.cycle_ns
            self.cycle_instrument = 1
        while self.cycle_instrument < self.publisher.books.instruments_max and \
                definitions[self.cycle_instrument].instrument_id == 0:
            self.cycle_instrument += 1
        if self.cycle_instrument >= self.publisher.books.instruments_max:
            self.cycle_instrument = 0
            self.cycles += 1
            return False
        self._begin_walk(self.cycle_instrument, 0)
        self.cycle_walking = True
        return True

    def figures(self):
        """What has been served: a dict of counts."""
        return {"answered": self.answered, "refused": self.refused, "dropped": self.dropped,
                "messages": self.messages,
                "open": self.request_count, "cycles": self.cycles}
