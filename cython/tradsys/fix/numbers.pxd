"""The numbers of one FIX session that its hot path needs without Python: sequence numbers, clocks, one flag.

`FixSession` (session.py) decides; a gateway may act alone while `fast` is set: an application message whose
MsgSeqNum equals `next_in`, with the right CompIDs, no PossDupFlag, no PossResend and a SendingTime within `latency_ns`,
advances `next_in` and sets `heard_ns`; a message sent takes `next_out` and sets `sent_ns`.
"""
from libc.stdint cimport int64_t


cdef class SessionNumbers:
    # hot
    cdef public int64_t next_in        # MsgSeqNum expected next, from 1
    cdef public int64_t next_out       # MsgSeqNum the next message sent takes, from 1
    cdef public int64_t heard_ns       # when anything came in last, ns since the epoch
    cdef public int64_t sent_ns        # when anything was sent last, ns since the epoch
    cdef public int64_t heartbeat_ns   # HeartBtInt agreed on, ns; 0: none yet
    cdef public int64_t latency_ns     # largest difference of SendingTime and clock, ns; 0: not looked at
    cdef public int64_t due_ns         # while `fast` holds and the clock is not set back on_time has nothing to do before
    cdef public bint active            # logged on, no Logout sent or received
    cdef public bint fast              # active, no gap, nothing queued: in-sequence messages need no Python
