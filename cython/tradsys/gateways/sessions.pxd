"""The door's view of its sessions: who is connected where, what is numbered next, how fast it may send.

Engine state (last client_seq, last report_seq) is mirrored here, not owned: it is loaded at the start and then follows
from what this door pushes and the event log tells.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


# Where a session stands at the door.
cdef enum:
    DOOR_IDLE = 0        # no connection
    DOOR_OPENING = 1     # OPEN_SESSION is on its way through the sequencer
    DOOR_ACTIVE = 2      # logged on
    DOOR_CLOSING = 3     # CLOSE_SESSION is wanted or on its way
    RESUME_NEWEST = 0xFFFFFFFF   # last_report_seq of a logon that wants none of the past

cdef struct Session:
    # identity
    uint32_t session_id
    uint32_t participant_id
    uint32_t route               # the last four bytes of the connection's routing id, as they are
    int32_t open_index           # place in the list of open sessions, -1: not in it
    int32_t bound                # 1: it has a connection, at `route`
    # hot: numbers
    uint64_t next_client_seq     # what the client must send next, from 1
    uint64_t head_report_seq     # newest report that may leave, 0: none
    uint64_t next_report_seq     # next report to send on this connection
    uint64_t sent_report_seq     # newest report that may have been sent, ever
    int32_t door                 # DOOR_...
    int32_t catching_up          # 1: reports come from the event log until next_report_seq has passed the head
    int32_t staged_count         # reports in the staging buffer, not sent yet
    int32_t dirty                # 1: in the list of sessions with staged reports
    int32_t protocol_errors      # frames refused as wrong since the logon
    int64_t heard_ns             # monotonic time of the last frame from it
    int64_t sent_ns              # monotonic time of the last frame to it
    # throttle: a token bucket filled by the clock; a message costs throttle_window_ns tokens
    int64_t throttle_messages    # messages a window, 0: no limit
    int64_t throttle_window_ns
    int64_t tokens               # at most throttle_messages x throttle_window_ns
    int64_t filled_ns            # monotonic time up to which tokens are counted in
    int64_t useless_count        # throttled, repeated and refused messages in this window
    int64_t window_began_ns
    # cold
    int64_t heartbeat_ns         # interval both sides keep
    int64_t retry_ns             # after a full queue: when to try again
    uint32_t resume_report_seq   # last report the client said it has; RESUME_NEWEST: wants none of the past
    uint32_t logon_count         # logons accepted for the sequencer, this run
    int32_t opens_pending        # OPEN_SESSION commands on their way
    int32_t close_reason         # CloseReason while closing
    int32_t close_wanted         # 1: CLOSE_SESSION has still to be pushed
    int32_t blocked              # 1: its queue was full when last tried


cdef class SessionTable:
    # sessions by id, and by routing id of their connection; every lookup is O(1), nothing is allocated after __cinit__
    cdef Session* sessions       # capacity entries, index is the session_id; 0 is not used
    cdef int32_t capacity
    cdef int32_t* open_ids       # sessions that are not idle, in no order
    cdef int32_t open_count
    cdef uint32_t* slot_routes   # open addressing: routing ids ...
    cdef int32_t* slot_ids       # ... and the sessions they belong to, 0: empty
    cdef uint32_t slot_mask

    cdef Session* at(self, uint32_t session_id) noexcept nogil
    cdef Session* find(self, uint32_t route) noexcept nogil
    cdef void bind(self, Session* session, uint32_t route) noexcept nogil
    cdef void unbind(self, Session* session) noexcept nogil
    cdef void mark_open(self, Session* session) noexcept nogil
    cdef void mark_idle(self, Session* session) noexcept nogil

# 1 when the session may send one more message now (and takes the token), else 0.
cdef int take_token(Session* session, int64_t now_ns) noexcept nogil
# Fill the bucket and forget the past: a session begins with a full one.
cdef void reset_throttle(Session* session, int64_t messages, int64_t window_ns, int64_t now_ns) noexcept nogil
# Count messages that were of no use; 1 when they are more than `multiple` times the throttle within a window.
cdef int count_useless(Session* session, int64_t messages, int64_t multiple, int64_t now_ns) noexcept nogil
