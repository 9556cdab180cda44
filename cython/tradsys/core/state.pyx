"""Memory of the engine's state."""
from libc.stdint cimport INT64_MAX
from libc.string cimport memset

from tradsys.core.ladder cimport ladder_init, level_pool_give, level_pool_take
from tradsys.core.list_state cimport LISTS_LIMIT
from tradsys.core.memory cimport arena_give, arena_take
from tradsys.core.references cimport refs_give, refs_take
from tradsys.core.risk_state cimport risk_give, risk_take
from tradsys.core.trigger_state cimport TRAILS_MAX
from tradsys.core.venue_state cimport venue_give, venue_take
from tradsys.wire.records cimport (
    PERMISSION_TRADE, RISK_SCOPE_VENUE, STP_MODE_CANCEL_BOTH, STP_SCOPE_PARTICIPANT)

assert sizeof(Session) == 32, "Session must be half a cache line"
assert sizeof(Participant) == 16, "Participant must be 16 bytes"
assert sizeof(Account) == 8, "Account must be 8 bytes"
assert sizeof(Allocation) == 128, "Allocation must be two cache lines"
assert sizeof(Auction) == 128, "Auction must be two cache lines"
assert sizeof(Instrument) == 832, "Instrument must be thirteen cache lines"


cdef int state_take(State* s, int64_t orders_max, int64_t instruments_max, int64_t participants_max,
                    int64_t sessions_max, int64_t accounts_max, int64_t positions_max, uint64_t refs_key) except -1:
    """Reserve everything the capacities can need; `state_give` returns it, also after a failure half way."""
    cdef uint32_t i
    memset(s, 0, sizeof(State))
    s.orders_max = <uint32_t> orders_max
    s.instruments_max = <uint32_t> instruments_max
    s.participants_max = <uint32_t> participants_max
    s.sessions_max = <uint32_t> sessions_max
    s.accounts_max = <uint32_t> accounts_max
    s.entitled_words = <uint32_t> ((instruments_max + 63) // 64)
    s.free_slot = SLOT_NONE
    s.first_expiry_ts_ns = INT64_MAX
    s.orders = <Order*> arena_take(orders_max * sizeof(Order))
    s.sessions = <Session*> arena_take(sessions_max * sizeof(Session))
    s.participants = <Participant*> arena_take(participants_max * sizeof(Participant))
    s.accounts = <Account*> arena_take(accounts_max * sizeof(Account))
    s.instruments = <Instrument*> arena_take(instruments_max * sizeof(Instrument))
    s.allocations = <Allocation*> arena_take(instruments_max * sizeof(Allocation))
    s.triggers = <Triggers*> arena_take(instruments_max * sizeof(Triggers))
    s.trails = <Trail*> arena_take(instruments_max * TRAILS_MAX * sizeof(Trail))
    s.allotted = <int64_t*> arena_take(orders_max * sizeof(int64_t))
    s.auctions = <Auction*> arena_take(instruments_max * sizeof(Auction))
    s.entitled_set = <uint64_t*> arena_take(participants_max * s.entitled_words * sizeof(uint64_t))
    s.entitled_value = <uint64_t*> arena_take(participants_max * s.entitled_words * sizeof(uint64_t))
    s.terms = <Terms*> arena_take(orders_max * sizeof(Terms))
    s.lists_max = <uint32_t> min(max(orders_max // 8, 1), <int64_t> LISTS_LIMIT)
    s.lists = <OrderList*> arena_take(<int64_t> s.lists_max * sizeof(OrderList))
    s.list_of = <uint32_t*> arena_take(orders_max * sizeof(uint32_t))
    level_pool_take(&s.levels, orders_max)
    refs_take(&s.refs, orders_max, refs_key)
    risk_take(&s.risk, orders_max, instruments_max, participants_max, sessions_max, accounts_max, positions_max)
    venue_take(&s.venue, orders_max, instruments_max, participants_max)
    # entry 0 stands for every id that is out of range: its sides must be empty ones
    for i in range(2):
        ladder_init(&s.instruments[0].sides[i], i + 1, i == 0)
    return 0


cdef void state_give(State* s) noexcept nogil:
    """Return all memory."""
    cdef int64_t rows = <int64_t> s.participants_max * s.entitled_words * sizeof(uint64_t)
    arena_give(s.orders, <int64_t> s.orders_max * sizeof(Order))
    arena_give(s.terms, <int64_t> s.orders_max * sizeof(Terms))
    arena_give(s.lists, <int64_t> s.lists_max * sizeof(OrderList))
    arena_give(s.list_of, <int64_t> s.orders_max * sizeof(uint32_t))
    arena_give(s.sessions, <int64_t> s.sessions_max * sizeof(Session))
    arena_give(s.participants, <int64_t> s.participants_max * sizeof(Participant))
    arena_give(s.accounts, <int64_t> s.accounts_max * sizeof(Account))
    arena_give(s.instruments, <int64_t> s.instruments_max * sizeof(Instrument))
    arena_give(s.allocations, <int64_t> s.instruments_max * sizeof(Allocation))
    arena_give(s.triggers, <int64_t> s.instruments_max * sizeof(Triggers))
    arena_give(s.trails, <int64_t> s.instruments_max * TRAILS_MAX * sizeof(Trail))
    arena_give(s.allotted, <int64_t> s.orders_max * sizeof(int64_t))
    arena_give(s.auctions, <int64_t> s.instruments_max * sizeof(Auction))
    arena_give(s.entitled_set, rows)
    arena_give(s.entitled_value, rows)
    level_pool_give(&s.levels)
    refs_give(&s.refs)
    risk_give(&s.risk, s.orders_max)
    venue_give(&s.venue, s.orders_max, s.instruments_max, s.participants_max)
    memset(s, 0, sizeof(State))


cdef void derive_session(State* s, Session* session) noexcept nogil:
    """Bring what a session repeats of its participant up to date."""
    cdef const Participant* participant = &s.participants[session.participant_id]
    session.stp_mode = participant.stp_mode
    session.gate = GATE_DEFINED
    if session.enabled:
        session.gate |= GATE_SESSION
    if participant.enabled:
        session.gate |= GATE_PARTICIPANT
    if participant.permissions & PERMISSION_TRADE and participant.explicit_count == 0:
        session.gate |= GATE_TRADE
    if participant.stp_mode <= STP_MODE_CANCEL_BOTH and participant.stp_scope == STP_SCOPE_PARTICIPANT:
        session.gate |= GATE_STP
    if s.risk.watch[session.participant_id] or s.risk.holders[<int> RISK_SCOPE_VENUE][0].is_killed:
        session.gate |= GATE_RISK


cdef void mark_sessions(State* s, uint32_t participant_id) noexcept nogil:
    cdef uint32_t i
    for i in range(1, s.sessions_max):
        if s.sessions[i].gate and s.sessions[i].participant_id == participant_id:
            s.sessions[i].gate |= GATE_RISK
