"""The order table of one FIX session."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

cimport cython

from tradsys.gateways.fix_text cimport FixText
from tradsys.wire.records cimport (
    MessageHeader, ORDER_TYPE_MARKET_TO_LIMIT, OrderAccepted, OrderCanceled, OrderExecuted, OrderReduced, OrderRejected,
    OrderReplaced, OrderTriggered, TEMPLATE_FEE_CHARGED, TEMPLATE_NEW_COMPLEX_ORDER, TEMPLATE_NEW_ORDER,
    TEMPLATE_ORDER_ACCEPTED, TEMPLATE_ORDER_CANCELED, TEMPLATE_ORDER_EXECUTED, TEMPLATE_ORDER_REDUCED,
    TEMPLATE_ORDER_REJECTED, TEMPLATE_ORDER_RELEASED, TEMPLATE_ORDER_REPLACED, TEMPLATE_ORDER_TRANSFERRED,
    TEMPLATE_ORDER_TRIGGERED, TEMPLATE_TRADE_CORRECTED,
)

cdef enum:
    CAPACITY_BEGIN = 1024
    SKIPS_MAX = 4096       # live orders stepped over for one fresh entry


@cython.final
cdef class FixOrders:
    """ClOrdIDs, references and orders of one session.

    A reference is found in entry client_ref modulo capacity and nowhere else; each ClOrdID of an entry is found by
    its text, and no text is in two entries; a root that was accepted is also found by the engine's OrderID. A live
    order's root is never overwritten; everything else is, oldest first, when the table is full.

    Parameters
    ----------
    capacity_max : int
        Entries at most, a power of two; the table begins small and doubles.
    """

    def __cinit__(self, uint32_t capacity_max):
        if capacity_max < 2 or capacity_max & (capacity_max - 1):
            raise ValueError(f"capacity_max must be a power of two, was {capacity_max}")
        self.capacity_max = capacity_max
        self.capacity = min(<uint32_t> CAPACITY_BEGIN, capacity_max)
        self.next_ref = 1
        self.foreign = {}
        self.entries = <FixOrder*> calloc(self.capacity, sizeof(FixOrder))
        self.slots = <int32_t*> calloc(2 * self.capacity, sizeof(int32_t))
        self.ids = <int32_t*> calloc(2 * self.capacity, sizeof(int32_t))
        if not (self.entries and self.slots and self.ids):
            raise MemoryError("no memory for a FIX order table")

    def __dealloc__(self):
        free(self.entries)
        free(self.terms)
        free(self.slots)
        free(self.ids)

    # ------------------------------------------------------------------------------------------ looking up

    cdef FixOrder* by_ref(self, uint64_t client_ref) noexcept nogil:
        cdef FixOrder* entry = &self.entries[client_ref & (self.capacity - 1)]
        return entry if client_ref != 0 and entry.client_ref == client_ref else NULL

    cdef FixOrder* by_text(self, FixText text) noexcept nogil:
        cdef uint32_t mask = 2 * self.capacity - 1
        cdef uint32_t slot
        cdef FixOrder* entry
        if text.data == NULL or text.size > CL_ORD_ID_BYTES_MAX:
            return NULL
        slot = _hash(text.data, text.size) & mask
        while self.slots[slot] != 0:
            entry = &self.entries[self.slots[slot] - 1]
            if entry.text_size == text.size and memcmp(entry.text, text.data, text.size) == 0:
                return entry
            slot = (slot + 1) & mask
        return NULL

    @cython.overflowcheck(False)  # a hash wraps
    cdef FixOrder* by_order_id(self, int64_t order_id) noexcept nogil:
        cdef uint32_t mask = 2 * self.capacity - 1
        cdef uint32_t slot = _hash_id(<uint64_t> order_id) & mask
        while order_id > 0 and self.ids[slot] != 0:
            if self.entries[self.ids[slot] - 1].order_id == <uint64_t> order_id:
                return &self.entries[self.ids[slot] - 1]
            slot = (slot + 1) & mask
        return NULL

    cdef FixOrder* root_of(self, const FixOrder* entry) noexcept nogil:
        return self.by_ref(entry.root_ref)

    @cython.overflowcheck(False)  # the check takes a difference of pointers for one of numbers
    cdef FixTerms* terms_of(self, const FixOrder* root) noexcept nogil:
        return &self.terms[root - self.entries] if root.has_terms else NULL

    # ------------------------------------------------------------------------------------------ changing

    cdef FixOrder* add(self, FixText text, uint64_t client_ref) except? NULL:
        cdef FixOrder* entry
        cdef int _i
        if text.size > CL_ORD_ID_BYTES_MAX:
            raise ValueError(f"a ClOrdID has at most {CL_ORD_ID_BYTES_MAX} bytes, this one has {text.size}")
        if self.count >= self.capacity - self.capacity // 4 and self.capacity < self.capacity_max:
            self.grow()
        if client_ref == 0:
            for _i in range(SKIPS_MAX):
                entry = &self.entries[self.next_ref & (self.capacity - 1)]
                if entry.client_ref == 0 or not self.is_held(entry):
                    break
                self.next_ref += 1
            else:
                return NULL
            client_ref = self.next_ref
        if client_ref >= self.next_ref:
            self.next_ref = client_ref + 1
        entry = &self.entries[client_ref & (self.capacity - 1)]
        if entry.client_ref != 0:
            self.drop(entry)
        memset(entry, 0, sizeof(FixOrder))
        entry.client_ref = entry.root_ref = entry.current_ref = client_ref
        entry.text_size = <uint8_t> text.size
        memcpy(entry.text, text.data, text.size)
        self.link(self.slots, <uint32_t> (client_ref & (self.capacity - 1)))
        self.count += 1
        return entry

    @cython.overflowcheck(False)  # the check takes a difference of pointers for one of numbers
    cdef int name(self, FixOrder* entry, uint64_t order_id) noexcept nogil:
        cdef uint32_t index = <uint32_t> (entry - self.entries)
        if entry.order_id == order_id:
            return 0
        if entry.order_id:
            self.unlink(self.ids, index)
        entry.order_id = order_id
        if order_id:
            self.link(self.ids, index)
        return 0

    cdef int keep_terms(self, FixOrder* root, const FixTerms* terms) except -1:
        if self.terms == NULL:
            self.terms = <FixTerms*> calloc(self.capacity, sizeof(FixTerms))
            if self.terms == NULL:
                raise MemoryError("no memory for the terms of FIX orders")
        root.has_terms = 1
        self.terms_of(root)[0] = terms[0]
        return 0

    cdef int carry(self, const FixOrder* order, const FixTerms* terms) except -1:
        cdef FixText text
        cdef FixOrder* entry
        text.data, text.size = order.text, order.text_size
        while self.capacity < self.capacity_max:  # the other table may have been larger: live orders keep their entries
            entry = &self.entries[order.client_ref & (self.capacity - 1)]
            if entry.client_ref == 0 or entry.client_ref == order.client_ref or not self.is_held(entry):
                break
            self.grow()
        entry = self.add(text, order.client_ref)
        entry[0] = order[0]
        entry.order_id = 0
        entry.has_terms = 0
        self.name(entry, order.order_id)
        if terms != NULL:
            self.keep_terms(entry, terms)
        return 0

    cdef bytes stored(self, const FixOrder* entry):
        cdef const FixTerms* terms = self.terms_of(entry)
        data = (<const char*> entry)[:sizeof(FixOrder)]
        return data if terms == NULL else data + (<const char*> terms)[:sizeof(FixTerms)]

    cdef uint64_t restore(self, bytes data) except? 0:
        cdef FixOrder entry
        cdef FixTerms terms
        cdef bint has_terms = len(data) > <int64_t> sizeof(FixOrder)
        memcpy(&entry, <const char*> data, sizeof(FixOrder))
        if has_terms:
            memcpy(&terms, <const char*> data + sizeof(FixOrder), sizeof(FixTerms))
        self.carry(&entry, &terms if has_terms else NULL)
        return entry.client_ref

    cdef bint is_held(self, const FixOrder* entry) noexcept nogil:
        """Whether events still need it: root of a live order, or the name in force of one."""
        cdef const FixOrder* root = self.root_of(entry)
        return root != NULL and root.kind == c"D" and root.leaves_lots != 0 and (
            entry == root or root.current_ref == entry.client_ref)

    @cython.overflowcheck(False)  # the check takes a difference of pointers for one of numbers
    cdef int drop(self, FixOrder* entry) noexcept nogil:
        """Forget an entry."""
        self.unlink(self.slots, <uint32_t> (entry - self.entries))
        self.name(entry, 0)
        entry.client_ref = 0
        self.count -= 1
        return 0

    @cython.overflowcheck(False)
    cdef int grow(self) except -1:
        """Double the table; every entry moves to where its reference says."""
        cdef uint32_t before = self.capacity
        cdef uint32_t i, index
        cdef FixOrder* old = self.entries
        cdef FixOrder* entries = <FixOrder*> calloc(2 * before, sizeof(FixOrder))
        cdef int32_t* slots = <int32_t*> calloc(4 * before, sizeof(int32_t))
        cdef int32_t* ids = <int32_t*> calloc(4 * before, sizeof(int32_t))
        cdef FixTerms* old_terms = self.terms
        cdef FixTerms* terms = <FixTerms*> calloc(2 * before, sizeof(FixTerms)) if old_terms else NULL
        if not (entries and slots and ids and (terms or not old_terms)):
            free(entries)
            free(slots)
            free(ids)
            free(terms)
            raise MemoryError("no memory for a FIX order table")
        free(self.slots)
        free(self.ids)
        self.terms = terms
        self.entries, self.slots, self.ids, self.capacity = entries, slots, ids, 2 * before
        for i in range(before):
            if old[i].client_ref != 0:
                index = <uint32_t> (old[i].client_ref & (self.capacity - 1))
                entries[index] = old[i]
                if old[i].has_terms:
                    terms[index] = old_terms[i]
                self.link(slots, index)
                if old[i].order_id:
                    self.link(ids, index)
        free(old)
        free(old_terms)
        return 0

    cdef uint32_t home(self, const int32_t* slots, uint32_t index) noexcept nogil:
        """Where an entry would lie in one of the two hash tables if nothing else did, before the mask."""
        if slots == self.ids:
            return _hash_id(self.entries[index].order_id)
        return _hash(self.entries[index].text, self.entries[index].text_size)

    cdef void link(self, int32_t* slots, uint32_t index) noexcept nogil:
        cdef uint32_t mask = 2 * self.capacity - 1
        cdef uint32_t slot = self.home(slots, index) & mask
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = <int32_t> index + 1

    @cython.overflowcheck(False)  # distances between slots are taken around the ring
    cdef void unlink(self, int32_t* slots, uint32_t index) noexcept nogil:
        cdef uint32_t mask = 2 * self.capacity - 1
        cdef uint32_t slot = self.home(slots, index) & mask
        cdef uint32_t hole, home
        while slots[slot] != <int32_t> index + 1:
            slot = (slot + 1) & mask
        hole = slot
        while True:
            slot = (slot + 1) & mask
            if slots[slot] == 0:
                break
            home = self.home(slots, <uint32_t> (slots[slot] - 1))
            # an entry may fill the hole unless its home lies behind it, cyclically
            if ((slot - home) & mask) >= ((slot - hole) & mask):
                slots[hole] = slots[slot]
                hole = slot
        slots[hole] = 0

    # ------------------------------------------------------------------------------------------ events

    cdef FixOrder* apply(self, const uint8_t* event, int party) except? NULL:
        cdef int template_id = (<const MessageHeader*> event).template_id
        cdef FixOrder* root = NULL
        if template_id == TEMPLATE_ORDER_EXECUTED or template_id == TEMPLATE_ORDER_TRANSFERRED:
            root = self.executed(<const OrderExecuted*> event, party)
        elif template_id == TEMPLATE_ORDER_ACCEPTED:
            root = self.accepted(<const OrderAccepted*> event)
        elif template_id == TEMPLATE_ORDER_CANCELED:
            root = self.canceled(<const OrderCanceled*> event)
        elif template_id == TEMPLATE_ORDER_REDUCED:
            root = self.follow((<const OrderReduced*> event).client_ref, 0)
            if root != NULL:
                root.leaves_lots = (<const OrderReduced*> event).leaves_lots
                root.qty_lots = root.cum_lots + root.leaves_lots
        elif template_id == TEMPLATE_ORDER_REPLACED:
            root = self.replaced(<const OrderReplaced*> event)
        elif template_id == TEMPLATE_ORDER_TRIGGERED or template_id == TEMPLATE_ORDER_RELEASED:  # laid out alike
            root = self.follow((<const OrderTriggered*> event).client_ref, 0)
            if root != NULL and root.has_terms:
                self.terms_of(root).trigger_price_ticks = (<const OrderTriggered*> event).trigger_price_ticks
        elif template_id == TEMPLATE_ORDER_REJECTED:
            if (<const OrderRejected*> event).refused_template in (TEMPLATE_NEW_ORDER, TEMPLATE_NEW_COMPLEX_ORDER):
                root = self.follow((<const OrderRejected*> event).client_ref, 0)
                if root != NULL and root.order_id == 0:
                    root.leaves_lots = 0
                    root.status = STATUS_REJECTED
        elif TEMPLATE_FEE_CHARGED <= template_id <= TEMPLATE_TRADE_CORRECTED:
            # of a match, however long ago: the order stays as it is
            root = self.by_order_id(<int64_t> (
                (<const OrderExecuted*> event).resting_order_id
                if party == 0 and (<const OrderExecuted*> event).resting_report_seq != 0
                else (<const OrderExecuted*> event).incoming_order_id))
        if root != NULL:
            root.event_seq = (<const OrderAccepted*> event).seq
            root.ts_ns = (<const OrderAccepted*> event).ts_ns
        return root

    cdef FixOrder* accepted(self, const OrderAccepted* event):
        cdef FixOrder* root = self.follow(event.client_ref, 0)
        if root != NULL:
            self.name(root, event.order_id)
            root.leaves_lots = event.leaves_lots
            root.status = STATUS_NEW
            if root.has_terms:  # what the venue made of them: lots of an amount or of a position, a price that slid
                root.qty_lots, root.price_ticks = event.qty_lots, event.price_ticks
        return root

    cdef FixOrder* executed(self, const OrderExecuted* event, int party):
        cdef bint is_resting = party == 0 and event.resting_report_seq != 0
        cdef FixOrder* root = self.follow(
            event.resting_client_ref if is_resting else event.incoming_client_ref, 0)
        if root == NULL:
            return NULL
        root.cum_lots += event.qty_lots
        root.notional += event.qty_lots * event.price_ticks
        root.leaves_lots = event.resting_leaves_lots if is_resting else event.incoming_leaves_lots
        root.status = STATUS_FILLED if root.leaves_lots == 0 else STATUS_PARTIALLY_FILLED
        if root.has_terms and root.order_type == ORDER_TYPE_MARKET_TO_LIMIT and not is_resting:
            root.price_ticks = event.price_ticks  # the best price at entry, where the rest of it rests
        return root

    cdef FixOrder* canceled(self, const OrderCanceled* event):
        cdef FixOrder* root = self.follow(event.client_ref, 0)
        if root != NULL:
            root.leaves_lots = 0
            root.status = STATUS_EXPIRED if is_expired(event.cancel_reason) else STATUS_CANCELED
        return root

    cdef FixOrder* replaced(self, const OrderReplaced* event):
        cdef FixOrder* root = self.follow(event.client_ref, event.orig_client_ref)
        if root != NULL:
            root.current_ref = event.client_ref
            root.price_ticks = event.price_ticks
            root.leaves_lots = event.leaves_lots
            root.qty_lots = event.qty_lots
            root.order_flags = event.order_flags
        return root

    cdef FixOrder* follow(self, uint64_t client_ref, uint64_t orig_ref):
        """The root of the order an event is of. A reference given by another session is remembered with its order."""
        cdef FixOrder* entry = self.by_ref(client_ref)
        if orig_ref and client_ref != orig_ref:
            root = self.foreign.pop(orig_ref, 0) if self.foreign else 0
            if root == 0 and self.by_ref(orig_ref) != NULL:
                root = self.by_ref(orig_ref).root_ref
            if entry == NULL or entry.root_ref != root:
                self.foreign[client_ref] = root
        if self.foreign and client_ref in self.foreign:
            return self.by_ref(self.foreign[client_ref])
        return self.root_of(entry) if entry != NULL else NULL

    # ------------------------------------------------------------------------------------------ faces

    def live(self):
        """References of the roots of all live orders, oldest first."""
        cdef uint32_t i
        found = [self.entries[i].client_ref for i in range(self.capacity)
                 if self.entries[i].client_ref and self.entries[i].kind == c"D" and self.entries[i].leaves_lots > 0]
        return sorted(found)

    def forget_undecided(self, uint32_t last_client_seq, uint64_t carried_ref=0, uint32_t carried_seq=0):
        """Drop the newest requests the engine never saw: those behind its last client_seq. Returns how many.

        They were stored by a run that ended before it had journaled them. References up to `carried_ref` are of
        numbers before a reset: of these the engine has seen those up to `carried_seq`.
        """
        cdef uint32_t seen
        cdef uint64_t client_ref = self.next_ref
        cdef FixOrder* entry
        dropped = 0
        while client_ref > 1 and self.next_ref - client_ref < self.capacity:
            client_ref -= 1
            entry = self.by_ref(client_ref)
            seen = carried_seq if client_ref <= carried_ref else last_client_seq
            if entry == NULL and client_ref <= carried_ref:
                continue  # only live orders are carried over a reset
            if entry == NULL or entry.order_id or entry.client_seq <= seen:
                break
            self.drop(entry)
            dropped += 1
        return dropped

    def add_order(self, bytes text not None, int64_t qty_lots=1, int64_t price_ticks=1):
        """Take a request to enter an order; its reference, 0 when the table is full of live orders. For tests."""
        cdef FixText view
        view.data, view.size = text, len(text)
        cdef FixOrder* entry = self.add(view, 0)
        if entry == NULL:
            return 0
        entry.kind, entry.status = c"D", STATUS_PENDING_NEW
        entry.qty_lots = entry.leaves_lots = qty_lots
        entry.price_ticks = price_ticks
        return entry.client_ref

    def name_order(self, uint64_t client_ref, uint64_t order_id):
        """Give an order the engine's id; for tests."""
        self.name(self.by_ref(client_ref), order_id)

    def reference_of(self, int64_t order_id):
        """Reference of the order the engine calls so; 0 when it is not known. For tests."""
        cdef FixOrder* entry = self.by_order_id(order_id)
        return 0 if entry == NULL else entry.client_ref

    def carry_order(self, FixOrders other not None, uint64_t client_ref):
        """Take over an entry of another table; for tests."""
        cdef const FixOrder* order = other.by_ref(client_ref)
        self.carry(order, other.terms_of(order))

    def end_order(self, uint64_t client_ref):
        """End an order; for tests."""
        cdef FixOrder* entry = self.by_ref(client_ref)
        if entry != NULL:
            entry.leaves_lots = 0

    def take_event(self, const uint8_t[::1] event not None, int party=0):
        """Follow one event of 128 bytes; for tests."""
        self.apply(&event[0], party)

    def state_of(self, bytes text not None):
        """The state of the order a ClOrdID belongs to, as a dict; None when it is not known."""
        cdef FixText view
        view.data, view.size = text, len(text)
        cdef FixOrder* entry = self.by_text(view)
        cdef FixOrder* root = NULL if entry == NULL else self.root_of(entry)
        if root == NULL:
            return None
        return {"client_ref": entry.client_ref, "root_ref": root.client_ref, "order_id": root.order_id,
                "qty_lots": root.qty_lots, "cum_lots": root.cum_lots, "leaves_lots": root.leaves_lots,
                "notional": root.notional, "status": chr(root.status), "price_ticks": root.price_ticks}

    def check(self):
        """Walk the table and assert what the class promises."""
        cdef uint32_t i, count = 0, named = 0
        cdef FixText view
        for i in range(self.capacity):
            if self.entries[i].client_ref == 0:
                continue
            count += 1
            assert self.entries[i].client_ref & (self.capacity - 1) == i
            assert self.entries[i].client_ref < self.next_ref
            view.data, view.size = self.entries[i].text, self.entries[i].text_size
            assert self.by_text(view) == &self.entries[i]
            if self.entries[i].order_id:
                named += 1
                assert self.by_order_id(<int64_t> self.entries[i].order_id) == &self.entries[i]
            assert not self.entries[i].has_terms or (self.terms != NULL and self.entries[i].kind == c"D")
            assert self.entries[i].leaves_lots >= 0 and self.entries[i].cum_lots >= 0
        assert count == self.count
        assert sum(self.slots[i] != 0 for i in range(2 * self.capacity)) == count
        assert sum(self.ids[i] != 0 for i in range(2 * self.capacity)) == named


@cython.overflowcheck(False)  # a hash wraps
cdef inline uint32_t _hash_id(uint64_t order_id) noexcept nogil:
    return <uint32_t> ((order_id * <uint64_t> 0x9E3779B97F4A7C15) >> 32)


@cython.overflowcheck(False)  # a hash wraps
cdef uint32_t _hash(const uint8_t* text, int32_t size) noexcept nogil:
    cdef uint64_t value = 0x9E3779B97F4A7C15
    cdef int32_t i
    for i in range(size):
        value = (value ^ text[i]) * <uint64_t> 0x100000001B3
    return <uint32_t> (value >> 24) ^ <uint32_t> value
