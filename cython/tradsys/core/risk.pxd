"""Positions kept from events, and what stands against an order: sections 13 and 14 of the rule book."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.order cimport Order
from tradsys.core.risk_state cimport Holder, Position, wide
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

# Brings positions up to date with the events of one command, from `event` to the cursor.
cdef int follow_events(State* s, const uint8_t* event) except -1 nogil

# For matches that are undone (13.7): take one out of the positions that count it, and book it at another price
cdef int reverse_match(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id, uint32_t side,
                       int64_t qty_lots, int64_t price_ticks) except -1 nogil
cdef int rebook_match(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id, uint32_t side,
                      int64_t qty_lots, int64_t price_ticks) except -1 nogil

# For the commands: who holds what, and making it
cdef Holder* holder_of(State* s, uint32_t scope, uint32_t scope_id) noexcept nogil
cdef uint64_t position_key(uint32_t scope, uint32_t scope_id, uint32_t instrument_id) noexcept nogil
cdef Position* find_position(const State* s, uint64_t key) noexcept nogil
cdef Position* make_position(State* s, uint64_t key) noexcept nogil
cdef bint place_position(State* s, const Position* record) noexcept nogil
cdef void forget_last_position(State* s) noexcept nogil
cdef void add_position(Position* into, const Position* part, int sign) noexcept nogil
cdef uint32_t levels_of(const State* s, uint32_t participant_id, uint32_t account_id, uint64_t* keys) noexcept nogil
cdef int count_open(State* s, const Order* order, int64_t price_ticks) except -1 nogil
cdef int load_evaluate(State* s) except -1
