"""Order lists in plain Python: orders that cancel, reduce and release each other (rules 10.20 to 10.28).

What a list does follows from the events of its orders, read behind the command that caused them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tradsys.sim.reference_book import Order
from tradsys.sim.reference_hash import hash_words, order_words
from tradsys.sim.reference_records import COMMANDS, read_events
from tradsys.sim.reference_triggers import (
    DORMANT,
    HELD,
    LIMIT,
    MARKET,
    NOT_REFUSED,
    OPEN,
    PRIORITY_KEPT,
    TRAILING,
    UNSOLICITED,
    WAITS_IN_LIST,
    is_triggered,
)
from tradsys.wire.enums import (
    CancelReason,
    GroupRole,
    ListType,
    OrderFlags,
    RejectReason,
    Template,
    TimeInForce,
)

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine

OCO, OTO, OTOCO = int(ListType.OCO), int(ListType.OTO), int(ListType.OTOCO)
NEW_COMPLEX_ORDER = int(Template.NEW_COMPLEX_ORDER)
LEG_FLAGS = int(OrderFlags.KEEP_ON_DISCONNECT | OrderFlags.HIDDEN)
GTD = int(TimeInForce.GTD)
LISTS_LIMIT = 1 << 16
_LEG = ("client_ref", "price_ticks", "trigger_price_ticks", "side", "order_type", "time_in_force", "order_flags")
_COMMON = ("seq", "ts_ns", "session_id", "client_seq", "qty_lots", "instrument_id", "account_id", "stp_mode")
_MATCHES = (Template.ORDER_EXECUTED, Template.ORDER_TRANSFERRED)


def lists_max(orders_max: int) -> int:
    """Order lists that can live at a time (10.22)."""
    return min(max(orders_max // 8, 1), LISTS_LIMIT)


def legs_of(command: Any) -> list[Any]:
    """Each leg of NEW_ORDER_LIST as the NEW_COMPLEX_ORDER it is (10.20)."""
    layout = COMMANDS[NEW_COMPLEX_ORDER]
    legs = []
    for suffix in ("", "_2", "_3")[: 3 if command.list_type == OTOCO else 2]:
        fields = dict.fromkeys(layout.names, 0) | {name: getattr(command, name) for name in _COMMON}
        fields |= {name: getattr(command, name + suffix) for name in _LEG}
        if is_triggered(fields["order_type"]):
            fields["trigger_source"] = command.trigger_source
        if fields["order_type"] in TRAILING:
            fields["trail_offset"], fields["trail_unit"] = command.trail_offset, command.trail_unit
        if fields["time_in_force"] == GTD:
            fields["expire_ts_ns"] = command.expire_ts_ns
        legs.append(layout.make(fields[name] for name in layout.names))
    return legs


def list_is_bad(command: Any, legs: list[Any]) -> bool:
    """Rule 10.21."""
    if command.list_type not in (OCO, OTO, OTOCO):
        return True
    if command.list_type != OTOCO and any(getattr(command, name + "_3") for name in _LEG):
        return True
    if command.trigger_source and not any(is_triggered(leg.order_type) for leg in legs):
        return True
    if (command.trail_offset or command.trail_unit) and not any(leg.order_type in TRAILING for leg in legs):
        return True
    if command.expire_ts_ns and not any(leg.time_in_force == GTD for leg in legs):
        return True
    for n, leg in enumerate(legs):
        if leg.order_type not in (LIMIT, MARKET) and not is_triggered(leg.order_type):
            return True
        if leg.order_flags & ~LEG_FLAGS or leg.time_in_force > GTD:
            return True
        if leg.order_type == MARKET and not (n == 0 and command.list_type != OCO):
            return True
    pair = legs[:2] if command.list_type == OCO else legs[1:]
    return len(pair) == 2 and not any(is_triggered(leg.order_type) for leg in pair)


class OrderList:
    """Orders that depend on each other, and what has become due between them.

    Invariant: a list that waits for nothing has a parent and a child that live, or both of its pair.
    """

    def __init__(self, serial: int, list_type: int, orders: list[Order]) -> None:
        self.serial, self.list_type = serial, list_type
        self.orders: list[Order | None] = [*orders, *[None] * (3 - len(orders))]
        self.drops = self.releases = False  # its children
        self.lots = 0  # that one of the pair executed, to be taken off the other
        self.reason = NOT_REFUSED  # why the other one of the pair is cancelled
        self.queued = False

    def has_parent(self) -> bool:
        """Whether the first order is the parent of the others."""
        return self.list_type != OCO

    def children(self) -> list[Order]:
        """Those that live."""
        return [order for order in self.orders[1:] if order is not None] if self.has_parent() else []

    def pair(self) -> list[int]:
        """Which two orders cancel each other."""
        return {OCO: [0, 1], OTO: [], OTOCO: [1, 2]}[self.list_type]

    def paired(self) -> list[Order]:
        """Those of the pair that live."""
        return [order for n in self.pair() if (order := self.orders[n]) is not None]

    def is_effective(self) -> bool:
        """Whether one of its orders can still cause something to another."""
        waits = self.has_parent() and self.orders[0] is not None and bool(self.children())
        return waits or len(self.paired()) == 2


class Lists:
    """All order lists, and the part of the engine that deals with them."""

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine = engine
        self.lists_max = lists_max(engine.orders_max)
        self.serial = 0  # lists accepted so far
        self.live: dict[int, OrderList] = {}  # by serial
        self.of: dict[int, tuple[OrderList, int]] = {}  # order id -> its list and its place there
        self.queue: list[OrderList] = []  # lists with something due

    # ---------------------------------------------------------------- entry

    def new_order_list(self, command: Any) -> None:
        """Rules 10.20 to 10.23."""
        engine = self.engine
        legs = legs_of(command)
        template, engine._template = engine._template, NEW_COMPLEX_ORDER
        reason, leg, drafts = self._refusal(command, legs)
        engine._template = template
        if reason:
            engine._reject_order(legs[leg], reason, list_leg=leg + 1)
            return
        self.serial += 1
        made = self.live[self.serial] = OrderList(self.serial, command.list_type, drafts)
        for n, order in enumerate(drafts):
            role = GroupRole.OCO_LEG if command.list_type == OCO else GroupRole.CHILD if n else GroupRole.PARENT
            order.terms = order.terms._replace(group_id=self.serial, group_role=int(role))
            engine._admit(order)
            order.held = True
            engine._accepted(order, DORMANT | HELD)
            engine.triggers.hold(order)
            self.of[order.order_id] = (made, n)
        for order in drafts if command.list_type == OCO else drafts[:1]:
            engine.triggers.make_due(order)

    def _refusal(self, command: Any, legs: list[Any]) -> tuple[int, int, list[Order]]:
        """What stands against a list, and the leg it stands against; the orders drafted."""
        engine = self.engine
        for n, leg in enumerate(legs):
            reason = engine._new_order_refusal(leg)
            if not reason and leg.client_ref in [other.client_ref for other in legs[:n]]:
                reason = RejectReason.DUPLICATE_CLIENT_REF
            if reason:
                return reason, n, []
        if engine.instruments[command.instrument_id].state != OPEN:
            return RejectReason.WRONG_PHASE, 0, []
        if list_is_bad(command, legs):
            return RejectReason.BAD_LIST, 0, []
        if len(engine.slots_freed) + engine.orders_max - engine.slots_used < len(legs):
            return RejectReason.BOOK_FULL, 0, []
        if len(self.live) >= self.lists_max:
            return RejectReason.TOO_MANY_LISTS, 0, []
        drafts = [engine._draft(leg) for leg in legs]
        reason, n = engine.risk.refuse_list(drafts, has_parent=command.list_type != OCO)
        return reason, n, drafts

    # ---------------------------------------------------------------- what events say

    def note(self, told: list[bytes]) -> None:
        """Read what has become of orders (10.24 to 10.26)."""
        if not self.live:
            return
        for template, e in read_events(b"".join(told)):
            if template in _MATCHES:
                self._note_match(e.resting_order_id, e.qty_lots, e.resting_leaves_lots)
                self._note_match(e.incoming_order_id, e.qty_lots, e.incoming_leaves_lots)
            elif template == Template.ORDER_CANCELED and e.order_id in self.of:
                found, n = self.of[e.order_id]
                if n in found.pair() and len(found.paired()) == 2:
                    found.reason = found.reason or CancelReason.LIST_LEG_ENDED
                if n == 0 and found.has_parent():
                    found.drops = True
                self._note_end(found, n)

    def _note_match(self, order_id: int, lots: int, leaves: int) -> None:
        if order_id not in self.of:
            return
        found, n = self.of[order_id]
        if n in found.pair() and len(found.paired()) == 2:
            found.lots += lots
            if leaves == 0:
                found.reason = CancelReason.LIST_LEG_EXECUTED
        if leaves == 0:
            if n == 0 and found.has_parent():
                found.releases = True
            self._note_end(found, n)
        else:
            self._queue(found)

    def _note_end(self, found: OrderList, n: int) -> None:
        order = found.orders[n]
        assert order is not None
        del self.of[order.order_id]
        found.orders[n] = None
        self._queue(found)
        self._forget_if_done(found)

    def _queue(self, found: OrderList) -> None:
        if not found.queued and (found.drops or found.releases or found.lots or found.reason):
            found.queued = True
            self.queue.append(found)

    def _forget_if_done(self, found: OrderList) -> None:
        if found.serial in self.live and not found.queued and not found.is_effective():
            self._forget(found)

    def _forget(self, found: OrderList) -> None:
        """The orders that are left of a list depend on nothing any more."""
        del self.live[found.serial]
        for order in found.orders:
            if order is not None:
                del self.of[order.order_id]

    # ---------------------------------------------------------------- what follows

    def settle(self) -> None:
        """Do what is due between the orders of lists, list by list (10.24 to 10.27)."""
        while self.queue:
            found = self.queue.pop(0)
            self.engine._send_as_venue()
            self.engine.stirs = True
            self._act(found)
            found.drops = found.releases = found.queued = False
            found.lots = found.reason = 0
            self.engine._follow_events()
            self._forget_if_done(found)

    def _act(self, found: OrderList) -> None:
        engine = self.engine
        if found.drops:
            for order in found.children():
                engine._cancel_resting(order, CancelReason.LIST_PARENT_ENDED, unsolicited=True)
            return
        if found.releases:
            for order in found.children():
                engine.triggers.make_due(order)
            return
        paired = found.paired()
        if found.reason:
            for order in paired:
                engine._cancel_resting(order, found.reason, unsolicited=True)
        elif len(paired) == 2:
            order = next(order for order in paired if order.place)
            if found.lots >= order.leaves:
                self._forget(found)
                engine._cancel_resting(order, CancelReason.LIST_LEG_EXECUTED, unsolicited=True)
                return
            order.leaves -= found.lots
            order.total -= found.lots
            flags = DORMANT | PRIORITY_KEPT | UNSOLICITED | (HELD if order.held else 0)
            engine._reduced(order, found.lots, CancelReason.LIST_LEG_EXECUTED, flags)

    def note_triggered(self, order: Order) -> None:
        """The trigger of an order has been reached: the other one of its pair ends (10.25)."""
        found, n = self.of.get(order.order_id, (None, 0))
        if found is None or n not in found.pair() or len(found.paired()) < 2:
            return
        other = next(each for each in found.paired() if each is not order)
        self._forget(found)
        self.engine._cancel_resting(other, CancelReason.LIST_LEG_EXECUTED, unsolicited=True)

    # ---------------------------------------------------------------- state

    def words(self) -> Iterator[int]:
        """The words of lists (8.5)."""
        if self.serial == 0:
            return
        total = 0
        for found in self.live.values():
            words = [found.serial, found.list_type]
            for order in found.orders:
                words.append(0 if order is None else order.order_id)
                if order is not None and order.place == WAITS_IN_LIST:
                    words += order_words(order)
            total += hash_words(words)
        yield from (self.serial, len(self.live), total)

    def check(self) -> None:
        """Assert the invariant of lists; each held order is in one."""
        assert not self.queue, "a list has something due behind the command"
        assert len(self.live) <= self.lists_max, "too many lists"
        members = {}
        for serial, found in self.live.items():
            assert found.serial == serial, "a list under another number"
            assert found.is_effective(), f"nothing in list {serial} depends on anything"
            for n, order in enumerate(found.orders):
                if order is not None:
                    members[order.order_id] = (found, n)
                    assert self.engine.orders[order.order_id] is order, "a list names an order that has ended"
                    assert order.terms.group_id == serial, "an order of another list"
            assert any(order.place for order in [*found.children(), *found.paired()]), "both of a pair on the book"
            if found.has_parent() and found.orders[0] is not None:
                assert all(order.place == WAITS_IN_LIST for order in found.children()), "a child before its time"
        assert members == self.of, "lists and their orders differ"
        for order in self.engine.orders.values():
            if order.place == WAITS_IN_LIST:
                assert order.order_id in self.of, "a held order without a list"
