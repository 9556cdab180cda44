"""The function of pre-trade risk says the same compiled and as plain Python, and costs nothing until limits are set.

Method: random checks with values near the limits and at the ends of their ranges, both forms side by side.
"""

import ctypes
import random
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from market import market

from tradsys.core import pretrade
from tradsys.wire import commands
from tradsys.wire.enums import RejectReason, Restriction, RiskFlags, RiskScope

TOP = pretrade.VALUE_MAX
NO_BAND = {"price_low_ticks": -(1 << 63), "price_high_ticks": (1 << 63) - 1}
FREE = dict.fromkeys(pretrade.CHECK.names, 0) | NO_BAND | {"has_price": 1}


def compiled(fields):
    call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(pretrade.address())
    record = np.zeros(1, pretrade.CHECK)
    for name, value in fields.items():
        record[name] = value
    return call(record.ctypes.data)


def plain(fields):
    return int(pretrade.evaluate(SimpleNamespace(**fields)))


def drawn(draw):
    small = (0, 0, 0, 1, 2, 5, 9, 10, 11, 20, 100)
    fields = {name: draw.choice(small) for name in FREE}
    for name in (
        "position_lots",
        "account_position_lots",
        "realised_value",
        "price_ticks",
        "reference_price_ticks",
    ):
        fields[name] = draw.choice((*small, -1, -5, -10, -20, -100))
    for name in ("has_price", "has_reference", "is_buy", "is_approved", "is_repeated"):
        fields[name] = draw.randrange(2)
    fields["restriction"], fields["risk_flags"] = draw.choice((0, 0, 0, 1, 2)), draw.choice((0, 0, 0, 1, 2))
    for name in fields:
        if name.endswith("_ppm"):
            fields[name] = draw.choice((0, 0, 1, 500_000, 1_000_000, 2_500_000, (1 << 32) - 1))
    fields |= {"rate_cost_ns": draw.choice((0, 0, 1, 30))} | {
        "rate_window_ns": draw.choice((30, 100, 1 << 60))
    }
    fields |= draw.choice((NO_BAND, {"price_low_ticks": -20, "price_high_ticks": 20}))
    if draw.randrange(4) == 0:
        values = [name for name in fields if name.endswith(("_value", "_lots")) and name != "qty_step_lots"]
        signed = ("position_lots", "account_position_lots", "realised_value")
        for name in draw.sample(values, 3):
            fields[name] = draw.choice((TOP, -TOP if name in signed else TOP - 1, 1 << 50))
    return fields


def test_compiled_and_plain_say_the_same():
    draw = random.Random(7)
    answers = set()
    for _ in range(6000):
        fields = drawn(draw)
        answer = plain(fields)
        assert compiled(fields) == answer, fields
        answers.add(answer)
    assert answers >= {1, *range(RejectReason.RESTRICTED, RejectReason.DUPLICATE_ORDER + 1)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"qty_lots": 11, "order_qty_max_lots": 10}, RejectReason.ORDER_QTY_LIMIT),
        ({"qty_lots": 10, "order_qty_max_lots": 10}, None),
        ({"restriction": Restriction.NO_ORDERS, "qty_lots": 1}, RejectReason.RESTRICTED),
        ({"restriction": Restriction.CLOSE_ONLY, "qty_lots": 5, "is_buy": 1, "position_lots": -5}, None),
        (
            {"restriction": Restriction.CLOSE_ONLY, "qty_lots": 6, "is_buy": 1, "position_lots": -5},
            RejectReason.RESTRICTED,
        ),
        ({"risk_flags": RiskFlags.NO_SHORT, "qty_lots": 6, "position_lots": 5}, RejectReason.SHORT_SALE),
        ({"order_value": 101, "is_buy": 1, "credit_value": 100, "qty_lots": 1}, RejectReason.CREDIT_LIMIT),
        ({"order_value": 200, "is_buy": 1, "credit_value": 100, "qty_lots": 1, "margin_ppm": 500_000}, None),
        (
            {"order_value": 9, "qty_lots": 1, "credit_value": 100, "realised_value": -92},
            RejectReason.CREDIT_LIMIT,
        ),
        ({"order_value": TOP, "qty_lots": 1, "gross_max_value": TOP - 1}, RejectReason.GROSS_VALUE_LIMIT),
    ],
)
def test_what_limits_mean(changes, reason):
    fields = FREE | {name: int(value) for name, value in changes.items()}
    assert plain(fields) == compiled(fields) == (pretrade.ACCEPT if reason is None else reason)


def test_the_engine_calls_it_and_not_before_limits_are_set():
    engine = market()
    engine.submit(commands.set_risk_limits(RiskScope.PARTICIPANT, 1, order_qty_max_lots=2))
    order = {"instrument_id": 1, "side": 1, "price_ticks": 5, "session_id": 1}
    events = engine.submit(commands.new_order(qty_lots=3, client_ref=1, **order))
    assert events["template_id"][0] == 65
    script = """
import sys
from tradsys.core import Engine
from tradsys.sim import workload
load = workload.make("single", 100)
engine = Engine(**load.capacities)
for part in (load.setup, load.prefill, load.commands):
    engine.submit(part)
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
