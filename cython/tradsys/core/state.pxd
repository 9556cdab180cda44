"""All that the engine knows, as plain C records: what a snapshot copies and the state hash walks."""
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.core.ladder cimport Ladder, LevelPool
from tradsys.core.list_state cimport OrderList
from tradsys.core.order cimport SLOT_NONE, Order
from tradsys.core.prefetch cimport prefetch
from tradsys.core.references cimport References
from tradsys.core.risk_state cimport Risk
from tradsys.core.terms cimport Terms
from tradsys.core.trigger_state cimport Trail, Triggers
from tradsys.core.venue_state cimport Venue

cdef enum:
    # Bits of Session.gate; with all of them set its orders need no closer look at sender and entitlement.
    GATE_DEFINED = 1
    GATE_SESSION = 2                    # the session is enabled
    GATE_PARTICIPANT = 4                # its participant is enabled
    GATE_TRADE = 8                      # TRADE in its permissions, and no explicit entitlement
    GATE_RISK = 16                      # limits or a kill switch may stand against its orders
    GATE_STP = 32                       # self-trade prevention by participant that cancels, unless an order says otherwise
    GATE_OPEN = GATE_DEFINED | GATE_SESSION | GATE_PARTICIPANT | GATE_TRADE | GATE_STP

cdef enum:
    # Bits of Instrument.special
    SPECIAL_ALLOCATION = 1              # its levels are not matched in order of arrival alone
    SPECIAL_ORDERS = 2                  # hidden orders or icebergs rest on its book: orders take the general path
    SPECIAL_TRIGGERS = 4                # dormant orders wait for its prices
    SPECIAL_RULES = 16                  # SET_AUCTION_RULES was sent: price ranges, last price (section 11)
    SPECIAL_RESTING = 0x200             # orders rest for a minimum time
    SPECIAL_RISK = 0x100                # limits, a kill switch or price bands of it or its asset class

cdef enum:
    SHARES_MAX = 8                      # participants with a share of an instrument's matches

cdef struct Allocation:                 # 128 bytes: how an instrument's levels are shared out (section 12)
    uint32_t instrument_id              # 0: as every instrument begins
    uint16_t fifo_bp
    uint8_t top
    uint8_t rounding                    # AllocationRounding
    int64_t pro_rata_min_lots
    int64_t top_min_lots
    int64_t top_max_lots
    uint64_t top_order_id[2]            # bids, asks; 0 or an order that has ended or left its place: none
    uint32_t share_count
    uint32_t share_participant_id[SHARES_MAX]    # ascending
    uint32_t share_bp[SHARES_MAX]
    uint32_t spare[3]

cdef struct Auction:                    # 128 bytes: phases of an instrument (section 11)
    int64_t last_ticks                  # last price; INT64_MIN: none, of each price here
    int64_t auction_ticks               # price of the last auction
    int64_t closing_ticks               # closing price
    int64_t end_ns                      # planned end of the call; 0: none
    int64_t due_ns                      # end and delay; 0: not drawn
    int64_t volatility_call_ns
    int64_t random_ns
    int64_t extension_ns
    uint32_t instrument_id
    uint32_t dynamic_range_bp
    uint32_t static_range_bp
    uint32_t extension_range_bp
    uint8_t called                      # orders have collected since the last uncross
    uint8_t ruled                       # SET_AUCTION_RULES was sent
    uint8_t state_after                 # InstrumentState the planned end leads to
    uint8_t extensions                  # of the call so far
    uint8_t extensions_max
    uint8_t spare[43]

cdef struct Session:                    # 32 bytes
    uint32_t gate                       # GATE_*, derived; 0: not defined
    uint32_t participant_id
    uint32_t last_client_seq
    uint32_t last_report_seq
    uint32_t live_orders                # orders on the books, dormant ones too
    uint8_t enabled
    uint8_t is_open
    uint8_t cancel_on_disconnect        # as its last OPEN_SESSION set it
    uint8_t stp_mode                    # its participant's default, derived
    uint64_t spare

cdef struct Participant:                # 16 bytes
    uint32_t permissions
    uint32_t explicit_count             # instruments with an explicit entitlement
    uint8_t defined
    uint8_t enabled
    uint8_t stp_mode
    uint8_t stp_scope                   # StpScope
    uint8_t fee_class
    uint8_t spare[3]

cdef struct Account:                    # 8 bytes
    uint32_t participant_id             # 0: not defined
    uint8_t enabled
    uint8_t spare[3]

cdef struct Instrument:                 # 832 bytes: limits, definition, both sides
    # limits: what validation touches
    int64_t price_min_ticks
    uint64_t price_range                # price_max_ticks - price_min_ticks
    int64_t price_increment_ticks
    int64_t qty_min_lots
    uint64_t qty_range                  # qty_max_lots - qty_min_lots
    int64_t qty_increment_lots
    uint32_t increments                 # 0: both increments are 1, no division needed
    uint8_t state                       # InstrumentState; 0: not defined
    uint8_t asset_class
    int8_t tick_exponent
    int8_t lot_exponent
    uint64_t special                    # SPECIAL_*: why its orders take more than the plain rules; 0: they do not
    # definition
    int64_t tick_mantissa
    int64_t lot_mantissa
    int64_t price_max_ticks
    int64_t qty_max_lots
    uint64_t symbol[2]                  # characters as little-endian words
    uint64_t currency
    uint64_t explicit_count             # participants with an explicit entitlement
    uint64_t special_orders             # hidden orders and icebergs on the book
    uint64_t spare2[7]
    Ladder sides[2]                     # bids, asks

cdef struct State:
    # numbers
    uint64_t last_seq                   # command decided last
    uint64_t last_event_seq
    uint64_t order_serial               # orders accepted
    # orders
    Order* orders
    uint32_t orders_max
    uint32_t slots_used                 # slots ever used: slots_used and above are untouched
    uint32_t free_slot                  # freed last; SLOT_NONE: none
    uint32_t live_orders                # orders on the books, dormant ones too
    uint32_t dormant_orders             # orders that wait for a trigger or their turn in a list
    uint32_t list_count                 # order lists with orders that depend on each other
    uint32_t watched_count              # highest instrument id with triggers ever used + 1
    uint32_t unfinished                 # 1: matches, lists or due orders wait for room, before the next command
    uint32_t stirs                      # 1: what has been done may concern any instrument; no part of the state
    int64_t unfinished_ts_ns            # time of the command they belong to
    int64_t first_expiry_ts_ns          # no GTD order expires before; INT64_MAX: there is none. No part of the state
    OrderList* lists
    uint32_t* list_of                   # by slot: its order's list, index + 1; 0: it is in none
    uint64_t list_serial                # lists accepted
    uint32_t lists_max
    uint32_t lists_used                 # records ever used
    uint32_t free_list                  # index + 1, as the next two; 0: none
    uint32_t queue_head                 # lists with something due
    uint32_t queue_tail
    Terms* terms                        # of the order in the slot of the same number, if it is COMPLEX or GTD
    References refs
    LevelPool levels
    # definitions, indexed by id; entry 0 is never defined
    Session* sessions
    Participant* participants
    Account* accounts
    Instrument* instruments
    Allocation* allocations
    Triggers* triggers                  # by instrument id
    Trail* trails                       # TRAILS_MAX by instrument id
    int64_t* allotted                   # by slot, of the level being matched
    Auction* auctions                   # by instrument id
    uint64_t* entitled_set              # a row of instrument bits a participant: explicit entitlement exists
    uint64_t* entitled_value            # the same: and allows
    uint32_t sessions_max
    uint32_t participants_max
    uint32_t accounts_max
    uint32_t instruments_max
    uint32_t entitled_words             # words of a row
    # events of the batch
    uint8_t* cursor                     # the next event goes here
    uint8_t* events_end
    Risk risk                           # positions, limits, kill switches, price bands
    Venue venue                         # fees

cdef int state_take(State* s, int64_t orders_max, int64_t instruments_max, int64_t participants_max,
                    int64_t sessions_max, int64_t accounts_max, int64_t positions_max, uint64_t refs_key) except -1
cdef void state_give(State* s) noexcept nogil
cdef void derive_session(State* s, Session* session) noexcept nogil    # brings what it repeats of its participant up to date
cdef void mark_sessions(State* s, uint32_t participant_id) noexcept nogil       # has their orders looked at


cdef inline bint instrument_is_fifo(const Allocation* allocation) noexcept nogil:
    """Whether an instrument with these settings is matched in order of arrival alone."""
    return allocation.instrument_id == 0 or (
        allocation.fifo_bp == 10_000 and allocation.top == 0 and allocation.share_count == 0)


cdef inline Ladder* side_of(Instrument* instrument, uint32_t side) noexcept nogil:
    """The side an order of `side` (1 buy, 2 sell) rests on."""
    return &instrument.sides[side - 1]


cdef inline Ladder* other_side_of(Instrument* instrument, uint32_t side) noexcept nogil:
    """The side an order of `side` (1 buy, 2 sell) matches against."""
    return &instrument.sides[side & 1]


cdef inline int64_t events_left(const State* s) noexcept nogil:
    """Events the buffer still takes."""
    return (s.events_end - s.cursor) >> 7


cdef inline uint32_t next_report_seq(State* s, uint32_t session_id) noexcept nogil:
    """Number of a report to the session; 0 for the venue and for sessions not defined."""
    cdef Session* session
    if session_id == 0 or session_id >= s.sessions_max:
        return 0
    session = &s.sessions[session_id]
    if session.gate == 0:
        return 0
    session.last_report_seq += 1
    return session.last_report_seq


cdef inline bint explicit_entitlement(const State* s, uint32_t participant_id, uint32_t instrument_id) noexcept nogil:
    return (s.entitled_set[<uint64_t> participant_id * s.entitled_words + (instrument_id >> 6)]
            >> (instrument_id & 63)) & 1


cdef inline bint allowed_entitlement(const State* s, uint32_t participant_id, uint32_t instrument_id) noexcept nogil:
    return (s.entitled_value[<uint64_t> participant_id * s.entitled_words + (instrument_id >> 6)]
            >> (instrument_id & 63)) & 1


# ---------------------------------------------------------------------------------------------------- slots

cdef inline uint32_t take_slot(State* s) noexcept nogil:
    """A free slot: the one freed last, else the lowest never used; SLOT_NONE: all are taken."""
    cdef uint32_t slot = s.free_slot
    if slot != SLOT_NONE:
        s.free_slot = s.orders[slot].next_slot
        prefetch(&s.orders[s.free_slot if s.free_slot != SLOT_NONE else slot])
        return slot
    if s.slots_used < s.orders_max:
        slot = s.slots_used
        s.slots_used += 1
    return slot


cdef inline void give_slot(State* s, Order* order, uint32_t slot) noexcept nogil:
    """End an order: its slot is the next to be taken."""
    order.order_id = 0
    order.next_slot = s.free_slot
    s.free_slot = slot
