"""One channel of the feed: packets built in place in a retention ring, sent on both lines, found again by number.

A frame on the wire is 8 bytes of topic, a `Packet` record and messages (protocols/market_data.md, 1). The frame
under construction is always contiguous; `head` moves on when it is closed, and the oldest frames make room.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

from tradsys.wire.libzmq cimport zmq_msg_t
from tradsys.wire.packet cimport FRAME_HEAD_BYTES


cdef struct RetainedFrame:
    uint64_t first_seq         # number of its first message
    int64_t offset             # bytes from the start of the ring
    int32_t frame_bytes        # topic, packet and messages
    int32_t message_count


cdef class Lines:
    """The two PUB sockets; either handle may be NULL (line off, or no sockets at all)."""
    cdef void* socket_a
    cdef void* socket_b
    cdef object _keep          # the Python sockets, so that the handles stay alive
    cdef readonly int64_t frames_sent      # frames handed to libzmq, both lines
    cdef readonly int64_t bytes_sent       # bytes, both lines
    cdef readonly int64_t send_failures    # frames a line did not take
    cdef int send(self, const uint8_t* frame, int64_t frame_bytes) except -1 nogil
    cdef void _send_one(self, zmq_msg_t* message, void* socket, int64_t frame_bytes) noexcept nogil


cdef class Channel:
    # identity
    cdef readonly uint16_t channel
    cdef readonly uint64_t stream_id
    # hot
    cdef readonly uint64_t next_seq        # number of the next message
    cdef uint8_t* cursor                   # where the next message goes
    cdef uint8_t* limit                    # end of what the open frame may hold
    cdef int32_t open_count                # messages in the open frame
    cdef uint8_t* open_frame               # start of the open frame
    # cold
    cdef Lines lines
    cdef uint8_t* ring
    cdef readonly int64_t ring_bytes
    cdef readonly int64_t frame_bytes_max  # bytes
    cdef int64_t head                      # bytes, offset of the open frame
    cdef RetainedFrame* retained           # ring of frames, oldest first
    cdef int64_t retained_capacity         # frames, a power of two
    cdef int64_t retained_first            # counts up, index is modulo capacity
    cdef int64_t retained_end
    cdef readonly int64_t last_send_ns     # wall clock of the last frame, ns
    cdef readonly int64_t packets_sent     # packets, heartbeats included

    cdef int flush(self, int64_t now_ns, uint64_t event_seq) except -1 nogil
    cdef int heartbeat(self, int64_t now_ns, uint64_t event_seq) except -1 nogil
    cdef uint64_t first_available_seq(self) noexcept nogil
    cdef int64_t find(self, uint64_t seq) noexcept nogil
    cdef int64_t copy_range(self, uint64_t first_seq, uint64_t end_seq, uint8_t* frame, int64_t frame_bytes_max,
                            int32_t* message_count) except -1 nogil
    cdef int _open(self) except -1 nogil
    cdef void _evict(self) noexcept nogil


cdef inline int claim(Channel channel, int64_t size_bytes, int64_t now_ns, uint64_t event_seq,
                      uint8_t** message) except -1 nogil:
    """Room for the next message in the open frame, which is sent first when it is full.

    `event_seq` is the last event all of whose messages precede this one.
    """
    assert size_bytes % 8 == 0
    assert FRAME_HEAD_BYTES + size_bytes <= channel.frame_bytes_max
    if channel.cursor + size_bytes > channel.limit:
        channel.flush(now_ns, event_seq)
    message[0] = channel.cursor
    channel.cursor += size_bytes
    channel.open_count += 1
    channel.next_seq += 1
    return 0
