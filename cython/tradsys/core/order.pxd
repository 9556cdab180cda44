"""The order record: one cache line, in a pool addressed by slot."""
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

cdef enum:
    SLOT_BITS = 24                      # order_id = serial << SLOT_BITS | slot
    ORDERS_LIMIT = 16777216             # 1 << SLOT_BITS: largest orders_max
    SLOT_NONE = 0xFFFFFFFF              # no slot



cdef struct Order:                      # 64 bytes
    # identity and place: what matching and cancelling touch
    uint64_t order_id                   # 0: the slot is free
    int64_t leaves_lots                 # lots that can still match
    uint32_t next_slot                  # behind it in its level, or the next free slot; SLOT_NONE: none
    uint32_t prev_slot                  # before it in its level; SLOT_NONE: first
    uint32_t level                      # level it rests on; LEVEL_NONE: not on the book
    uint32_t session_id                 # session that entered it
    # what reports tell
    uint64_t client_ref
    int64_t qty_lots                    # total quantity, filled part included
    uint32_t account_id
    uint32_t traits                     # stp_mode << 24 | time_in_force << 16 | order_type << 8 | side
    uint32_t ref_tag                    # of (session_id, client_ref) in the reference table
    uint16_t instrument_id
    uint16_t order_flags                # OrderFlags


cdef inline uint32_t slot_of(uint64_t order_id) noexcept nogil:
    """Slot of an order id."""
    return <uint32_t> (order_id & (ORDERS_LIMIT - 1))
