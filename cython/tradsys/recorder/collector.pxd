"""From sockets to buffers without a Python object: frames arbitrated, copied once, packets noted."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.client.arbiter cimport Arbiter
from tradsys.wire.packet cimport CHANNEL_END


cdef struct PacketRow:         # one packet as it was used; NumPy's PACKET_ROW
    uint64_t stream_id
    int64_t recv_ts_ns         # ns since the epoch, UTC; never steps back
    uint64_t first_seq
    int64_t send_ts_ns         # ns since the epoch, UTC
    uint64_t event_seq
    uint32_t packet_bytes
    uint16_t channel
    uint16_t message_count
    uint8_t line               # 0 A, 1 B, 2 gap fill
    uint8_t pad[7]


cdef struct Filling:           # the buffer of one channel that is being filled; all zero: none
    # hot
    uint8_t* memory            # borrowed from the Buffer in Collector._buffers
    PacketRow* packets         # borrowed likewise
    int64_t capacity_bytes
    int64_t used_bytes
    int64_t packets_max
    int64_t packet_count
    int64_t messages_max
    int64_t message_count
    int64_t day                # days since the epoch of every recv_ts_ns in it
    uint64_t stream_id
    # cold: what the channel has brought, this stream
    uint64_t first_seq         # 0: nothing yet
    uint64_t last_seq
    int64_t packets_taken
    int64_t messages_taken
    int64_t hole_seen_ns       # recv_ts_ns when the open hole was seen
    uint64_t healed_first_seq  # range that the gap fill has brought so far; 0: none
    uint64_t healed_end_seq
    int64_t based              # 1: where the channel begins is on record


cdef class Collector(Arbiter):
    cdef Filling fillings[CHANNEL_END]
    cdef readonly int64_t recv_ts_ns       # of the frame being taken [ns since the epoch]
    cdef readonly int64_t oversized        # frames larger than a buffer, dropped
    cdef const uint8_t* current            # frame being taken, NULL between frames
    cdef int current_line
    cdef object owner                      # the Recorder
    cdef list buffers                      # Buffer or None by channel; owns what `fillings` points into

    cdef int frame(self, const uint8_t* frame, int64_t frame_bytes, int line, int64_t wall_ns, int64_t now_ns) except -1 nogil
    cdef int _note(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1 nogil
    cdef int _renew(self, int channel) except -1
    cdef int _heal(self, int channel) except -1 nogil
