"""What a drop copy session is told: the ExecutionReports of every session of its participant, in the order of the log.

The state of the orders followed is the copy's own and lies in its own store, so that what it tells does not depend on how far
the sessions that entered them have been told. The place in the log is event x 2 + party: each report has one, they go up.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.engine cimport Engine
from tradsys.gateways.fix_entry cimport FixEntry
from tradsys.gateways.fix_orders cimport FixOrder, FixOrders
from tradsys.gateways.fix_text cimport FixText
from tradsys.wire.records cimport ExecutionReport


cdef class FixCopies:
    # identity
    cdef readonly uint32_t participant_id
    cdef frozenset accounts            # whose reports; empty: all
    # what it stands between
    cdef Engine engine
    cdef object sequencer
    cdef object door                   # the FixGateway: names of orders
    # the orders followed, as told; their references are the copy's own, counted from 1
    cdef readonly FixOrders orders
    cdef object ended                  # deque of references: orders that have ended and are still known, oldest first
    cdef uint64_t ended_max
    cdef dict unnamed                  # while the whole log is followed: reference here -> session_id, client_ref; else None
    # places in the log
    cdef readonly uint64_t position    # of the report told last
    cdef public uint64_t looked_seq    # events up to here are done

    cdef bint follows(self, uint32_t session_id) noexcept
    # Tell the report of an event for its party unless it was told; 1: a message was sent.
    cdef int tell(self, FixEntry peer, const uint8_t* event, int party, uint32_t session_id, bint is_sent) except -1

    cdef int look(self, FixEntry peer, const uint8_t* event, bint is_sent) except -1
    cdef int forget(self, uint64_t root_ref, uint64_t name_ref, uint64_t previous_ref) except -1
    cdef int end(self, uint64_t root_ref) except -1
    cdef int drop_order(self, uint64_t root_ref) except -1
    cdef int drop(self, uint64_t client_ref) except -1
    cdef bytes text_of(self, uint32_t session_id, uint64_t client_ref)
    cdef FixOrder* enter(self, const uint8_t* event, const ExecutionReport* report, uint32_t session_id) except? NULL
    cdef int enter_terms(self, FixOrder* entry, const uint8_t* event, const ExecutionReport* report, FixOrders others,
                         const FixOrder* request) except -1
    cdef uint64_t name(self, uint64_t root_ref, uint32_t session_id, uint64_t client_ref, uint8_t kind) except? 0
    cdef uint64_t rename(self, uint8_t* event, const ExecutionReport* report, uint32_t session_id, int party,
                         uint64_t* name_ref) except? 0
    cdef int write(self, FixEntry peer, const uint8_t* event, int party, uint32_t session_id, FixOrder* root) except -1
    cdef int keep(self, FixEntry peer, const FixOrder* entry, uint32_t is_new) except -1
