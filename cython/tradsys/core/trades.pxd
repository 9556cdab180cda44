"""Matches that are kept, to be busted and corrected (rules 13.5 to 13.8)."""
from libc.stdint cimport uint32_t

from tradsys.core.fees cimport Charge
from tradsys.core.state cimport State
from tradsys.core.venue_state cimport KeptTrade
from tradsys.wire.records cimport BustTrade, CorrectTrade, KeepTrades, OrderExecuted

# Keeps a match, and what it cost; the oldest one goes when there are too many.
cdef void keep_trade(State* s, const OrderExecuted* match, const Charge* charge) noexcept nogil
cdef KeptTrade* kept_trade(const State* s, uint32_t age) noexcept nogil     # 0: the oldest one

# Commands; 1: decided, 0: their events might not fit.
cdef int keep_trades(State* s, const KeepTrades* c) except -1 nogil
cdef int bust_trade(State* s, const BustTrade* c) except -1 nogil
cdef int correct_trade(State* s, const CorrectTrade* c) except -1 nogil
