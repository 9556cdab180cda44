"""First copy wins, holes are asked for, nothing is delivered out of order."""
from bisect import bisect_left, insort

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memset

from tradsys.wire.libzmq cimport keep_message_memory
from tradsys.wire.packet cimport CHANNEL_END, FRAME_GOOD, TOPIC_BYTES, check_frame_body, check_frame_head
from tradsys.wire.records cimport (
    BLOCK_GAP_FILL_REQUEST,
    CHANNEL_L1,
    CHANNEL_L2,
    CHANNEL_L3,
    CHANNEL_STATUS,
    CHANNEL_TRADES,
    SCHEMA_ID,
    SCHEMA_VERSION,
    SIZE_GAP_FILL_REQUEST,
    SIZE_REQUEST_REFUSED,
    TEMPLATE_GAP_FILL_REQUEST,
    TEMPLATE_REQUEST_REFUSED,
    GapFillRequest,
    Packet,
    RequestRefused,
)

# Messages a gap fill may bring once more, so that many small holes need not one request each.
cdef enum:
    FILL_SLACK = 256

LINE_A = 0
LINE_B = 1
LINE_RECOVERY = FROM_RECOVERY


cdef class Arbiter:
    """Puts the frames of two lines and of gap fills into one order per channel.

    Invariant: what has been delivered of a channel is every message up to ``next_seq - 1`` once, in order, but
    for those counted in `lost`; frames kept behind a hole begin past `next_seq`.

    A subclass overrides `deliver`, `hole_opened`, `hole_closed`, `lost` and `stream_began`; this class
    delivers nowhere.

    Parameters
    ----------
    channels : iterable of int
        Channels to follow.
    gap_wait_ns : int
        How long the other line has to bring what is missing before it is asked for.
    request_timeout_ns : int
        How long a gap fill may make no progress before it is asked for again.
    fill_tries_max : int
        Times a gap fill is asked for before the messages are given up; 0: there is no recovery door.
    fill_messages_max : int
        Larger holes are not asked for but given up at once (books are then rebuilt from snapshots).
    pending_bytes_max : int
        Bytes kept behind the hole of one channel; beyond that it is given up.

    Notes
    -----
    Times are ns of any clock that does not step back, given by the caller. One thread at a time.
    """

    def __cinit__(self, channels=(1, 2, 3, 4, 5), *, int64_t gap_wait_ns=5_000_000,
                  int64_t request_timeout_ns=500_000_000, int32_t fill_tries_max=3,
                  int64_t fill_messages_max=1_000_000, int64_t pending_bytes_max=64 << 20, **_):
        cdef int channel
        keep_message_memory()
        memset(self.channels, 0, sizeof(self.channels))
        for channel in channels:
            if not 0 < channel < CHANNEL_END:
                raise ValueError(f"channel must be in [1, {CHANNEL_END - 1}], was {channel}")
            self.channels[channel].wanted = 1
        for channel in (CHANNEL_L3, CHANNEL_L2, CHANNEL_L1, CHANNEL_TRADES, CHANNEL_STATUS):
            self.channels[channel].fillable = 1
        self.gap_wait_ns = gap_wait_ns
        self.request_timeout_ns = request_timeout_ns
        self.fill_tries_max = fill_tries_max
        self.fill_messages_max = fill_messages_max
        self.pending_bytes_max = pending_bytes_max
        self.pending = [[] for _ in range(CHANNEL_END)]
        self.requests = []

    # ---- frames in ----

    def on_frame(self, const uint8_t[::1] frame not None, int line, int64_t now_ns):
        """Take a frame from a line; returns its `Verdict` as an int. The bytes are copied when kept."""
        if not 0 <= line < LINES_MAX:
            raise ValueError(f"line must be in [0, {LINES_MAX - 1}], was {line}")
        if frame.shape[0] == 0:
            self.malformed += 1
            return MALFORMED
        return self.accept(&frame[0], frame.shape[0], line, now_ns)

    cdef int accept(self, const uint8_t* frame, int64_t frame_bytes, int line, int64_t now_ns) except -1 nogil:
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef bint good = check_frame_head(frame, frame_bytes) == FRAME_GOOD
        if good and self._known(packet):   # the other line's copy: its messages are not looked at again
            self.line_last_ns[line] = now_ns
            self.channels[packet.channel].duplicates += 1
            return DUPLICATE
        if not good or check_frame_body(frame, frame_bytes) != FRAME_GOOD:
            self.malformed += 1
            return MALFORMED
        if packet.stream_id != self.stream_id:
            if packet.stream_id < self.stream_id:
                self.old_stream += 1
                return OLD_STREAM
            with gil:
                self._begin_stream(packet.stream_id, now_ns)
        self.line_last_ns[line] = now_ns
        if not self.channels[packet.channel].wanted:
            return UNWANTED
        return self._sequence(frame, frame_bytes, line, now_ns)

    cdef bint _known(self, const Packet* packet) noexcept nogil:
        """Whether a packet brings messages, all of them delivered before."""
        cdef const ChannelState* state = &self.channels[packet.channel]
        return packet.stream_id == self.stream_id and state.wanted and state.next_seq != 0 and \
            packet.message_count != 0 and packet.first_seq + packet.message_count <= state.next_seq

    cdef int _sequence(self, const uint8_t* frame, int64_t frame_bytes, int line, int64_t now_ns) except -1 nogil:
        """Decide by number: deliver, drop, or keep behind a hole."""
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef ChannelState* state = &self.channels[packet.channel]
        cdef uint64_t first_seq = packet.first_seq, end_seq = first_seq + packet.message_count
        if state.next_seq == 0:
            if line == FROM_RECOVERY:
                return UNWANTED
            state.next_seq = first_seq
            state.known_end = first_seq
        if end_seq > state.known_end:
            state.known_end = end_seq
        if packet.message_count == 0:
            if first_seq > state.next_seq:
                self._note_hole(packet.channel, now_ns)
            elif packet.event_seq > self.event_seq:
                self.event_seq = packet.event_seq
            return HEARTBEAT
        if end_seq <= state.next_seq:   # a stream just begun may have been followed before (the recorder's)
            state.duplicates += 1
            return DUPLICATE
        if first_seq > state.next_seq:
            self._note_hole(packet.channel, now_ns)
            with gil:
                self._keep(packet.channel, frame, frame_bytes, now_ns)
            return AHEAD
        self._take(frame, frame_bytes, <int64_t>(state.next_seq - first_seq), line)
        if state.gap_since_ns != 0:
            with gil:
                self._drain(packet.channel, now_ns)
        return TAKEN

    cdef int _take(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip, int line) except -1 nogil:
        """Deliver a frame whose first `skip` messages are known already."""
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef ChannelState* state = &self.channels[packet.channel]
        assert skip < packet.message_count
        assert packet.first_seq + <uint64_t>skip == state.next_seq
        state.next_seq = packet.first_seq + packet.message_count
        state.packets += 1
        state.messages += packet.message_count - skip
        if line == FROM_RECOVERY:
            state.filled += packet.message_count - skip
        if packet.event_seq > self.event_seq:
            self.event_seq = packet.event_seq
        self.deliver(frame, frame_bytes, skip)
        return 0

    # ---- holes ----

    cdef int _note_hole(self, int channel, int64_t now_ns) except -1 nogil:
        if self.channels[channel].gap_since_ns == 0:
            self.channels[channel].gap_since_ns = now_ns if now_ns != 0 else 1
            self.hole_opened(channel)
        return 0

    cdef int _keep(self, int channel, const uint8_t* frame, int64_t frame_bytes, int64_t now_ns) except -1:
        """Keep a frame that is ahead; more than is allowed closes the hole by giving up."""
        cdef ChannelState* state = &self.channels[channel]
        cdef uint64_t first_seq = (<const Packet*>(frame + TOPIC_BYTES)).first_seq
        kept = self.pending[channel]
        state.reordered += 1
        place = bisect_left(kept, (first_seq,))
        if place < len(kept) and kept[place][0] == first_seq and len(kept[place][1]) >= frame_bytes:
            state.duplicates += 1
            return 0
        if state.pending_bytes + frame_bytes > self.pending_bytes_max:
            state.gaps += state.fill_id == 0
            self._give_up(channel, now_ns)
            if first_seq > state.next_seq:
                state.gap_since_ns = now_ns if now_ns != 0 else 1
        insort(kept, (first_seq, (<const char*>frame)[:frame_bytes]))
        state.pending_bytes += frame_bytes
        state.pending_count += 1
        if state.next_seq >= first_seq:
            self._drain(channel, now_ns)
        return 0

    cdef int _drain(self, int channel, int64_t now_ns) except -1:
        """Deliver what the closing of a hole has set free."""
        cdef ChannelState* state = &self.channels[channel]
        cdef const uint8_t* start
        cdef const Packet* packet
        kept = self.pending[channel]
        taken = 0
        for first_seq, frame in kept:
            if <uint64_t>first_seq > state.next_seq:
                break
            taken += 1
            start = <const uint8_t*><const char*>frame
            packet = <const Packet*>(start + TOPIC_BYTES)
            state.pending_bytes -= len(frame)
            state.pending_count -= 1
            if packet.first_seq + packet.message_count <= state.next_seq:
                state.duplicates += 1
                continue
            self._take(start, len(frame), <int64_t>(state.next_seq - packet.first_seq), 0)
        del kept[:taken]
        if state.fill_id != 0:
            state.fill_deadline_ns = now_ns + self.request_timeout_ns
            state.fill_tries = 1
            if state.next_seq >= state.fill_end:
                state.fill_id = 0
                state.fill_tries = 0
        if state.next_seq >= state.known_end:
            state.gap_since_ns = 0
            state.fill_id = 0
            state.fill_tries = 0
            self.hole_closed(channel)
        elif taken and state.fill_id == 0:
            state.gap_since_ns = now_ns if now_ns != 0 else 1
        return 0

    cdef int _give_up(self, int channel, int64_t now_ns) except -1:
        """Close the hole by leaving out what is missing."""
        cdef ChannelState* state = &self.channels[channel]
        kept = self.pending[channel]
        cdef uint64_t first_seq = state.next_seq
        cdef uint64_t end_seq = kept[0][0] if kept else state.known_end
        assert end_seq > first_seq
        state.lost += <int64_t>(end_seq - first_seq)
        state.next_seq = end_seq
        state.fill_id = 0
        state.fill_tries = 0
        self.lost(channel, first_seq, end_seq, now_ns)
        self._drain(channel, now_ns)
        return 0

    def on_time(self, int64_t now_ns):
        """Do what is due: ask for holes the lines did not close, ask again, give up. Call a few times a second
        or more.
        """
        cdef int channel
        cdef ChannelState* state
        for channel in range(1, CHANNEL_END):
            state = &self.channels[channel]
            if state.gap_since_ns == 0:
                continue
            if state.fill_id != 0:
                if now_ns >= state.fill_deadline_ns:
                    self._ask(channel, now_ns)
            elif now_ns - state.gap_since_ns >= self.gap_wait_ns:
                state.gaps += 1
                self._ask(channel, now_ns)

    cdef int _ask(self, int channel, int64_t now_ns) except -1:
        """Ask for the hole, or give it up when that is hopeless."""
        cdef ChannelState* state = &self.channels[channel]
        cdef GapFillRequest request
        cdef uint64_t end_seq = self._holes_end(channel)
        cdef int64_t count = <int64_t>(end_seq - state.next_seq)
        if not state.fillable or state.fill_tries >= self.fill_tries_max or count > self.fill_messages_max:
            return self._give_up(channel, now_ns)
        memset(&request, 0, sizeof(request))
        request.block_length = BLOCK_GAP_FILL_REQUEST
        request.template_id = TEMPLATE_GAP_FILL_REQUEST
        request.schema_id = SCHEMA_ID
        request.version = SCHEMA_VERSION
        self.last_request_id += 1
        request.request_id = self.last_request_id
        request.stream_id = self.stream_id
        request.first_seq = state.next_seq
        request.count = <unsigned int>count
        request.channel = <uint16_t>channel
        state.fill_id = self.last_request_id
        state.fill_end = end_seq
        state.fill_deadline_ns = now_ns + self.request_timeout_ns
        state.fill_tries += 1
        self.requests.append((<const char*>&request)[:SIZE_GAP_FILL_REQUEST])
        return 0

    cdef uint64_t _holes_end(self, int channel) except 0:
        """One past the last message to ask for: of this hole, and of those behind it as long as little is asked for twice."""
        cdef ChannelState* state = &self.channels[channel]
        cdef uint64_t at = state.next_seq, missing = 0, end_seq = 0, first_seq
        cdef const Packet* packet
        for first, frame in self.pending[channel]:
            first_seq = first
            packet = <const Packet*>(<const char*>frame + TOPIC_BYTES)
            if first_seq > at:
                missing += first_seq - at
                if end_seq and first_seq - state.next_seq > 4 * missing + FILL_SLACK:
                    return end_seq
                end_seq = first_seq
            at = max(at, first_seq + packet.message_count)
        if at < state.known_end and (end_seq == 0 or
                                     state.known_end - state.next_seq <= 4 * (missing + state.known_end - at) + FILL_SLACK):
            end_seq = state.known_end
        if end_seq - state.next_seq > <uint64_t>self.fill_messages_max and self.pending[channel]:
            end_seq = self.pending[channel][0][0]
        return end_seq

    def on_refused(self, const uint8_t[::1] record not None, int64_t now_ns):
        """Take a RequestRefused of the recovery door; returns whether it answered an open gap fill."""
        cdef const RequestRefused* refusal
        cdef int channel
        if record.shape[0] != SIZE_REQUEST_REFUSED:
            self.malformed += 1
            return False
        refusal = <const RequestRefused*>&record[0]
        if refusal.template_id != TEMPLATE_REQUEST_REFUSED or refusal.schema_id != SCHEMA_ID:
            self.malformed += 1
            return False
        self.refused += 1
        for channel in range(1, CHANNEL_END):
            if refusal.request_id != 0 and self.channels[channel].fill_id == refusal.request_id:
                self._give_up(channel, now_ns)
                return True
        return False

    # ---- streams ----

    cdef int _begin_stream(self, uint64_t stream_id, int64_t now_ns) except -1:
        """The venue was started (again): numbers begin anew, and nothing of the stream before counts."""
        cdef int channel
        cdef ChannelState* state
        if self.stream_id != 0:
            self.restarts += 1
        self.stream_id = stream_id
        self.event_seq = 0
        for channel in range(1, CHANNEL_END):
            state = &self.channels[channel]
            # a stream seen to begin is followed from its first message
            state.next_seq = 1 if self.restarts else 0
            state.known_end = state.next_seq
            state.pending_count = state.pending_bytes = 0
            state.gap_since_ns = 0
            state.fill_id = 0
            state.fill_tries = 0
            self.pending[channel] = []
        self.requests.clear()
        self.stream_began(now_ns)
        return 0

    # ---- what a reader does with it ----

    cdef int deliver(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1 nogil:
        """Take a frame in order; its first `skip` messages were delivered before. The bytes are borrowed for
        the call.
        """
        return 0

    cdef int hole_opened(self, int channel) except -1 nogil:
        """Messages exist that have not been delivered."""
        return 0

    cdef int hole_closed(self, int channel) except -1 nogil:
        """Everything known to exist has been delivered or given up."""
        return 0

    cdef int lost(self, int channel, uint64_t first_seq, uint64_t end_seq, int64_t now_ns) except -1:
        """Messages first_seq .. end_seq - 1 will not come."""
        return 0

    cdef int stream_began(self, int64_t now_ns) except -1:
        """Everything known so far is of a run of the venue that is over."""
        return 0

    # ---- questions ----

    def next_seq(self, int channel):
        """Number expected next on a channel; 0 before its first packet."""
        return self.channels[channel].next_seq

    def has_hole(self, int channel):
        """Whether messages are known to exist that have not been delivered."""
        return self.channels[channel].gap_since_ns != 0

    def line_age_ns(self, int line, int64_t now_ns):
        """ns since a line last brought a good frame; None when it never did."""
        return now_ns - self.line_last_ns[line] if self.line_last_ns[line] else None

    def statistics(self):
        """Figures per channel that has been followed, by channel number."""
        names = ("packets", "messages", "duplicates", "reordered", "gaps", "filled", "lost", "pending_bytes",
                 "next_seq")
        figures = {}
        for channel in range(1, CHANNEL_END):
            state = self.channels[channel]
            if state.wanted:
                figures[channel] = dict(zip(names, (
                    state.packets, state.messages, state.duplicates, state.reordered, state.gaps,
                    state.filled, state.lost, state.pending_bytes, state.next_seq)))
        return figures

    def check(self):
        """Kept frames are sorted, counted and past what has been delivered."""
        for channel in range(1, CHANNEL_END):
            state = self.channels[channel]
            kept = self.pending[channel]
            if [seq for seq, _ in kept] != sorted(seq for seq, _ in kept):
                raise AssertionError(f"frames kept on channel {channel} are not sorted")
            if len(kept) != state.pending_count or sum(len(frame) for _, frame in kept) != state.pending_bytes:
                raise AssertionError(f"frames kept on channel {channel} are not counted right")
            if kept and (kept[0][0] <= state.next_seq or not state.gap_since_ns):
                raise AssertionError(f"a frame kept on channel {channel} could have been delivered")
            if state.next_seq < state.known_end and not state.gap_since_ns:
                raise AssertionError(f"channel {channel} has a hole nobody watches")
