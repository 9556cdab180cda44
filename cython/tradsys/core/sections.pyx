"""Sections of a snapshot: a head, then `record_count` records of `record_bytes`. A section without records is not written,
so that a venue that uses nothing of it saves what it always saved."""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from tradsys.core.conduct_image cimport (
    conduct_record_bytes, conduct_sections_size, load_conduct, save_conduct)
from tradsys.core.inspect_lists cimport gather_lists, put_list
from tradsys.core.list_state cimport OrderList
from tradsys.core.phases cimport auction_init, auction_is_bare
from tradsys.core.section_head cimport SectionHead, begin_section, section_size
from tradsys.core.state cimport SPECIAL_ALLOCATION, Allocation, Auction, instrument_is_fifo
from tradsys.core.terms cimport Terms, has_terms
from tradsys.core.trigger_state cimport TRAILS_MAX, Trail, Triggers

cdef enum SectionTag:
    SECTION_TERMS = 2
    SECTION_AUCTION = 3
    SECTION_ALLOCATION = 4
    SECTION_TRIGGERS = 5
    SECTION_TRAILS = 6
    SECTION_UNFINISHED = 7
    SECTION_LISTS = 8
    SECTION_LIST_SERIAL = 9

cdef struct SlotTerms:                  # 136 bytes
    uint64_t slot
    Terms terms

cdef struct PlacedTrail:                # 392 bytes
    uint64_t place                      # instrument id x TRAILS_MAX + index
    Trail trail


cdef uint64_t sections_size(State* s) noexcept nogil:
    """Bytes save_sections() writes now."""
    return (section_size(terms_count(s), sizeof(SlotTerms)) + section_size(auction_count(s), sizeof(Auction))
            + section_size(allocation_count(s), sizeof(Allocation))
            + section_size(triggers_count(s), sizeof(Triggers)) + section_size(trails_count(s), sizeof(PlacedTrail))
            + section_size(s.unfinished, sizeof(int64_t)) + section_size(s.list_count, sizeof(OrderList))
            + section_size(s.list_serial != 0, sizeof(uint64_t)) + conduct_sections_size(s))


cdef uint8_t* save_sections(State* s, uint8_t* target) noexcept nogil:
    return save_conduct(s, save_lists(s, save_triggers(s, save_allocations(s, save_auctions(s, save_terms(s, target))))))


cdef int load_sections(State* s, const uint8_t* source, uint64_t size_bytes) except -1:
    """Fill a fresh state, whose arrays have been loaded, from the sections.

    Raises
    ------
    ValueError
        At a section not known, of another layout, or longer than what is left.
    """
    cdef SectionHead head
    cdef uint64_t left = size_bytes, _i, record_bytes
    cdef const uint8_t* p = source
    cdef uint32_t i
    for i in range(1, s.instruments_max):
        if s.instruments[i].state:
            auction_init(&s.auctions[i], i)
    while left:
        if left < sizeof(SectionHead):
            raise ValueError(f"a section's head has {sizeof(SectionHead)} bytes, {left} are left of the snapshot")
        memcpy(&head, p, sizeof(SectionHead))
        p += sizeof(SectionHead)
        left -= sizeof(SectionHead)
        record_bytes = known_record_bytes(head.tag)
        if record_bytes == 0 or head.record_bytes != record_bytes:
            raise ValueError(f"section {head.tag} of the snapshot must have records of {record_bytes} bytes "
                             f"(0: not known), was {head.record_bytes}")
        if head.record_count > left // record_bytes:
            raise ValueError(f"section {head.tag} says it has {head.record_count} records, {left} bytes are left")
        for _i in range(head.record_count):
            load_record(s, head.tag, p)
            p += record_bytes
            left -= record_bytes
    return 0


cdef uint64_t known_record_bytes(uint32_t tag) noexcept nogil:
    """Size of a section's records, 0 for a section not known."""
    if tag == SECTION_TERMS:
        return sizeof(SlotTerms)
    if tag == SECTION_AUCTION:
        return sizeof(Auction)
    if tag == SECTION_TRIGGERS:
        return sizeof(Triggers)
    if tag == SECTION_TRAILS:
        return sizeof(PlacedTrail)
    if tag == SECTION_UNFINISHED or tag == SECTION_LIST_SERIAL:
        return sizeof(int64_t)
    if tag == SECTION_LISTS:
        return sizeof(OrderList)
    return sizeof(Allocation) if tag == SECTION_ALLOCATION else conduct_record_bytes(tag)


cdef int load_record(State* s, uint32_t tag, const uint8_t* record) except -1:
    if tag == SECTION_TERMS:
        load_terms(s, <const SlotTerms*> record)
    if tag == SECTION_AUCTION:
        load_auction(s, record)
    if tag == SECTION_ALLOCATION:
        load_allocation(s, record)
    if tag == SECTION_TRIGGERS:
        load_triggers(s, record)
    if tag == SECTION_TRAILS:
        load_trail(s, <const PlacedTrail*> record)
    if tag == SECTION_UNFINISHED:
        s.unfinished = 1
        memcpy(&s.unfinished_ts_ns, record, sizeof(int64_t))
    if tag == SECTION_LISTS:
        load_list(s, record)
    if tag == SECTION_LIST_SERIAL:
        memcpy(&s.list_serial, record, sizeof(uint64_t))
    return load_conduct(s, tag, record)


# --------------------------------------------------------------------------------------------------- terms

cdef uint64_t terms_count(const State* s) noexcept nogil:
    cdef uint64_t count = 0
    cdef uint32_t i
    for i in range(s.slots_used):
        count += has_terms(&s.orders[i])
    return count


cdef uint8_t* save_terms(State* s, uint8_t* target) noexcept nogil:
    cdef uint64_t count = terms_count(s)
    cdef SlotTerms record
    cdef uint32_t i
    if count == 0:
        return target
    target = begin_section(target, SECTION_TERMS, count, sizeof(SlotTerms))
    for i in range(s.slots_used):
        if has_terms(&s.orders[i]):
            record.slot = i
            record.terms = s.terms[i]
            memcpy(target, &record, sizeof(SlotTerms))
            target += sizeof(SlotTerms)
    return target


cdef int load_terms(State* s, const SlotTerms* record) except -1:
    if record.slot >= s.orders_max:
        raise ValueError(f"terms of the snapshot name slot {record.slot}, the engine has {s.orders_max}")
    s.terms[record.slot] = record.terms
    return 0


# --------------------------------------------------------------------------------------------------- phases

cdef uint64_t auction_count(const State* s) noexcept nogil:
    """Instruments that have used something of section 11."""
    cdef uint64_t count = 0
    cdef uint32_t i
    for i in range(1, s.instruments_max):
        count += s.instruments[i].state != 0 and not auction_is_bare(&s.auctions[i])
    return count


cdef uint8_t* save_auctions(State* s, uint8_t* target) noexcept nogil:
    cdef uint64_t count = auction_count(s)
    cdef uint32_t i
    if count == 0:
        return target
    target = begin_section(target, SECTION_AUCTION, count, sizeof(Auction))
    for i in range(1, s.instruments_max):
        if s.instruments[i].state != 0 and not auction_is_bare(&s.auctions[i]):
            memcpy(target, &s.auctions[i], sizeof(Auction))
            target += sizeof(Auction)
    return target


cdef int load_auction(State* s, const uint8_t* record) except -1:
    cdef Auction found
    memcpy(&found, record, sizeof(Auction))
    if not 0 < found.instrument_id < s.instruments_max or s.instruments[found.instrument_id].state == 0:
        raise ValueError(f"phases of the snapshot name instrument {found.instrument_id}, which is not defined")
    s.auctions[found.instrument_id] = found
    return 0


# --------------------------------------------------------------------------------------------------- allocation

cdef uint64_t allocation_count(const State* s) noexcept nogil:
    cdef uint64_t count = 0
    cdef uint32_t i
    for i in range(1, s.instruments_max):
        count += s.allocations[i].instrument_id != 0
    return count


cdef uint8_t* save_allocations(State* s, uint8_t* target) noexcept nogil:
    cdef uint64_t count = allocation_count(s)
    cdef uint32_t i
    if count == 0:
        return target
    target = begin_section(target, SECTION_ALLOCATION, count, sizeof(Allocation))
    for i in range(1, s.instruments_max):
        if s.allocations[i].instrument_id:
            memcpy(target, &s.allocations[i], sizeof(Allocation))
            target += sizeof(Allocation)
    return target


cdef int load_allocation(State* s, const uint8_t* record) except -1:
    cdef Allocation found
    memcpy(&found, record, sizeof(Allocation))
    if not 0 < found.instrument_id < s.instruments_max or s.instruments[found.instrument_id].state == 0:
        raise ValueError(f"an allocation of the snapshot names instrument {found.instrument_id}, which is not defined")
    s.allocations[found.instrument_id] = found
    if not instrument_is_fifo(&found):
        s.instruments[found.instrument_id].special |= SPECIAL_ALLOCATION
    return 0


# --------------------------------------------------------------------------------------------------- triggers

cdef uint64_t triggers_count(const State* s) noexcept nogil:
    cdef uint64_t count = 0
    cdef uint32_t i
    for i in range(1, s.watched_count):
        count += s.triggers[i].instrument_id != 0
    return count


cdef uint64_t trails_count(const State* s) noexcept nogil:
    cdef uint64_t count = 0
    cdef uint32_t i
    for i in range(1, s.watched_count):
        count += s.triggers[i].trail_count
    return count


cdef uint8_t* save_triggers(State* s, uint8_t* target) noexcept nogil:
    """Triggers of the instruments that have used any, trails that have orders, what a command has not finished."""
    cdef uint64_t count = triggers_count(s)
    cdef PlacedTrail record
    cdef uint32_t i, k
    if count:
        target = begin_section(target, SECTION_TRIGGERS, count, sizeof(Triggers))
    for i in range(1, s.watched_count):
        if s.triggers[i].instrument_id:
            memcpy(target, &s.triggers[i], sizeof(Triggers))
            target += sizeof(Triggers)
    count = trails_count(s)
    if count:
        target = begin_section(target, SECTION_TRAILS, count, sizeof(PlacedTrail))
    for i in range(1, s.watched_count):
        for k in range(s.triggers[i].trail_count):
            record.place = <uint64_t> i * TRAILS_MAX + s.triggers[i].trail_order[k]
            record.trail = s.trails[record.place]
            memcpy(target, &record, sizeof(PlacedTrail))
            target += sizeof(PlacedTrail)
    if s.unfinished:
        target = begin_section(target, SECTION_UNFINISHED, 1, sizeof(int64_t))
        memcpy(target, &s.unfinished_ts_ns, sizeof(int64_t))
        target += sizeof(int64_t)
    return target


cdef int load_triggers(State* s, const uint8_t* record) except -1:
    cdef Triggers found
    memcpy(&found, record, sizeof(Triggers))
    if not 0 < found.instrument_id < s.instruments_max or s.instruments[found.instrument_id].state == 0:
        raise ValueError(f"triggers of the snapshot are of instrument {found.instrument_id}, which is not defined")
    s.triggers[found.instrument_id] = found
    s.dormant_orders += found.order_count
    if s.watched_count <= found.instrument_id:
        s.watched_count = found.instrument_id + 1
    return 0


cdef int load_trail(State* s, const PlacedTrail* record) except -1:
    if record.place >= <uint64_t> s.instruments_max * TRAILS_MAX:
        raise ValueError(f"a trail of the snapshot is of instrument {record.place // TRAILS_MAX}, the engine has room for "
                         f"{s.instruments_max - 1}")
    s.trails[record.place] = record.trail
    return 0


# --------------------------------------------------------------------------------------------------- order lists

cdef uint8_t* save_lists(State* s, uint8_t* target) noexcept nogil:
    """Lists that have something to wait for, and the number of lists accepted."""
    if s.list_count:
        target = begin_section(target, SECTION_LISTS, s.list_count, sizeof(OrderList))
        gather_lists(s, <OrderList*> target)
        target += s.list_count * sizeof(OrderList)
    if s.list_serial:
        target = begin_section(target, SECTION_LIST_SERIAL, 1, sizeof(uint64_t))
        memcpy(target, &s.list_serial, sizeof(uint64_t))
        target += sizeof(uint64_t)
    return target


cdef int load_list(State* s, const uint8_t* record) except -1:
    cdef OrderList found
    memcpy(&found, record, sizeof(OrderList))
    return put_list(s, &found)
