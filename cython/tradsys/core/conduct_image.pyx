"""Conduct looked at as a whole: its part of the state hash, of invariants and of a snapshot."""
from libc.string cimport memcpy, memset

from tradsys.core.hash cimport mix
from tradsys.core.order cimport Order
from tradsys.core.risk_state cimport HAS_CONDUCT
from tradsys.core.section_head cimport begin_section, section_size
from tradsys.core.state cimport SPECIAL_RESTING
from tradsys.core.terms cimport is_dormant
from tradsys.core.venue_state cimport FOLLOW_CONDUCT, Conduct

cdef enum:
    MARK_CONDUCT = 0x18                 # of the hash: conduct follows
    SECTION_CONDUCT = 10
    SECTION_RESTING = 11                # instruments with a minimum resting time
    SECTION_RESTED = 12                 # since when their orders rest

cdef struct SavedConduct:               # 88 bytes
    uint64_t participant_id
    Conduct conduct

cdef struct SavedTime:                  # 16 bytes
    uint64_t place                      # instrument or slot
    int64_t ns


cdef inline bint has_rested(const State* s, uint32_t slot) noexcept nogil:
    """Whether it is kept since when the order in a slot rests."""
    cdef const Order* order = &s.orders[slot]
    return order.order_id != 0 and s.venue.resting_min_ns[order.instrument_id] != 0 and not is_dormant(order)


# --------------------------------------------------------------------------------------------------- hash

cdef uint64_t hash_conduct(const State* s, uint64_t h) noexcept nogil:
    """Rule 8.12."""
    cdef const Conduct* conduct
    cdef uint32_t i
    if s.venue.conduct_count == 0 and s.venue.resting_count == 0:
        return h
    h = mix(h, MARK_CONDUCT)
    for i in range(1, s.participants_max):
        conduct = &s.venue.conducts[i]
        if conduct.is_set:
            h = mix(mix(mix(h, i), conduct.order_to_trade_max), conduct.order_to_trade_free)
            h = mix(mix(h, conduct.messages), conduct.matches)
            h = mix(h, <uint64_t> conduct.output_max_value)
            h = mix(h, <uint64_t> conduct.output_window_ns)
            h = mix(h, <uint64_t> conduct.bucket_ns)
            h = mix(h, <uint64_t> conduct.bucket_ts_ns)
            h = mix(h, conduct.is_tripped)
    if s.venue.resting_count == 0:
        return h
    for i in range(1, s.instruments_max):
        if s.venue.resting_min_ns[i]:
            h = mix(mix(h, i), <uint64_t> s.venue.resting_min_ns[i])
    for i in range(s.slots_used):
        if has_rested(s, i):
            h = mix(mix(h, s.orders[i].order_id), <uint64_t> s.venue.rested_ns[i])
    return h


# --------------------------------------------------------------------------------------------------- invariants

cdef int check_conduct(State* s) except -1:
    """Limits are counted and looked at, buckets are neither empty nor more than full, whoever waits for cancels is torn.

    Raises
    ------
    AssertionError
        With a sentence on the first thing that does not hold.
    """
    cdef uint32_t i
    cdef const Conduct* conduct
    count = due = resting = 0
    for i in range(s.participants_max):
        conduct = &s.venue.conducts[i]
        count += conduct.is_set
        due += conduct.is_due
        if (s.risk.watch[i] & HAS_CONDUCT != 0) != (conduct.is_set != 0):
            raise AssertionError(f"participant {i} is watched for {s.risk.watch[i]}, its limits of conduct are "
                                 f"{'' if conduct.is_set else 'not '}set")
        if not 0 <= conduct.bucket_ns <= conduct.output_window_ns or (conduct.is_due and not conduct.is_tripped):
            raise AssertionError(f"the tripwire of participant {i} has {conduct.bucket_ns} of {conduct.output_window_ns} ns")
    for i in range(s.instruments_max):
        resting += s.venue.resting_min_ns[i] != 0
        if (s.instruments[i].special & SPECIAL_RESTING != 0) != (s.venue.resting_min_ns[i] != 0):
            raise AssertionError(f"instrument {i} has a minimum resting time of {s.venue.resting_min_ns[i]} ns, "
                                 f"its special bits are {s.instruments[i].special:#x}")
    if count != s.venue.conduct_count or resting != s.venue.resting_count or (
            s.venue.follows & FOLLOW_CONDUCT != 0) != (count + resting != 0):
        raise AssertionError(f"{count} participants and {resting} instruments have limits of conduct, "
                             f"{s.venue.conduct_count} and {s.venue.resting_count} are counted")
    if due != s.venue.tripwires_due or (due and not s.unfinished):
        raise AssertionError(f"{due} participants wait for their orders to be cancelled, {s.venue.tripwires_due} are counted")
    return 0


# --------------------------------------------------------------------------------------------------- snapshot

cdef uint64_t rested_count(const State* s) noexcept nogil:
    cdef uint64_t count = 0
    cdef uint32_t i
    if s.venue.resting_count == 0:
        return 0
    for i in range(s.slots_used):
        count += has_rested(s, i)
    return count


cdef uint64_t conduct_sections_size(const State* s) noexcept nogil:
    return (section_size(s.venue.conduct_count, sizeof(SavedConduct)) + section_size(s.venue.resting_count, sizeof(SavedTime))
            + section_size(rested_count(s), sizeof(SavedTime)))


cdef uint8_t* save_conduct(const State* s, uint8_t* target) noexcept nogil:
    cdef SavedConduct saved
    cdef uint64_t count = rested_count(s)
    cdef uint32_t i
    if s.venue.conduct_count:
        target = begin_section(target, SECTION_CONDUCT, s.venue.conduct_count, sizeof(SavedConduct))
        memset(&saved, 0, sizeof(SavedConduct))
        for i in range(1, s.participants_max):
            if s.venue.conducts[i].is_set:
                saved.participant_id = i
                saved.conduct = s.venue.conducts[i]
                memcpy(target, &saved, sizeof(SavedConduct))
                target += sizeof(SavedConduct)
    if s.venue.resting_count:
        target = begin_section(target, SECTION_RESTING, s.venue.resting_count, sizeof(SavedTime))
        for i in range(1, s.instruments_max):
            if s.venue.resting_min_ns[i]:
                target = put_time(target, i, s.venue.resting_min_ns[i])
    if count:
        target = begin_section(target, SECTION_RESTED, count, sizeof(SavedTime))
        for i in range(s.slots_used):
            if has_rested(s, i):
                target = put_time(target, i, s.venue.rested_ns[i])
    return target


cdef inline uint8_t* put_time(uint8_t* target, uint64_t place, int64_t ns) noexcept nogil:
    cdef SavedTime saved
    saved.place = place
    saved.ns = ns
    memcpy(target, &saved, sizeof(SavedTime))
    return target + sizeof(SavedTime)


cdef uint64_t conduct_record_bytes(uint32_t tag) noexcept nogil:
    if tag == SECTION_CONDUCT:
        return sizeof(SavedConduct)
    return sizeof(SavedTime) if tag == SECTION_RESTING or tag == SECTION_RESTED else 0


cdef int load_conduct(State* s, uint32_t tag, const uint8_t* record) except -1:
    cdef SavedConduct saved
    cdef SavedTime time
    if tag == SECTION_CONDUCT:
        memcpy(&saved, record, sizeof(SavedConduct))
        if not 0 < saved.participant_id < s.participants_max or not s.participants[saved.participant_id].defined:
            raise ValueError(f"limits of conduct of the snapshot name participant {saved.participant_id}, "
                             "which is not defined")
        s.venue.conducts[saved.participant_id] = saved.conduct
        s.venue.conduct_count += 1
        s.venue.tripwires_due += saved.conduct.is_due
        s.risk.watch[saved.participant_id] |= HAS_CONDUCT
    elif tag == SECTION_RESTING:
        memcpy(&time, record, sizeof(SavedTime))
        if not 0 < time.place < s.instruments_max or s.instruments[time.place].state == 0:
            raise ValueError(f"a minimum resting time of the snapshot names instrument {time.place}, which is not defined")
        s.venue.resting_min_ns[time.place] = time.ns
        s.venue.resting_count += 1
    elif tag == SECTION_RESTED:
        memcpy(&time, record, sizeof(SavedTime))
        if time.place >= s.orders_max:
            raise ValueError(f"resting times of the snapshot name slot {time.place}, the engine has {s.orders_max}")
        s.venue.rested_ns[time.place] = time.ns
    else:
        return 0
    s.venue.follows |= FOLLOW_CONDUCT
    return 0
