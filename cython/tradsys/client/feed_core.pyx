"""A reader of the feed as a state machine: frames and times in; books, packets and requests out."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

import numpy as np

from tradsys.client.arbiter cimport FROM_RECOVERY, LINES_MAX, Arbiter
from tradsys.core.book_view cimport BOOK_BROKEN, BookSet
from tradsys.wire.libzmq cimport (
    ZMQ_DONTWAIT,
    zmq_msg_close,
    zmq_msg_data,
    zmq_msg_init,
    zmq_msg_recv,
    zmq_msg_size,
    zmq_msg_t,
)
from tradsys.wire.packet cimport FRAME_GOOD, FRAME_HEAD_BYTES, TOPIC_BYTES, check_frame
from tradsys.wire.records cimport (
    BLOCK_SNAPSHOT_REQUEST,
    CHANNEL_L2,
    CHANNEL_L3,
    CHANNEL_SNAPSHOT,
    CHANNEL_STATUS,
    REJECT_REASON_UNKNOWN_INSTRUMENT,
    SCHEMA_ID,
    SCHEMA_VERSION,
    SIZE_REQUEST_REFUSED,
    SIZE_SNAPSHOT_REQUEST,
    TEMPLATE_MD_AUCTION,
    TEMPLATE_MD_BREAKER,
    TEMPLATE_MD_INSTRUMENT,
    TEMPLATE_MD_STATUS,
    TEMPLATE_SNAPSHOT_BEGIN,
    TEMPLATE_SNAPSHOT_END,
    TEMPLATE_SNAPSHOT_REQUEST,
    MdAuction,
    MdBreaker,
    MdInstrument,
    MdOrderAdd,
    MdStatus,
    Packet,
    RequestRefused,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotRequest,
)

from tradsys.client.packets import FeedPacket
from tradsys.wire.records import MD_AUCTION, MD_BREAKER, MD_INSTRUMENT

cdef enum:
    SNAPSHOTS_ASKED_MAX = 4            # snapshots asked for at a time
    STATUS_KEPT_MAX = 1024
    RETRY_NS = 1_000_000_000           # wait before a book that broke again is asked for again


@cython.final
cdef class Assembly:
    """Collects the frames of one snapshot; anything out of order starts over."""

    def __cinit__(self):
        self.body = bytearray()

    cdef int take(self, const uint8_t* frame, int64_t frame_bytes) except -1:
        """Take a checked frame of channel SNAPSHOT; 1: the snapshot is complete, -> its attributes; 0: more
        must come.
        """
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef const uint8_t* message = frame + FRAME_HEAD_BYTES
        cdef uint64_t seq = packet.first_seq
        cdef int64_t _i, size_bytes
        cdef uint16_t template_id
        if self.open and seq != self.next_seq:
            self.open = False
        for _i in range(packet.message_count):
            size_bytes = 8 + (<const uint16_t*>message)[0]
            template_id = (<const uint16_t*>message)[1]
            if template_id == TEMPLATE_SNAPSHOT_BEGIN:
                self._begin(message)
            elif not self.open:
                pass
            elif template_id == TEMPLATE_SNAPSHOT_END:
                self.open = False
                if self.received == self.expected and (<const SnapshotEnd*>message).l3_seq == self.l3_seq and \
                        (<const SnapshotEnd*>message).instrument_id == self.instrument_id:
                    return 1
            elif (template_id == TEMPLATE_MD_INSTRUMENT) != (self.instrument_id == 0):
                self.open = False
            else:
                self.body += (<const char*>message)[:size_bytes]
                self.received += 1
            message += size_bytes
            seq += 1
        self.next_seq = seq
        return 0

    cdef int _begin(self, const uint8_t* message) except -1:
        cdef const SnapshotBegin* head = <const SnapshotBegin*>message
        self.open = True
        self.request_id = head.request_id
        self.l3_seq = head.l3_seq
        self.l2_seq = head.l2_seq
        self.l1_seq = head.l1_seq
        self.status_seq = head.status_seq
        self.event_seq = head.event_seq
        self.instrument_id = head.instrument_id
        self.expected = head.order_count if head.instrument_id else head.instrument_count
        self.received = 0
        self.body = bytearray()
        return 0


cdef class FeedCore(Arbiter):
    """Keeps the books of a feed right, or says that they are not.

    Invariant: a book that `stale_reason` calls good holds every L3 message known to exist up to now.

    Parameters
    ----------
    channels : iterable of int
        Channels to follow; L3 for `books`, L2 for `levels`, STATUS for definitions.
    books : BookSet, optional
        Where L3 is applied.
    levels : LevelBooks, optional
        Where L2 is applied.
    wanted : iterable of int, optional
        Instruments whose books are kept; all when not given.
    deliver : iterable of int
        Channels whose packets are handed on in `packets`.
    recovery : bool
        Whether there is a recovery door; without it books wait for the SNAPSHOT channel.
    silence_ns : int
        Without a packet on either line for so long, books are stale.
    **arbitration
        Settings of `Arbiter`.
    """

    def __init__(self, channels=(1, 2, 3, 4, 5), *, BookSet books=None, levels=None, wanted=None, deliver=(),
                 bint recovery=True,
                 int64_t silence_ns=1_500_000_000, **arbitration):
        self.silence_ns = silence_ns
        self.books = books
        self.levels = levels
        self.wanted = None if wanted is None else frozenset(wanted)
        self.recovery = recovery
        self.deliver_mask = 0
        for channel in deliver:
            self.deliver_mask |= <uint32_t>1 << <int>channel
        if not recovery:
            self.fill_tries_max = 0
        self.definitions = {}
        self.auctions = {}
        self.breakers = {}
        self.status_kept = []
        self.unsynced = set(self.wanted or ())
        self.asked = {}
        self.not_before = {}
        self.broke_before = set()
        self.kept = []
        self.keeping = books is not None
        self.answer = Assembly()
        self.cycle = Assembly()
        self.packets = []
        self.events = []
        if books is not None:
            books.mark_behind("nothing has been received yet")

    # ---- frames in ----

    def receive(self, socket, int line, int64_t budget, int64_t now_ns):
        """Take up to `budget` frames waiting on a SUB socket; returns how many. Reads with libzmq, the GIL
        released.
        """
        cdef void* handle = <void*><size_t>int(socket.underlying)
        cdef zmq_msg_t message
        cdef int64_t count = 0
        self.now_ns = now_ns
        if not 0 <= line < LINES_MAX:
            raise ValueError(f"line must be in [0, {LINES_MAX - 1}], was {line}")
        zmq_msg_init(&message)
        try:
            with nogil:
                while count < budget and zmq_msg_recv(&message, handle, ZMQ_DONTWAIT) >= 0:
                    self.accept(<const uint8_t*>zmq_msg_data(&message), <int64_t>zmq_msg_size(&message), line,
                                now_ns)
                    count += 1
        finally:
            zmq_msg_close(&message)
        return count

    def on_frame(self, const uint8_t[::1] frame not None, int line, int64_t now_ns):
        """Take one frame from a line; see `Arbiter.on_frame`."""
        self.now_ns = now_ns
        return Arbiter.on_frame(self, frame, line, now_ns)

    def on_answer(self, const uint8_t[::1] answer not None, int64_t now_ns):
        """Take one message of the recovery door: a frame or a refusal."""
        cdef const uint8_t* start
        cdef const Packet* packet
        self.now_ns = now_ns
        if answer.shape[0] == SIZE_REQUEST_REFUSED and (<const uint16_t*>&answer[0])[1] != 0:
            self._on_refused(answer, now_ns)
            return
        if answer.shape[0] == 0 or check_frame(&answer[0], answer.shape[0]) != FRAME_GOOD:
            self.malformed += 1
            return
        start = &answer[0]
        packet = <const Packet*>(start + TOPIC_BYTES)
        if packet.channel != CHANNEL_SNAPSHOT:
            self.accept(start, answer.shape[0], FROM_RECOVERY, now_ns)
        elif packet.stream_id != self.stream_id:
            self.old_stream += 1
        elif self.answer.take(start, answer.shape[0]):
            self.asked.pop(self.answer.request_id, None)
            self._snapshot_done(self.answer)
        elif self.answer.open and self.answer.request_id in self.asked:   # it makes progress: more time
            self.asked[self.answer.request_id] = (self.answer.instrument_id, now_ns + 4 * self.request_timeout_ns)

    def _on_refused(self, record, int64_t now_ns):
        cdef const uint8_t[::1] raw = record
        cdef const RequestRefused* refusal = <const RequestRefused*>&raw[0]
        if self.on_refused(record, now_ns):
            return
        instrument_id, _ = self.asked.pop(refusal.request_id, (None, 0))
        if instrument_id is None:
            return
        self.not_before[instrument_id] = now_ns + self.request_timeout_ns
        if refusal.reject_reason == REJECT_REASON_UNKNOWN_INSTRUMENT:
            self.unsynced.discard(instrument_id)
            self.events.append(("unknown_instrument", instrument_id))
            self._settle()

    # ---- what the arbiter delivers ----

    cdef int deliver(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1 nogil:
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef uint16_t channel = packet.channel
        if channel == CHANNEL_L3 and self.books is not None:
            self.books.apply_messages(<const MdOrderAdd*>(frame + FRAME_HEAD_BYTES) + skip,
                                      packet.message_count - skip,
                                      packet.first_seq + <uint64_t>skip)
            if self.keeping or self.books.breaks != self.breaks_seen:
                with gil:
                    self._keep_frame(frame, frame_bytes, skip)
        elif channel == CHANNEL_STATUS:
            with gil:
                self._status(frame, skip)
        elif channel == CHANNEL_SNAPSHOT:
            with gil:
                if self.cycle.take(frame, frame_bytes):
                    self._snapshot_done(self.cycle)
        elif channel == CHANNEL_L2 and self.levels is not None:
            with gil:
                self.levels.apply((<const char*>frame)[FRAME_HEAD_BYTES:frame_bytes], packet.first_seq, skip)
        if self.deliver_mask >> channel & 1:
            with gil:
                self._hand_on(frame, frame_bytes, skip)
        return 0

    cdef int _hand_on(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1:
        self.packets.append(FeedPacket((<const char*>frame)[:frame_bytes], skip))
        return 0

    cdef int _keep_frame(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1:
        """Keep an L3 frame for the books that wait for snapshots."""
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        if not self.keeping:
            self.keeping = True
            self.kept_from = packet.first_seq + <uint64_t>skip
        if self.kept_bytes + frame_bytes > self.pending_bytes_max:
            self.kept.clear()
            self.kept_bytes = 0
        if not self.kept:
            self.kept_from = packet.first_seq + <uint64_t>skip
        self.kept.append(((<const char*>frame)[:frame_bytes], skip))
        self.kept_bytes += frame_bytes
        if self.books.breaks != self.breaks_seen:
            self._note_breaks()
        return 0

    cdef int _note_breaks(self) except -1:
        """Ask for the books that broke."""
        cdef uint32_t instrument_id
        self.breaks_seen = self.books.breaks
        for instrument_id in range(self.books.instruments_max):
            if self.books.books[instrument_id].state == BOOK_BROKEN and instrument_id not in self.unsynced:
                self.events.append(("book_broken",
                                    f"instrument {instrument_id}: {self.books.stale_reason(instrument_id)}"))
                self.unsynced.add(instrument_id)
                if instrument_id in self.broke_before:   # twice: not at once, whatever breaks it may be lasting
                    self.not_before[instrument_id] = self.now_ns + RETRY_NS
                self.broke_before.add(instrument_id)
        return 0

    cdef int hole_opened(self, int channel) except -1 nogil:
        with gil:
            return self._say_why(channel)

    cdef int hole_closed(self, int channel) except -1 nogil:
        with gil:
            return self._say_why(channel)

    cdef int lost(self, int channel, uint64_t first_seq, uint64_t end_seq, int64_t now_ns) except -1:
        """What could not be healed message by message is healed by snapshots, or is gone."""
        self.events.append(("lost", f"channel {channel}: messages {first_seq} to {end_seq - 1}"))
        if channel == CHANNEL_L3 and self.books is not None:
            self.books.mark_unknown()
            self.kept.clear()
            self.kept_bytes = 0
            self.kept_from = end_seq
            self.keeping = True
            self._await(self.definitions if self.wanted is None else self.wanted)
        elif channel == CHANNEL_L2 and self.levels is not None:
            self.levels.lost(end_seq)
            self._await(self.definitions if self.wanted is None else self.wanted)
        elif channel == CHANNEL_STATUS:
            self.definitions_due = True
        elif channel == CHANNEL_SNAPSHOT:
            self.cycle.open = False
        return 0

    cdef int stream_began(self, int64_t now_ns) except -1:
        self.events.append(("stream", self.stream_id))
        self.definitions.clear()
        self.definitions_due = self.books is not None or self.levels is not None or \
            self.channels[CHANNEL_STATUS].wanted != 0
        self.status_kept = []
        self.status_seq = 0
        self.asked.clear()
        self.not_before.clear()
        self.broke_before.clear()
        self.answer.open = self.cycle.open = False
        self.kept.clear()
        self.kept_bytes = 0
        self.kept_from = 0
        self.unsynced = set(self.wanted or ())
        if self.books is not None:
            self.keeping = True
            self.books.mark_unknown()
            self.books.mark_behind(None)
        if self.levels is not None:
            self.levels.lost(1)
            self.levels.mark_behind(None)
        return 0

    # ---- definitions ----

    cdef int _status(self, const uint8_t* frame, int64_t skip) except -1:
        """Apply definitions and states of a STATUS frame that are newer than those known."""
        cdef const Packet* packet = <const Packet*>(frame + TOPIC_BYTES)
        cdef const uint8_t* message = frame + FRAME_HEAD_BYTES
        cdef uint64_t seq = packet.first_seq
        cdef int64_t i
        if self.definitions_due:
            self.status_kept.append((<const char*>frame)[:packet.packet_bytes + TOPIC_BYTES])
            if len(self.status_kept) > STATUS_KEPT_MAX:
                self.status_kept.pop(0)
        for i in range(packet.message_count):
            if i >= skip and seq > self.status_seq:
                if (<const uint16_t*>message)[1] == TEMPLATE_MD_INSTRUMENT:
                    self._define((<const char*>message)[:sizeof(MdInstrument)])
                elif (<const uint16_t*>message)[1] == TEMPLATE_MD_AUCTION:
                    self.auctions[(<const MdAuction*>message).instrument_id] = np.frombuffer(
                        (<const char*>message)[:sizeof(MdAuction)], dtype=MD_AUCTION).copy()[0]
                elif (<const uint16_t*>message)[1] == TEMPLATE_MD_BREAKER:
                    self.breakers[(<const MdBreaker*>message).instrument_id] = np.frombuffer(
                        (<const char*>message)[:sizeof(MdBreaker)], dtype=MD_BREAKER).copy()[0]
                elif (<const uint16_t*>message)[1] == TEMPLATE_MD_STATUS and \
                        (<const MdStatus*>message).instrument_id in self.definitions:
                    definition = self.definitions[(<const MdStatus*>message).instrument_id]
                    definition["state"] = (<const MdStatus*>message).state
            message += 8 + (<const uint16_t*>message)[0]
            seq += 1
        return 0

    def _define(self, record):
        definition = np.frombuffer(record, dtype=MD_INSTRUMENT).copy()[0]
        instrument_id = int(definition["instrument_id"])
        known = instrument_id in self.definitions
        self.definitions[instrument_id] = definition
        if not known and (self.wanted is None or instrument_id in self.wanted):
            self._await([instrument_id])

    cdef int _load_definitions(self, Assembly snapshot) except -1:
        cdef const uint8_t* start
        size = MD_INSTRUMENT.itemsize
        for at in range(0, len(snapshot.body), size):
            self._define(bytes(snapshot.body[at:at + size]))
        self.status_seq = snapshot.status_seq
        self.definitions_due = False
        for frame in self.status_kept:
            start = <const uint8_t*><const char*>frame
            self._status(start, 0)
        self.status_kept = []
        return self._settle()

    # ---- snapshots ----

    cdef int _await(self, instruments) except -1:
        """These books need a snapshot."""
        if self.books is not None or self.levels is not None:
            self.unsynced.update(instruments)
        return 0

    cdef int _snapshot_done(self, Assembly snapshot) except -1:
        if snapshot.instrument_id == 0:
            return self._load_definitions(snapshot)
        if snapshot.request_id == 0 and snapshot.instrument_id not in self.unsynced and \
                not self._lacks(snapshot.instrument_id):
            return 0
        return self._load_book(snapshot)

    cdef bint _lacks(self, uint32_t instrument_id) except -1:
        """Whether a reader of the SNAPSHOT channel has no right book of an instrument: who cannot ask for the
        definitions may never have been told of it.
        """
        if self.recovery or self.wanted is not None:
            return False
        return (self.books is not None and not self.books.is_live(instrument_id)) or \
            (self.levels is not None and not self.levels.is_live(instrument_id))

    cdef int _load_book(self, Assembly snapshot) except -1:
        """Replace a book, catch it up with what has been kept; a snapshot that is too old or does not fit is
        asked for again.
        """
        cdef const Packet* packet
        cdef const uint8_t* start
        cdef const uint8_t[::1] body = snapshot.body
        cdef uint32_t instrument_id = snapshot.instrument_id
        cdef uint64_t seen_from = self.kept_from if self.kept else self.channels[CHANNEL_L3].next_seq
        good = True
        if self.books is not None and (seen_from == 0 or snapshot.l3_seq + 1 < seen_from):
            good = False
        elif self.books is not None and not self.books.is_live(instrument_id):
            good = self.books.load_orders(instrument_id, <const MdOrderAdd*>&body[0] if body.shape[0] else NULL,
                                          <int64_t>snapshot.received, snapshot.l3_seq)
            for frame, skip in self.kept if good else ():
                start = <const uint8_t*><const char*>frame
                packet = <const Packet*>(start + TOPIC_BYTES)
                if packet.first_seq + packet.message_count > snapshot.l3_seq + 1:
                    self.books.apply_messages(<const MdOrderAdd*>(start + FRAME_HEAD_BYTES) + <int64_t>skip,
                                              packet.message_count - <int64_t>skip, packet.first_seq + <uint64_t>skip)
            good = self.books.is_live(instrument_id)
            self.breaks_seen = self.books.breaks
        if self.levels is not None and self.levels.seen_from == 0:
            self.levels.seen_from = self.channels[CHANNEL_L2].next_seq
            good = good and self.channels[CHANNEL_L2].next_seq != 0
        if good and self.levels is not None:
            good = self.levels.load(instrument_id, bytes(snapshot.body), snapshot.l2_seq)
        if good:
            self.snapshots += 1
            self.unsynced.discard(instrument_id)
            return self._settle()
        self.snapshots_refused += 1
        self.unsynced.add(instrument_id)
        self.not_before[instrument_id] = self.now_ns + RETRY_NS // 10
        return 0

    cdef int _settle(self) except -1:
        """When no book waits any more, nothing need be kept."""
        if self.keeping and not self.unsynced and not self.definitions_due and \
                (self.recovery or self.wanted is not None):
            self.keeping = False
            self.kept.clear()
            self.kept_bytes = 0
        return 0

    # ---- time ----

    def on_time(self, int64_t now_ns):
        """Ask for what is missing; call a few times a second or more."""
        self.now_ns = now_ns
        Arbiter.on_time(self, now_ns)
        self._watch(now_ns)
        if not self.recovery or self.stream_id == 0:
            return
        if self.books is not None and self.channels[CHANNEL_L3].next_seq == 0:
            return
        if self.levels is not None and self.channels[CHANNEL_L2].next_seq == 0:
            return
        for request_id, (instrument_id, deadline) in list(self.asked.items()):
            if now_ns >= deadline:
                del self.asked[request_id]
        if self.definitions_due:
            self._ask_for([0], now_ns)
        if self.unsynced:
            self._ask_for(sorted(self.unsynced), now_ns)

    def _watch(self, int64_t now_ns):
        """Books of a feed that has fallen silent are stale: there may be messages nobody told us of."""
        cdef int64_t last_ns = max(self.line_last_ns[0], self.line_last_ns[1])
        silent = last_ns != 0 and now_ns - last_ns > self.silence_ns
        if silent == self.silent:
            return
        self.silent = silent
        self.events.append(("silent" if silent else "back",
                            f"no packet for {(now_ns - last_ns) // 1_000_000} ms" if silent else ""))
        self._say_why(CHANNEL_L3)
        self._say_why(CHANNEL_L2)

    cdef int _say_why(self, int channel) except -1:
        """Tell the books why they lag, or that they no longer do."""
        target = self.books if channel == CHANNEL_L3 else self.levels if channel == CHANNEL_L2 else None
        if target is None:
            return 0
        if self.channels[channel].gap_since_ns:
            target.mark_behind("messages are missing and are being asked for")
        else:
            target.mark_behind("both lines are silent" if self.silent else None)
        return 0

    def _ask_for(self, instruments, int64_t now_ns):
        """Ask for snapshots of these, a few at a time."""
        under_way = {instrument_id for instrument_id, _ in self.asked.values()}
        for instrument_id in instruments:
            if len(self.asked) >= SNAPSHOTS_ASKED_MAX:
                return
            if instrument_id not in under_way and now_ns >= self.not_before.get(instrument_id, now_ns):
                self._request_snapshot(instrument_id, now_ns)

    cdef int _request_snapshot(self, uint32_t instrument_id, int64_t now_ns) except -1:
        cdef SnapshotRequest request
        memset(&request, 0, sizeof(request))
        request.block_length = BLOCK_SNAPSHOT_REQUEST
        request.template_id = TEMPLATE_SNAPSHOT_REQUEST
        request.schema_id = SCHEMA_ID
        request.version = SCHEMA_VERSION
        self.last_request_id += 1
        request.request_id = self.last_request_id
        request.instrument_id = instrument_id
        self.asked[self.last_request_id] = (instrument_id, now_ns + 4 * self.request_timeout_ns)
        self.requests.append((<const char*>&request)[:SIZE_SNAPSHOT_REQUEST])
        return 0

    @property
    def synced(self):
        """Whether definitions are known, every wanted book is live and no message known to exist is missing."""
        return self.stream_id != 0 and not self.definitions_due and not self.unsynced and \
            not any(self.channels[channel].gap_since_ns for channel in range(1, CHANNEL_SNAPSHOT))
