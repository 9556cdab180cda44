"""The receiving side of the recorder: an arbiter that delivers into the pipeline's buffers."""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

from tradsys.client.arbiter cimport FROM_RECOVERY, HEARTBEAT, LINES_MAX, MALFORMED, Arbiter
from tradsys.wire.libzmq cimport (
    EAGAIN,
    EINTR,
    ZMQ_DONTWAIT,
    zmq_error,
    zmq_msg_close,
    zmq_msg_data,
    zmq_msg_init,
    zmq_msg_recv,
    zmq_msg_size,
    zmq_msg_t,
)
from tradsys.wire.packet cimport CHANNEL_END, FRAME_HEAD_BYTES, TOPIC_BYTES, skip_messages
from tradsys.wire.records cimport Packet

cdef enum:
    DAY_NS = 86_400_000_000_000
    MESSAGES_BYTES_MAX = 1_048_576   # of one frame; a buffer holds at least as much

PACKET_ROW_BYTES = sizeof(PacketRow)


cdef class Collector(Arbiter):
    """Copies each message that is next in its channel's order into a buffer, and tells the owner of everything else.

    Invariant: a buffer holds messages of one channel, one stream and one UTC day, back to back, and a row for each packet
    they came in; the rows' counts add up to the messages.

    Parameters
    ----------
    owner : object
        ``take_buffer() -> Buffer`` may wait; ``hand_over(buffer)``; ``give_back(buffer)``;
        ``note_gap(channel, first_seq, last_seq, seen_ns, healed)``;
        ``stream_began(stream_id) -> {channel: next_seq}``: the numbers to go on with.
    options
        Those of `Arbiter`.

    Notes
    -----
    One thread at a time.
    """

    def __cinit__(self, channels=(1, 2, 3, 4, 5), *, owner=None, **_):
        self.owner = owner
        self.buffers = [None] * CHANNEL_END
        memset(self.fillings, 0, sizeof(self.fillings))

    # ---- frames in ----

    def receive(self, size_t handle, int line, int64_t budget):
        """Take frames from a socket until none is there or `budget` is used up.

        Parameters
        ----------
        handle : int
            ``socket.underlying`` of a SUB socket of this thread.
        line : int
            0 A, 1 B.
        budget : int
            Most frames to take.

        Returns
        -------
        int
            Frames taken.

        Raises
        ------
        OSError
            libzmq's error, e.g. of a closed socket.
        RecordingError
            Writing has failed.
        """
        cdef zmq_msg_t message
        cdef int64_t taken = 0
        cdef int size_bytes, error = 0
        zmq_msg_init(&message)
        try:
            with nogil:
                while taken < budget:
                    size_bytes = zmq_msg_recv(&message, <void*>handle, ZMQ_DONTWAIT)
                    if size_bytes < 0:
                        error = zmq_error()
                        if error == EINTR:
                            continue
                        break
                    taken += 1
                    self.frame(<const uint8_t*>zmq_msg_data(&message), <int64_t>zmq_msg_size(&message), line,
                               clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC))
        finally:
            zmq_msg_close(&message)
        if error not in (0, EAGAIN):
            raise OSError(error, "cannot receive from the feed")
        return taken

    def take(self, const uint8_t[::1] frame not None, int line, int64_t wall_ns, int64_t now_ns):
        """Take one frame; returns the arbiter's verdict.

        Parameters
        ----------
        frame : bytes-like
            Copied when kept.
        line : int
            0 A, 1 B, 2 gap fill.
        wall_ns : int
            Receive time [ns since the epoch]; evened out when it steps back.
        now_ns : int
            The arbiter's clock [ns].
        """
        if not 0 <= line < LINES_MAX:
            raise ValueError(f"line must be in [0, {LINES_MAX - 1}], was {line}")
        if frame.shape[0] == 0:
            self.malformed += 1
            return MALFORMED
        return self.frame(&frame[0], frame.shape[0], line, wall_ns, now_ns)

    cdef int frame(self, const uint8_t* frame, int64_t frame_bytes, int line, int64_t wall_ns, int64_t now_ns) except -1 nogil:
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef int verdict
        if wall_ns > self.recv_ts_ns:
            self.recv_ts_ns = wall_ns
        if frame_bytes > MESSAGES_BYTES_MAX + FRAME_HEAD_BYTES:
            self.oversized += 1
            return MALFORMED
        self.current = frame
        self.current_line = line
        verdict = self.accept(frame, frame_bytes, line, now_ns)
        if verdict == HEARTBEAT and not self.fillings[packet.channel].based and \
                packet.first_seq == self.channels[packet.channel].next_seq:
            self._note(frame, frame_bytes, 0)
        self.current = NULL
        return verdict

    cdef int deliver(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1 nogil:
        cdef int channel = (<const Packet*>(frame + TOPIC_BYTES)).channel
        cdef Filling* filling = &self.fillings[channel]
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef uint64_t end_seq = packet.first_seq + packet.message_count
        if filling.healed_first_seq != 0 and not (frame == self.current and self.current_line == FROM_RECOVERY):
            self._heal(channel)
        self._note(frame, frame_bytes, skip)
        if filling.first_seq == 0:
            filling.first_seq = packet.first_seq + <uint64_t>skip
        filling.last_seq = end_seq - 1
        filling.packets_taken += 1
        filling.messages_taken += packet.message_count - skip
        if frame == self.current and self.current_line == FROM_RECOVERY:
            if filling.healed_first_seq == 0:
                filling.healed_first_seq = packet.first_seq + <uint64_t>skip
            filling.healed_end_seq = end_seq
        return 0

    cdef int _note(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1 nogil:
        """Copy a packet's messages but the first `skip`, and note the packet."""
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef int channel = packet.channel
        cdef Filling* filling = &self.fillings[channel]
        cdef const uint8_t* messages = skip_messages(frame + FRAME_HEAD_BYTES, skip)
        cdef int64_t size_bytes = frame + frame_bytes - messages
        cdef int64_t message_count = packet.message_count - skip
        cdef PacketRow* row
        if filling.memory == NULL or filling.used_bytes + size_bytes > filling.capacity_bytes or \
                filling.packet_count == filling.packets_max or filling.stream_id != packet.stream_id or \
                filling.day != self.recv_ts_ns // <int64_t>DAY_NS or \
                (filling.message_count + message_count > filling.messages_max and filling.packet_count > 0):
            with gil:
                self._renew(channel)
        assert filling.used_bytes + size_bytes <= filling.capacity_bytes
        memcpy(filling.memory + filling.used_bytes, messages, <size_t>size_bytes)
        row = &filling.packets[filling.packet_count]
        row.stream_id = packet.stream_id
        row.recv_ts_ns = self.recv_ts_ns
        row.first_seq = packet.first_seq + <uint64_t>skip
        row.send_ts_ns = packet.send_ts_ns
        row.event_seq = packet.event_seq
        row.packet_bytes = <unsigned int>(packet.packet_bytes - (frame_bytes - FRAME_HEAD_BYTES - size_bytes))
        row.channel = packet.channel
        row.message_count = <unsigned short>message_count
        row.line = <unsigned char>(self.current_line if frame == self.current else 0)
        memset(row.pad, 0, sizeof(row.pad))
        filling.used_bytes += size_bytes
        filling.message_count += message_count
        filling.packet_count += 1
        filling.based = 1
        return 0

    # ---- buffers ----

    cdef int _renew(self, int channel) except -1:
        """Hand the channel's buffer over and take an empty one; waits when the disk is behind."""
        cdef Filling* filling = &self.fillings[channel]
        cdef uint8_t[::1] memory
        cdef uint8_t[::1] packets
        self.release(channel)
        buffer = self.owner.take_buffer()
        memory, packets = buffer.memory, buffer.packet_bytes
        self.buffers[channel] = buffer
        filling.memory = &memory[0]
        filling.packets = <PacketRow*>&packets[0]
        filling.capacity_bytes = memory.shape[0]
        filling.packets_max = packets.shape[0] // <int64_t>sizeof(PacketRow)
        filling.messages_max = buffer.rows_max
        filling.used_bytes = filling.packet_count = filling.message_count = 0
        filling.day = self.recv_ts_ns // <int64_t>DAY_NS
        filling.stream_id = self.stream_id
        return 0

    def release(self, int channel):
        """Hand the channel's buffer over as it is; nothing happens when it is empty."""
        cdef Filling* filling = &self.fillings[channel]
        buffer = self.buffers[channel]
        if buffer is None:
            return
        if filling.packet_count == 0:
            self.owner.give_back(buffer)
        else:
            buffer.used, buffer.packet_count = filling.used_bytes, filling.packet_count
            buffer.channel, buffer.stream_id = channel, filling.stream_id
            self.owner.hand_over(buffer)
        self.buffers[channel] = None
        filling.memory = NULL
        filling.packets = NULL
        filling.used_bytes = filling.packet_count = filling.message_count = 0

    def oldest_ns(self, int channel):
        """Receive time of the oldest packet in the channel's buffer [ns since the epoch]; None when it is empty."""
        cdef Filling* filling = &self.fillings[channel]
        return filling.packets[0].recv_ts_ns if filling.packet_count else None

    # ---- holes and streams ----

    cdef int hole_opened(self, int channel) except -1 nogil:
        self.fillings[channel].hole_seen_ns = self.recv_ts_ns
        return 0

    cdef int hole_closed(self, int channel) except -1 nogil:
        return self._heal(channel)

    cdef int _heal(self, int channel) except -1 nogil:
        """Note the range that the gap fill has brought."""
        cdef Filling* filling = &self.fillings[channel]
        cdef uint64_t first_seq = filling.healed_first_seq
        if first_seq != 0:
            filling.healed_first_seq = 0
            with gil:
                self.owner.note_gap(channel, first_seq, filling.healed_end_seq - 1, filling.hole_seen_ns, True)
        return 0

    cdef int lost(self, int channel, uint64_t first_seq, uint64_t end_seq, int64_t now_ns) except -1:
        cdef Filling* filling = &self.fillings[channel]
        self._heal(channel)
        if filling.first_seq == 0:
            filling.first_seq = first_seq
        filling.last_seq = end_seq - 1
        self.owner.note_gap(channel, first_seq, end_seq - 1, filling.hole_seen_ns, False)
        return 0

    cdef int _begin_stream(self, uint64_t stream_id, int64_t now_ns) except -1:
        """What is still missing of the stream before will not come: the venue that had it is gone."""
        cdef int channel
        for channel in range(1, CHANNEL_END):
            while self.channels[channel].gap_since_ns != 0:
                self._give_up(channel, now_ns)
        return Arbiter._begin_stream(self, stream_id, now_ns)

    cdef int stream_began(self, int64_t now_ns) except -1:
        cdef int channel
        cdef uint64_t next_seq
        for channel in range(1, CHANNEL_END):
            self._heal(channel)
            self.release(channel)
        began = self.owner.stream_began(self.stream_id)
        for channel in range(1, CHANNEL_END):
            memset(&self.fillings[channel], 0, sizeof(Filling))
            next_seq = began.get(channel, 0)
            if next_seq != 0:
                self.channels[channel].next_seq = next_seq
                self.channels[channel].known_end = next_seq
                self.fillings[channel].based = 1
        return 0

    def give_up(self, int channel, int64_t now_ns):
        """Close the channel's first hole by leaving out what is missing; there must be one (`has_hole`)."""
        self._give_up(channel, now_ns)

    def totals(self, int channel):
        """Return (first_seq, last_seq, packets, messages) that the channel has brought in this stream."""
        cdef Filling* filling = &self.fillings[channel]
        return filling.first_seq, filling.last_seq, filling.packets_taken, filling.messages_taken


cdef inline int64_t clock_ns(int clock) noexcept nogil:
    cdef timespec time
    clock_gettime(clock, &time)
    return <int64_t>time.tv_sec * 1_000_000_000 + time.tv_nsec
