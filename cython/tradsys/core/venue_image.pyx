"""Fees, kept matches, circuit breakers looked at as a whole: their part of the state hash, of invariants and of a snapshot."""
from libc.stdint cimport INT64_MAX, INT64_MIN, uint32_t
from libc.string cimport memcpy, memset

from tradsys.core.hash cimport mix
from tradsys.core.order cimport slot_of
from tradsys.core.trades cimport kept_trade
from tradsys.core.venue_state cimport (
    FEE_CLASSES, FOLLOW_BREAKERS, FOLLOW_FEES, FOLLOW_TRADES, TRADES_MAX, WINDOW_SLICES, Breaker, BreakerRule,
    FeeSchedule, InstrumentFees, KeptTrade, OrderFees, Trip)
from tradsys.wire.records cimport OrderExecuted

cdef enum:
    MARK_FEES = 0x15                    # of the hash: fees follow
    MARK_TRADES = 0x16                  # kept matches follow
    MARK_BREAKERS = 0x17                # circuit breakers follow
    MARK_WAITING = 0x19                 # what waits for room follows
    MATCH_WORDS = 16
    MAGIC = 0x554E4556                  # VENU


# --------------------------------------------------------------------------------------------------- hash

cdef inline bint owes(const State* s, uint32_t slot) noexcept nogil:
    """Whether the order in a slot lives and owes something or was charged something."""
    cdef const OrderFees* order = &s.venue.order_fees[slot]
    return order.order_id != 0 and order.order_id == s.orders[slot].order_id and (order.owed | order.charged) != 0


cdef uint64_t hash_venue(const State* s, uint64_t h) noexcept nogil:
    return hash_waiting(s, hash_breakers(s, hash_trades(s, hash_fees(s, h))))


cdef inline uint64_t order_of(const OrderExecuted* match, bint is_incoming) noexcept nogil:
    return match.incoming_order_id if is_incoming else match.resting_order_id


cdef uint64_t hash_waiting(const State* s, uint64_t h) noexcept nogil:
    """Rule 8.13."""
    cdef uint32_t i
    cdef uint32_t count = s.venue.waiting_count - s.venue.waiting_first
    cdef const uint64_t* words
    cdef const OrderFees* order
    cdef uint64_t order_id
    cdef int k
    if (count | s.venue.trip.level) == 0:
        return h
    h = mix(mix(h, MARK_WAITING), count)
    for i in range(s.venue.waiting_first, s.venue.waiting_count):
        words = <const uint64_t*> &s.venue.waiting[i]
        for k in range(<int> MATCH_WORDS):
            h = mix(h, words[k])
        for k in range(2):
            order_id = order_of(&s.venue.waiting[i], k)
            order = &s.venue.order_fees[slot_of(order_id)]
            h = mix(h, <uint64_t> order.owed if order.order_id == order_id else 0)
            h = mix(h, <uint64_t> order.charged if order.order_id == order_id else 0)
    h = mix(h, s.venue.trip.level)
    if s.venue.trip.level:
        h = mix(h, s.venue.trip.instrument_id)
        h = mix(h, <uint64_t> s.venue.trip.price_ticks)
        h = mix(h, <uint64_t> s.venue.trip.reference_ticks)
    return h


cdef uint64_t hash_breakers(const State* s, uint64_t h) noexcept nogil:
    """Rule 8.11."""
    cdef const Breaker* breaker
    cdef const BreakerRule* rule
    cdef uint32_t i
    cdef int k
    if s.venue.breaker_count == 0:
        return h
    h = mix(h, MARK_BREAKERS)
    for i in range(1, s.instruments_max):
        breaker = &s.venue.breakers[i]
        if not breaker.is_set:
            continue
        h = mix(mix(mix(h, i), breaker.group_id), breaker.member_group_id)
        h = mix(h, <uint64_t> breaker.reference_ticks)
        h = mix(h, <uint64_t> breaker.last_ticks)
        h = mix(h, <uint64_t> breaker.quiet_from_ns)
        h = mix(h, <uint64_t> breaker.reopen_call_ns)
        h = mix(h, breaker.takes_auctions)
        h = mix(h, breaker.tripped)
        for k in range(4):
            rule = &breaker.rules[k]
            h = mix(mix(mix(h, rule.distance_ppm), rule.action), rule.side)
            h = mix(h, <uint64_t> rule.distance_ticks)
            h = mix(h, <uint64_t> rule.pause_ns)
            h = mix(h, <uint64_t> rule.window_ns)
        h = mix(h, <uint64_t> breaker.slice_number)
        for k in range(<int> WINDOW_SLICES):
            h = mix(h, <uint64_t> low_of_slice(breaker, k))
            h = mix(h, <uint64_t> high_of_slice(breaker, k))
    return h


cdef inline int64_t low_of_slice(const Breaker* breaker, int age) noexcept nogil:
    """The lowest price of a slice of the window, INT64_MAX where there is none."""
    return INT64_MAX if breaker.slice_number < age else breaker.low_ticks[(breaker.slice_number - age) % WINDOW_SLICES]


cdef inline int64_t high_of_slice(const Breaker* breaker, int age) noexcept nogil:
    return INT64_MIN if breaker.slice_number < age else breaker.high_ticks[(breaker.slice_number - age) % WINDOW_SLICES]


cdef uint64_t hash_trades(const State* s, uint64_t h) noexcept nogil:
    """Rule 8.10."""
    cdef const KeptTrade* kept
    cdef const uint64_t* words
    cdef uint32_t age, i
    if s.venue.trades_kept == 0:
        return h
    h = mix(mix(mix(h, MARK_TRADES), s.venue.trades_kept), s.venue.trades_count)
    for age in range(s.venue.trades_count):
        kept = kept_trade(s, age)
        words = <const uint64_t*> &kept.match
        for i in range(<uint32_t> MATCH_WORDS):
            h = mix(h, words[i])
        h = mix(h, <uint64_t> kept.price_ticks)
        h = mix(h, <uint64_t> kept.resting_fee)
        h = mix(h, <uint64_t> kept.incoming_fee)
        h = mix(h, kept.flags)
    return h


cdef uint64_t hash_fees(const State* s, uint64_t h) noexcept nogil:
    """Rule 8.9."""
    cdef uint64_t before = h, marked
    cdef uint32_t i
    h = marked = mix(h, MARK_FEES)
    for i in range(1, s.participants_max):
        if s.participants[i].fee_class:
            h = mix(mix(h, i), s.participants[i].fee_class)
    for i in range(1, s.instruments_max):
        if s.venue.instrument_fees[i].is_set:
            h = hash_schedules(s, i, h)
    if s.venue.fees_charged:
        for i in range(s.slots_used):
            if owes(s, i):
                h = mix(h, s.venue.order_fees[i].order_id)
                h = mix(h, <uint64_t> s.venue.order_fees[i].owed)
                h = mix(h, <uint64_t> s.venue.order_fees[i].charged)
    return before if h == marked else h


cdef uint64_t hash_schedules(const State* s, uint32_t instrument_id, uint64_t h) noexcept nogil:
    cdef const InstrumentFees* fees = &s.venue.instrument_fees[instrument_id]
    cdef const FeeSchedule* schedule
    cdef const int64_t* numbers
    cdef uint32_t fee_class, i
    h = mix(h, instrument_id)
    h = mix(h, <uint64_t> <int64_t> fees.exponent)
    h = mix(h, fees.schedules)
    for fee_class in range(<uint32_t> FEE_CLASSES):
        schedule = &s.venue.schedules[instrument_id * FEE_CLASSES + fee_class]
        if schedule.is_on:
            h = mix(h, fee_class)
            numbers = <const int64_t*> schedule
            for i in range(8):
                h = mix(h, <uint64_t> numbers[i])
    return h


# --------------------------------------------------------------------------------------------------- invariants

cdef int check_venue(State* s) except -1:
    """Instruments count their schedules, and it is known whether there is one.

    Raises
    ------
    AssertionError
        With a sentence on the first thing that does not hold.
    """
    cdef uint32_t i, fee_class
    cdef const OrderFees* order
    total = 0
    for i in range(s.instruments_max):
        count = 0
        for fee_class in range(<uint32_t> FEE_CLASSES):
            count += s.venue.schedules[i * FEE_CLASSES + fee_class].is_on
        if count != s.venue.instrument_fees[i].schedules or (count and not s.venue.instrument_fees[i].is_set):
            raise AssertionError(f"instrument {i} has {count} fee schedules, "
                                 f"{s.venue.instrument_fees[i].schedules} are counted")
        total += count
    if (s.venue.follows & FOLLOW_FEES != 0) != (total != 0):
        raise AssertionError(f"{total} fee schedules are on, and matches are{'' if total else ' not'} free")
    for i in range(s.slots_used):
        order = &s.venue.order_fees[i]
        if order.order_id and slot_of(order.order_id) != i:
            raise AssertionError(f"slot {i} has the fees of order {order.order_id}")
    if (s.venue.waiting_count or s.venue.trip.level) and not s.unfinished:
        raise AssertionError(f"{s.venue.waiting_count} matches and a trip of level {s.venue.trip.level} wait for room, "
                             "and nothing is unfinished")
    check_trades(s)
    return check_breakers(s)


cdef int check_breakers(State* s) except -1:
    """Breakers are counted, belong to instruments, and none has tripped above its levels."""
    cdef uint32_t i
    cdef const Breaker* breaker
    count = 0
    for i in range(s.instruments_max):
        breaker = &s.venue.breakers[i]
        count += breaker.is_set
        if breaker.is_set and (s.instruments[i].state == 0 or breaker.tripped > 3):
            raise AssertionError(f"the breaker of instrument {i} has tripped level {breaker.tripped}")
    if count != s.venue.breaker_count or (s.venue.follows & FOLLOW_BREAKERS != 0) != (count != 0):
        raise AssertionError(f"{count} circuit breakers, {s.venue.breaker_count} are counted, "
                             f"follows is {s.venue.follows}")
    return 0


cdef int check_trades(State* s) except -1:
    """Kept matches are in the order of their numbers, in a ring that begins anywhere only when it is full."""
    cdef uint32_t age
    if (s.venue.follows & FOLLOW_TRADES != 0) != (s.venue.trades_kept != 0):
        raise AssertionError(f"{s.venue.trades_kept} matches are to be kept, follows is {s.venue.follows}")
    if s.venue.trades_count > s.venue.trades_kept or (s.venue.trades_first and s.venue.trades_count < s.venue.trades_kept):
        raise AssertionError(f"{s.venue.trades_count} of {s.venue.trades_kept} matches are kept "
                             f"from {s.venue.trades_first} on")
    for age in range(1, s.venue.trades_count):
        if kept_trade(s, age - 1).match.seq >= kept_trade(s, age).match.seq:
            raise AssertionError(f"match {kept_trade(s, age).match.seq} is kept behind a later one")
    return 0


# --------------------------------------------------------------------------------------------------- snapshot

cdef struct VenueHead:                  # 64 bytes, then the records in the order of the counts
    uint32_t magic
    uint32_t instruments
    uint32_t schedules
    uint32_t orders
    uint32_t record_sizes               # layouts must agree
    uint32_t trades_kept
    uint32_t trades_count
    uint32_t breakers
    uint32_t waiting                    # matches of the last command that are not settled yet
    uint32_t ended                      # orders of those that live no more and were charged something: their fees come last
    Trip trip                           # what they have tripped so far

cdef struct SavedFees:                  # 24 bytes
    uint64_t instrument_id
    InstrumentFees fees

cdef struct SavedSchedule:              # 80 bytes
    uint64_t place                      # instrument x FEE_CLASSES + class
    FeeSchedule schedule

cdef struct SavedBreaker:               # 328 bytes
    uint64_t instrument_id
    Breaker breaker


cdef const OrderFees* ended_fees(const State* s, uint32_t i, bint is_incoming) noexcept nogil:
    """Fees of an order of a waiting match that has ended and owes something; NULL: none, or told with the match before."""
    cdef uint64_t order_id = order_of(&s.venue.waiting[i], is_incoming)
    cdef uint32_t slot = slot_of(order_id)
    if s.venue.order_fees[slot].order_id != order_id or owes(s, slot):
        return NULL
    if i > s.venue.waiting_first and order_of(&s.venue.waiting[i - 1], is_incoming) == order_id:
        return NULL
    return &s.venue.order_fees[slot]


cdef void fill_head(const State* s, VenueHead* head) noexcept nogil:
    cdef uint32_t i
    memset(head, 0, sizeof(VenueHead))
    head.magic = MAGIC
    head.record_sizes = (sizeof(KeptTrade) << 24 ^ sizeof(InstrumentFees) << 20 ^ sizeof(FeeSchedule) << 10
                         ^ sizeof(Breaker) << 7 ^ sizeof(OrderFees))
    head.trades_kept = s.venue.trades_kept
    head.trades_count = s.venue.trades_count
    head.breakers = s.venue.breaker_count
    if s.venue.trip.level:
        head.trip = s.venue.trip
    for i in range(1, s.instruments_max):
        head.instruments += s.venue.instrument_fees[i].is_set
        head.schedules += s.venue.instrument_fees[i].schedules
    if s.venue.fees_charged:
        for i in range(s.slots_used):
            head.orders += owes(s, i)
    head.waiting = s.venue.waiting_count - s.venue.waiting_first
    for i in range(s.venue.waiting_first, s.venue.waiting_count):
        head.ended += ended_fees(s, i, False) != NULL
        head.ended += ended_fees(s, i, True) != NULL


cdef int64_t bytes_by_head(const VenueHead* head) noexcept nogil:
    if (head.instruments | head.trades_kept | head.breakers) == 0:      # a fee class alone lies with its participant
        return 0
    return (<int64_t> sizeof(VenueHead) + <int64_t> head.instruments * <int64_t> sizeof(SavedFees)
            + <int64_t> head.schedules * <int64_t> sizeof(SavedSchedule)
            + <int64_t> head.orders * <int64_t> sizeof(OrderFees)
            + <int64_t> head.trades_count * <int64_t> sizeof(KeptTrade)
            + <int64_t> head.breakers * <int64_t> sizeof(SavedBreaker)
            + <int64_t> head.waiting * <int64_t> sizeof(OrderExecuted)
            + <int64_t> head.ended * <int64_t> sizeof(OrderFees))


cdef int64_t venue_bytes(const State* s) noexcept nogil:
    cdef VenueHead head
    fill_head(s, &head)
    return bytes_by_head(&head)


cdef inline uint8_t* put(uint8_t* target, const void* source, size_t size_bytes) noexcept nogil:
    memcpy(target, source, size_bytes)
    return target + size_bytes


cdef inline const uint8_t* get(void* target, const uint8_t* source, size_t size_bytes) noexcept nogil:
    memcpy(target, source, size_bytes)
    return source + size_bytes


cdef int64_t save_venue(const State* s, uint8_t* target) noexcept nogil:
    cdef VenueHead head
    cdef SavedFees fees
    cdef SavedSchedule schedule
    cdef SavedBreaker breaker
    cdef uint8_t* p = target
    cdef uint32_t i
    fill_head(s, &head)
    if bytes_by_head(&head) == 0:
        return 0
    p = put(p, &head, sizeof(VenueHead))
    for i in range(1, s.instruments_max):
        if s.venue.instrument_fees[i].is_set:
            fees.instrument_id = i
            fees.fees = s.venue.instrument_fees[i]
            p = put(p, &fees, sizeof(SavedFees))
    for i in range(s.instruments_max * FEE_CLASSES):
        if s.venue.schedules[i].is_on:
            schedule.place = i
            schedule.schedule = s.venue.schedules[i]
            p = put(p, &schedule, sizeof(SavedSchedule))
    if s.venue.fees_charged:
        for i in range(s.slots_used):
            if owes(s, i):
                p = put(p, &s.venue.order_fees[i], sizeof(OrderFees))
    for i in range(s.venue.trades_count):
        p = put(p, kept_trade(s, i), sizeof(KeptTrade))
    for i in range(1, s.instruments_max):
        if s.venue.breakers[i].is_set:
            breaker.instrument_id = i
            breaker.breaker = s.venue.breakers[i]
            p = put(p, &breaker, sizeof(SavedBreaker))
    if head.waiting:
        p = put(p, &s.venue.waiting[s.venue.waiting_first], head.waiting * sizeof(OrderExecuted))
    return save_ended(s, p) - target


cdef uint8_t* save_ended(const State* s, uint8_t* target) noexcept nogil:
    cdef const OrderFees* order
    cdef uint8_t* p = target
    cdef uint32_t i
    cdef int k
    for i in range(s.venue.waiting_first, s.venue.waiting_count):
        for k in range(2):
            order = ended_fees(s, i, k)
            if order != NULL:
                p = put(p, order, sizeof(OrderFees))
    return p


cdef int load_venue(State* s, const uint8_t* source, int64_t size_bytes) except -1:
    """Fill a fresh state, whose orders and instruments have been loaded, with what save_venue wrote.

    Raises
    ------
    ValueError
        When the bytes are not that, or do not fit.
    """
    cdef VenueHead head
    cdef VenueHead mine
    cdef SavedFees fees
    cdef SavedSchedule schedule
    cdef const uint8_t* p = source
    cdef uint32_t _i
    if size_bytes == 0:
        return 0
    fill_head(s, &mine)
    if size_bytes < <int64_t> sizeof(VenueHead):
        raise ValueError(f"the snapshot's part on fees and matches has {size_bytes} bytes")
    p = get(&head, p, sizeof(VenueHead))
    if head.magic != MAGIC or head.record_sizes != mine.record_sizes or bytes_by_head(&head) != size_bytes:
        raise ValueError("the snapshot's part on fees and matches is of another layout")
    for _i in range(head.instruments):
        p = get(&fees, p, sizeof(SavedFees))
        if not 0 < fees.instrument_id < s.instruments_max or s.instruments[fees.instrument_id].state == 0:
            raise ValueError(f"fees of the snapshot name instrument {fees.instrument_id}, which is not defined")
        s.venue.instrument_fees[fees.instrument_id] = fees.fees
    for _i in range(head.schedules):
        p = get(&schedule, p, sizeof(SavedSchedule))
        if schedule.place >= <uint64_t> s.instruments_max * FEE_CLASSES:
            raise ValueError("a fee schedule of the snapshot has an instrument out of range")
        s.venue.schedules[schedule.place] = schedule.schedule
        s.venue.follows |= FOLLOW_FEES
    load_order_fees(s, p, head.orders)
    p += head.orders * sizeof(OrderFees)
    load_trades(s, p, &head)
    p += head.trades_count * sizeof(KeptTrade)
    load_breakers(s, p, &head)
    p += head.breakers * sizeof(SavedBreaker)
    load_waiting(s, p, &head)
    return load_order_fees(s, p + head.waiting * sizeof(OrderExecuted), head.ended)


cdef int load_order_fees(State* s, const uint8_t* source, uint32_t count) except -1:
    cdef OrderFees order
    cdef const uint8_t* p = source
    cdef uint32_t _i
    for _i in range(count):
        p = get(&order, p, sizeof(OrderFees))
        if slot_of(order.order_id) >= s.orders_max:
            raise ValueError("an order's fees in the snapshot have a slot out of range")
        s.venue.order_fees[slot_of(order.order_id)] = order
        s.venue.fees_charged = 1
    return 0


cdef int load_trades(State* s, const uint8_t* source, const VenueHead* head) except -1:
    cdef const uint8_t* p = source
    cdef uint32_t i
    if head.trades_kept > <uint32_t> TRADES_MAX or head.trades_count > head.trades_kept:
        raise ValueError(f"the snapshot keeps {head.trades_count} of {head.trades_kept} matches, at most {TRADES_MAX} can be")
    for i in range(head.trades_count):
        p = get(&s.venue.trades[i], p, sizeof(KeptTrade))
        if s.venue.trades[i].match.instrument_id >= s.instruments_max or (
                max(s.venue.trades[i].match.resting_session_id, s.venue.trades[i].match.incoming_session_id)
                >= s.sessions_max):
            raise ValueError("a kept match of the snapshot names an id out of range")
    s.venue.trades_kept = head.trades_kept
    s.venue.trades_count = head.trades_count
    if head.trades_kept:
        s.venue.follows |= FOLLOW_TRADES
    return 0


cdef int load_breakers(State* s, const uint8_t* source, const VenueHead* head) except -1:
    cdef SavedBreaker breaker
    cdef const uint8_t* p = source
    cdef uint32_t _i
    for _i in range(head.breakers):
        p = get(&breaker, p, sizeof(SavedBreaker))
        if not 0 < breaker.instrument_id < s.instruments_max or s.instruments[breaker.instrument_id].state == 0:
            raise ValueError(f"a breaker of the snapshot names instrument {breaker.instrument_id}, which is not defined")
        s.venue.breakers[breaker.instrument_id] = breaker.breaker
        s.venue.breaker_count += 1
        s.venue.follows |= FOLLOW_BREAKERS
    return 0


cdef int load_waiting(State* s, const uint8_t* source, const VenueHead* head) except -1:
    cdef uint32_t i
    if head.waiting > s.venue.waiting_max or (head.waiting and not s.unfinished):
        raise ValueError(f"the snapshot has {head.waiting} matches that wait, there is room for {s.venue.waiting_max}")
    if head.waiting:
        memcpy(s.venue.waiting, source, head.waiting * sizeof(OrderExecuted))
    for i in range(head.waiting):
        if s.venue.waiting[i].instrument_id >= s.instruments_max or (
                max(s.venue.waiting[i].resting_session_id, s.venue.waiting[i].incoming_session_id) >= s.sessions_max):
            raise ValueError("a match of the snapshot that waits names an id out of range")
        if max(slot_of(s.venue.waiting[i].resting_order_id), slot_of(s.venue.waiting[i].incoming_order_id)) >= s.orders_max:
            raise ValueError("a match of the snapshot that waits names an order whose slot is out of range")
    s.venue.waiting_count = head.waiting
    if head.trip.instrument_id >= s.instruments_max or head.trip.level > 4 or (head.trip.level and not s.unfinished):
        raise ValueError(f"the snapshot has a trip of level {head.trip.level} of instrument {head.trip.instrument_id}")
    s.venue.trip = head.trip
    return 0
