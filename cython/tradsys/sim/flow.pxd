"""A seeded flow of valid order commands that knows which of its orders live.

The flow keeps a light book of its own (dense arrays of levels, no checks), so that its cancels and replaces name live
orders, its ids are the ones the venue will give (rule 1.5) and nothing it sends is refused.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef struct Quote:                  # a live order, by the slot the venue gives it
    uint64_t serial                 # the venue's order serial
    uint64_t client_ref
    int64_t leaves                  # lots
    int64_t filled                  # lots
    int32_t level                   # price, in ticks above the instrument's lowest
    int32_t next                    # slot behind it in its level, -1: none
    int32_t prev                    # slot before it, -1: none
    int32_t place                   # where it stands in the list of live orders
    uint32_t session                # index of its session
    uint32_t instrument             # index of its instrument
    uint8_t side                    # 0 bid, 1 ask
    uint8_t pad[7]

cdef struct Book:                   # one instrument
    int32_t* head[2]                # by side and level: first slot, -1: none
    int32_t* tail[2]
    uint64_t* bits[2]               # by side: which levels hold orders
    int32_t best[2]                 # best level; bids: -1, asks: level_count when there is none
    int32_t fair                    # level the flow quotes around
    int32_t drift                   # levels the fair price moves per step, for now

cdef struct Mix:                    # of 1000 commands
    int32_t add
    int32_t marketable
    int32_t cancel
    int32_t reduce
    # the rest are replaces

cdef class Flow:
    cdef Quote* quotes              # by slot
    cdef int32_t* live              # slots of live orders, in no order
    cdef int32_t* freed             # slots, the last one is taken next
    cdef Book* books
    cdef uint32_t* client_seqs      # by session index
    cdef readonly int64_t orders_max
    cdef readonly int32_t instrument_count
    cdef readonly int32_t session_count
    cdef readonly int32_t level_count
    cdef readonly int64_t lowest_price          # ticks, of level 0
    cdef readonly int64_t live_count
    cdef readonly int64_t live_target           # orders the mix is steered to
    cdef readonly int64_t sent                  # commands so far
    cdef int64_t freed_count
    cdef int64_t slots_used
    cdef uint64_t order_serial
    cdef uint64_t refs_given
    cdef uint64_t ref_factor                    # odd; 1 gives references 1, 2, 3 ...
    cdef uint64_t random_state
    cdef Mix mix
    cdef int32_t depth_levels                   # how far from the touch passive orders lie
    cdef int32_t move_one_in                    # commands per move of a fair price
    cdef int32_t move_levels                    # how far it moves
    cdef int32_t jump_one_in                    # moves per jump
    cdef int64_t qty_max                        # lots of a passive order
    cdef int64_t sweep_qty_max                  # lots of a marketable order
    cdef int32_t ids_of_four                    # cancels of four that go by order_id
    cdef int64_t cycle                          # commands per cycle of a crash or of draining; 0: none
    cdef bint crashes
    cdef bint drains
    cdef bint draining
    cdef bint skewed                            # low instruments are busier

    cdef uint64_t word(self) noexcept nogil
    cdef int64_t below(self, int64_t bound) noexcept nogil
    cdef void fill_records(self, uint8_t* out, int64_t count) noexcept nogil
    cdef void add_records(self, uint8_t* out, int64_t count) noexcept nogil
