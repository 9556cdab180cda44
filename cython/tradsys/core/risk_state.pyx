"""Memory of positions, limits, kill switches and price bands."""
from libc.string cimport memset

from tradsys.core.memory cimport arena_give, arena_take
from tradsys.wire.records cimport (
    RISK_SCOPE_ACCOUNT, RISK_SCOPE_ASSET_CLASS, RISK_SCOPE_GROUP, RISK_SCOPE_HOUSE, RISK_SCOPE_INSTRUMENT,
    RISK_SCOPE_PARTICIPANT, RISK_SCOPE_SESSION, RISK_SCOPE_VENUE)


cdef enum:
    # Holders of one id in several scopes change together: at addresses equal in the lower 12 bits a load would wait for the
    # store before it.
    STAGGER_BYTES = 320


cdef int64_t holder_bytes(const Risk* risk) noexcept nogil:
    cdef int64_t size_bytes = 0
    cdef uint32_t scope
    for scope in range(1, <uint32_t> RISK_SCOPES):
        size_bytes += <int64_t> risk.holders_max[scope] * <int64_t> sizeof(Holder) + STAGGER_BYTES
    return size_bytes


cdef int risk_take(Risk* risk, int64_t orders_max, int64_t instruments_max, int64_t participants_max,
                   int64_t sessions_max, int64_t accounts_max, int64_t positions_max) except -1:
    """Reserve what the capacities can need; real only where it is used."""
    cdef int64_t places = 4
    cdef uint32_t scope
    cdef uint8_t* base
    while places < 2 * positions_max:
        places *= 2
    risk.positions_max = <uint32_t> positions_max
    risk.index_mask = <uint32_t> (places - 1)
    risk.holders_max[<int> RISK_SCOPE_ACCOUNT] = <uint32_t> accounts_max
    risk.holders_max[<int> RISK_SCOPE_HOUSE] = <uint32_t> participants_max
    risk.holders_max[<int> RISK_SCOPE_PARTICIPANT] = <uint32_t> participants_max
    risk.holders_max[<int> RISK_SCOPE_GROUP] = <uint32_t> participants_max
    risk.holders_max[<int> RISK_SCOPE_INSTRUMENT] = <uint32_t> instruments_max
    risk.holders_max[<int> RISK_SCOPE_ASSET_CLASS] = RISK_CLASSES
    risk.holders_max[<int> RISK_SCOPE_SESSION] = <uint32_t> sessions_max
    risk.holders_max[<int> RISK_SCOPE_VENUE] = 1
    risk.records = <Position*> arena_take(places * sizeof(Position))
    risk.index = <uint32_t*> arena_take(places * sizeof(uint32_t))
    base = <uint8_t*> arena_take(holder_bytes(risk))
    for scope in range(1, <uint32_t> RISK_SCOPES):
        risk.holders[scope] = <Holder*> base
        base += risk.holders_max[scope] * sizeof(Holder) + STAGGER_BYTES
    risk.bands = <Bands*> arena_take(instruments_max * sizeof(Bands))
    risk.groups = <uint32_t*> arena_take(participants_max * sizeof(uint32_t))
    risk.watch = <uint8_t*> arena_take(participants_max)
    risk.stakes = <Stake*> arena_take(orders_max * sizeof(Stake))
    return 0


cdef void risk_give(Risk* risk, int64_t orders_max) noexcept nogil:
    """Return all memory."""
    arena_give(risk.records, (<int64_t> risk.index_mask + 1) * sizeof(Position))
    arena_give(risk.index, (<int64_t> risk.index_mask + 1) * sizeof(uint32_t))
    arena_give(risk.holders[1], holder_bytes(risk))
    arena_give(risk.bands, <int64_t> risk.holders_max[<int> RISK_SCOPE_INSTRUMENT] * sizeof(Bands))
    arena_give(risk.groups, <int64_t> risk.holders_max[<int> RISK_SCOPE_HOUSE] * sizeof(uint32_t))
    arena_give(risk.watch, risk.holders_max[<int> RISK_SCOPE_HOUSE])
    arena_give(risk.stakes, orders_max * sizeof(Stake))
    memset(risk, 0, sizeof(Risk))
