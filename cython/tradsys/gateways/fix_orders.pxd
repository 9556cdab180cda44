"""What a FIX session's client calls its orders, and where each stands: ClOrdID <-> client_ref <-> order, as told.

Every request (D, F, G, q) that went to the engine has an entry, found by its client_ref (entry = client_ref modulo
capacity) and by its ClOrdID. The entry of a D is the order's root: it holds the order's state; entries of its later
requests name it by `root_ref`. State follows the events told to the client, so it is exactly what the client has been
told, and rebuilding it needs the requests and the event log only.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.gateways.fix_text cimport FixText
from tradsys.wire.records cimport (
    CANCEL_REASON_AUCTION_REMAINDER, CANCEL_REASON_CALL_BEGAN, CANCEL_REASON_EXPIRED, OrderAccepted, OrderCanceled,
    OrderExecuted, OrderReplaced,
)

cdef enum:
    CL_ORD_ID_BYTES_MAX = 36
    # OrdStatus, tag 39
    STATUS_NEW = 48             # 0
    STATUS_PARTIALLY_FILLED = 49
    STATUS_FILLED = 50
    STATUS_DONE = 51            # 3
    STATUS_CANCELED = 52        # 4
    STATUS_REJECTED = 56        # 8
    STATUS_PENDING_NEW = 65     # A
    STATUS_EXPIRED = 67         # C

cdef struct FixOrder:           # 200 bytes
    # identity
    uint64_t client_ref         # 0: empty
    uint64_t root_ref           # the order's first client_ref; its own for a D
    uint64_t order_id           # root: the engine's, 0 until accepted
    uint64_t current_ref        # root: reference of the ClOrdID in force
    # state of the order, in the root
    int64_t price_ticks
    int64_t qty_lots            # total
    int64_t cum_lots            # filled
    int64_t leaves_lots         # 0 when it has ended
    int64_t notional            # sum of price_ticks x lots of its fills: exact, fits by limits.py
    int64_t ts_ns               # of the last event told, ns since the epoch
    uint64_t event_seq          # that event
    uint32_t instrument_id
    uint32_t account_id
    uint32_t client_seq         # low bits of the request's MsgSeqNum
    uint16_t order_flags
    uint8_t kind                # MsgType of the request: D F G q
    uint8_t side
    uint8_t order_type
    uint8_t time_in_force
    uint8_t status              # root: OrdStatus
    uint8_t request_type        # of a q: MassCancelRequestType
    uint8_t text_size
    uint8_t orig_size
    uint8_t text[36]            # ClOrdID
    uint8_t orig_text[36]       # of an F or G whose order was not known: the OrigClOrdID as given
    uint8_t has_terms           # root: 1: it has a FixTerms
    uint8_t spare

cdef struct FixTerms:           # 80 bytes: what a special order was entered with, beside its root
    int64_t expire_ts_ns        # GTD: ns since the epoch; else 0
    int64_t trigger_price_ticks  # from OrderTriggered on the trigger that was reached
    int64_t trail_offset        # in trail_unit
    int64_t display_lots
    int64_t display_spread_lots
    int64_t min_qty_lots
    int64_t protection_ticks
    int64_t amount_ticks_lots
    int64_t post_only_ticks
    uint8_t trigger_source      # TriggerSource; 0: none
    uint8_t trail_unit          # TrailUnit; 0: none
    uint8_t post_only_mode      # PostOnlyMode
    uint8_t stp_mode            # StpMode asked for; 0: the participant's
    uint8_t offset_type         # 836 as given, 0 of the alphabet when it was not
    uint8_t by_date             # 1: the end was given as a date (432)
    uint8_t has_source          # 1: 1107 was given
    uint8_t stock_only          # 1: reports have tags of the stock dictionary only


# Whether an order ended because its time in force did: at the end of the day, of the auction it was for, of trading
# before a call.
cdef inline bint is_expired(int cancel_reason) noexcept nogil:
    return (cancel_reason == CANCEL_REASON_EXPIRED or cancel_reason == CANCEL_REASON_AUCTION_REMAINDER
            or cancel_reason == CANCEL_REASON_CALL_BEGAN)


# Whether they are what `stored` gives.
cdef inline bint is_stored_order(bytes data) noexcept:
    return len(data) == sizeof(FixOrder) or len(data) == sizeof(FixOrder) + sizeof(FixTerms)


cdef class FixOrders:
    cdef FixOrder* entries      # capacity of them
    cdef FixTerms* terms        # of the entries that have some, at their places; NULL until one has
    cdef int32_t* slots         # open addressing by ClOrdID: entry + 1, 0: empty; 2 x capacity
    cdef int32_t* ids           # the same by the engine's OrderID
    cdef uint32_t capacity      # a power of two
    cdef uint32_t capacity_max
    cdef uint64_t next_ref      # client_ref of the next request, from 1
    cdef uint32_t count         # entries in use
    cdef dict foreign           # client_ref given by another session's replace -> root_ref

    # The entry of a reference or of a ClOrdID, or NULL.
    cdef FixOrder* by_ref(self, uint64_t client_ref) noexcept nogil
    cdef FixOrder* by_text(self, FixText text) noexcept nogil
    cdef FixOrder* by_order_id(self, int64_t order_id) noexcept nogil
    # The root of the order an entry belongs to, or NULL when it is forgotten.
    cdef FixOrder* root_of(self, const FixOrder* entry) noexcept nogil
    # A fresh entry for a request; NULL: every entry is a live order's. client_ref 0 takes the next one.
    cdef FixOrder* add(self, FixText text, uint64_t client_ref) except? NULL
    # Follow an event told to the session; gives the order's root, or NULL when the event is of no order known.
    cdef FixOrder* apply(self, const uint8_t* event, int party) except? NULL
    # The terms of an order, or NULL of one without; they live as long as its entry.
    cdef FixTerms* terms_of(self, const FixOrder* root) noexcept nogil
    # Give an order its terms.
    cdef int keep_terms(self, FixOrder* root, const FixTerms* terms) except -1
    # An entry and its terms as bytes for a store, and back: its reference.
    cdef bytes stored(self, const FixOrder* entry)
    cdef uint64_t restore(self, bytes data) except? 0
    # Take over an entry of another table, with its terms, or NULL.
    cdef int carry(self, const FixOrder* order, const FixTerms* terms) except -1
    # Give an entry the engine's OrderID; 0: none.
    cdef int name(self, FixOrder* entry, uint64_t order_id) noexcept nogil
    cdef int drop(self, FixOrder* entry) noexcept nogil

    cdef bint is_held(self, const FixOrder* entry) noexcept nogil
    cdef int grow(self) except -1
    cdef uint32_t home(self, const int32_t* slots, uint32_t index) noexcept nogil
    cdef void link(self, int32_t* slots, uint32_t index) noexcept nogil
    cdef void unlink(self, int32_t* slots, uint32_t index) noexcept nogil
    cdef FixOrder* follow(self, uint64_t client_ref, uint64_t orig_ref)
    cdef FixOrder* accepted(self, const OrderAccepted* event)
    cdef FixOrder* executed(self, const OrderExecuted* event, int party)
    cdef FixOrder* canceled(self, const OrderCanceled* event)
    cdef FixOrder* replaced(self, const OrderReplaced* event)
