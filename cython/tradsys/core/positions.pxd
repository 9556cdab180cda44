"""Positions kept from events, and who holds them: sections 13 and 14 of the rule book."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.order cimport Order
from tradsys.core.risk_state cimport Holder, Position
from tradsys.core.state cimport State
from tradsys.wire.records cimport RISK_SCOPE_ACCOUNT, RISK_SCOPE_GROUP, RISK_SCOPE_HOUSE, RISK_SCOPE_PARTICIPANT

cdef enum:
    LEVELS = 3                          # account or house, participant, group

# Brings positions up to date with the events of one command, from `event` to the cursor.
cdef int follow_events(State* s, const uint8_t* event) except -1 nogil

# For matches that are undone (13.7): take one out of the positions that count it, and book it at another price
cdef int reverse_match(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id, uint32_t side,
                       int64_t qty_lots, int64_t price_ticks) except -1 nogil
cdef int rebook_match(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id, uint32_t side,
                      int64_t qty_lots, int64_t price_ticks) except -1 nogil

# For the commands: making records
cdef Position* make_position(State* s, uint64_t key) noexcept nogil
cdef bint place_position(State* s, const Position* record) noexcept nogil
cdef void forget_last_position(State* s) noexcept nogil
cdef void add_position(Position* into, const Position* part, int sign) noexcept nogil
cdef int count_open(State* s, const Order* order, int64_t price_ticks) except -1 nogil


cdef inline Holder* holder_of(State* s, uint32_t scope, uint32_t scope_id) noexcept nogil:
    """The holder's record; the id is in range."""
    return &s.risk.holders[scope][scope_id]


@cython.overflowcheck(False)
cdef inline uint64_t position_key(uint32_t scope, uint32_t scope_id, uint32_t instrument_id) noexcept nogil:
    return <uint64_t> scope << 40 | <uint64_t> scope_id << 16 | instrument_id


cdef inline Holder* holder_by(State* s, uint64_t key) noexcept nogil:
    return &s.risk.holders[key >> 40][(key >> 16) & 0xFFFFFF]


cdef inline uint64_t account_key(uint32_t participant_id, uint32_t account_id) noexcept nogil:
    """Key, without instrument, of the holder whose positions are told apart by account."""
    if account_id:
        return position_key(RISK_SCOPE_ACCOUNT, account_id, 0)
    return position_key(RISK_SCOPE_HOUSE, participant_id, 0)


cdef inline uint32_t levels_of(const State* s, uint32_t participant_id, uint32_t account_id, uint64_t* keys) noexcept nogil:
    """Keys, without instrument, of whose positions an order counts in; returns how many."""
    cdef uint32_t group_id = s.risk.groups[participant_id]
    keys[0] = account_key(participant_id, account_id)
    keys[1] = position_key(RISK_SCOPE_PARTICIPANT, participant_id, 0)
    keys[2] = position_key(RISK_SCOPE_GROUP, group_id, 0)
    return 3 if group_id else 2


@cython.overflowcheck(False)
cdef inline uint32_t* place_of(const State* s, uint64_t key) noexcept nogil:
    """The place of a key in the index, or the free one where it would go: the index is never full."""
    cdef uint32_t place = <uint32_t> ((key * <uint64_t> 0x9E3779B97F4A7C15) >> 32) & s.risk.index_mask
    while s.risk.index[place] and s.risk.records[s.risk.index[place] - 1].key != key:
        place = (place + 1) & s.risk.index_mask
    return &s.risk.index[place]


cdef inline Position* find_position(const State* s, uint64_t key) noexcept nogil:
    """The record of a key, or NULL."""
    cdef uint32_t number = place_of(s, key)[0]
    return &s.risk.records[number - 1] if number else NULL
