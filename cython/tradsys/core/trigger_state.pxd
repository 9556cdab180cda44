"""Dormant orders of an instrument: where they lie and which prices stir them (section 10 of the rule book)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradsys.core.ladder cimport Ladder

cdef enum:
    # prices that are looked at
    SOURCE_LAST = 0
    SOURCE_BID = 1
    SOURCE_ASK = 2
    SOURCE_MARK = 3
    SOURCES = 4
    TRAILS_MAX = 64                     # different trailing offsets of an instrument (10.8)
    TRAIL_LADDER = 8                    # ladder index of the first trail; below it 2 x source, + 1 for downward triggers
    LADDER_OWNER = 0x40000000           # marks of their pages, beyond those of books: + instrument id x 128 + ladder index

cdef struct Trail:                      # 384 bytes: trailing orders of one source, side and offset
    # the row of those whose trigger has moved, nearest trigger first; keys as in the ladders: the nearest is the lowest
    int64_t head_key
    int64_t tail_key
    uint32_t head_slot                  # SLOT_NONE: the row is empty
    uint32_t tail_slot
    int64_t offset                      # in `unit`
    uint32_t order_count                # due ones too; 0: the trail is free
    uint8_t source
    uint8_t side                        # 1 buy: upward triggers, 2 sell: downward ones
    uint8_t unit                        # TrailUnit
    uint8_t spare[25]
    Ladder waiting                      # those whose trigger has not moved

cdef struct Triggers:                   # 2,744 bytes
    # by source: a price from low up to high, neither included, stirs nothing
    int64_t low_ticks[SOURCES]
    int64_t high_ticks[SOURCES]
    int64_t mark_ticks                  # INT64_MIN: none
    uint32_t instrument_id              # 0: nothing here has been used
    uint32_t order_count                # dormant orders, due ones too
    uint32_t due_head                   # slots in the order in which they became due; SLOT_NONE: none
    uint32_t due_tail
    uint32_t due_count
    uint32_t trail_count
    uint8_t trail_order[TRAILS_MAX]     # trails in use by source, side, unit and offset
    uint32_t spare[6]
    Ladder ladders[TRAIL_LADDER]        # of orders that do not trail
