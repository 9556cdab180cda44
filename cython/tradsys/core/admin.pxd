"""Deciding the rare commands: cancels of many, sessions, definitions, states (sections 6 and 7 of the rule book)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.events cimport Command
from tradsys.core.state cimport State

# Decides a command that is none of NEW, CANCEL, REDUCE and REPLACE_ORDER. 1: decided, 0: its events might not fit.
cdef int decide_admin(State* s, const uint8_t* record) except -1 nogil

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

# For the commands in risk_commands
cdef bint room_to_cancel(const State* s, const OrderFilter* wanted) noexcept nogil
cdef int64_t cancel_many(State* s, const Command* c, const OrderFilter* wanted, uint32_t cancel_reason,
                         uint32_t event_flags) except -1 nogil
cdef void write_mass_canceled(State* s, const Command* c, int64_t order_count, uint64_t client_ref,
                              const OrderFilter* wanted, uint32_t participant_id, uint32_t cancel_reason,
                              uint32_t client_seq, uint32_t report_seq) noexcept nogil
