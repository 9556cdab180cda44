"""Write, check and read feed frames."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

from tradsys.wire.records cimport (
    BLOCK_MD_AUCTION,
    BLOCK_MD_BREAKER,
    BLOCK_MD_INSTRUMENT,
    BLOCK_MD_LEVEL,
    BLOCK_MD_ORDER_ADD,
    BLOCK_MD_STATISTICS,
    BLOCK_MD_STATUS,
    BLOCK_MD_TOP,
    BLOCK_MD_TRADE,
    BLOCK_MD_TRADE_CHANGE,
    BLOCK_PACKET,
    BLOCK_SNAPSHOT_BEGIN,
    BLOCK_SNAPSHOT_END,
    CHANNEL_L1,
    CHANNEL_L2,
    CHANNEL_L3,
    CHANNEL_SNAPSHOT,
    CHANNEL_STATUS,
    CHANNEL_TRADES,
    SCHEMA_ID,
    SCHEMA_VERSION,
    SIZE_MD_ORDER_ADD,
    TEMPLATE_MD_AUCTION,
    TEMPLATE_MD_BREAKER,
    TEMPLATE_MD_INSTRUMENT,
    TEMPLATE_MD_LEVEL,
    TEMPLATE_MD_ORDER_ADD,
    TEMPLATE_MD_STATISTICS,
    TEMPLATE_MD_STATUS,
    TEMPLATE_MD_TOP,
    TEMPLATE_MD_TRADE,
    TEMPLATE_MD_TRADE_CHANGE,
    TEMPLATE_PACKET,
    TEMPLATE_SNAPSHOT_BEGIN,
    TEMPLATE_SNAPSHOT_END,
    Packet,
)

FAULTS = {
    FRAME_GOOD: "good",
    FRAME_SHORT: "shorter than topic and Packet",
    FRAME_TOPIC: "topic is not a channel or not the packet's",
    FRAME_PACKET_HEADER: "no Packet record of this schema and version",
    FRAME_SIZE: "packet_bytes differs from the bytes that arrived",
    FRAME_MESSAGE_HEADER: "a message header that is not one of the channel's",
    FRAME_COUNT: "message_count messages do not fill the packet",
    FRAME_SEQ: "stream_id or first_seq cannot be",
}


cdef void write_frame_head(uint8_t* frame, uint16_t channel, int32_t message_count, int64_t frame_bytes,
                           uint64_t stream_id, uint64_t first_seq, int64_t send_ts_ns,
                           uint64_t event_seq) noexcept nogil:
    """Write topic and Packet record of a frame whose messages are in place."""
    cdef Packet* packet = <Packet*>(frame + TOPIC_BYTES)
    memset(frame, 0, TOPIC_BYTES)
    (<uint16_t*>frame)[0] = channel
    packet.block_length = BLOCK_PACKET
    packet.template_id = TEMPLATE_PACKET
    packet.schema_id = SCHEMA_ID
    packet.version = SCHEMA_VERSION
    packet.channel = channel
    packet.message_count = <uint16_t>message_count
    packet.packet_bytes = <unsigned int>(frame_bytes - TOPIC_BYTES)
    packet.stream_id = stream_id
    packet.first_seq = first_seq
    packet.send_ts_ns = send_ts_ns
    packet.event_seq = event_seq


cdef FrameFault check_frame(const uint8_t* frame, int64_t frame_bytes) noexcept nogil:
    """Whether everything about the frame agrees; afterwards its messages may be walked without further checks."""
    cdef FrameFault fault = check_frame_head(frame, frame_bytes)
    return fault if fault != FRAME_GOOD else check_frame_body(frame, frame_bytes)


cdef FrameFault check_frame_head(const uint8_t* frame, int64_t frame_bytes) noexcept nogil:
    """Whether topic, packet header and size agree; says nothing of the messages."""
    cdef const Packet* packet
    cdef uint64_t topic
    if frame_bytes < FRAME_HEAD_BYTES:
        return FRAME_SHORT
    packet = <const Packet*>(frame + TOPIC_BYTES)
    memcpy(&topic, frame, sizeof(uint64_t))
    if topic == 0 or topic >= CHANNEL_END or packet.channel != topic:
        return FRAME_TOPIC
    if packet.block_length != BLOCK_PACKET or packet.template_id != TEMPLATE_PACKET or \
            packet.schema_id != SCHEMA_ID or packet.version != SCHEMA_VERSION:
        return FRAME_PACKET_HEADER
    if <int64_t>packet.packet_bytes != frame_bytes - TOPIC_BYTES:
        return FRAME_SIZE
    if packet.stream_id == 0 or packet.first_seq == 0 or packet.first_seq >> 62:
        return FRAME_SEQ
    return FRAME_GOOD


cdef FrameFault check_frame_body(const uint8_t* frame, int64_t frame_bytes) noexcept nogil:
    """Whether the messages of a frame with a good head agree with it."""
    cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
    return _check_messages(packet.channel, packet.message_count, frame + FRAME_HEAD_BYTES, frame + frame_bytes)


cdef FrameFault _check_messages(uint16_t channel, int64_t count, const uint8_t* message,
                                const uint8_t* end) noexcept nogil:
    cdef int64_t i, _, size_bytes
    if channel == CHANNEL_L3:
        if _bytes_between(message, end) != count * SIZE_MD_ORDER_ADD:
            return FRAME_COUNT
        for i in range(count):
            if not _is_l3(_header(message + i * SIZE_MD_ORDER_ADD)):
                return FRAME_MESSAGE_HEADER
        return FRAME_GOOD
    for _ in range(count):
        if _bytes_between(message, end) < 8:
            return FRAME_COUNT
        size_bytes = _message_bytes(channel, _header(message))
        if size_bytes == 0:
            return FRAME_MESSAGE_HEADER
        if _bytes_between(message, end) < size_bytes:
            return FRAME_COUNT
        message += size_bytes
    return FRAME_GOOD if message == end else FRAME_COUNT


cdef inline int64_t _bytes_between(const uint8_t* start, const uint8_t* end) noexcept nogil:
    # Differences of pointers cannot be checked for overflow, differences of integers can.
    return <int64_t>end - <int64_t>start


cdef inline uint64_t _header(const uint8_t* message) noexcept nogil:
    cdef uint64_t header
    memcpy(&header, message, sizeof(uint64_t))
    return header


cdef inline uint64_t _header_of(uint64_t template_id, uint64_t block_length) noexcept nogil:
    return block_length | template_id << 16 | <uint64_t>SCHEMA_ID << 32 | <uint64_t>SCHEMA_VERSION << 48


@cython.overflowcheck(False)  # a smaller header wraps, and is then none of the four
cdef inline bint _is_l3(uint64_t header) noexcept nogil:
    """The four L3 templates follow each other and have one block length."""
    return (header - _header_of(TEMPLATE_MD_ORDER_ADD, BLOCK_MD_ORDER_ADD)) & ~(<uint64_t>3 << 16) == 0


cdef int64_t _message_bytes(uint16_t channel, uint64_t header) noexcept nogil:
    """Size of a message with that header on that channel, 0 when it does not belong there."""
    cdef int64_t size_bytes = 8 + <int64_t>(header & 0xFFFF)
    if channel == CHANNEL_L2:
        return size_bytes if header == _header_of(TEMPLATE_MD_LEVEL, BLOCK_MD_LEVEL) else 0
    if channel == CHANNEL_L1:
        return size_bytes if header == _header_of(TEMPLATE_MD_TOP, BLOCK_MD_TOP) else 0
    if channel == CHANNEL_TRADES:
        return size_bytes if header == _header_of(TEMPLATE_MD_TRADE, BLOCK_MD_TRADE) or \
            header == _header_of(TEMPLATE_MD_STATISTICS, BLOCK_MD_STATISTICS) or \
            header == _header_of(TEMPLATE_MD_TRADE_CHANGE, BLOCK_MD_TRADE_CHANGE) else 0
    if channel == CHANNEL_STATUS:
        return size_bytes if header == _header_of(TEMPLATE_MD_STATUS, BLOCK_MD_STATUS) or \
            header == _header_of(TEMPLATE_MD_INSTRUMENT, BLOCK_MD_INSTRUMENT) or \
            header == _header_of(TEMPLATE_MD_AUCTION, BLOCK_MD_AUCTION) or \
            header == _header_of(TEMPLATE_MD_BREAKER, BLOCK_MD_BREAKER) else 0
    if channel == CHANNEL_SNAPSHOT:
        return size_bytes if header == _header_of(TEMPLATE_MD_ORDER_ADD, BLOCK_MD_ORDER_ADD) or \
            header == _header_of(TEMPLATE_SNAPSHOT_BEGIN, BLOCK_SNAPSHOT_BEGIN) or \
            header == _header_of(TEMPLATE_SNAPSHOT_END, BLOCK_SNAPSHOT_END) or \
            header == _header_of(TEMPLATE_MD_INSTRUMENT, BLOCK_MD_INSTRUMENT) else 0
    return 0


cdef const uint8_t* skip_messages(const uint8_t* message, int64_t count) noexcept nogil:
    """Step over messages of a checked frame."""
    cdef int64_t _
    for _ in range(count):
        message += 8 + (<const uint16_t*>message)[0]
    return message


def frame_fault(const uint8_t[::1] frame not None):
    """What is wrong with a frame, in words; None when nothing is."""
    cdef FrameFault fault = FRAME_SHORT
    if frame.shape[0] > 0:
        fault = check_frame(&frame[0], frame.shape[0])
    return None if fault == FRAME_GOOD else FAULTS[fault]


def make_frame(int channel, uint64_t stream_id, uint64_t first_seq, int message_count,
               const uint8_t[::1] messages not None,
               int64_t send_ts_ns=0, uint64_t event_seq=0):
    """Make one frame of the wire.

    Parameters
    ----------
    channel : int
        `Channel` number.
    stream_id, first_seq : int
        Run of the venue; number of the first message (of a heartbeat: of the next one to come).
    message_count : int
        Messages in `messages`; 0 makes a heartbeat.
    messages : bytes-like
        Whole records back to back.
    send_ts_ns, event_seq : int
        Wall clock in ns; last event included.

    Raises
    ------
    ValueError
        The messages are not `message_count` messages of that channel.
    """
    cdef int64_t frame_bytes = FRAME_HEAD_BYTES + messages.shape[0]
    cdef bytearray frame = bytearray(frame_bytes)
    cdef uint8_t* start = <uint8_t*>(<char*>frame)
    if not 0 <= message_count < 1 << 16:
        raise ValueError(f"message_count must be in [0, 65535], was {message_count}")
    write_frame_head(start, <uint16_t>channel, message_count, frame_bytes, stream_id, first_seq, send_ts_ns,
                     event_seq)
    if messages.shape[0] > 0:
        memcpy(start + FRAME_HEAD_BYTES, &messages[0], <size_t>messages.shape[0])
    fault = check_frame(start, frame_bytes)
    if fault != FRAME_GOOD:
        raise ValueError(f"not a frame of channel {channel}: {FAULTS[fault]}")
    return bytes(frame)
