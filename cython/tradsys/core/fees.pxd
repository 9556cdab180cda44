"""Fees: schedules, and what each match costs its parties (section 15 of the rule book)."""
from libc.stdint cimport int64_t, uint32_t

from tradsys.core.state cimport State
from tradsys.wire.records cimport OrderExecuted, SetFeeClass, SetFeeSchedule

# Commands; 1: decided.
cdef int set_fee_schedule(State* s, const SetFeeSchedule* c) except -1 nogil
cdef int set_fee_class(State* s, const SetFeeClass* c) except -1 nogil

cdef struct Charge:                     # what a match costs its parties
    int64_t resting_fee
    int64_t incoming_fee
    bint is_due                         # one of them has a schedule: an event says so

# What a match at a price would cost by the schedules as they are now, its orders' sums left out of account (15.8).
cdef void charge_anew(const State* s, const OrderExecuted* match, int64_t price_ticks, Charge* charge) noexcept nogil
# Books fees, for the parties whose positions count the match, and tells them.
cdef int write_charge(State* s, const OrderExecuted* match, const Charge* charge, int64_t ts_ns, uint32_t event_flags,
                      bint counts_resting, bint counts_incoming) except -1 nogil
# Charges a match and writes its event; the room for it has been kept.
cdef int charge_match(State* s, const OrderExecuted* match, Charge* charge) except -1 nogil
