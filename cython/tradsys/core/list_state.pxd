"""Order lists: which orders depend on each other, and what is due between them (section 10 of the rule book)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    LISTS_LIMIT = 65536                 # largest lists_max

cdef struct OrderList:                  # 56 bytes
    uint64_t serial                     # 0: free
    uint64_t order_ids[3]               # 0: none, or it has ended
    # due between its orders, done behind the events that made it so
    int64_t lots                        # that one of the pair executed, to be taken off the other
    uint32_t next                       # next in the queue, or next free one; index + 1, 0: none
    uint8_t list_type                   # ListType
    uint8_t queued
    uint8_t drops                       # 1: its children are cancelled
    uint8_t releases                    # 1: its children have their turn
    uint8_t reason                      # CancelReason of the other one of the pair, 0: it lives
    uint8_t spare[7]
