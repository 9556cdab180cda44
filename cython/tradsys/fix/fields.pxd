"""A message cut into its fields: views, nothing is copied. It takes and refuses what `tradsys.fix.message.parse` does.

Offsets are bytes from the message's first one; they live as long as its bytes do.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

cdef enum:
    MESSAGE_BYTES_MAX = 16384   # of one message; a longer one is garbled
    FIELDS_MAX = 5462           # in a message of that size: none is shorter than 1= and SOH
    GARBLED = -1

cdef struct FixField:
    int32_t tag       # 0 or below only where a client sent it so
    int32_t offset    # of the value, bytes
    int32_t size      # of the value, bytes; 0: empty
    int16_t field_id  # the validator's own number of the tag; 0: not in its dictionary
    uint8_t is_passed # the validator passes it over: not of this message, and not strict

# Fields of a whole message, 8 to 10, in order. Their number, or GARBLED. Reads `size` bytes and nothing else.
cdef int read_fields(const uint8_t* message, int64_t size, FixField* out) noexcept nogil
