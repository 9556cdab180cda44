"""What stands against an order: sections 13 and 14 of the rule book."""
from libc.stdint cimport int64_t, uint32_t

from tradsys.core.order cimport Order
from tradsys.core.state cimport State
from tradsys.wire.records cimport NewOrder, ReplaceOrder

cdef struct Priced:                     # what the book has made of a new order's price (9.25)
    int64_t price_ticks                 # its limit, if it has one
    int64_t told_price_ticks            # as OrderAccepted tells it
    int64_t limit_key                   # how far it may match
    int64_t amount_ticks_lots           # of a market order by notional, else 0
    int64_t open_price_ticks            # what is open of it is counted at
    bint has_limit
    bint waits                          # for its trigger or its turn

# What section 14 has against an order that passes everything else: a RejectReason or 0. An order that passes is counted.
cdef int new_order_risk(State* s, const NewOrder* c, int64_t limit_key) except -1 nogil
cdef int priced_order_risk(State* s, const Order* draft, const Priced* priced, int64_t ts_ns) except -1 nogil
# An order with a trigger, at its entry and when it is about to come in (10.15).
cdef int dormant_order_risk(State* s, const Order* draft, int64_t price_ticks, int64_t ts_ns) except -1 nogil
cdef int triggered_order_risk(State* s, const Order* order, const Priced* priced, int64_t ts_ns) except -1 nogil
# Leg `leg` (from 0) of an order list, those before it counted as open; `dry`: it is not counted (10.22).
cdef int leg_risk(State* s, const Order* drafts, const Priced* priced, uint32_t leg, bint dry, int64_t ts_ns) except -1 nogil
cdef int replace_order_risk(State* s, const ReplaceOrder* c, const Order* order, int64_t price_ticks) except -1 nogil

# Key of the worst price a market order may match at (13.3); `limit_key` where the instrument says nothing.
cdef int64_t market_limit_key(State* s, uint32_t instrument_id, uint32_t side, int64_t limit_key) noexcept nogil

# Lots of a position that an order of the account would bring nearer zero (9.27); 0 also where positions are not kept.
cdef int64_t reducible_lots(State* s, const Order* draft) noexcept nogil

# For an order that is entered without being asked about; False: positions_max is used up.
cdef bint room_for_positions(State* s, uint32_t session_id, uint32_t account_id, uint32_t instrument_id) except -1 nogil

# Has the function of pre-trade risk compiled, for the first limits
cdef int load_evaluate(State* s) except -1
