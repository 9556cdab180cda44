"""A small market for the tests of the core: one participant, one session, instruments with wide limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from tradsys.core import Engine
from tradsys.sim import commands
from tradsys.wire.enums import StpMode, Template
from tradsys.wire.records import DTYPES

BUY, SELL = 1, 2
CAPACITIES = {
    "orders_max": 1 << 14,
    "instruments_max": 4,
    "participants_max": 4,
    "sessions_max": 8,
    "accounts_max": 4,
    "positions_max": 1 << 12,
}
PRICE_MAX = 1 << 60
QTY_MAX = 7  # so that PRICE_MAX x QTY_MAX stays below 2^63


def setup(price_max: int = PRICE_MAX, qty_max: int = QTY_MAX) -> bytes:
    """Commands that define participants 1 and 2, sessions 1 and 2, and instrument 1, which is open."""
    records = []
    for n in (1, 2):
        records += [commands.define_participant(n, stp_mode=StpMode.NONE), commands.define_session(n, n)]
    limits = {"price_min_ticks": -price_max, "price_max_ticks": price_max, "qty_max_lots": qty_max}
    records += [commands.define_instrument(1, **limits), commands.set_state(1)]
    return b"".join(records)


def market(price_max: int = PRICE_MAX, qty_max: int = QTY_MAX, **capacities: Any) -> Engine:
    """An engine with that market."""
    engine = Engine(**(CAPACITIES | capacities))
    engine.submit(setup(price_max, qty_max))
    return engine


def one(events: np.ndarray) -> Any:
    """The only event, with the fields of its template."""
    assert len(events) == 1, events["template_id"]
    return events.view(DTYPES[int(events["template_id"][0])])[0]


def kinds(events: np.ndarray) -> list[Template]:
    """Templates of the events."""
    return [Template(int(t)) for t in events["template_id"]]
