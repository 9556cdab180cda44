"""What must hold of the reference engine whatever it has decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradsys.sim.reference_book import BUY, SELL, Order

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine


def check_engine(engine: ReferenceEngine) -> None:
    """Walk everything and assert the invariants of engine and books."""
    in_books: dict[int, Order] = {}
    for instrument_id, book in engine.books.items():
        book.check(called=bool(engine.instruments[instrument_id].auction.called))
        for side in (BUY, SELL):
            for order in book.sides[side].orders():
                assert order.instrument_id == instrument_id, "order in another instrument's book"
                in_books[order.order_id] = order
    in_books |= engine.triggers.check()
    assert in_books == engine.orders, "live orders and books differ"
    slots = {order.slot for order in engine.orders.values()}
    assert slots == engine.slots_in_use, "slots in use and live orders differ"
    assert len(slots) == len(engine.orders), "two orders in one slot"
    freed = set(engine.slots_freed)
    assert len(freed) == len(engine.slots_freed), "a slot freed twice"
    assert slots | freed == set(range(engine.slots_used)), "a slot is lost"
    assert not slots & freed, "a live order in a freed slot"
    for session in engine.sessions.values():
        for client_ref, order in session.live.items():
            assert order.client_ref == client_ref, "reference and order differ"
            assert order.session is session, "order of another session"
            assert engine.orders[order.order_id] is order, "reference of an order that has ended"
    assert sum(len(session.live) for session in engine.sessions.values()) == len(engine.orders), (
        "order without session"
    )
    engine.risk.check()
    engine.conduct.check()
    engine.lists.check()
