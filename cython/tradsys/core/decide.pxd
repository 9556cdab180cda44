"""Deciding commands: the rules for orders (sections 3 to 5 of the rule book) and the loop over a batch."""
from libc.stdint cimport int64_t, uint8_t

from tradsys.core.state cimport State

cdef enum:
    # How a batch ended
    BATCH_DONE = 0
    BATCH_SHORT_OF_ROOM = 1             # the next command's events might not fit the buffer
    BATCH_TRUNCATED = 2                 # the last record is not all there
    BATCH_UNKNOWN_TEMPLATE = 3          # not a command
    BATCH_BAD_HEADER = 4                # block length, schema or version differ from ours
    BATCH_BAD_SEQ = 5                   # neither 0 nor last_seq + 1

# Decides records until the batch ends; `consumed` receives the bytes decided. Returns a BATCH_* code.
cdef int decide_batch(State* s, const uint8_t* records, int64_t size_bytes, int64_t* consumed) except -1 nogil
