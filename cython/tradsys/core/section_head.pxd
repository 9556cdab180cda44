"""How a section of a snapshot begins, see sections.pyx."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef struct SectionHead:                # 16 bytes
    uint32_t tag
    uint32_t record_bytes               # a multiple of 8; layouts must agree
    uint64_t record_count


cdef inline uint64_t section_size(uint64_t record_count, uint64_t record_bytes) noexcept nogil:
    return sizeof(SectionHead) + record_count * record_bytes if record_count else 0


cdef inline uint8_t* begin_section(uint8_t* target, uint32_t tag, uint64_t record_count, uint32_t record_bytes) noexcept nogil:
    cdef SectionHead head
    head.tag = tag
    head.record_bytes = record_bytes
    head.record_count = record_count
    memcpy(target, &head, sizeof(SectionHead))
    return target + sizeof(SectionHead)
