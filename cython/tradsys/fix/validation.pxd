"""The full dictionary validation of messages, from tables built once. `tradsys.fix.rules` says what is right.

A gateway asks `validate(message, size, &fault_tag)` of a message that `find_message` found; the answer is the
SessionRejectReason (373) and the tag (371) of the fault `Rules(dictionary, strict).check(parse(message))` finds, or VALID, or
NO_MESSAGE where `parse` raises GarbledError. Afterwards `fields[0:count]` are the message's fields, until the next call.
One thread at a time.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t

from tradsys.fix.fields cimport FixField

cdef enum:
    VALID = -1
    NO_MESSAGE = 100      # garbled: ignored and counted, never answered
    PLACES_MAX = 512      # members of one section

# What one field's value may be.
cdef struct FieldRule:
    int32_t tag
    uint8_t form           # FORM_
    uint8_t part           # PART_ flags: the header, the trailer, none
    uint8_t is_closed      # only listed values
    uint8_t is_list        # several of them, with spaces between
    int32_t words_begin    # values of more than one byte: words[words_begin:words_end]
    int32_t words_end
    uint64_t letters[4]    # values of one byte: bit n for the byte n

# A listed value of more than one byte.
cdef struct Word:
    uint64_t start         # its first eight bytes, zeros behind
    int32_t offset         # in text
    int32_t size           # bytes

# What a field is in a section: header, trailer, body of a message or entry of a group.
cdef struct Place:
    int16_t place          # its order, from 0; -1: no member
    int16_t group          # the section of its entries; -1: it counts none
    uint8_t is_inside      # 1: a member, or one of an entry of a group in it
    uint8_t is_grouped     # 1: one of an entry of a group in it

cdef struct SectionRule:
    const Place* places    # by field_id
    int32_t required_begin # required[required_begin:required_end], the lowest tag first
    int32_t required_end

cdef class Validator:
    # tables, fixed once built
    cdef readonly bint strict
    cdef int32_t field_count       # fields of the dictionary, and one for all others: field_id 0
    cdef uint16_t* field_ids       # by tag, 0 to 65535
    cdef int32_t far_begin         # field_ids from here on have tags beyond
    cdef FieldRule* rules          # by field_id
    cdef Word* words
    cdef uint8_t* text
    cdef int32_t* required         # field_ids
    cdef Place* places             # field_count for each section
    cdef SectionRule* sections     # header, trailer, then the others
    cdef int32_t* types            # by MsgType of one or two bytes: section of its body; 0: there is no such
    cdef dict long_types           # longer MsgTypes: section
    # of the message looked at
    cdef FixField* fields
    cdef int32_t count
    cdef uint64_t round_           # three a message, so that `present` need not be cleared
    cdef uint64_t* present         # by field_id: the part of a message it was last seen in

    # Reads `size` bytes and nothing else. With NO_MESSAGE and reason 11 `fault_tag` says nothing; else it may be 0 or below.
    cdef int validate(self, const uint8_t* message, int64_t size, int* fault_tag) noexcept nogil
    # The same of fields already cut into `self.fields[0:self.count]`.
    cdef int validate_fields(self, const uint8_t* message, int* fault_tag) noexcept nogil
