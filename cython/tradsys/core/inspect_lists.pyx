"""Looking at all order lists: their part of the state hash (8.5), their invariants, their part of a snapshot."""
cimport cython

from tradsys.core.dormant cimport PLACE_HELD
from tradsys.core.hash cimport hash_start, mix
from tradsys.core.inspect_triggers cimport hash_order
from tradsys.core.order cimport Order, slot_of
from tradsys.core.terms cimport is_dormant, is_held
from tradsys.wire.records cimport LIST_TYPE_OCO, LIST_TYPE_OTO, LIST_TYPE_OTOCO


# --------------------------------------------------------------------------------------------------- hash

cdef uint64_t hash_lists(State* s, uint64_t h) noexcept nogil:
    """Rule 8.5: one hash a list, added up; nothing where there never was one."""
    cdef uint64_t total = 0
    cdef uint32_t i
    if s.list_serial == 0:
        return h
    for i in range(s.lists_used):
        if s.lists[i].serial:
            total = sum_of(total, hash_list(s, &s.lists[i]))
    return mix(mix(mix(h, s.list_serial), s.list_count), total)


@cython.overflowcheck(False)
cdef inline uint64_t sum_of(uint64_t a, uint64_t b) noexcept nogil:
    return a + b


cdef uint64_t hash_list(State* s, const OrderList* found) noexcept nogil:
    cdef uint64_t h = mix(mix(hash_start(), found.serial), found.list_type)
    cdef uint32_t i, slot
    for i in range(3):
        h = mix(h, found.order_ids[i])
        slot = slot_of(found.order_ids[i])
        if found.order_ids[i] and s.terms[slot].place == PLACE_HELD:
            h = hash_order(h, &s.orders[slot], <uint64_t> s.terms[slot].limit_price_ticks)
    return h


# --------------------------------------------------------------------------------------------------- invariants

cdef int check_lists(State* s) except -1:
    """Lists have something to wait for, their orders live and know them, held orders are in one.

    Raises
    ------
    AssertionError
        With a sentence on the first thing that does not hold.
    """
    cdef uint32_t i, n, slot, count = 0
    cdef const OrderList* found
    members = {}
    for i in range(s.lists_used):
        found = &s.lists[i]
        if found.serial == 0:
            continue
        count += 1
        for n in range(3):
            slot = slot_of(found.order_ids[n])
            if found.order_ids[n] == 0:
                continue
            if s.orders[slot].order_id != found.order_ids[n] or s.terms[slot].group_id != found.serial:
                raise AssertionError(f"list {found.serial} names order {found.order_ids[n]}, which has ended or is another's")
            members[slot] = i + 1
        if not found.queued:
            check_effect(s, found)
        elif not s.unfinished:
            raise AssertionError(f"list {found.serial} has something due behind the command")
    if count != s.list_count or count > s.lists_max:
        raise AssertionError(f"{count} lists live, {s.list_count} are counted, {s.lists_max} may")
    for slot in range(s.slots_used):
        if s.list_of[slot] != members.get(slot, 0):
            raise AssertionError(f"slot {slot} is in list {s.list_of[slot]}, not {members.get(slot, 0)}")
        if (s.orders[slot].order_id and is_held(&s.orders[slot]) and s.terms[slot].place == PLACE_HELD
                and slot not in members):
            raise AssertionError(f"the order in slot {slot} waits for its turn in no list")
    return 0


cdef int check_effect(State* s, const OrderList* found) except -1:
    """A parent with children that wait, or a pair of which one is dormant."""
    cdef uint32_t first = 1 if found.list_type == LIST_TYPE_OTOCO else 0, n
    if found.list_type != LIST_TYPE_OCO and found.order_ids[0]:
        if found.order_ids[1] == 0 and found.order_ids[2] == 0:
            raise AssertionError(f"the parent of list {found.serial} has no children")
        for n in range(1, 3):
            if found.order_ids[n] and s.terms[slot_of(found.order_ids[n])].place != PLACE_HELD:
                raise AssertionError(f"a child of list {found.serial} did not wait for its parent")
    elif found.list_type == LIST_TYPE_OTO or not (found.order_ids[first] and found.order_ids[first + 1]):
        raise AssertionError(f"nothing in list {found.serial} depends on anything")
    elif not (is_dormant(order_at(s, found.order_ids[first])) or is_dormant(order_at(s, found.order_ids[first + 1]))):
        raise AssertionError(f"both of the pair of list {found.serial} are on the book")
    return 0


cdef inline const Order* order_at(const State* s, uint64_t order_id) noexcept nogil:
    return &s.orders[slot_of(order_id)]


# --------------------------------------------------------------------------------------------------- snapshot

cdef void gather_lists(const State* s, OrderList* target) noexcept nogil:
    cdef uint32_t i = s.queue_head
    while i:
        target[0] = s.lists[i - 1]
        target.next = 0                     # the order of the records says it
        target += 1
        i = s.lists[i - 1].next
    for i in range(s.lists_used):
        if s.lists[i].serial and not s.lists[i].queued:
            target[0] = s.lists[i]
            target.next = 0
            target += 1


cdef int put_list(State* s, const OrderList* record) except -1:
    cdef uint32_t index = s.lists_used, n
    if index == s.lists_max:
        raise ValueError(f"the snapshot has more order lists than the engine has room for, {s.lists_max}")
    for n in range(3):
        if record.order_ids[n] == 0:
            continue
        if slot_of(record.order_ids[n]) >= s.orders_max:
            raise ValueError(f"order list {record.serial} of the snapshot names an order out of range")
        s.list_of[slot_of(record.order_ids[n])] = index + 1
    s.lists[index] = record[0]
    s.lists[index].next = 0
    s.lists_used += 1
    s.list_count += 1
    if record.queued:
        if s.queue_tail:
            s.lists[s.queue_tail - 1].next = index + 1
        else:
            s.queue_head = index + 1
        s.queue_tail = index + 1
    return 0
