"""Sections of a snapshot: a head, then `record_count` records of `record_bytes`. A section without records is not written,
so that a venue that uses nothing of it saves what it always saved."""
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from tradsys.core.phases cimport auction_init, auction_is_bare
from tradsys.core.state cimport SPECIAL_ALLOCATION, Allocation, Auction, instrument_is_fifo
from tradsys.core.terms cimport Terms, has_terms

cdef enum SectionTag:
    SECTION_TERMS = 2
    SECTION_AUCTION = 3
    SECTION_ALLOCATION = 4

cdef struct SlotTerms:                  # 136 bytes
    uint64_t slot
    Terms terms

cdef struct SectionHead:                # 16 bytes
    uint32_t tag
    uint32_t record_bytes               # a multiple of 8; layouts must agree
    uint64_t record_count


cdef uint64_t section_size(uint64_t record_count, uint64_t record_bytes) noexcept nogil:
    return sizeof(SectionHead) + record_count * record_bytes if record_count else 0


cdef uint8_t* begin_section(uint8_t* target, uint32_t tag, uint64_t record_count, uint32_t record_bytes) noexcept nogil:
    cdef SectionHead head
    head.tag = tag
    head.record_bytes = record_bytes
    head.record_count = record_count
    memcpy(target, &head, sizeof(SectionHead))
    return target + sizeof(SectionHead)


cdef uint64_t sections_size(State* s) noexcept nogil:
    """Bytes save_sections() writes now."""
    return (section_size(terms_count(s), sizeof(SlotTerms)) + section_size(auction_count(s), sizeof(Auction))
            + section_size(allocation_count(s), sizeof(Allocation)))


cdef uint8_t* save_sections(State* s, uint8_t* target) noexcept nogil:
    return save_allocations(s, save_auctions(s, save_terms(s, target)))


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
    return sizeof(Allocation) if tag == SECTION_ALLOCATION else 0


cdef int load_record(State* s, uint32_t tag, const uint8_t* record) except -1:
    if tag == SECTION_TERMS:
        load_terms(s, <const SlotTerms*> record)
    if tag == SECTION_AUCTION:
        load_auction(s, record)
    if tag == SECTION_ALLOCATION:
        load_allocation(s, record)
    return 0


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
