"""Phases of an instrument: how one follows another, calls and their ends, price ranges (section 11 of the rule book)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.events cimport Command
from tradsys.core.ladder cimport Ladder
from tradsys.core.state cimport Auction, State
from tradsys.wire.records cimport AuctionTimer, PublishNav, SetAuctionRules, SetInstrumentState, StartCall

# Price ranges of continuous trading (11.15), for instruments whose rules were set.
cdef int64_t key_in_range(const State* s, uint32_t instrument_id, const Ladder* other, int64_t limit_key) noexcept nogil
cdef bint room_for_a_call(State* s, uint32_t instrument_id) noexcept nogil
cdef int interrupt(State* s, const Command* c, uint32_t instrument_id, int64_t price_ticks) except -1 nogil
cdef void note_last_price(State* s, uint32_t instrument_id, const uint8_t* first_event) noexcept nogil

# For circuit breakers: parts of the way from phase to phase.
cdef void drop_plan(Auction* auction) noexcept nogil
cdef int begin_call(State* s, const Command* c, uint32_t instrument_id, uint32_t before) except -1 nogil
cdef void write_phase_changed(State* s, const Command* c, uint32_t instrument_id, uint32_t before,
                              int64_t price_ticks) noexcept nogil

# Commands; 1: decided, 0: the events might not fit the buffer.
cdef int set_instrument_state(State* s, const SetInstrumentState* c) except -1 nogil
cdef int set_auction_rules(State* s, const SetAuctionRules* c) except -1 nogil
cdef int start_call(State* s, const StartCall* c) except -1 nogil
cdef int auction_timer(State* s, const AuctionTimer* c) except -1 nogil
cdef int publish_nav(State* s, const PublishNav* c) except -1 nogil

# The state behind the rules.
cdef void auction_init(Auction* auction, uint32_t instrument_id) noexcept nogil
cdef bint auction_is_bare(const Auction* auction) noexcept nogil             # nothing of section 11 was ever used
cdef uint64_t hash_auction(const State* s, uint64_t h, uint32_t instrument_id) noexcept nogil       # rule 8.6
cdef int check_auction(State* s, uint32_t instrument_id) except -1
