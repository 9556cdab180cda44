"""Deciding the rare commands: cancels of many, sessions, definitions, states (sections 6 and 7 of the rule book)."""
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tradsys.core.allocation cimport set_allocation, set_allocation_share
from tradsys.core.answers cimport (
    command_done, may_operate, operator_reason, refuse, sender_and_participant_reason)
from tradsys.core.cancels cimport cancel_many, room_to_cancel
from tradsys.core.events cimport (
    Command, event_begin, number_command, write_rejected)
from tradsys.core.inspect cimport first_expiry, hash_state
from tradsys.core.ladder cimport ladder_init
from tradsys.core.phases cimport (
    auction_init, auction_timer, publish_nav, set_auction_rules, set_instrument_state, start_call)
from tradsys.core.state cimport (
    SPECIAL_RISK, Account, Instrument, Participant, Session, derive_session, explicit_entitlement,
    next_report_seq)
from tradsys.core.triggers cimport set_mark_price
from tradsys.core.validation cimport (
    all_zero, enabled_sender_reason, instrument_defined, known_sender_reason)
from tradsys.wire.records cimport (
    ASSET_CLASS_COMMODITY, ASSET_CLASS_STOCK, CANCEL_REASON_DISCONNECT, CANCEL_REASON_EXPIRED,
    CANCEL_REASON_MASS_CANCEL, CLOSE_REASON_LOGOUT, CLOSE_REASON_OPERATOR, EVENT_FLAGS_UNSOLICITED,
    INSTRUMENT_STATE_CLOSED, ORDER_FLAGS_KEEP_ON_DISCONNECT, PERMISSION_OPERATE, PERMISSION_TRADE,
    REJECT_REASON_ALREADY_DEFINED, REJECT_REASON_BAD_DEFINITION, REJECT_REASON_BAD_FLAGS, REJECT_REASON_BAD_SIDE,
    REJECT_REASON_NONE, REJECT_REASON_NOT_ALLOWED, REJECT_REASON_NOT_LOGGED_ON, REJECT_REASON_UNKNOWN_INSTRUMENT,
    REJECT_REASON_UNKNOWN_SESSION, RISK_SCOPE_ASSET_CLASS, SIDE_SELL, STP_MODE_NONE, STP_MODE_TRANSFER,
    STP_SCOPE_TRADE_GROUP, TEMPLATE_AUCTION_TIMER, TEMPLATE_CHECKPOINT, TEMPLATE_CHECKPOINT_TAKEN,
    TEMPLATE_CLOSE_SESSION, TEMPLATE_DEFINE_ACCOUNT, TEMPLATE_DEFINE_INSTRUMENT, TEMPLATE_DEFINE_PARTICIPANT,
    TEMPLATE_DEFINE_SESSION, TEMPLATE_EXPIRE_DAY_ORDERS, TEMPLATE_EXPIRE_ORDERS, TEMPLATE_INSTRUMENT_DEFINED,
    TEMPLATE_MASS_CANCEL, TEMPLATE_MASS_CANCELED, TEMPLATE_OPEN_SESSION, TEMPLATE_PUBLISH_NAV,
    TEMPLATE_REFUSE_COMMAND, TEMPLATE_SET_ALLOCATION, TEMPLATE_SET_ALLOCATION_SHARE, TEMPLATE_SET_AUCTION_RULES,
    TEMPLATE_SET_ENTITLEMENT, TEMPLATE_SET_INSTRUMENT_STATE, TEMPLATE_SET_MARK_PRICE, TEMPLATE_START_CALL,
    TIME_IN_FORCE_DAY, TIME_IN_FORCE_GTD, AuctionTimer, Checkpoint, CheckpointTaken, CloseSession, CommandDone,
    DefineAccount, DefineInstrument, DefineParticipant, DefineSession, ExpireDayOrders, ExpireOrders,
    InstrumentDefined, MassCancel, MassCanceled, MessageHeader, OpenSession, PublishNav, RefuseCommand, SetAllocation,
    SetAllocationShare, SetAuctionRules, SetEntitlement, SetInstrumentState, SetMarkPrice, StartCall)

cdef extern from * nogil:
    """
    /* max(|low|, |high|) x qty < 2^63, exactly */
    static inline int tradsys_notional_fits(int64_t low, int64_t high, int64_t qty)
    {
        __int128 magnitude = -(__int128) low > (__int128) high ? -(__int128) low : (__int128) high;
        return magnitude * qty < ((__int128) 1 << 63);
    }
    """
    bint tradsys_notional_fits(int64_t low, int64_t high, int64_t qty)

cdef enum:
    PRICE_TICKS_MAX = 0x1000000000000000    # limits.PRICE_TICKS_MAX, 2^60
    QTY_LOTS_MAX = 0x7FFFFFFFFF             # limits.QTY_LOTS_MAX, 2^39 - 1
    KNOWN_PERMISSIONS = PERMISSION_TRADE | PERMISSION_OPERATE


cdef int decide_admin(State* s, const uint8_t* record) except -1 nogil:
    """Decide a command that is none of NEW, CANCEL, REDUCE and REPLACE_ORDER."""
    cdef uint16_t template_id = (<const MessageHeader*> record).template_id
    if template_id == TEMPLATE_MASS_CANCEL:
        return mass_cancel(s, <const MassCancel*> record)
    if template_id == TEMPLATE_REFUSE_COMMAND:
        return refuse_command(s, <const RefuseCommand*> record)
    if template_id == TEMPLATE_OPEN_SESSION:
        return open_session(s, <const OpenSession*> record)
    if template_id == TEMPLATE_CLOSE_SESSION:
        return close_session(s, <const CloseSession*> record)
    if template_id == TEMPLATE_DEFINE_INSTRUMENT:
        return define_instrument(s, <const DefineInstrument*> record)
    if template_id == TEMPLATE_SET_INSTRUMENT_STATE:
        return set_instrument_state(s, <const SetInstrumentState*> record)
    if template_id == TEMPLATE_DEFINE_PARTICIPANT:
        return define_participant(s, <const DefineParticipant*> record)
    if template_id == TEMPLATE_DEFINE_SESSION:
        return define_session(s, <const DefineSession*> record)
    if template_id == TEMPLATE_DEFINE_ACCOUNT:
        return define_account(s, <const DefineAccount*> record)
    if template_id == TEMPLATE_SET_ENTITLEMENT:
        return set_entitlement(s, <const SetEntitlement*> record)
    if template_id == TEMPLATE_EXPIRE_DAY_ORDERS:
        return expire_day_orders(s, <const ExpireDayOrders*> record)
    if template_id == TEMPLATE_EXPIRE_ORDERS:
        return expire_orders(s, <const ExpireOrders*> record)
    if template_id == TEMPLATE_SET_MARK_PRICE:
        return set_mark_price(s, <const SetMarkPrice*> record)
    if template_id == TEMPLATE_SET_ALLOCATION:
        return set_allocation(s, <const SetAllocation*> record)
    if template_id == TEMPLATE_SET_ALLOCATION_SHARE:
        return set_allocation_share(s, <const SetAllocationShare*> record)
    if template_id == TEMPLATE_SET_AUCTION_RULES:
        return set_auction_rules(s, <const SetAuctionRules*> record)
    if template_id == TEMPLATE_START_CALL:
        return start_call(s, <const StartCall*> record)
    if template_id == TEMPLATE_AUCTION_TIMER:
        return auction_timer(s, <const AuctionTimer*> record)
    if template_id == TEMPLATE_PUBLISH_NAV:
        return publish_nav(s, <const PublishNav*> record)
    assert template_id == TEMPLATE_CHECKPOINT, "the batch loop lets no other template through"
    return checkpoint(s, <const Checkpoint*> record)


# --------------------------------------------------------------------------------------------------- many orders

cdef void write_mass_canceled(State* s, const Command* c, int64_t order_count, uint64_t client_ref,
                              const OrderFilter* wanted, uint32_t participant_id, uint32_t cancel_reason,
                              uint32_t client_seq, uint32_t report_seq) noexcept nogil:
    cdef MassCanceled* e = <MassCanceled*> event_begin(s, TEMPLATE_MASS_CANCELED, c.ts_ns)
    e.order_count = <uint64_t> order_count
    e.client_ref = client_ref
    memset(e.pad, 0, sizeof(e.pad))
    e.instrument_id = wanted.instrument_id
    e.session_id = c.session_id
    memset(e.pad2, 0, sizeof(e.pad2))
    e.report_seq = report_seq
    e.participant_id = participant_id
    e.client_seq = client_seq
    e.cancel_reason = <uint8_t> cancel_reason
    e.side = <uint8_t> wanted.side
    memset(e.pad3, 0, sizeof(e.pad3))
    memset(e.pad4, 0, sizeof(e.pad4))


cdef int mass_cancel(State* s, const MassCancel* c) except -1 nogil:
    """Rule 6.1."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = mass_cancel_reason(s, c)
    cdef OrderFilter wanted
    cdef int64_t count
    if reason:
        number_command(s, command)
        write_rejected(s, command, TEMPLATE_MASS_CANCEL, reason, c.instrument_id, 0, 0, c.side, 0, 0, 0)
        return 1
    memset(&wanted, 0, sizeof(OrderFilter))
    wanted.instrument_id = c.instrument_id
    wanted.session_id = c.target_session_id
    wanted.participant_id = mass_cancel_participant(s, c)
    wanted.account_id = c.target_account_id
    wanted.group_id = c.target_group_id
    wanted.side = c.side
    if c.session_id and wanted.participant_id == s.sessions[c.session_id].participant_id:
        wanted.of_owner = 1
        wanted.now_ns = c.ts_ns
    if not room_to_cancel(s, &wanted):
        return 0
    number_command(s, command)
    count = cancel_many(s, command, &wanted, CANCEL_REASON_MASS_CANCEL, 0)
    write_mass_canceled(s, command, count, c.client_ref, &wanted, wanted.participant_id, CANCEL_REASON_MASS_CANCEL,
                        c.client_seq, next_report_seq(s, c.session_id))
    return 1


cdef uint32_t mass_cancel_participant(const State* s, const MassCancel* c) noexcept nogil:
    """Whose orders are asked for: the one named, the account's, the sender's; 0: everyone's."""
    if c.target_participant_id:
        return c.target_participant_id
    if 0 < c.target_account_id < s.accounts_max and s.accounts[c.target_account_id].participant_id:
        return s.accounts[c.target_account_id].participant_id
    return s.sessions[c.session_id].participant_id if c.target_group_id == 0 else 0


cdef uint8_t mass_cancel_reason(const State* s, const MassCancel* c) noexcept nogil:
    cdef uint8_t reason = known_sender_reason(s, c.session_id)
    if reason:
        return reason
    if c.instrument_id != 0 and not instrument_defined(s, c.instrument_id):
        return REJECT_REASON_UNKNOWN_INSTRUMENT
    if c.side > SIDE_SELL:
        return REJECT_REASON_BAD_SIDE
    if not (all_zero(c.pad, sizeof(c.pad)) and all_zero(c.pad2, sizeof(c.pad2))):
        return REJECT_REASON_BAD_FLAGS
    if may_operate(s, c.session_id):
        return REJECT_REASON_NONE
    if c.target_group_id or mass_cancel_participant(s, c) != s.sessions[c.session_id].participant_id:
        return REJECT_REASON_NOT_ALLOWED
    return REJECT_REASON_NONE


cdef int expire_day_orders(State* s, const ExpireDayOrders* c) except -1 nogil:
    """Rule 6.4."""
    return expire(s, c, TEMPLATE_EXPIRE_DAY_ORDERS, TIME_IN_FORCE_DAY)


cdef int expire_orders(State* s, const ExpireOrders* c) except -1 nogil:
    """Rule 9.19; the command has the layout of EXPIRE_DAY_ORDERS."""
    cdef int done = expire(s, <const ExpireDayOrders*> c, TEMPLATE_EXPIRE_ORDERS, TIME_IN_FORCE_GTD)
    s.first_expiry_ts_ns = first_expiry(s)
    return done


cdef int expire(State* s, const ExpireDayOrders* c, uint16_t template_id, uint32_t time_in_force) except -1 nogil:
    """Cancel the orders of a time in force that have expired."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    cdef OrderFilter wanted
    cdef int64_t count
    if reason == 0 and c.instrument_id != 0 and not instrument_defined(s, c.instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason:
        return refuse(s, command, template_id, reason, c.instrument_id, c.client_ref)
    memset(&wanted, 0, sizeof(OrderFilter))
    wanted.instrument_id = c.instrument_id
    wanted.time_in_force = time_in_force
    wanted.now_ns = c.ts_ns
    if not room_to_cancel(s, &wanted):
        return 0
    number_command(s, command)
    count = cancel_many(s, command, &wanted, CANCEL_REASON_EXPIRED, EVENT_FLAGS_UNSOLICITED)
    write_mass_canceled(s, command, count, c.client_ref, &wanted, 0, CANCEL_REASON_EXPIRED, c.client_seq,
                        next_report_seq(s, c.session_id))
    return 1


# --------------------------------------------------------------------------------------------------- door, sessions

cdef int refuse_command(State* s, const RefuseCommand* c) except -1 nogil:
    """Rule 3.8."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = known_sender_reason(s, c.session_id)
    number_command(s, command)
    write_rejected(s, command, c.refused_template, reason if reason else c.reject_reason, c.instrument_id, 0, 0, 0, 0,
                   c.orig_client_ref, c.order_id)
    return 1


cdef int open_session(State* s, const OpenSession* c) except -1 nogil:
    """Rule 6.3."""
    cdef const Command* command = <const Command*> c
    cdef Session* session
    cdef CommandDone* done
    cdef uint8_t reason = REJECT_REASON_UNKNOWN_SESSION
    if c.session_id != 0:
        reason = enabled_sender_reason(s, c.session_id)
    if reason == 0 and not (all_zero(c.pad, sizeof(c.pad)) and all_zero(c.pad2, sizeof(c.pad2))):
        reason = REJECT_REASON_BAD_FLAGS
    if reason == 0 and (c.reset_client_seq > 1 or c.cancel_on_disconnect > 1):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason == 0 and s.sessions[c.session_id].is_open:
        reason = REJECT_REASON_ALREADY_DEFINED
    if reason:
        return refuse(s, command, TEMPLATE_OPEN_SESSION, reason, 0, 0)
    number_command(s, command)
    session = &s.sessions[c.session_id]
    session.is_open = 1
    session.cancel_on_disconnect = c.cancel_on_disconnect
    if c.reset_client_seq:
        session.last_client_seq = 0
    done = command_done(s, command, TEMPLATE_OPEN_SESSION, 0)
    done.participant_id = session.participant_id
    done.cancel_on_disconnect = c.cancel_on_disconnect
    done.reset_client_seq = c.reset_client_seq
    return 1


cdef int close_session(State* s, const CloseSession* c) except -1 nogil:
    """Rule 6.2."""
    cdef const Command* command = <const Command*> c
    cdef Session* session
    cdef CommandDone* done
    cdef OrderFilter wanted
    cdef int64_t count
    cdef uint8_t reason = close_session_reason(s, c)
    if reason:
        return refuse(s, command, TEMPLATE_CLOSE_SESSION, reason, 0, 0)
    session = &s.sessions[c.session_id]
    memset(&wanted, 0, sizeof(OrderFilter))
    wanted.session_id = c.session_id
    wanted.but_flags = ORDER_FLAGS_KEEP_ON_DISCONNECT
    if session.cancel_on_disconnect and not room_to_cancel(s, &wanted):
        return 0
    number_command(s, command)
    session.is_open = 0
    done = command_done(s, command, TEMPLATE_CLOSE_SESSION, 0)
    done.participant_id = session.participant_id
    done.close_reason = c.close_reason
    if session.cancel_on_disconnect:
        count = cancel_many(s, command, &wanted, CANCEL_REASON_DISCONNECT, EVENT_FLAGS_UNSOLICITED)
        write_mass_canceled(s, command, count, 0, &wanted, session.participant_id, CANCEL_REASON_DISCONNECT, 0, 0)
    return 1


cdef uint8_t close_session_reason(const State* s, const CloseSession* c) noexcept nogil:
    """A defined session that is not open is told so first; closing does not ask whether it is enabled (2.2)."""
    if c.session_id == 0 or known_sender_reason(s, c.session_id):
        return REJECT_REASON_UNKNOWN_SESSION
    if not s.sessions[c.session_id].is_open:
        return REJECT_REASON_NOT_LOGGED_ON
    if not (all_zero(c.pad, sizeof(c.pad)) and all_zero(c.pad2, sizeof(c.pad2))
            and all_zero(c.pad3, sizeof(c.pad3))):
        return REJECT_REASON_BAD_FLAGS
    if c.close_reason < CLOSE_REASON_LOGOUT or c.close_reason > CLOSE_REASON_OPERATOR:
        return REJECT_REASON_BAD_DEFINITION
    return REJECT_REASON_NONE


# --------------------------------------------------------------------------------------------------- definitions

cdef int define_instrument(State* s, const DefineInstrument* c) except -1 nogil:
    """Rules 7.1 and 7.2."""
    cdef const Command* command = <const Command*> c
    cdef Instrument* instrument
    cdef uint32_t i
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    if reason == 0:
        reason = operator_reason(s, c.session_id, c.pad == 0)
    if reason == 0:
        reason = instrument_reason(s, c)
    if reason:
        return refuse(s, command, TEMPLATE_DEFINE_INSTRUMENT, reason, c.instrument_id, c.client_ref)
    number_command(s, command)
    instrument = &s.instruments[c.instrument_id]
    if instrument.state == 0:
        instrument.state = INSTRUMENT_STATE_CLOSED
        auction_init(&s.auctions[c.instrument_id], c.instrument_id)
        for i in range(2):
            ladder_init(&instrument.sides[i], c.instrument_id * 2 + i + 1, i == 0)
    instrument.asset_class = c.asset_class
    instrument.tick_exponent = c.tick_exponent
    instrument.lot_exponent = c.lot_exponent
    memcpy(instrument.symbol, c.symbol, sizeof(c.symbol))
    memcpy(&instrument.currency, c.currency, sizeof(c.currency))
    instrument.tick_mantissa = c.tick_mantissa
    instrument.lot_mantissa = c.lot_mantissa
    instrument.price_increment_ticks = c.price_increment_ticks
    instrument.price_min_ticks = c.price_min_ticks
    instrument.price_max_ticks = c.price_max_ticks
    instrument.price_range = <uint64_t> (c.price_max_ticks - c.price_min_ticks)
    instrument.qty_increment_lots = c.qty_increment_lots
    instrument.qty_min_lots = c.qty_min_lots
    instrument.qty_max_lots = c.qty_max_lots
    instrument.qty_range = <uint64_t> (c.qty_max_lots - c.qty_min_lots)
    if s.risk.holders[<int> RISK_SCOPE_ASSET_CLASS][c.asset_class].has_limits:
        instrument.special |= SPECIAL_RISK
    instrument.increments = c.price_increment_ticks != 1 or c.qty_increment_lots != 1
    write_instrument_defined(s, c, instrument.state)
    return 1


cdef void write_instrument_defined(State* s, const DefineInstrument* c, uint8_t state) noexcept nogil:
    cdef InstrumentDefined* e = <InstrumentDefined*> event_begin(s, TEMPLATE_INSTRUMENT_DEFINED, c.ts_ns)
    e.instrument_id = c.instrument_id
    e.asset_class = c.asset_class
    e.tick_exponent = c.tick_exponent
    e.lot_exponent = c.lot_exponent
    e.state = state
    memcpy(e.symbol, c.symbol, sizeof(e.symbol))
    memcpy(e.currency, c.currency, sizeof(e.currency))
    e.tick_mantissa = c.tick_mantissa
    e.lot_mantissa = c.lot_mantissa
    e.price_increment_ticks = c.price_increment_ticks
    e.price_min_ticks = c.price_min_ticks
    e.price_max_ticks = c.price_max_ticks
    e.qty_increment_lots = c.qty_increment_lots
    e.qty_min_lots = c.qty_min_lots
    e.qty_max_lots = c.qty_max_lots


cdef uint8_t instrument_reason(const State* s, const DefineInstrument* c) noexcept nogil:
    """BAD_DEFINITION (7.1), ALREADY_DEFINED (7.2) or nothing."""
    cdef uint64_t symbol[2]
    cdef uint64_t currency
    cdef const Instrument* known
    cdef uint32_t i
    if not (definition_holds(s, c) and printable(c.symbol, sizeof(c.symbol))
            and printable(c.currency, sizeof(c.currency))):
        return REJECT_REASON_BAD_DEFINITION
    memcpy(symbol, c.symbol, sizeof(symbol))
    memcpy(&currency, c.currency, sizeof(currency))
    for i in range(1, s.instruments_max):
        known = &s.instruments[i]
        if i != c.instrument_id and known.state and known.symbol[0] == symbol[0] and known.symbol[1] == symbol[1]:
            return REJECT_REASON_ALREADY_DEFINED
    known = &s.instruments[c.instrument_id]
    if known.state == 0:
        return REJECT_REASON_NONE
    if (known.asset_class == c.asset_class and known.tick_exponent == c.tick_exponent
            and known.lot_exponent == c.lot_exponent and known.symbol[0] == symbol[0] and known.symbol[1] == symbol[1]
            and known.currency == currency and known.tick_mantissa == c.tick_mantissa
            and known.lot_mantissa == c.lot_mantissa and known.price_increment_ticks == c.price_increment_ticks
            and known.qty_increment_lots == c.qty_increment_lots):
        return REJECT_REASON_NONE
    return REJECT_REASON_ALREADY_DEFINED


cdef bint definition_holds(const State* s, const DefineInstrument* c) noexcept nogil:
    """The numbers of rule 7.1."""
    if c.instrument_id < 1 or c.instrument_id >= s.instruments_max:
        return False
    if c.asset_class < ASSET_CLASS_STOCK or c.asset_class > ASSET_CLASS_COMMODITY:
        return False
    if c.tick_exponent < -18 or c.tick_exponent > 0 or c.lot_exponent < -18 or c.lot_exponent > 0:
        return False
    if c.tick_mantissa < 1 or c.lot_mantissa < 1 or c.price_increment_ticks < 1 or c.qty_increment_lots < 1:
        return False
    if c.price_min_ticks > c.price_max_ticks:
        return False
    if c.price_min_ticks < -<int64_t> PRICE_TICKS_MAX or c.price_max_ticks > <int64_t> PRICE_TICKS_MAX:
        return False
    if c.qty_min_lots < 1 or c.qty_min_lots > c.qty_max_lots or c.qty_max_lots > <int64_t> QTY_LOTS_MAX:
        return False
    return tradsys_notional_fits(c.price_min_ticks, c.price_max_ticks, c.qty_max_lots)


cdef bint printable(const char* text, int64_t size_bytes) noexcept nogil:
    """At least one character, printable ASCII without blanks, NULs behind."""
    cdef int64_t i = 0
    while i < size_bytes and 33 <= text[i] <= 126:
        i += 1
    return i > 0 and all_zero(<const uint8_t*> text + i, size_bytes - i)


cdef int define_participant(State* s, const DefineParticipant* c) except -1 nogil:
    """Rule 7.4."""
    cdef const Command* command = <const Command*> c
    cdef Participant* participant
    cdef CommandDone* done
    cdef uint32_t i
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    if reason == 0:
        reason = operator_reason(s, c.session_id, c.pad == 0 and all_zero(c.pad2, sizeof(c.pad2))
                                 and all_zero(c.pad3, sizeof(c.pad3)))
    if reason == 0 and (c.participant_id < 1 or c.participant_id >= s.participants_max
                        or c.permissions & ~(<uint32_t> KNOWN_PERMISSIONS) or c.enabled > 1
                        or c.stp_mode < STP_MODE_NONE or c.stp_mode > STP_MODE_TRANSFER
                        or c.stp_scope > STP_SCOPE_TRADE_GROUP):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_DEFINE_PARTICIPANT, reason, 0, c.client_ref)
    number_command(s, command)
    participant = &s.participants[c.participant_id]
    participant.defined = 1
    participant.permissions = c.permissions
    participant.stp_mode = c.stp_mode
    participant.stp_scope = c.stp_scope
    participant.enabled = c.enabled
    for i in range(1, s.sessions_max):
        if s.sessions[i].participant_id == c.participant_id:
            derive_session(s, &s.sessions[i])
    done = command_done(s, command, TEMPLATE_DEFINE_PARTICIPANT, c.client_ref)
    done.participant_id = c.participant_id
    done.permissions = c.permissions
    done.stp_mode = c.stp_mode
    done.stp_scope = c.stp_scope
    done.enabled = c.enabled
    return 1


cdef int define_session(State* s, const DefineSession* c) except -1 nogil:
    """Rule 7.4."""
    cdef const Command* command = <const Command*> c
    cdef Session* session
    cdef CommandDone* done
    cdef uint8_t reason = sender_and_participant_reason(s, c.session_id, c.participant_id)
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)) and all_zero(c.pad2, sizeof(c.pad2)))
    if reason == 0 and (c.defined_session_id < 1 or c.defined_session_id >= s.sessions_max or c.enabled > 1):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason == 0:
        session = &s.sessions[c.defined_session_id]
        if session.gate and session.participant_id != c.participant_id:
            reason = REJECT_REASON_ALREADY_DEFINED
    if reason:
        return refuse(s, command, TEMPLATE_DEFINE_SESSION, reason, 0, c.client_ref)
    number_command(s, command)
    session.participant_id = c.participant_id
    session.enabled = c.enabled
    derive_session(s, session)
    done = command_done(s, command, TEMPLATE_DEFINE_SESSION, c.client_ref)
    done.defined_session_id = c.defined_session_id
    done.participant_id = c.participant_id
    done.enabled = c.enabled
    memcpy(done.name, c.name, sizeof(done.name))
    return 1


cdef int define_account(State* s, const DefineAccount* c) except -1 nogil:
    """Rule 7.4."""
    cdef const Command* command = <const Command*> c
    cdef Account* account
    cdef CommandDone* done
    cdef uint8_t reason = sender_and_participant_reason(s, c.session_id, c.participant_id)
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)) and all_zero(c.pad2, sizeof(c.pad2)))
    if reason == 0 and (c.account_id < 1 or c.account_id >= s.accounts_max or c.enabled > 1):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason == 0:
        account = &s.accounts[c.account_id]
        if account.participant_id and account.participant_id != c.participant_id:
            reason = REJECT_REASON_ALREADY_DEFINED
    if reason:
        return refuse(s, command, TEMPLATE_DEFINE_ACCOUNT, reason, 0, c.client_ref)
    number_command(s, command)
    account.participant_id = c.participant_id
    account.enabled = c.enabled
    done = command_done(s, command, TEMPLATE_DEFINE_ACCOUNT, c.client_ref)
    done.account_id = c.account_id
    done.participant_id = c.participant_id
    done.enabled = c.enabled
    return 1


cdef int set_entitlement(State* s, const SetEntitlement* c) except -1 nogil:
    """Rule 7.5."""
    cdef const Command* command = <const Command*> c
    cdef CommandDone* done
    cdef uint64_t word, bit
    cdef uint32_t i
    cdef uint8_t reason = sender_and_participant_reason(s, c.session_id, c.participant_id)
    if reason == 0 and not instrument_defined(s, c.instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)) and all_zero(c.pad2, sizeof(c.pad2)))
    if reason == 0 and c.allowed > 1:
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_ENTITLEMENT, reason, c.instrument_id, c.client_ref)
    number_command(s, command)
    word = <uint64_t> c.participant_id * s.entitled_words + (c.instrument_id >> 6)
    bit = (<uint64_t> 1) << (c.instrument_id & 63)
    if not explicit_entitlement(s, c.participant_id, c.instrument_id):
        s.entitled_set[word] |= bit
        s.instruments[c.instrument_id].explicit_count += 1
        s.participants[c.participant_id].explicit_count += 1
        for i in range(1, s.sessions_max):
            if s.sessions[i].participant_id == c.participant_id:
                derive_session(s, &s.sessions[i])
    s.entitled_value[word] = s.entitled_value[word] | bit if c.allowed else s.entitled_value[word] & ~bit
    done = command_done(s, command, TEMPLATE_SET_ENTITLEMENT, c.client_ref)
    done.participant_id = c.participant_id
    done.instrument_id = c.instrument_id
    done.allowed = c.allowed
    return 1


cdef int checkpoint(State* s, const Checkpoint* c) except -1 nogil:
    """Rule 7.6: the hash is taken with this command, its event and its report counted."""
    cdef const Command* command = <const Command*> c
    cdef CheckpointTaken* e
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason:
        return refuse(s, command, TEMPLATE_CHECKPOINT, reason, 0, c.client_ref)
    number_command(s, command)
    e = <CheckpointTaken*> event_begin(s, TEMPLATE_CHECKPOINT_TAKEN, c.ts_ns)
    memset(&e.state_hash, 0, sizeof(CheckpointTaken) - 32)
    e.client_ref = c.client_ref
    e.live_order_count = s.live_orders
    e.order_serial = s.order_serial
    e.session_id = c.session_id
    e.report_seq = next_report_seq(s, c.session_id)
    e.client_seq = c.client_seq
    e.state_hash = hash_state(s)
    return 1
