"""The engine as a library: NumPy arrays of commands in, arrays of events out, without copies.

Run it: PYTHONPATH=src python examples/library_engine.py
"""

from __future__ import annotations

import numpy as np

from tradsys.core import Engine
from tradsys.wire.commands import record
from tradsys.wire.enums import OrderType, Permission, Side, StpMode, Template, TimeInForce
from tradsys.wire.records import NEW_ORDER, ORDER_EXECUTED, empty


def opened_market() -> Engine:
    """An engine with one participant, one session and one open instrument: defined by commands, like everything."""
    engine = Engine(orders_max=1 << 16)
    definitions = [
        record(
            Template.DEFINE_PARTICIPANT,
            participant_id=1,
            permissions=Permission.TRADE,
            stp_mode=StpMode.NONE,
            enabled=1,
        ),
        record(Template.DEFINE_SESSION, defined_session_id=1, participant_id=1, enabled=1, name=b"DESK"),
        record(
            Template.DEFINE_INSTRUMENT,
            instrument_id=1,
            asset_class=1,
            symbol=b"ACME",
            currency=b"USD",
            tick_exponent=-2,
            tick_mantissa=1,
            lot_mantissa=1,
            price_increment_ticks=1,
            price_min_ticks=1,
            price_max_ticks=1_000_000,
            qty_increment_lots=1,
            qty_min_lots=1,
            qty_max_lots=1_000_000,
        ),
        record(Template.SET_INSTRUMENT_STATE, instrument_id=1, state=2),
    ]
    for definition in definitions:
        engine.submit(definition)
    return engine


def main() -> int:
    """Enter a thousand orders as one array, look at the book, sweep it."""
    engine = opened_market()

    orders: np.ndarray = empty(Template.NEW_ORDER, 1000)
    assert orders.dtype == NEW_ORDER
    orders["session_id"] = 1
    orders["client_ref"] = np.arange(1, 1001)
    orders["instrument_id"] = 1
    orders["side"] = np.where(np.arange(1000) % 2, Side.BUY, Side.SELL)
    orders["price_ticks"] = np.where(np.arange(1000) % 2, 9_999, 10_000) + np.arange(1000) % 7 * np.where(
        np.arange(1000) % 2, -1, 1
    )
    orders["qty_lots"] = 10
    orders["order_type"] = OrderType.LIMIT
    orders["time_in_force"] = TimeInForce.GTC
    events = engine.submit(orders)  # a view: read it before the next call
    print(
        f"{len(orders)} orders, {len(events)} events, best {engine.best_bid(1)} / {engine.best_ask(1)} ticks"
    )
    print("asks:", engine.depth(1, Side.SELL, levels=3).tolist())

    # one command at a time: the number of events comes back, the events are there to read
    count = engine.new_order(1, 5000, 1, Side.BUY, 10_001, 2_000, time_in_force=TimeInForce.IOC)
    events = engine.read_events()
    matches = events[events["template_id"] == Template.ORDER_EXECUTED].view(ORDER_EXECUTED)
    print(f"an IOC order for 2000 lots: {count} events, {matches['qty_lots'].sum()} lots matched")

    copy = Engine.restore(engine.snapshot(), orders_max=1 << 16)
    assert copy.state_hash() == engine.state_hash()
    engine.check()
    print(
        f"state hash {engine.state_hash():#018x} after {engine.last_seq} commands, the restored copy agrees"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
