"""Positions and limits looked at as a whole: their part of the state hash, of the invariants and of a snapshot."""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, uint32_t
from libc.string cimport memcpy, memset

from tradsys.core.order cimport Order
from tradsys.core.positions cimport find_position, levels_of, place_position
from tradsys.core.resting cimport open_price
from tradsys.core.risk cimport load_evaluate
from tradsys.core.risk_state cimport RISK_SCOPES, WATCHED, Bands, Holder, Position, wide
from tradsys.wire.records cimport RISK_SCOPE_ACCOUNT, RISK_SCOPE_GROUP, RISK_SCOPE_HOUSE

cdef enum:
    LIMIT_WORDS = 17
    SNAPSHOT_MAGIC = 0x4B534952         # RISK
    FEELESS_BYTES = 144                 # of a Position before there were fees: no `fees` before `restriction`
    BEFORE_FEES = 128                   # bytes of a Position before `fees`
    FEES_BYTES = 16

assert sizeof(Position) == FEELESS_BYTES + FEES_BYTES


# --------------------------------------------------------------------------------------------------- hash

@cython.overflowcheck(False)
cdef inline uint64_t mix(uint64_t h, uint64_t word) noexcept nogil:
    h = (h ^ word) * <uint64_t> 0xBF58476D1CE4E5B9
    return h ^ (h >> 29)


cdef inline uint64_t mix_wide(uint64_t h, const wide* value) noexcept nogil:
    return mix(mix(h, (<const uint64_t*> value)[0]), (<const uint64_t*> value)[1])


cdef bint is_new(const Holder* holder) noexcept nogil:
    """Whether a holder is as it began."""
    cdef const uint64_t* words = <const uint64_t*> holder
    cdef uint64_t seen = 0
    cdef size_t i
    for i in range(sizeof(Holder) // sizeof(uint64_t)):
        seen |= words[i]
    return seen == 0


@cython.overflowcheck(False)
cdef uint64_t hash_risk(const State* s, uint64_t h) noexcept nogil:
    """Rule 8.8."""
    cdef uint32_t i, scope, watched = 0
    cdef uint64_t total = 0
    if not s.risk.is_used:
        return h
    for i in range(1, s.participants_max):
        watched += s.risk.watch[i] & WATCHED
    h = mix(h, watched)
    h = mix(h, s.risk.position_count)
    for i in range(1, s.participants_max):
        if s.risk.watch[i] & WATCHED:
            h = mix(h, i)
            h = mix(h, s.risk.groups[i])
    for scope in range(1, <uint32_t> RISK_SCOPES):
        for i in range(s.risk.holders_max[scope]):
            if not is_new(&s.risk.holders[scope][i]):
                h = mix(h, scope)
                h = mix(h, i)
                h = hash_holder(&s.risk.holders[scope][i], h)
    for i in range(1, s.instruments_max):
        h = hash_bands(&s.risk.bands[i], i, h)
    for i in range(s.risk.position_count):
        total += hash_position(&s.risk.records[i])
    return mix(h, total)


cdef uint64_t hash_holder(const Holder* holder, uint64_t h) noexcept nogil:
    cdef const int64_t* limits = <const int64_t*> &holder.limits
    cdef uint32_t i
    h = mix(h, <uint64_t> limits[LIMIT_WORDS - 1])      # the flags come first
    for i in range(<uint32_t> LIMIT_WORDS - 1):
        h = mix(h, <uint64_t> limits[i])
    h = mix(h, holder.approvals)
    h = mix(h, holder.is_killed)
    h = mix(h, <uint64_t> holder.bucket_ns)
    h = mix(h, <uint64_t> holder.bucket_ts_ns)
    h = mix(h, holder.last_instrument_id)
    h = mix(h, holder.last_side)
    h = mix(h, <uint64_t> holder.last_price_ticks)
    h = mix(h, <uint64_t> holder.last_qty_lots)
    h = mix(h, <uint64_t> holder.last_ts_ns)
    h = mix_wide(h, &holder.gross_value)
    return mix_wide(h, &holder.realised_value)


cdef uint64_t hash_bands(const Bands* bands, uint32_t instrument_id, uint64_t h) noexcept nogil:
    cdef int64_t low = bands.low_ticks if bands.is_set else INT64_MIN
    cdef int64_t high = bands.high_ticks if bands.is_set else INT64_MAX
    if not bands.has_last and low == INT64_MIN and high == INT64_MAX and not bands.dynamic_ppm and not bands.collar_ticks:
        return h
    h = mix(h, instrument_id)
    h = mix(h, bands.has_last)
    h = mix(h, <uint64_t> bands.last_price_ticks)
    h = mix(h, <uint64_t> low)
    h = mix(h, <uint64_t> high)
    h = mix(h, bands.dynamic_ppm)
    return mix(h, <uint64_t> bands.collar_ticks)


cdef uint64_t hash_position(const Position* record) noexcept nogil:
    cdef uint64_t h = mix(record.key, <uint64_t> record.position_lots)
    h = mix(h, <uint64_t> record.open_lots[0])
    h = mix(h, <uint64_t> record.open_lots[1])
    h = mix_wide(h, &record.cost_value)
    h = mix_wide(h, &record.open_value[0])
    h = mix_wide(h, &record.open_value[1])
    h = mix_wide(h, &record.realised_value)
    h = mix_wide(h, &record.traded_value)
    h = mix_wide(h, &record.worst_value)
    h = mix(h, record.restriction)
    return mix_wide(h, &record.fees) if record.fees else h


# --------------------------------------------------------------------------------------------------- invariants

@cython.overflowcheck(False)
cdef int check_risk(State* s) except -1:
    """The records of participants and groups are sums, holders' gross values too, and what is open that of live orders.

    Raises
    ------
    AssertionError
        With a sentence on the first thing that does not hold.
    """
    cdef uint32_t i, slot, levels
    cdef uint64_t keys[3]
    cdef const Position* record
    cdef const Order* order
    sums, gross, opened, values = {}, {}, {}, {}
    if not s.risk.is_used:
        return 0
    for slot in range(s.slots_used):
        order = &s.orders[slot]
        if order.order_id and s.risk.watch[s.sessions[order.session_id].participant_id] & WATCHED:
            levels = levels_of(s, s.sessions[order.session_id].participant_id, order.account_id, keys)
            for i in range(levels):
                place_key = (keys[i] | order.instrument_id, order.traits & 0xFF)
                opened[place_key] = opened.get(place_key, 0) + order.leaves_lots
                values[place_key] = values.get(place_key, 0) + abs(open_price(s, order)) * order.leaves_lots
    for i in range(s.risk.position_count):
        record = find_position(s, s.risk.records[i].key)
        if record != &s.risk.records[i] or record.serial != i:
            raise AssertionError(f"position {i} is not found by its key")
        gross[record.key >> 16] = gross.get(record.key >> 16, 0) + number(&record.worst_value)
        if record.open_lots[0] != opened.pop((record.key, 1), 0) or record.open_lots[1] != opened.pop((record.key, 2), 0):
            raise AssertionError(f"open lots of position {record.key:#x} are not those of its live orders")
        if (number(&record.open_value[0]) != values.get((record.key, 1), 0)
                or number(&record.open_value[1]) != values.get((record.key, 2), 0)):
            raise AssertionError(f"open value of position {record.key:#x} is not that of its live orders")
        if record.key >> 40 <= RISK_SCOPE_HOUSE:
            for key in above(s, record.key):
                before = sums.get(key, (0,) * 8)
                sums[key] = tuple(a + b for a, b in zip(before, sums_of(record)))
    if opened:
        raise AssertionError(f"{len(opened)} open orders are in no position")
    if occupied_places(s) != s.risk.position_count:
        raise AssertionError(f"{occupied_places(s)} places of the index of {s.risk.position_count} positions are taken")
    if s.risk.position_count > s.risk.positions_max:
        raise AssertionError(f"{s.risk.position_count} positions, there is room for {s.risk.positions_max}")
    for i in range(s.risk.position_count):
        record = &s.risk.records[i]
        if record.key >> 40 > RISK_SCOPE_HOUSE and sums_of(record) != sums.get(record.key, (0,) * 8):
            raise AssertionError(f"position {record.key:#x} is not the sum of its accounts'")
    for i in range(<uint32_t> RISK_SCOPE_ACCOUNT, <uint32_t> RISK_SCOPE_GROUP + 1):
        for slot in range(s.risk.holders_max[i]):
            if number(&s.risk.holders[i][slot].gross_value) != gross.get(i << 24 | slot, 0):
                raise AssertionError(f"gross value of holder {slot} of scope {i} is not the sum of its positions'")
    return 0


cdef uint32_t occupied_places(const State* s) noexcept nogil:
    cdef uint32_t place, taken = 0
    for place in range(s.risk.index_mask + 1):
        taken += s.risk.index[place] != 0
    return taken


cdef object position_rows(State* s):
    """All records as tuples, see Engine.positions."""
    cdef const Position* record
    cdef uint32_t i
    rows = []
    for i in range(s.risk.position_count):
        record = &s.risk.records[i]
        rows.append((record.key >> 40, record.key >> 16 & 0xFFFFFF, record.key & 0xFFFF, record.position_lots,
                     record.open_lots[0], record.open_lots[1], number(&record.cost_value),
                     number(&record.realised_value), number(&record.traded_value), number(&record.worst_value),
                     number(&record.fees)))
    return sorted(rows)


cdef object number(const wide* value):
    """A 128-bit value as a Python integer."""
    cdef const uint64_t* words = <const uint64_t*> value
    whole = int(words[1]) << 64 | int(words[0])
    return whole - (1 << 128) if whole >> 127 else whole


cdef object sums_of(const Position* record):
    return (record.position_lots, number(&record.cost_value), number(&record.open_value[0]), number(&record.open_value[1]),
            number(&record.realised_value), number(&record.traded_value), number(&record.worst_value),
            number(&record.fees))


cdef object above(State* s, uint64_t key):
    """Keys of the participant's and the group's records above an account's."""
    cdef uint32_t scope_id = <uint32_t> (key >> 16 & 0xFFFFFF)
    cdef uint32_t participant_id = scope_id if key >> 40 == RISK_SCOPE_HOUSE else s.accounts[scope_id].participant_id
    cdef uint64_t keys[3]
    cdef uint32_t i
    return [keys[i] | key & 0xFFFF for i in range(1, levels_of(s, participant_id, 0, keys))]


# --------------------------------------------------------------------------------------------------- snapshot

cdef struct RiskHead:                   # 32 bytes, then the sections in the order of the counts
    uint32_t magic
    uint32_t positions
    uint32_t holders
    uint32_t bands
    uint32_t participants               # groups and watch of each
    uint32_t prices
    uint32_t record_sizes
    uint32_t spare

cdef struct SavedHolder:                # 240 bytes
    uint32_t scope
    uint32_t scope_id
    uint64_t spare
    Holder holder

cdef struct SavedBands:                 # 56 bytes
    uint64_t instrument_id
    Bands bands

cdef struct SavedParticipant:           # 16 bytes
    uint32_t participant_id
    uint32_t group_id
    uint64_t watch


cdef inline uint32_t record_sizes(uint32_t position_bytes) noexcept nogil:
    """What tells the layout."""
    return <uint32_t> sizeof(Holder) << 16 | position_bytes


cdef inline uint32_t position_bytes(const RiskHead* head) noexcept nogil:
    return head.record_sizes & 0xFFFF


cdef void fill_head(const State* s, RiskHead* head) noexcept nogil:
    cdef uint32_t i, scope
    memset(head, 0, sizeof(RiskHead))
    head.magic = SNAPSHOT_MAGIC
    head.record_sizes = record_sizes(sizeof(Position))
    head.positions = s.risk.position_count
    for scope in range(1, <uint32_t> RISK_SCOPES):
        for i in range(s.risk.holders_max[scope]):
            head.holders += not is_new(&s.risk.holders[scope][i])
    for i in range(1, s.instruments_max):
        head.bands += s.risk.bands[i].is_set or s.risk.bands[i].has_last
    for i in range(1, s.participants_max):
        head.participants += s.risk.watch[i] != 0
    head.prices = s.slots_used


cdef int64_t bytes_by_head(const RiskHead* head) noexcept nogil:
    return (<int64_t> sizeof(RiskHead) + <int64_t> head.positions * <int64_t> position_bytes(head)
            + <int64_t> head.holders * <int64_t> sizeof(SavedHolder) + <int64_t> head.bands * <int64_t> sizeof(SavedBands)
            + <int64_t> head.participants * <int64_t> sizeof(SavedParticipant) + <int64_t> head.prices * 8)


cdef int64_t risk_bytes(const State* s) noexcept nogil:
    """Bytes save_risk writes: none before the first command 40-45."""
    cdef RiskHead head
    if not s.risk.is_used:
        return 0
    fill_head(s, &head)
    return bytes_by_head(&head)


cdef inline uint8_t* put(uint8_t* target, const void* source, size_t size_bytes) noexcept nogil:
    memcpy(target, source, size_bytes)
    return target + size_bytes


cdef inline const uint8_t* get(void* target, const uint8_t* source, size_t size_bytes) noexcept nogil:
    memcpy(target, source, size_bytes)
    return source + size_bytes


cdef int64_t save_risk(const State* s, uint8_t* target) noexcept nogil:
    """Copy what is in use; returns the bytes written."""
    cdef RiskHead head
    cdef SavedHolder holder
    cdef SavedBands bands
    cdef SavedParticipant participant
    cdef uint8_t* p = target
    cdef uint32_t i, scope
    if not s.risk.is_used:
        return 0
    fill_head(s, &head)
    p = put(p, &head, sizeof(RiskHead))
    p = put(p, s.risk.records, s.risk.position_count * sizeof(Position))
    memset(&holder, 0, sizeof(SavedHolder))
    for scope in range(1, <uint32_t> RISK_SCOPES):
        for i in range(s.risk.holders_max[scope]):
            if not is_new(&s.risk.holders[scope][i]):
                holder.scope = scope
                holder.scope_id = i
                holder.holder = s.risk.holders[scope][i]
                p = put(p, &holder, sizeof(SavedHolder))
    for i in range(1, s.instruments_max):
        if s.risk.bands[i].is_set or s.risk.bands[i].has_last:
            bands.instrument_id = i
            bands.bands = s.risk.bands[i]
            p = put(p, &bands, sizeof(SavedBands))
    for i in range(1, s.participants_max):
        if s.risk.watch[i]:
            participant.participant_id = i
            participant.group_id = s.risk.groups[i]
            participant.watch = s.risk.watch[i]
            p = put(p, &participant, sizeof(SavedParticipant))
    for i in range(s.slots_used):
        p = put(p, &s.risk.stakes[i].price_ticks, sizeof(int64_t))
    return p - target


cdef const uint8_t* get_position(Position* record, const uint8_t* source, const RiskHead* head) noexcept nogil:
    """Read a record of either layout; one from before there were fees has been charged none."""
    if position_bytes(head) == sizeof(Position):
        return get(record, source, sizeof(Position))
    memset(record, 0, sizeof(Position))
    memcpy(record, source, BEFORE_FEES)
    memcpy(<uint8_t*> record + BEFORE_FEES + FEES_BYTES, source + BEFORE_FEES, FEELESS_BYTES - BEFORE_FEES)
    return source + FEELESS_BYTES


cdef int load_risk(State* s, const uint8_t* source, int64_t size_bytes) except -1:
    """Fill a fresh state with what save_risk wrote, or its predecessor, whose positions had no fees.

    Raises
    ------
    ValueError
        When the bytes are not that, or do not fit.
    """
    cdef RiskHead head
    cdef SavedHolder holder
    cdef SavedBands bands
    cdef SavedParticipant participant
    cdef Position record
    cdef uint32_t _i
    cdef const uint8_t* p = source
    if size_bytes == 0:
        return 0
    if size_bytes < <int64_t> sizeof(RiskHead):
        raise ValueError(f"the snapshot's part on risk has {size_bytes} bytes")
    p = get(&head, p, sizeof(RiskHead))
    if (head.magic != SNAPSHOT_MAGIC
            or head.record_sizes not in (record_sizes(sizeof(Position)), record_sizes(FEELESS_BYTES))
            or bytes_by_head(&head) != size_bytes or head.prices > s.orders_max):
        raise ValueError("the snapshot's part on risk is of another layout")
    if head.positions > s.risk.positions_max:
        raise ValueError(f"the snapshot needs room for {head.positions} positions, the engine has {s.risk.positions_max}")
    load_evaluate(s)
    for _i in range(head.positions):
        p = get_position(&record, p, &head)
        if record.key == 0 or record.key & 0xFFFF >= s.instruments_max:
            raise ValueError("a position of the snapshot names an id out of range")
        if record.serial >= head.positions or not place_position(s, &record):
            raise ValueError("a position of the snapshot is there twice")
    s.risk.position_count = head.positions
    for _i in range(head.holders):
        p = get(&holder, p, sizeof(SavedHolder))
        if not 0 < holder.scope < RISK_SCOPES or holder.scope_id >= s.risk.holders_max[holder.scope]:
            raise ValueError("a holder of the snapshot has an id out of range")
        s.risk.holders[holder.scope][holder.scope_id] = holder.holder
        s.risk.kills += holder.holder.is_killed
    for _i in range(head.bands):
        p = get(&bands, p, sizeof(SavedBands))
        if bands.instrument_id >= s.instruments_max:
            raise ValueError("a price band of the snapshot has an id out of range")
        s.risk.bands[bands.instrument_id] = bands.bands
    for _i in range(head.participants):
        p = get(&participant, p, sizeof(SavedParticipant))
        if participant.participant_id >= s.participants_max or participant.group_id >= s.participants_max:
            raise ValueError("a participant of the snapshot has an id out of range")
        s.risk.groups[participant.participant_id] = participant.group_id
        s.risk.watch[participant.participant_id] = <uint8_t> participant.watch
    for _i in range(head.prices):
        p = get(&s.risk.stakes[_i].price_ticks, p, sizeof(int64_t))
    s.risk.is_used = 1
    return 0
