"""Arbitration of the feed's two lines, without sockets and clocks: frames and times in, frames in order and
requests out.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

from tradsys.wire.packet cimport CHANNEL_END
from tradsys.wire.records cimport Packet

cdef enum:
    LINES_MAX = 3              # A, B and the recovery door's answers
    FROM_RECOVERY = 2


cdef enum Verdict:
    TAKEN = 0                  # in order: delivered
    DUPLICATE = 1              # its messages were here before
    AHEAD = 2                  # kept until the hole before it is closed
    HEARTBEAT = 3
    UNWANTED = 4               # a channel not followed
    OLD_STREAM = 5             # from a run of the venue that is over
    MALFORMED = 6


cdef struct ChannelState:
    # hot
    uint64_t next_seq          # number expected next; 0: nothing seen yet
    uint64_t known_end         # one past the highest number known to exist
    int64_t pending_count      # frames kept behind a hole
    # cold
    int64_t pending_bytes
    int64_t gap_since_ns       # when the open hole was seen; 0: none
    uint64_t fill_id           # request_id of the open GapFillRequest; 0: none
    uint64_t fill_end          # one past the last number it asks for
    int64_t fill_deadline_ns
    int32_t fill_tries
    int32_t fillable           # the recovery door retains this channel
    int32_t wanted
    int32_t spare
    # figures, this stream and those before
    int64_t packets            # delivered
    int64_t messages           # delivered
    int64_t duplicates         # packets
    int64_t reordered          # packets that came ahead of their turn
    int64_t gaps               # holes that the lines did not close by themselves in time
    int64_t filled             # messages that came from the recovery door
    int64_t lost               # messages given up


cdef class Arbiter:
    cdef ChannelState channels[CHANNEL_END]
    cdef readonly uint64_t stream_id           # 0: none seen yet
    cdef readonly uint64_t event_seq           # last event included in what was delivered, of any channel
    cdef int64_t line_last_ns[LINES_MAX]       # when a line last brought a good frame; 0: never
    cdef readonly int64_t malformed            # frames dropped because they do not add up
    cdef readonly int64_t old_stream           # frames of a run that is over
    cdef readonly int64_t restarts             # streams seen after the first
    cdef readonly int64_t refused              # RequestRefused received
    # settings
    cdef readonly int64_t gap_wait_ns
    cdef readonly int64_t request_timeout_ns
    cdef readonly int64_t pending_bytes_max
    cdef readonly int64_t fill_messages_max
    cdef readonly int32_t fill_tries_max
    # cold
    cdef list pending                          # per channel: [(first_seq, frame)] ascending
    cdef readonly list requests                # bytes to send to the recovery door; the owner takes and clears them
    cdef uint64_t last_request_id
    cdef int64_t stream_since_ns

    cdef int accept(self, const uint8_t* frame, int64_t frame_bytes, int line, int64_t now_ns) except -1 nogil
    cdef bint _known(self, const Packet* packet) noexcept nogil
    cdef int _sequence(self, const uint8_t* frame, int64_t frame_bytes, int line, int64_t now_ns) except -1 nogil
    cdef int _take(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip, int line) except -1 nogil
    cdef int _drain(self, int channel, int64_t now_ns) except -1
    cdef int _keep(self, int channel, const uint8_t* frame, int64_t frame_bytes, int64_t now_ns) except -1
    cdef int _note_hole(self, int channel, int64_t now_ns) except -1 nogil
    cdef int _give_up(self, int channel, int64_t now_ns) except -1
    cdef uint64_t _holes_end(self, int channel) except 0
    cdef int _ask(self, int channel, int64_t now_ns) except -1
    cdef int _begin_stream(self, uint64_t stream_id, int64_t now_ns) except -1
    # what a reader does with it
    cdef int deliver(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1 nogil
    cdef int hole_opened(self, int channel) except -1 nogil
    cdef int hole_closed(self, int channel) except -1 nogil
    cdef int lost(self, int channel, uint64_t first_seq, uint64_t end_seq, int64_t now_ns) except -1
    cdef int stream_began(self, int64_t now_ns) except -1
