"""Checks of commands in the order of the rule book (section 3): the first that fails is the answer."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradsys.core.state cimport Instrument, State
from tradsys.wire.records cimport CancelOrder, NewComplexOrder, NewOrder, ReduceOrder, ReplaceOrder

# Each returns a RejectReason, 0 when nothing is wrong (`complex_` is NULL for an order without terms); what
# depends on live orders is checked by the caller behind it.
cdef uint8_t new_order_reason(const State* s, const NewOrder* c, const NewComplexOrder* complex_) noexcept nogil
cdef uint8_t replace_order_reason(const State* s, const ReplaceOrder* c) noexcept nogil
cdef uint8_t reduce_order_reason(const State* s, const ReduceOrder* c) noexcept nogil
cdef uint8_t cancel_order_reason(const State* s, const CancelOrder* c) noexcept nogil

cdef uint8_t price_reason(const Instrument* instrument, int64_t price_ticks) noexcept nogil

# Parts of the above that other commands need too.
cdef uint8_t known_sender_reason(const State* s, uint32_t session_id) noexcept nogil        # 0 for the venue
cdef uint8_t enabled_sender_reason(const State* s, uint32_t session_id) noexcept nogil      # 0 for the venue
cdef uint8_t price_reason(const Instrument* instrument, int64_t price_ticks) noexcept nogil
cdef bint entitled_to_trade(const State* s, uint32_t participant_id, uint32_t instrument_id) noexcept nogil      # 2.3
cdef bint instrument_defined(const State* s, uint32_t instrument_id) noexcept nogil
cdef bint participant_defined(const State* s, uint32_t participant_id) noexcept nogil
cdef bint all_zero(const uint8_t* bytes_, int64_t count) noexcept nogil
