"""Order entry of a FIX session: requests become commands or refusals."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.gateways.fix_orders cimport FixOrder, FixOrders, FixTerms
from tradsys.gateways.fix_outgoing cimport FixOutgoing
from tradsys.gateways.fix_request cimport FixRequest
from tradsys.gateways.fix_symbols cimport FixSymbols


cdef class FixEntry(FixOutgoing):
    cdef FixSymbols symbols
    cdef readonly FixOrders orders
    cdef frozenset permitted           # symbols it may enter and change orders in; empty: all
    cdef readonly int64_t refused

    cdef int terms_of(self, FixOrder* terms, FixTerms* special, const FixRequest* request, const char** sentence) except -1
    cdef uint32_t account_of(self, const FixRequest* request) except? 0
    cdef FixOrder* enter(self, FixRequest* request, uint64_t seq, uint64_t client_ref) except? NULL
    cdef FixOrder* meant(self, const FixRequest* request) noexcept
    # The command of a request, written at `target`; its bytes, 0: refused.
    cdef int new_order(self, FixRequest* request, uint8_t* target) except -1
    cdef int change_order(self, FixRequest* request, uint8_t* target) except -1
    cdef int keeps(self, const FixOrder* root, const FixOrder* terms, const FixTerms* special, const FixRequest* request,
                   const char** sentence) noexcept
    cdef int mass_cancel(self, FixRequest* request, uint8_t* target) except -1
    cdef int refuse(self, const FixRequest* request, int reason, const char* sentence) except -1
