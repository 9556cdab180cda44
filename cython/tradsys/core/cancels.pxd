"""Cancelling many orders at once (section 6 of the rule book)."""
from libc.stdint cimport int64_t, uint32_t

from tradsys.core.events cimport Command
from tradsys.core.state cimport State

cdef struct OrderFilter:                # which live orders a command cancels; 0 in a field: any
    uint32_t instrument_id
    uint32_t session_id
    uint32_t participant_id
    uint32_t account_id
    uint32_t group_id
    uint32_t of_house                   # 1: house accounts only
    uint32_t side
    uint32_t time_in_force
    uint32_t but_flags                  # not those with one of these OrderFlags
    uint32_t of_owner                   # 1: the owner asks, so not those that rest too short at now_ns (13.22)
    int64_t now_ns                      # with time_in_force GTD: those that have expired by then

# Whether the buffer takes a cancel of every order wanted and two events more
cdef bint room_to_cancel(const State* s, const OrderFilter* wanted) noexcept nogil
cdef int64_t cancel_many(State* s, const Command* c, const OrderFilter* wanted, uint32_t cancel_reason,
                         uint32_t event_flags) except -1 nogil      # returns how many
