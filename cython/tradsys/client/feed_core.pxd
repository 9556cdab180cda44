"""What a reader of the feed does with it, without sockets: books kept, holes healed, packets handed on in order."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.client.arbiter cimport Arbiter
from tradsys.core.book_view cimport BookSet


cdef class Assembly:
    """A snapshot coming in, frame by frame."""
    cdef readonly bint open                    # SnapshotBegin has come, SnapshotEnd has not
    cdef uint64_t next_seq                     # number of the message that must come next
    cdef readonly uint64_t request_id
    cdef readonly uint64_t l3_seq, l2_seq, l1_seq, status_seq, event_seq
    cdef readonly uint32_t instrument_id
    cdef uint64_t expected                     # orders or definitions
    cdef readonly uint64_t received
    cdef bytearray body                        # their records
    cdef int take(self, const uint8_t* frame, int64_t frame_bytes) except -1
    cdef int _begin(self, const uint8_t* message) except -1


cdef class FeedCore(Arbiter):
    # books
    cdef readonly BookSet books                # None: books are not kept
    cdef readonly object levels                # LevelBooks, or None
    cdef readonly object wanted                # frozenset of instruments, or None: all
    cdef readonly dict definitions             # instrument_id -> MdInstrument record
    cdef readonly dict auctions                # instrument_id -> MdAuction record, the newest
    cdef readonly dict breakers                # instrument_id -> MdBreaker record, the newest
    cdef uint64_t status_seq                   # last STATUS message in them
    cdef list status_kept                      # STATUS frames since the join, while definitions are awaited
    # healing
    cdef bint recovery                         # there is a recovery door
    cdef readonly set unsynced                 # instruments that wait for a snapshot
    cdef bint definitions_due
    cdef dict asked                            # request_id -> (instrument_id, deadline)
    cdef set broke_before                      # instruments whose book broke in this stream
    cdef dict not_before                       # instrument_id -> when it may be asked for again
    cdef bint keeping                          # L3 frames are kept for books that wait
    cdef list kept                             # (frame, skip)
    cdef int64_t kept_bytes
    cdef uint64_t kept_from                    # every L3 message from this number on is kept or applied
    cdef Assembly answer                       # from the recovery door
    cdef Assembly cycle                        # from the SNAPSHOT channel
    cdef int64_t breaks_seen
    cdef int64_t now_ns                        # time of the call under way
    cdef readonly int64_t snapshots            # applied
    cdef readonly int64_t snapshots_refused    # too old, incomplete or not fitting
    cdef readonly int64_t silence_ns
    cdef readonly bint silent                  # no line has brought anything for silence_ns
    # packets handed on
    cdef uint32_t deliver_mask                 # bit of each channel that is handed on
    cdef readonly list packets                 # FeedPacket; the owner takes and clears them
    cdef readonly list events                  # what happened: (name, detail); the owner takes and clears them

    cdef int _keep_frame(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1
    cdef int _note_breaks(self) except -1
    cdef int _hand_on(self, const uint8_t* frame, int64_t frame_bytes, int64_t skip) except -1
    cdef int _status(self, const uint8_t* frame, int64_t skip) except -1
    cdef int _snapshot_done(self, Assembly snapshot) except -1
    cdef bint _lacks(self, uint32_t instrument_id) except -1
    cdef int _load_book(self, Assembly snapshot) except -1
    cdef int _load_definitions(self, Assembly snapshot) except -1
    cdef int _await(self, instruments) except -1
    cdef int _settle(self) except -1
    cdef int _say_why(self, int channel) except -1
    cdef int _request_snapshot(self, uint32_t instrument_id, int64_t now_ns) except -1
