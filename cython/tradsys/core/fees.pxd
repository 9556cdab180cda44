"""Fees: schedules, and what each match costs its parties (section 15 of the rule book)."""
from libc.stdint cimport int64_t

from tradsys.core.state cimport State
from tradsys.wire.records cimport OrderExecuted, SetFeeClass, SetFeeSchedule

# Commands; 1: decided.
cdef int set_fee_schedule(State* s, const SetFeeSchedule* c) except -1 nogil
cdef int set_fee_class(State* s, const SetFeeClass* c) except -1 nogil

cdef struct Charge:                     # what a match costs its parties
    int64_t resting_fee
    int64_t incoming_fee
    bint is_due                         # one of them has a schedule: an event says so

# Charges a match and writes its event; the room for it has been kept.
cdef int charge_match(State* s, const OrderExecuted* match, Charge* charge) except -1 nogil
