"""What leaves a FIX session: messages with their numbers, stored before their bytes leave, and sent again when asked.

The store is synced before bytes that depend on it leave; a resend re-encodes what the store has.
"""
from collections import deque

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from tradsys.gateways.fix_store cimport FLAG_ADMIN, HEAD_BYTES, RECORD_IN, RECORD_OUT, StoreHead
from tradsys.gateways.fix_text cimport SOH, put_char_field, put_whole_field
from tradsys.gateways.fix_write cimport FixHeader, write_message

from tradsys.fix.message import FRACTION_DIGITS
from tradsys.gateways.fix_answers import ADMIN_TYPES

cdef enum:
    MESSAGE_ROOM = 40960        # a message being written
    OUT_BODY_MAX = 32768
    RESEND_BYTES = 8192         # read of the store in a turn; a longer record is read whole
    STATUS_BYTES = 262144       # waiting for a client before answers pause


cdef class FixOutgoing:
    """The sending half of a FIX session.

    Parameters
    ----------
    config : FixSessionConfig
    """

    def __cinit__(self, config, *_others):
        self.scratch = <uint8_t*> malloc(MESSAGE_ROOM)
        self.body = <uint8_t*> malloc(OUT_BODY_MAX)
        if not (self.scratch and self.body):
            raise MemoryError("no memory for a FIX session")
        self.config = config
        self.is_durable = config.is_durable
        self.session_id = config.session_id
        self.ours = config.settings.sender_comp_id.encode("ascii")
        self.theirs = config.settings.target_comp_id.encode("ascii")
        self.digits = FRACTION_DIGITS[config.settings.precision]
        self.resends = deque()
        self.resend_offset = -1
        self.numbers = SessionNumbers()

    def __dealloc__(self):
        free(self.scratch)
        free(self.body)

    cdef bint has_space(self) noexcept:
        return self.connection is not None and self.connection.waiting_bytes() < STATUS_BYTES

    cdef int send(self, uint32_t msg_type, const uint8_t* body, int32_t size, int flags, uint32_t report_seq) except -1:
        """Send a message with the next number: it joins the store and the connection's queue."""
        return self.send_routed(msg_type, NULL, 0, body, size, flags, report_seq)

    cdef int send_routed(self, uint32_t msg_type, const uint8_t* routing, int32_t routing_bytes, const uint8_t* body,
                         int32_t size, int flags, uint32_t report_seq) except -1:
        cdef StoreHead head
        cdef int body_offset = 0
        cdef int64_t begin = self.frame(msg_type, self.numbers.next_out, routing, routing_bytes, 0, body, size, &body_offset)
        cdef int64_t bytes_count = self.frame_end - begin
        memset(&head, 0, sizeof(head))
        head.kind, head.flags, head.body_offset = RECORD_OUT, flags, body_offset
        head.report_seq, head.seq, head.ts_ns = report_seq, self.numbers.next_out, self.now_ns
        head.client_ref = self.position
        self.store.append(&head, self.scratch + begin, bytes_count)
        self.numbers.next_out += 1
        self.numbers.sent_ns = self.now_ns
        if self.connection is not None:
            self.connection.put(self.scratch + begin, bytes_count)
        return 0

    cdef int64_t frame(self, uint32_t msg_type, uint64_t seq, const uint8_t* routing, int32_t routing_bytes,
                       int64_t orig_ns, const uint8_t* body, int32_t size, int* body_offset) except -1:
        """Write a message into the scratch buffer; where it begins there. It ends at frame_end."""
        cdef FixHeader header
        if size + routing_bytes > OUT_BODY_MAX:
            raise ValueError(f"a message of {size} bytes is too long to be sent")
        header.msg_type, header.seq, header.ts_ns, header.orig_ns = msg_type, seq, self.now_ns, orig_ns
        header.ours.data, header.ours.size = self.ours, <int32_t> len(self.ours)
        header.theirs.data, header.theirs.size = self.theirs, <int32_t> len(self.theirs)
        header.routing.data, header.routing.size = routing, routing_bytes
        header.digits = self.digits
        return write_message(self.scratch, &header, body, size, body_offset, &self.frame_end)

    def send_fields(self, str msg_type, fields, routing=()):
        """Send a message given as fields."""
        cdef bytes body = b"".join([b"%d=%b\x01" % field for field in fields])
        cdef bytes route = b"".join([b"%d=%b\x01" % field for field in routing])
        code = int.from_bytes(msg_type.encode("ascii"), "big")
        self.send_routed(code, route, len(route), body, len(body), FLAG_ADMIN if msg_type in ADMIN_TYPES else 0, 0)

    cdef int note_in(self, const uint8_t* message, int64_t size, uint64_t seq, uint64_t client_ref, int flags) except -1:
        """Store a message received."""
        cdef StoreHead head
        memset(&head, 0, sizeof(head))
        head.kind, head.flags, head.seq, head.client_ref = RECORD_IN, flags, seq, client_ref
        head.ts_ns = self.now_ns
        self.store.append(&head, message, size)
        return 0

    def resend(self):
        """Send a small piece of what was asked for again, in order; this session's live reports wait meanwhile."""
        cdef uint64_t begin, end
        cdef int64_t count, position = 0
        cdef const uint8_t* data
        cdef StoreHead head
        if not self.can_resend():
            return
        self.store.flush(self.is_durable)  # what waits here leaves in this turn
        begin, end = self.resends[0]
        if self.resend_offset < 0:
            self.resend_seq = begin
            self.resend_offset = self.store.offset_of(begin)
        room = self._read_piece(RESEND_BYTES)
        count = len(room)
        if count >= HEAD_BYTES:
            memcpy(&head, <const char*> room, HEAD_BYTES)
            if head.size > count:
                room = self._read_piece(head.size)
                count = len(room)
        data = <const uint8_t*> <const char*> room
        while count - position >= HEAD_BYTES and self.resend_seq <= end:
            memcpy(&head, data + position, HEAD_BYTES)
            if head.size > count - position:
                break
            if head.kind == RECORD_OUT and head.seq > end:
                self.resend_offset = self.store.size
                break
            if head.kind == RECORD_OUT and not head.flags & FLAG_ADMIN and head.seq >= self.resend_seq:
                self.resend_record(data + position, end)
            position += head.size
            self.resend_offset += head.size
        if self.resend_seq > end or self.resend_offset >= self.store.size:
            if self.resend_seq <= end:
                self.gap_fill(end + 1)
            self.resends.popleft()
            self.is_resending = bool(self.resends)
            self.resend_offset = -1

    cdef bint can_resend(self) noexcept:
        """Whether something was asked for again and its client takes what is sent."""
        return self.is_resending and self.has_space() and not self.connection.is_blocked

    cdef int forget_resends(self) except -1:
        """Send nothing again any more."""
        self.resends.clear()
        self.is_resending = False
        self.resend_offset = -1
        return 0

    cdef bytes _read_piece(self, int64_t size):
        """What the store has where the resend reads on."""
        cdef bytes room = PyBytes_FromStringAndSize(NULL, size)
        cdef int64_t count = self.store.read_at(self.resend_offset, <uint8_t*> <char*> room, size)
        return room if count == size else room[:max(count, 0)]

    cdef int resend_record(self, const uint8_t* record, uint64_t end) except -1:
        cdef const StoreHead* head = <const StoreHead*> record
        cdef const uint8_t* message = record + HEAD_BYTES
        cdef int64_t size = head.size - HEAD_BYTES
        cdef int64_t at = 12
        cdef uint32_t msg_type
        cdef int body_offset = 0
        cdef int64_t begin
        if head.seq > self.resend_seq:
            self.gap_fill(head.seq)
        while message[at] != SOH:
            at += 1
        at += 4  # SOH, 35=
        msg_type = message[at] if message[at + 1] == SOH else (message[at] << 8) | message[at + 1]
        begin = self.frame(msg_type, head.seq, NULL, 0, head.ts_ns, message + head.body_offset,
                           <int32_t> (size - head.body_offset - 7), &body_offset)
        self.connection.put(self.scratch + begin, self.frame_end - begin)
        self.numbers.sent_ns = self.now_ns
        self.messages_resent += 1
        self.resend_seq = head.seq + 1
        return 0

    cdef int gap_fill(self, uint64_t new_seq) except -1:
        """Say that nothing is to be resent from resend_seq up to new_seq."""
        cdef uint8_t body[64]
        cdef int body_offset = 0
        cdef uint8_t* out = put_char_field(put_whole_field(body, 36, new_seq), 123, c"Y")
        cdef int64_t begin = self.frame(c"4", self.resend_seq, NULL, 0, -1, body, <int32_t> (out - body), &body_offset)
        if self.connection is not None:
            self.connection.put(self.scratch + begin, self.frame_end - begin)
        self.numbers.sent_ns = self.now_ns
        self.resend_seq = new_seq
        return 0
