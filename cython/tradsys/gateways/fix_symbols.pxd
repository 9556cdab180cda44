"""Symbols of the engine's instruments, found by their text."""
from libc.stdint cimport int32_t, uint32_t

from tradsys.core.engine cimport Engine
from tradsys.core.state cimport Instrument
from tradsys.gateways.fix_text cimport FixText


cdef class FixSymbols:
    cdef Engine engine
    cdef int32_t* slots           # open addressing: instrument ids, 0: empty
    cdef uint32_t mask
    cdef uint32_t defined         # instruments in the table

    cdef uint32_t find(self, FixText symbol) noexcept nogil      # instrument_id, 0: there is none
    cdef const Instrument* at(self, uint32_t instrument_id) noexcept nogil   # NULL: not defined
    cdef void load(self) noexcept nogil                           # take in what has been defined since
