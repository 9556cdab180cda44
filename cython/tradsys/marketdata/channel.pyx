"""Packets of one feed channel: build, send, retain, find again."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from tradsys.wire.libzmq cimport (
    ZMQ_DONTWAIT,
    keep_message_memory,
    zmq_msg_close,
    zmq_msg_copy,
    zmq_msg_data,
    zmq_msg_init,
    zmq_msg_init_size,
    zmq_msg_send,
    zmq_msg_t,
)
from tradsys.wire.packet cimport FRAME_HEAD_BYTES, TOPIC_BYTES, write_frame_head
from tradsys.wire.records cimport Packet

FRAME_BYTES_MIN = 1 << 10
FRAME_BYTES_MAX = 1 << 20


cdef class Lines:
    """The PUB sockets of line A and line B.

    Parameters
    ----------
    socket_a, socket_b : zmq.Socket or None
        Bound PUB sockets; None switches the line off. They must be used from the publishing thread only.
    """

    def __cinit__(self, socket_a=None, socket_b=None):
        keep_message_memory()
        self._keep = (socket_a, socket_b)
        self.socket_a = NULL if socket_a is None else <void*><size_t>int(socket_a.underlying)
        self.socket_b = NULL if socket_b is None else <void*><size_t>int(socket_b.underlying)

    cdef int send(self, const uint8_t* frame, int64_t frame_bytes) except -1 nogil:
        """Send a copy of the frame on each line; both share one copy. A PUB socket never waits."""
        cdef zmq_msg_t message, twin
        if self.socket_a == NULL and self.socket_b == NULL:
            return 0
        if zmq_msg_init_size(&message, <size_t>frame_bytes) != 0:
            with gil:
                raise MemoryError(f"no memory for a frame of {frame_bytes} bytes")
        memcpy(zmq_msg_data(&message), frame, <size_t>frame_bytes)
        if self.socket_a != NULL and self.socket_b != NULL:
            zmq_msg_init(&twin)
            zmq_msg_copy(&twin, &message)
            self._send_one(&twin, self.socket_b, frame_bytes)
            zmq_msg_close(&twin)
        self._send_one(&message, self.socket_a if self.socket_a != NULL else self.socket_b, frame_bytes)
        zmq_msg_close(&message)
        return 0

    cdef void _send_one(self, zmq_msg_t* message, void* socket, int64_t frame_bytes) noexcept nogil:
        if zmq_msg_send(message, socket, ZMQ_DONTWAIT) < 0:
            self.send_failures += 1
            return
        self.frames_sent += 1
        self.bytes_sent += frame_bytes


cdef class Channel:
    """Numbers, packs, sends and retains the messages of one channel.

    Invariant: retained frames hold the numbers ``first_available_seq .. next_seq - 1 - open messages`` without
    a hole, lie in the ring without overlapping each other or the open frame, oldest first.

    Parameters
    ----------
    channel : int
        Channel number of the wire.
    stream_id : int
        This run of the venue, ns since the epoch.
    lines : Lines
    frame_bytes_max : int
        Bytes of the largest frame, a multiple of 8 in [1 KiB, 1 MiB].
    retention_bytes : int
        Bytes kept for gap fills, at least four frames.

    Notes
    -----
    Everything is allocated here; pages are touched as they are used. One thread only.
    """

    def __cinit__(self, int channel, uint64_t stream_id, Lines lines not None, int64_t frame_bytes_max=1 << 16,
                  int64_t retention_bytes=1 << 24):
        if not FRAME_BYTES_MIN <= frame_bytes_max <= FRAME_BYTES_MAX or frame_bytes_max % 8:
            raise ValueError(f"frame_bytes_max must be a multiple of 8 in [{FRAME_BYTES_MIN}, {FRAME_BYTES_MAX}], "
                             f"was {frame_bytes_max}")
        if retention_bytes < 4 * frame_bytes_max:
            raise ValueError(f"retention_bytes must be at least 4 frames of {frame_bytes_max}, was {retention_bytes}")
        self.channel = <uint16_t>channel
        self.stream_id = stream_id
        self.lines = lines
        self.frame_bytes_max = frame_bytes_max
        self.ring_bytes = retention_bytes & ~<int64_t>7
        self.next_seq = 1
        self.retained_capacity = 1
        while self.retained_capacity * 256 < self.ring_bytes:
            self.retained_capacity *= 2
        self.ring = <uint8_t*>malloc(<size_t>self.ring_bytes)
        self.retained = <RetainedFrame*>calloc(<size_t>self.retained_capacity, sizeof(RetainedFrame))
        if self.ring == NULL or self.retained == NULL:
            raise MemoryError(f"no memory for {retention_bytes} bytes of retention")
        self._open()

    def __dealloc__(self):
        free(self.ring)
        free(self.retained)

    cdef int flush(self, int64_t now_ns, uint64_t event_seq) except -1 nogil:
        """Send the open frame if it holds a message."""
        cdef int64_t frame_bytes = <int64_t>self.cursor - <int64_t>self.open_frame
        cdef RetainedFrame* entry
        if self.open_count == 0:
            return 0
        write_frame_head(self.open_frame, self.channel, self.open_count, frame_bytes, self.stream_id,
                         self.next_seq - <uint64_t>self.open_count, now_ns, event_seq)
        self.lines.send(self.open_frame, frame_bytes)
        if self.retained_end - self.retained_first == self.retained_capacity:
            self.retained_first += 1
        entry = &self.retained[self.retained_end & (self.retained_capacity - 1)]
        entry.first_seq = self.next_seq - <uint64_t>self.open_count
        entry.offset = self.head
        entry.frame_bytes = <int32_t>frame_bytes
        entry.message_count = self.open_count
        self.retained_end += 1
        self.head += frame_bytes
        self.last_send_ns = now_ns
        self.packets_sent += 1
        self._open()
        return 1

    cdef int heartbeat(self, int64_t now_ns, uint64_t event_seq) except -1 nogil:
        """Send a packet without messages that names the next number."""
        cdef uint8_t frame[FRAME_HEAD_BYTES]
        assert self.open_count == 0
        write_frame_head(frame, self.channel, 0, FRAME_HEAD_BYTES, self.stream_id, self.next_seq, now_ns, event_seq)
        self.lines.send(frame, FRAME_HEAD_BYTES)
        self.last_send_ns = now_ns
        self.packets_sent += 1
        return 0

    cdef int _open(self) except -1 nogil:
        """Begin an empty frame at `head`, or at the start of the ring when the rest is too short."""
        if self.ring_bytes - self.head < self.frame_bytes_max:
            while self.retained_first < self.retained_end and \
                    self.retained[self.retained_first & (self.retained_capacity - 1)].offset >= self.head:
                self.retained_first += 1
            self.head = 0
        self._evict()
        self.open_frame = self.ring + self.head
        self.cursor = self.open_frame + FRAME_HEAD_BYTES
        self.limit = self.open_frame + self.frame_bytes_max
        self.open_count = 0
        return 0

    cdef void _evict(self) noexcept nogil:
        """Forget the oldest frames that lie where the open frame may grow."""
        cdef RetainedFrame* oldest
        while self.retained_first < self.retained_end:
            oldest = &self.retained[self.retained_first & (self.retained_capacity - 1)]
            if oldest.offset >= self.head + self.frame_bytes_max or oldest.offset + oldest.frame_bytes <= self.head:
                return
            self.retained_first += 1

    cdef uint64_t first_available_seq(self) noexcept nogil:
        """Oldest number still held; the open frame's first when nothing is."""
        if self.retained_first == self.retained_end:
            return self.next_seq - <uint64_t>self.open_count
        return self.retained[self.retained_first & (self.retained_capacity - 1)].first_seq

    cdef int64_t find(self, uint64_t seq) noexcept nogil:
        """Position of the retained frame that holds number `seq`, or -1. Binary search."""
        cdef int64_t low = self.retained_first, high = self.retained_end, middle
        cdef RetainedFrame* entry
        if low == high or seq < self.first_available_seq():
            return -1
        while high - low > 1:
            middle = (low + high) >> 1
            if self.retained[middle & (self.retained_capacity - 1)].first_seq <= seq:
                low = middle
            else:
                high = middle
        entry = &self.retained[low & (self.retained_capacity - 1)]
        return low if seq < entry.first_seq + <uint64_t>entry.message_count else -1

    cdef int64_t copy_range(self, uint64_t first_seq, uint64_t end_seq, uint8_t* frame, int64_t frame_bytes_max,
                            int32_t* message_count) except -1 nogil:
        """Write one answer frame with messages from `first_seq` on, before `end_seq`; its bytes, 0 when not held.

        It never crosses a retained frame, so one call copies at most one frame.
        """
        cdef int64_t position = self.find(first_seq)
        cdef RetainedFrame* entry
        cdef const uint8_t* source
        cdef const uint8_t* start
        cdef uint64_t seq
        cdef int64_t size_bytes
        message_count[0] = 0
        if position < 0:
            return 0
        entry = &self.retained[position & (self.retained_capacity - 1)]
        source = self.ring + entry.offset + FRAME_HEAD_BYTES
        seq = entry.first_seq
        while seq < first_seq:
            source += 8 + (<const uint16_t*>source)[0]
            seq += 1
        start = source
        while seq < end_seq and seq < entry.first_seq + <uint64_t>entry.message_count:
            size_bytes = 8 + (<const uint16_t*>source)[0]
            if <int64_t>source - <int64_t>start + size_bytes + FRAME_HEAD_BYTES > frame_bytes_max:
                break
            source += size_bytes
            seq += 1
        message_count[0] = <int32_t>(seq - first_seq)
        size_bytes = FRAME_HEAD_BYTES + <int64_t>source - <int64_t>start
        memcpy(frame + FRAME_HEAD_BYTES, start, <size_t>(size_bytes - FRAME_HEAD_BYTES))
        write_frame_head(frame, self.channel, message_count[0], size_bytes, self.stream_id, first_seq,
                         (<const Packet*>(self.ring + entry.offset + TOPIC_BYTES)).send_ts_ns,
                         (<const Packet*>(self.ring + entry.offset + TOPIC_BYTES)).event_seq)
        return size_bytes

    def retained_frames(self):
        """Copies of the frames still held, oldest first (tests and tools)."""
        cdef RetainedFrame entry
        frames = []
        for position in range(self.retained_first, self.retained_end):
            entry = self.retained[position & (self.retained_capacity - 1)]
            frames.append((<const char*>(self.ring + entry.offset))[:entry.frame_bytes])
        return frames

    @property
    def first_retained_seq(self):
        """Oldest message number still held."""
        return self.first_available_seq()

    def check(self):
        """Walk the retained frames: numbers without a hole, no overlap."""
        cdef RetainedFrame entry
        cdef uint64_t expected = self.first_available_seq()
        spans = [(self.head, self.head + self.frame_bytes_max)]
        for position in range(self.retained_first, self.retained_end):
            entry = self.retained[position & (self.retained_capacity - 1)]
            if entry.first_seq != expected:
                raise AssertionError(f"frame at {entry.offset} begins with {entry.first_seq}, expected {expected}")
            expected += entry.message_count
            spans.append((entry.offset, entry.offset + entry.frame_bytes))
        if expected != self.next_seq - self.open_count:
            raise AssertionError(f"retention ends at {expected}, the open frame begins at "
                                 f"{self.next_seq - self.open_count}")
        spans.sort()
        for (_, end), (start, _) in zip(spans, spans[1:]):
            if start < end:
                raise AssertionError(f"a frame begins at {start} inside one that ends at {end}")
