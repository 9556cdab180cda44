"""Terms of orders between FIX text and the engine's units: read from a D or G, made a command, told in a report.

A plain order (40=1 or 2, 59 of those that rest, pass or wait for a call, 18=6) is read at once; every other goes through
`read_special`, by one test. Its terms lie beside the order's root (FixOrders.terms_of).
"""
from libc.stdint cimport int32_t, uint8_t

from tradsys.core.state cimport Instrument
from tradsys.gateways.fix_orders cimport FixOrder, FixTerms
from tradsys.gateways.fix_request cimport FixRequest
from tradsys.wire.records cimport OrderAccepted, OrderTermsSet

# What a D or G asks for, in the instrument's units. 0, or RejectReason and the sentence why not. `special` is filled, and
# `terms.has_terms` 1, when the order is not a plain one.
cdef int read_terms(FixOrder* terms, FixTerms* special, const FixRequest* request, const Instrument* instrument,
                    const char** sentence) noexcept nogil
# The command of a new order, but for session and number; how many bytes. `special` may be NULL.
cdef int32_t write_new_order(uint8_t* target, const FixOrder* entry, const FixTerms* special) noexcept nogil
# Why a replace cannot ask for these terms of an order that was entered with `before` (NULL: none); NULL: it can.
cdef const char* changed_terms(const FixOrder* root, const FixTerms* before, const FixOrder* terms, const FixTerms* asked,
                               const FixRequest* request) noexcept nogil
# Whether OrdType of a replace may be this kind: the order's, or the one that J or P with a Price means.
cdef bint is_kind_of(const FixOrder* root, int kind) noexcept nogil
# Fields of an order in a report: quantity, type, price, time in force, instructions, terms. `special` may be NULL.
cdef uint8_t* put_terms(uint8_t* out, const FixOrder* root, const FixTerms* special,
                        const Instrument* instrument) noexcept nogil
# Terms as the engine tells them, for who did not see the request; 0: the order has none.
cdef bint terms_told(FixTerms* out, const OrderAccepted* accepted, const OrderTermsSet* told) noexcept nogil
