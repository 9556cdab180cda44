"""From events to ExecutionReports: who is told of an event, and what."""
from libc.stdint cimport uint8_t, uint32_t

from tradsys.wire.records cimport ExecutionReport


cdef struct Recipient:
    uint32_t session_id    # whom to tell
    uint32_t report_seq    # number of the report in that session, from 1

# Fill up to two recipients, the resting party of a match first; returns how many.
cdef int recipients(const uint8_t* event, Recipient* out) noexcept nogil

# Write the report of an event for its party (index into recipients). 1: written, 0: the event has no report.
cdef int render(const uint8_t* event, int party, int resent, ExecutionReport* out) noexcept nogil
