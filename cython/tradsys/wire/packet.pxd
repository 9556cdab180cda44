"""Frames of the feed as they lie on the wire: 8 bytes of topic, a `Packet` record, messages
(protocols/market_data.md, 1).
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

cdef enum:
    TOPIC_BYTES = 8            # channel u16, six zero bytes
    FRAME_HEAD_BYTES = 56      # topic and Packet record
    CHANNEL_END = 7            # one past the greatest channel number


cdef enum FrameFault:
    FRAME_GOOD = 0
    FRAME_SHORT = 1            # no room for topic and Packet
    FRAME_TOPIC = 2            # topic unknown or not the packet's channel
    FRAME_PACKET_HEADER = 3    # not a Packet record of this schema and version
    FRAME_SIZE = 4             # packet_bytes differs from what arrived
    FRAME_MESSAGE_HEADER = 5   # a message whose header is not one of the channel's
    FRAME_COUNT = 6            # message_count messages do not fill the packet
    FRAME_SEQ = 7              # first_seq 0, stream_id 0 or numbers past 2**63


cdef void write_frame_head(uint8_t* frame, uint16_t channel, int32_t message_count, int64_t frame_bytes,
                           uint64_t stream_id, uint64_t first_seq, int64_t send_ts_ns,
                           uint64_t event_seq) noexcept nogil
cdef FrameFault check_frame(const uint8_t* frame, int64_t frame_bytes) noexcept nogil
cdef FrameFault check_frame_head(const uint8_t* frame, int64_t frame_bytes) noexcept nogil
cdef FrameFault check_frame_body(const uint8_t* frame, int64_t frame_bytes) noexcept nogil
cdef const uint8_t* skip_messages(const uint8_t* message, int64_t count) noexcept nogil
