"""Looking at the whole state: its hash (section 8 of the rule book), its invariants, its snapshot."""
from libc.stdint cimport INT64_MAX, uint32_t
from libc.string cimport memcmp, memcpy, memset

from tradsys.core.allocation cimport check_allocations, hash_allocations
from tradsys.core.conduct_image cimport check_conduct, hash_conduct
from tradsys.core.hash cimport hash_start, mix
from tradsys.core.inspect_lists cimport check_lists, hash_lists
from tradsys.core.inspect_triggers cimport check_triggers, hash_order, hash_triggers
from tradsys.core.ladder cimport (
    Ladder, Node, Page, ladder_check, ladder_next_level, level_at, level_key, level_price)
from tradsys.core.order cimport SLOT_BITS, SLOT_NONE, Order, slot_of
from tradsys.core.phases cimport check_auction, hash_auction
from tradsys.core.references cimport REFS_FREE, REFS_PLACES, RefsLine, refs_add, refs_find, refs_home, refs_tag
from tradsys.core.resting cimport key_market
from tradsys.core.risk_image cimport check_risk, hash_risk, load_risk, risk_bytes, save_risk
from tradsys.core.sections cimport load_sections, save_sections, sections_size
from tradsys.core.state cimport (
    GATE_DEFINED, GATE_RISK, SPECIAL_ORDERS, Account, Instrument, Participant, Session, allowed_entitlement, derive_session,
    explicit_entitlement)
from tradsys.core.terms cimport TERMS_BYTES, Terms, has_terms, is_dormant, is_iceberg
from tradsys.core.venue_image cimport check_venue, hash_venue, load_venue, save_venue, venue_bytes
from tradsys.wire.records cimport ORDER_FLAGS_COMPLEX, ORDER_FLAGS_HIDDEN, TIME_IN_FORCE_GTD


# --------------------------------------------------------------------------------------------------- hash

cdef uint64_t hash_state(State* s) noexcept nogil:
    """The hash of section 8: equal states have equal hashes, whatever their memory looks like. O(state)."""
    cdef uint64_t h = hash_start()
    cdef uint32_t slot = s.free_slot, i, side
    h = mix(h, s.last_seq)
    h = mix(h, s.last_event_seq)
    h = mix(h, s.order_serial)
    h = mix(h, s.slots_used)
    while slot != SLOT_NONE:
        h = mix(h, slot)
        slot = s.orders[slot].next_slot
    h = hash_people(s, h)
    for i in range(1, s.instruments_max):
        if s.instruments[i].state:
            h = hash_instrument(s, h, i)
            for side in range(2):
                h = hash_side(s, h, &s.instruments[i].sides[side])
    return hash_conduct(s, hash_venue(s, hash_risk(s, hash_allocations(s, hash_lists(s, hash_triggers(s, hash_terms(s, h)))))))


cdef uint64_t hash_terms(const State* s, uint64_t h) noexcept nogil:
    """Rule 8.4."""
    cdef const uint64_t* words
    cdef const Terms* terms
    cdef uint32_t i, k
    for i in range(1, s.participants_max):
        if s.participants[i].stp_scope:
            h = mix(h, i)
            h = mix(h, s.participants[i].stp_scope)
    for i in range(s.slots_used):
        if not has_terms(&s.orders[i]):
            continue
        terms = &s.terms[i]
        if terms.expire_ts_ns:
            h = mix(h, s.orders[i].order_id)
            h = mix(h, <uint64_t> terms.expire_ts_ns)
        if s.orders[i].order_flags & ORDER_FLAGS_COMPLEX:
            h = mix(h, s.orders[i].order_id)
            words = <const uint64_t*> terms
            for k in range(TERMS_BYTES // 8):
                h = mix(h, words[k])
            h = mix(h, <uint64_t> terms.shown_lots)
            h = mix(h, terms.parts)
    return h


cdef uint64_t hash_people(const State* s, uint64_t h) noexcept nogil:
    """Rule 8.2."""
    cdef const Participant* participant
    cdef const Session* session
    cdef uint32_t i
    for i in range(1, s.participants_max):
        participant = &s.participants[i]
        if participant.defined:
            h = mix(h, i)
            h = mix(h, participant.permissions)
            h = mix(h, participant.stp_mode)
            h = mix(h, participant.enabled)
    for i in range(1, s.sessions_max):
        session = &s.sessions[i]
        if session.gate:
            h = mix(h, i)
            h = mix(h, session.participant_id)
            h = mix(h, session.enabled)
            h = mix(h, session.is_open)
            h = mix(h, session.cancel_on_disconnect)
            h = mix(h, session.last_client_seq)
            h = mix(h, session.last_report_seq)
    for i in range(1, s.accounts_max):
        if s.accounts[i].participant_id:
            h = mix(h, i)
            h = mix(h, s.accounts[i].participant_id)
            h = mix(h, s.accounts[i].enabled)
    return h


cdef uint64_t hash_instrument(const State* s, uint64_t h, uint32_t instrument_id) noexcept nogil:
    """Rule 8.3 up to the books."""
    cdef const Instrument* instrument = &s.instruments[instrument_id]
    cdef uint32_t i
    h = mix(h, instrument_id)
    h = mix(h, instrument.state)
    h = mix(h, instrument.asset_class)
    h = mix(h, <uint64_t> <int64_t> instrument.tick_exponent)
    h = mix(h, <uint64_t> <int64_t> instrument.lot_exponent)
    h = mix(h, instrument.symbol[0])
    h = mix(h, instrument.symbol[1])
    h = mix(h, instrument.currency)
    h = mix(h, <uint64_t> instrument.tick_mantissa)
    h = mix(h, <uint64_t> instrument.lot_mantissa)
    h = mix(h, <uint64_t> instrument.price_increment_ticks)
    h = mix(h, <uint64_t> instrument.price_min_ticks)
    h = mix(h, <uint64_t> instrument.price_max_ticks)
    h = mix(h, <uint64_t> instrument.qty_increment_lots)
    h = mix(h, <uint64_t> instrument.qty_min_lots)
    h = mix(h, <uint64_t> instrument.qty_max_lots)
    if instrument.explicit_count:
        for i in range(1, s.participants_max):
            if explicit_entitlement(s, i, instrument_id):
                h = mix(h, i)
                h = mix(h, allowed_entitlement(s, i, instrument_id))
    return hash_auction(s, h, instrument_id)


cdef uint64_t hash_side(State* s, uint64_t h, Ladder* ladder) noexcept nogil:
    """The orders of a side: best level first, each in priority."""
    cdef uint32_t level = ladder.best_level, slot
    cdef uint64_t price
    while level:
        price = 0 if level_key(&s.levels, level) == key_market() else <uint64_t> level_price(&s.levels, ladder, level)
        slot = level_at(&s.levels, level).head_slot
        while slot != SLOT_NONE:
            h = hash_order(h, &s.orders[slot], price)
            slot = s.orders[slot].next_slot
        level = ladder_next_level(&s.levels, level)
    return h


# --------------------------------------------------------------------------------------------------- invariants

cdef int check_state(State* s) except -1:
    """Walk everything; see the docstring of Engine for what holds.

    Raises
    ------
    AssertionError
        With a sentence on the first thing that does not hold.
    """
    cdef uint32_t i
    cdef int64_t resting = 0, pages = 0
    for i in range(s.instruments_max):
        if s.instruments[i].state or i == 0:
            resting += check_book(s, i, &pages)
    resting += check_triggers(s, &pages)
    if resting != <int64_t> s.live_orders:
        raise AssertionError(f"{resting} orders rest on the books or are dormant, {s.live_orders} are counted")
    if pages != <int64_t> s.levels.page_count:
        raise AssertionError(f"{pages} pages belong to books, {s.levels.page_count} are counted")
    check_slots(s)
    check_specials(s)
    check_references(s)
    check_sessions(s)
    check_allocations(s)
    check_risk(s)
    check_venue(s)
    check_conduct(s)
    check_lists(s)
    return 0


cdef int64_t check_book(State* s, uint32_t instrument_id, int64_t* pages) except -1:
    """Both sides of an instrument; returns their orders, adds up their pages."""
    cdef Instrument* instrument = &s.instruments[instrument_id]
    cdef int64_t orders = 0
    cdef uint32_t side, page
    for side in range(2):
        if instrument.sides[side].owner != instrument_id * 2 + side + 1:
            raise AssertionError(f"side {side + 1} of instrument {instrument_id} has lost its mark")
        orders += ladder_check(&s.levels, &instrument.sides[side], s.orders)
        page = instrument.sides[side].first_page
        while page:
            pages[0] += 1
            page = s.levels.pages[page].next_page
    if instrument.state:
        check_auction(s, instrument_id)
    return orders


cdef int check_slots(State* s) except -1:
    """Every slot ever used is live or in the free list, once; ids name their slots."""
    cdef uint32_t slot, live = 0, freed = 0
    cdef Order* order
    for slot in range(s.slots_used):
        order = &s.orders[slot]
        if order.order_id == 0:
            continue
        live += 1
        if slot_of(order.order_id) != slot or order.order_id >> SLOT_BITS > s.order_serial:
            raise AssertionError(f"slot {slot} holds order id {order.order_id}")
        if is_dormant(order):
            continue
        if order.level == 0 or order.leaves_lots < 1 or order.leaves_lots > order.qty_lots:
            raise AssertionError(f"order {order.order_id} rests nowhere or has {order.leaves_lots} of {order.qty_lots} lots")
        if s.levels.pages[order.level >> 4].owner != order.instrument_id * 2 + (order.traits & 0xFF):
            raise AssertionError(f"order {order.order_id} rests on another book")
    slot = s.free_slot
    while slot != SLOT_NONE:
        if slot >= s.slots_used or s.orders[slot].order_id or freed >= s.slots_used:
            raise AssertionError(f"slot {slot} does not belong in the free list")
        freed += 1
        slot = s.orders[slot].next_slot
    if live != s.live_orders or live + freed != s.slots_used:
        raise AssertionError(f"{live} slots live, {freed} free, {s.slots_used} used, {s.live_orders} orders counted")
    if s.first_expiry_ts_ns > first_expiry(s):
        raise AssertionError(f"a GTD order expires at {first_expiry(s)}, none is said to before {s.first_expiry_ts_ns}")
    return 0


cdef int64_t first_expiry(const State* s) noexcept nogil:
    cdef int64_t first = INT64_MAX
    cdef uint32_t slot
    for slot in range(s.slots_used):
        if (s.orders[slot].order_id and (s.orders[slot].traits >> 16 & 0xFF) == TIME_IN_FORCE_GTD
                and s.terms[slot].expire_ts_ns < first):
            first = s.terms[slot].expire_ts_ns
    return first


cdef int check_specials(State* s) except -1:
    """Hidden orders stand last in their levels, which know the first; icebergs show a part; instruments count both."""
    cdef uint32_t i, shown
    cdef Order* order
    cdef Order* before
    counts = {}
    for i in range(s.slots_used):
        order = &s.orders[i]
        if order.order_id == 0 or is_dormant(order):
            continue
        before = &s.orders[order.prev_slot] if order.prev_slot != SLOT_NONE else NULL
        shown = before == NULL or not before.order_flags & ORDER_FLAGS_HIDDEN
        if order.order_flags & ORDER_FLAGS_HIDDEN:
            if shown != (level_at(&s.levels, order.level).hidden == i + 1):
                raise AssertionError(f"the level of hidden order {order.order_id} does not know its first hidden order")
        elif not shown:
            raise AssertionError(f"order {order.order_id} stands behind a hidden order")
        if is_iceberg(order, &s.terms[i]):
            if not 0 < s.terms[i].shown_lots <= order.leaves_lots:
                raise AssertionError(f"order {order.order_id} shows {s.terms[i].shown_lots} of {order.leaves_lots} lots")
        if order.order_flags & ORDER_FLAGS_HIDDEN or is_iceberg(order, &s.terms[i]):
            counts[order.instrument_id] = counts.get(order.instrument_id, 0) + 1
    for i in range(s.instruments_max):
        if s.instruments[i].special_orders != counts.get(i, 0) or (
                s.instruments[i].special & SPECIAL_ORDERS != 0) != (i in counts):
            raise AssertionError(f"instrument {i} counts {s.instruments[i].special_orders} special orders, "
                                 f"has {counts.get(i, 0)}")
    return 0


cdef int check_references(State* s) except -1:
    """Every live order is found by its reference, and the table holds nothing else."""
    cdef uint32_t i, place, count = 0
    cdef int64_t passages = 0
    cdef const RefsLine* line
    cdef Order* order
    for i in range(s.slots_used):
        order = &s.orders[i]
        if order.order_id and refs_find(&s.refs, s.orders, refs_tag(&s.refs, order.session_id, order.client_ref),
                                        order.session_id, order.client_ref) != i + 1:
            raise AssertionError(f"order {order.order_id} is not found by its reference {order.client_ref}")
    for i in range(s.refs.line_count):
        line = &s.refs.lines[i]
        passages -= line.passed
        for place in range(<uint32_t> REFS_PLACES):
            if line.tags[place] != REFS_FREE:
                count += 1
                passages += (i + s.refs.line_count - refs_home(&s.refs, line.tags[place])) % s.refs.line_count
    if passages != 0:
        raise AssertionError(f"the lines of references count {-passages} passages too many")
    if count != s.live_orders:
        raise AssertionError(f"{count} references for {s.live_orders} live orders")
    return 0


cdef int check_sessions(State* s) except -1:
    """Sessions count their live orders and repeat their participant's settings."""
    cdef uint32_t i
    cdef const Session* session
    counts = {}
    for i in range(s.slots_used):
        if s.orders[i].order_id:
            counts[s.orders[i].session_id] = counts.get(s.orders[i].session_id, 0) + 1
    for i in range(s.sessions_max):
        session = &s.sessions[i]
        if session.live_orders != counts.get(i, 0):
            raise AssertionError(f"session {i} counts {session.live_orders} live orders, has {counts.get(i, 0)}")
        if session.gate and (not session.gate & GATE_DEFINED or not s.participants[session.participant_id].defined
                             or session.stp_mode != s.participants[session.participant_id].stp_mode):
            raise AssertionError(f"session {i} does not fit participant {session.participant_id}")
    return 0


# --------------------------------------------------------------------------------------------------- snapshot

cdef enum:
    SNAPSHOT_VERSION = 2                # 1 had no sections behind the entitlements and loads as well

cdef struct SnapshotHead:               # 168 bytes, then the arrays in the order of the counts, entitlements, sections
    char magic[8]
    uint32_t version
    uint32_t record_sizes               # of Order, Page, Node, ...: folded; layouts must agree
    uint64_t size_bytes                 # of the whole snapshot
    uint64_t state_hash
    uint64_t last_seq
    uint64_t last_event_seq
    uint64_t order_serial
    uint64_t entitlement_count
    uint64_t refs_key                   # of the tags in the orders
    uint64_t image_hash                 # of all bytes of the snapshot, with 0 here
    uint32_t slots_used
    uint32_t free_slot
    uint32_t live_orders
    uint32_t pages_used
    uint32_t nodes_used
    uint32_t free_page
    uint32_t free_node
    uint32_t page_count
    uint32_t node_count
    uint32_t sessions_count             # highest id defined + 1, and so on
    uint32_t participants_count
    uint32_t accounts_count
    uint32_t instruments_count
    uint32_t spare
    uint64_t sections_bytes
    uint32_t risk_words                 # 8-byte words of the part on risk, behind the sections
    uint32_t venue_words                # of the part on fees, behind that
    uint32_t spare2[4]

cdef struct SnapshotEntitlement:        # 12 bytes
    uint32_t participant_id
    uint32_t instrument_id
    uint32_t allowed


cdef uint32_t record_sizes() noexcept nogil:
    return <uint32_t> (sizeof(Order) | sizeof(Page) << 7 ^ sizeof(Node) << 11 ^ sizeof(Session) << 15
                       ^ sizeof(Participant) << 18 ^ sizeof(Account) << 21 ^ sizeof(Instrument) << 20)


cdef void fill_head(State* s, SnapshotHead* head) noexcept nogil:
    """All of the head but the state hash."""
    memset(head, 0, sizeof(SnapshotHead))
    memcpy(head.magic, b"TRADSNAP", 8)
    head.version = SNAPSHOT_VERSION
    head.record_sizes = record_sizes()
    head.last_seq = s.last_seq
    head.last_event_seq = s.last_event_seq
    head.order_serial = s.order_serial
    head.refs_key = s.refs.key
    head.slots_used = s.slots_used
    head.free_slot = s.free_slot
    head.live_orders = s.live_orders
    head.pages_used = s.levels.pages_used
    head.nodes_used = s.levels.nodes_used
    head.free_page = s.levels.free_page
    head.free_node = s.levels.free_node
    head.page_count = s.levels.page_count
    head.node_count = s.levels.node_count
    count_definitions(s, head)
    head.sections_bytes = sections_size(s)
    head.risk_words = <uint32_t> (risk_bytes(s) // 8)
    head.venue_words = <uint32_t> (venue_bytes(s) // 8)
    head.size_bytes = size_by_counts(head)


cdef uint64_t size_by_counts(const SnapshotHead* head) noexcept nogil:
    """Bytes of a snapshot with the counts of its head; the counts are below 2^32, entitlements below 2^40."""
    return (sizeof(SnapshotHead) + <uint64_t> head.slots_used * sizeof(Order)
            + <uint64_t> head.pages_used * sizeof(Page) + <uint64_t> head.nodes_used * sizeof(Node)
            + <uint64_t> head.sessions_count * sizeof(Session)
            + <uint64_t> head.participants_count * sizeof(Participant)
            + <uint64_t> head.accounts_count * sizeof(Account)
            + <uint64_t> head.instruments_count * sizeof(Instrument)
            + head.entitlement_count * sizeof(SnapshotEntitlement) + head.sections_bytes
            + <uint64_t> head.risk_words * 8 + <uint64_t> head.venue_words * 8)


cdef uint64_t hash_image(const uint8_t* image, uint64_t size_bytes) noexcept nogil:
    """Hash of a snapshot's bytes behind its head, four words side by side; finds damage, proves no origin."""
    cdef uint64_t lanes[4]
    cdef uint64_t words[4]
    cdef uint64_t at = 0, h = size_bytes
    cdef int i
    for i in range(4):
        lanes[i] = i
    while at + 32 <= size_bytes:
        memcpy(words, image + at, 32)
        for i in range(4):
            lanes[i] = mix(lanes[i], words[i])
        at += 32
    memset(words, 0, 32)
    memcpy(words, image + at, size_bytes - at)
    for i in range(4):
        h = mix(h, mix(lanes[i], words[i]))
    return h


cdef uint64_t hash_snapshot(const SnapshotHead* head, const uint8_t* sections, uint64_t size_bytes) noexcept nogil:
    """Hash of a whole snapshot: its head with no image hash in it, then its sections."""
    cdef SnapshotHead bare = head[0]
    bare.image_hash = 0
    return mix(hash_image(<const uint8_t*> &bare, sizeof(SnapshotHead)), hash_image(sections, size_bytes))


cdef void count_definitions(State* s, SnapshotHead* head) noexcept nogil:
    cdef uint32_t i
    head.sessions_count = head.participants_count = head.accounts_count = head.instruments_count = 1
    for i in range(1, s.sessions_max):
        if s.sessions[i].gate:
            head.sessions_count = i + 1
    for i in range(1, s.participants_max):
        if s.participants[i].defined:
            head.participants_count = i + 1
            head.entitlement_count += s.participants[i].explicit_count
    for i in range(1, s.accounts_max):
        if s.accounts[i].participant_id:
            head.accounts_count = i + 1
    for i in range(1, s.instruments_max):
        if s.instruments[i].state:
            head.instruments_count = i + 1


cdef int64_t snapshot_bytes(State* s) noexcept nogil:
    """Bytes save_state() writes now."""
    cdef SnapshotHead head
    fill_head(s, &head)
    return <int64_t> head.size_bytes


cdef uint8_t* put(uint8_t* target, const void* source, uint64_t size_bytes) noexcept nogil:
    memcpy(target, source, size_bytes)
    return target + size_bytes


cdef const uint8_t* get(void* target, const uint8_t* source, uint64_t size_bytes) noexcept nogil:
    memcpy(target, source, size_bytes)
    return source + size_bytes


cdef int64_t save_state(State* s, uint8_t* target, bint hashed) except -1 nogil:
    """Copy the state, as much of each array as is in use; returns the bytes written.

    `hashed` tells the state hash too, for load_state to compare. It walks every order in priority, which takes several times
    as long as the copy.
    """
    cdef SnapshotHead head
    cdef SnapshotEntitlement entitlement
    cdef uint8_t* p = target
    cdef uint32_t i, j
    fill_head(s, &head)
    head.state_hash = hash_state(s) if hashed else 0
    p = put(p, &head, sizeof(SnapshotHead))
    p = put(p, s.orders, <uint64_t> head.slots_used * sizeof(Order))
    p = put(p, s.levels.pages, <uint64_t> head.pages_used * sizeof(Page))
    p = put(p, s.levels.nodes, <uint64_t> head.nodes_used * sizeof(Node))
    p = put(p, s.sessions, <uint64_t> head.sessions_count * sizeof(Session))
    p = put(p, s.participants, <uint64_t> head.participants_count * sizeof(Participant))
    p = put(p, s.accounts, <uint64_t> head.accounts_count * sizeof(Account))
    p = put(p, s.instruments, <uint64_t> head.instruments_count * sizeof(Instrument))
    for i in range(1, head.participants_count):
        if s.participants[i].explicit_count:
            for j in range(1, head.instruments_count):
                if explicit_entitlement(s, i, j):
                    entitlement.participant_id = i
                    entitlement.instrument_id = j
                    entitlement.allowed = allowed_entitlement(s, i, j)
                    p = put(p, &entitlement, sizeof(SnapshotEntitlement))
    p = save_sections(s, p)
    p += save_risk(s, p)
    p += save_venue(s, p)
    assert p - target == <int64_t> head.size_bytes
    head.image_hash = hash_snapshot(&head, target + sizeof(SnapshotHead), head.size_bytes - sizeof(SnapshotHead))
    put(target, &head, sizeof(SnapshotHead))
    return p - target


cdef int load_state(State* s, const uint8_t* source, int64_t size_bytes) except -1:
    """Fill a fresh state from a snapshot; its capacities may be larger than those of the engine that saved it.

    Raises
    ------
    ValueError
        When the bytes are no snapshot of this layout, do not fit, or do not have the hash they claim.
    """
    cdef uint32_t gate
    cdef SnapshotHead head
    cdef SnapshotEntitlement entitlement
    cdef const uint8_t* p = source
    cdef uint64_t i, _i, word
    if s.last_seq or s.slots_used:
        raise ValueError("a snapshot is loaded into a fresh engine only")
    if size_bytes < <int64_t> sizeof(SnapshotHead):
        raise ValueError(f"a snapshot has at least {sizeof(SnapshotHead)} bytes, was {size_bytes}")
    p = get(&head, p, sizeof(SnapshotHead))
    check_head(s, &head, size_bytes)
    if hash_snapshot(&head, p, <uint64_t> size_bytes - sizeof(SnapshotHead)) != head.image_hash:
        raise ValueError("the snapshot is damaged: its bytes do not have the hash its head says")
    p = get(s.orders, p, <uint64_t> head.slots_used * sizeof(Order))
    p = get(s.levels.pages, p, <uint64_t> head.pages_used * sizeof(Page))
    p = get(s.levels.nodes, p, <uint64_t> head.nodes_used * sizeof(Node))
    p = get(s.sessions, p, <uint64_t> head.sessions_count * sizeof(Session))
    p = get(s.participants, p, <uint64_t> head.participants_count * sizeof(Participant))
    p = get(s.accounts, p, <uint64_t> head.accounts_count * sizeof(Account))
    p = get(s.instruments, p, <uint64_t> head.instruments_count * sizeof(Instrument))
    for _i in range(head.entitlement_count):
        p = get(&entitlement, p, sizeof(SnapshotEntitlement))
        if entitlement.participant_id >= s.participants_max or entitlement.instrument_id >= s.instruments_max:
            raise ValueError("an entitlement of the snapshot names an id out of range")
        word = <uint64_t> entitlement.participant_id * s.entitled_words + (entitlement.instrument_id >> 6)
        s.entitled_set[word] |= (<uint64_t> 1) << (entitlement.instrument_id & 63)
        if entitlement.allowed:
            s.entitled_value[word] |= (<uint64_t> 1) << (entitlement.instrument_id & 63)
    load_sections(s, p, head.sections_bytes)
    load_risk(s, p + head.sections_bytes, <int64_t> head.risk_words * 8)
    load_venue(s, p + head.sections_bytes + <uint64_t> head.risk_words * 8, <int64_t> head.venue_words * 8)
    take_head(s, &head)
    s.first_expiry_ts_ns = first_expiry(s)
    for i in range(1, s.sessions_max):
        gate = s.sessions[i].gate
        if gate:
            derive_session(s, &s.sessions[i])
            s.sessions[i].gate |= gate & GATE_RISK      # a switch that is off again leaves it
    for i in range(s.slots_used):
        if s.orders[i].order_id:
            refs_add(&s.refs, s.orders[i].ref_tag, <uint32_t> i)
    if head.state_hash != 0 and hash_state(s) != head.state_hash:
        raise ValueError(f"the snapshot's state has the hash {hash_state(s):#018x}, its head says {head.state_hash:#018x}")
    return 0


cdef int check_head(const State* s, const SnapshotHead* head, int64_t size_bytes) except -1:
    """Refuse what is no snapshot of ours, or does not fit the capacities."""
    if memcmp(head.magic, b"TRADSNAP", 8) != 0:
        raise ValueError("not a snapshot: it does not begin with TRADSNAP")
    if not 1 <= head.version <= SNAPSHOT_VERSION or head.record_sizes != record_sizes():
        raise ValueError(f"snapshot version must be 1 to {SNAPSHOT_VERSION} with record sizes {record_sizes():#x}, "
                         f"was {head.version} with {head.record_sizes:#x}")
    if <int64_t> head.size_bytes != size_bytes:
        raise ValueError(f"the snapshot says it has {head.size_bytes} bytes, was {size_bytes}")
    if head.entitlement_count > <uint64_t> s.participants_max * s.instruments_max:
        raise ValueError(f"the snapshot says it has {head.entitlement_count} entitlements, the engine has no room for them")
    if head.sections_bytes > head.size_bytes or size_by_counts(head) != head.size_bytes:
        raise ValueError(f"the snapshot's counts need {size_by_counts(head)} bytes, it has {head.size_bytes}")
    for what, need, capacity in (
            ("orders", head.slots_used, s.orders_max), ("pages", head.pages_used, s.levels.pages_max),
            ("nodes", head.nodes_used, s.levels.nodes_max), ("sessions", head.sessions_count, s.sessions_max),
            ("participants", head.participants_count, s.participants_max),
            ("accounts", head.accounts_count, s.accounts_max),
            ("instruments", head.instruments_count, s.instruments_max)):
        if need > capacity:
            raise ValueError(f"the snapshot needs room for {need} {what}, the engine has {capacity}")
    return 0


cdef void take_head(State* s, const SnapshotHead* head) noexcept nogil:
    s.refs.key = head.refs_key
    s.last_seq = head.last_seq
    s.last_event_seq = head.last_event_seq
    s.order_serial = head.order_serial
    s.slots_used = head.slots_used
    s.free_slot = head.free_slot
    s.live_orders = head.live_orders
    s.levels.pages_used = head.pages_used
    s.levels.nodes_used = head.nodes_used
    s.levels.free_page = head.free_page
    s.levels.free_node = head.free_node
    s.levels.page_count = head.page_count
    s.levels.node_count = head.node_count
