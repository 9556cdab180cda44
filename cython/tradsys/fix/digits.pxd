"""Dates and times of day as eight bytes at once: YYYYMMDD and HH:MM:SS.

A word holds eight characters as memory has them, the first in the lowest byte. The pairs of a word are its first and second,
third and fourth ... digits as numbers, one in each second byte.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define FIX_ZEROS 0x3030303030303030u
    #define FIX_COLONS 0x00003a00003a0000u
    #define FIX_ZEROS_THERE 0x0000300000300000u
    #define FIX_HIGH 0xf0f0f0f0f0f0f0f0u
    static inline int fix_are_digits(uint64_t w) {
        return ((w & FIX_HIGH) | (((w + 0x0606060606060606u) & FIX_HIGH) >> 4)) == 0x3333333333333333u;
    }
    /* HH:MM:SS with its colons made zeros; 0 when they are not there */
    static inline uint64_t fix_without_colons(uint64_t w) {
        return (w & 0x0000ff0000ff0000u) == FIX_COLONS ? w ^ (FIX_COLONS ^ FIX_ZEROS_THERE) : 0;
    }
    /* the last `count` of eight characters, zeros before them */
    static inline uint64_t fix_last(uint64_t w, int count) {
        uint64_t kept = ~(uint64_t)0 << (8 * (8 - count));
        return (w & kept) | (FIX_ZEROS & ~kept);
    }
    /* eight digits as a number */
    static inline uint32_t fix_number(uint64_t w) {
        w -= FIX_ZEROS;
        w = w * 10 + (w >> 8);
        return (uint32_t)((((w & 0x000000ff000000ffu) * (100 + (UINT64_C(1000000) << 32)))
                           + (((w >> 16) & 0x000000ff000000ffu) * (1 + (UINT64_C(10000) << 32)))) >> 32);
    }
    static inline uint64_t fix_pairs(uint64_t w) { w -= FIX_ZEROS; return w * 10 + (w >> 8); }
    static inline uint32_t fix_pair(uint64_t pairs, int byte) { return (uint32_t)(pairs >> (8 * byte)) & 0xff; }
    """
    bint are_digits "fix_are_digits"(uint64_t word) noexcept nogil
    uint64_t without_colons "fix_without_colons"(uint64_t word) noexcept nogil
    uint64_t last_of "fix_last"(uint64_t word, int count) noexcept nogil
    uint32_t number_of "fix_number"(uint64_t word) noexcept nogil
    uint64_t pairs_of "fix_pairs"(uint64_t word) noexcept nogil
    uint32_t pair "fix_pair"(uint64_t pairs, int byte) noexcept nogil


cdef inline uint64_t word_of(const uint8_t* text) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, text, 8)
    return word


cdef inline uint32_t date_of(const uint8_t* text) noexcept nogil:
    """YYYYMMDD as a number; 0: it is no date."""
    cdef uint64_t word = word_of(text), pairs
    cdef uint32_t year, month, day
    if not are_digits(word):
        return 0
    pairs = pairs_of(word)
    year, month, day = pair(pairs, 0) * 100 + pair(pairs, 2), pair(pairs, 4), pair(pairs, 6)
    if year < 1 or month < 1 or month > 12 or day < 1 or day > 31:
        return 0
    if day > 28:
        if month == 2:
            if day > 29 or year % 4 != 0 or (year % 100 == 0 and year % 400 != 0):
                return 0
        elif day > 30 and (month == 4 or month == 6 or month == 9 or month == 11):
            return 0
    return (year * 100 + month) * 100 + day


cdef inline int64_t second_of_day(const uint8_t* text) noexcept nogil:
    """HH:MM:SS as seconds, the leap second included; -1: it is no time of day."""
    cdef uint64_t word = without_colons(word_of(text)), pairs
    if not are_digits(word):
        return -1
    pairs = pairs_of(word)
    if pair(pairs, 0) > 23 or pair(pairs, 3) > 59 or pair(pairs, 6) > 60:
        return -1
    return <int64_t> pair(pairs, 0) * 3600 + pair(pairs, 3) * 60 + pair(pairs, 6)


cdef inline int64_t fraction_of(const uint8_t* text, int digits) noexcept nogil:
    """A point and 3, 6 or 9 digits behind a time of day as nanoseconds; -1: they are none. Eight bytes lie before them."""
    cdef uint64_t word
    if text[0] != c".":
        return -1
    if digits == 9:
        word = word_of(text + 2)
        if not c"0" <= text[1] <= c"9" or not are_digits(word):
            return -1
        return <int64_t> (text[1] - c"0") * 100_000_000 + number_of(word)
    word = last_of(word_of(text + digits - 7), digits)
    if not are_digits(word):
        return -1
    return <int64_t> number_of(word) * (1000 if digits == 6 else 1_000_000)
