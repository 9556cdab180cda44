"""What special orders have besides their order record, and what follows from it (section 9 of the rule book)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.order cimport Order
from tradsys.wire.records cimport (
    ORDER_FLAGS_COMPLEX, ORDER_FLAGS_HIDDEN, ORDER_TYPE_LIMIT, ORDER_TYPE_LIMIT_IF_TOUCHED, ORDER_TYPE_MARKET,
    ORDER_TYPE_STOP, ORDER_TYPE_STOP_LIMIT, ORDER_TYPE_TRAILING_STOP, ORDER_TYPE_TRAILING_STOP_LIMIT, TIME_IN_FORCE_GTD)

cdef enum:
    TERMS_BYTES = 88                    # as they lie in NewComplexOrder and OrderTermsSet
    SPECIAL_FLAGS = ORDER_FLAGS_HIDDEN | ORDER_FLAGS_COMPLEX
    ICEBERG_PARTS_MAX = 1000
    HELD_TRAIT = 0x4000                 # in Order.traits, part of the type: the order waits for its turn in a list (10.23)

cdef struct Terms:                      # 128 bytes; beside the order of the same slot
    # as entered: the layout of NewComplexOrder behind NewOrder
    int64_t trigger_price_ticks
    int64_t trail_offset
    int64_t display_lots                # 0: no iceberg
    int64_t display_spread_lots
    int64_t min_qty_lots
    int64_t peg_offset_ticks
    int64_t protection_ticks
    int64_t amount_ticks_lots
    uint64_t group_id
    int64_t post_only_ticks
    uint8_t trigger_source
    uint8_t trail_unit
    uint8_t peg_type
    uint8_t post_only_mode
    uint8_t group_role
    uint8_t pad[3]
    # what the venue keeps
    int64_t shown_lots                  # iceberg on the book: lots that stand at its place
    int64_t expire_ts_ns                # of a GTD order, else 0
    uint32_t parts                      # parts it has shown
    uint32_t place                      # of a dormant order: PLACE_* and ladder or trail; else 0
    int64_t limit_price_ticks           # of an order with a trigger; 0: it has no limit
    int64_t trail_key                   # dormant and due, or at an end of its bunch: its trigger as a key


cdef inline bint has_terms(const Order* order) noexcept nogil:
    """Whether the slot holds an order that the record beside it belongs to."""
    return order.order_id != 0 and (order.order_flags & ORDER_FLAGS_COMPLEX
                                    or (order.traits >> 16 & 0xFF) == TIME_IN_FORCE_GTD)


cdef inline bint is_triggered(uint32_t order_type) noexcept nogil:
    """Whether orders of a type wait for a trigger (10.1)."""
    return ORDER_TYPE_STOP <= order_type <= ORDER_TYPE_LIMIT_IF_TOUCHED


cdef inline uint32_t kind_behind(uint32_t order_type) noexcept nogil:
    """What an order of a type is once it has been triggered; the type itself of one that waits for nothing."""
    if not is_triggered(order_type):
        return order_type
    if (order_type == ORDER_TYPE_STOP_LIMIT or order_type == ORDER_TYPE_TRAILING_STOP_LIMIT
            or order_type == ORDER_TYPE_LIMIT_IF_TOUCHED):
        return ORDER_TYPE_LIMIT
    return ORDER_TYPE_MARKET


cdef inline bint trails_behind(uint32_t order_type) noexcept nogil:
    """Whether the trigger of an order follows the price."""
    return order_type == ORDER_TYPE_TRAILING_STOP or order_type == ORDER_TYPE_TRAILING_STOP_LIMIT


cdef inline bint is_dormant(const Order* order) noexcept nogil:
    """Whether a live order waits for its trigger or its turn: its type becomes another then."""
    return (order.traits >> 8 & 0xFF) >= ORDER_TYPE_STOP


cdef inline bint is_held(const Order* order) noexcept nogil:
    """Whether a dormant order waits for its turn in a list."""
    return order.traits & HELD_TRAIT != 0


cdef inline bint is_iceberg(const Order* order, const Terms* terms) noexcept nogil:
    """Whether an order with these terms in its slot shows a part at a time."""
    return order.order_flags & ORDER_FLAGS_COMPLEX and terms.display_lots != 0
