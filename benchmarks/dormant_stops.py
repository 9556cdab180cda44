"""What dormant stops cost orders and trades that set none of them off.

One flow runs through two engines in turns: one with its book only, one where stops and trailing stops lie dormant on
the same instrument, their triggers beyond the prices of the flow. Both must make the same matches and leave the same
book before any time is printed; nothing may be triggered. Time is the thread's processor time; `cost` is the median of
the rounds' differences, for each command of the flow.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from measure import arguments, show, spread

from tradsys.core import Engine
from tradsys.sim import workload
from tradsys.wire.enums import OrderType, Side, Template, TimeInForce, TrailUnit, TriggerSource
from tradsys.wire.records import EVENT_COMMON, NEW_COMPLEX_ORDER, ORDER_EXECUTED

BATCH = 4096
MARGIN_TICKS = 1500  # between the middle of the prices and the nearest trigger
TRAIL_OFFSETS = (1400, 1500, 1600, 1700)
FIRST_REF = 1 << 40
DORMANT, COMMANDS = 100_000, 1_000_000
KINDS = {"last price": (TriggerSource.LAST, 3), "bid and ask": (TriggerSource.BID_ASK, 3)}


def stops(load: workload.Workload, count: int, source: TriggerSource, trailing_of_ten: int) -> np.ndarray:
    """Stops on both sides of the flow's prices, their triggers one tick from each other, some of ten trailing."""
    profile = load.profile
    middle = profile.lowest_price + profile.level_count // 2
    records = np.zeros(count, NEW_COMPLEX_ORDER)
    records["block_length"] = NEW_COMPLEX_ORDER.itemsize - 8
    records["template_id"] = Template.NEW_COMPLEX_ORDER
    records["schema_id"], records["version"] = load.commands["schema_id"][0], load.commands["version"][0]
    n = np.arange(count)
    buys, trailing = n % 2 == 0, n // 2 % 10 < trailing_of_ten
    distance = MARGIN_TICKS + n // 2 % (profile.level_count // 2 - MARGIN_TICKS - 1)
    records["session_id"] = 1 + n % workload.SESSIONS
    records["client_ref"] = FIRST_REF + n
    records["qty_lots"] = 1
    records["instrument_id"] = 1
    records["side"] = np.where(buys, Side.BUY, Side.SELL)
    records["order_type"] = np.where(trailing, OrderType.TRAILING_STOP, OrderType.STOP)
    records["time_in_force"] = TimeInForce.GTC
    records["trigger_price_ticks"] = np.where(buys, middle + distance, middle - distance)
    records["trigger_source"] = source
    records["trail_unit"] = np.where(trailing, TrailUnit.TICKS, 0)
    records["trail_offset"] = np.where(trailing, np.array(TRAIL_OFFSETS)[n % len(TRAIL_OFFSETS)], 0)
    return records


def prepared(load: workload.Workload, dormant: np.ndarray, out: np.ndarray) -> Engine:
    """An engine with the set-up, the dormant orders and the resting ones."""
    engine = Engine(**(load.capacities | {"orders_max": load.capacities["orders_max"] + DORMANT}))
    engine.submit(load.setup)
    for part in (dormant, load.prefill):
        for i in range(0, len(part), BATCH):
            engine.submit(part[i : i + BATCH], out=out)
    return engine


def seconds(load: workload.Workload, dormant: np.ndarray, out: np.ndarray) -> float:
    """Time the engine takes for the flow's commands."""
    engine = prepared(load, dormant, out)
    batches = [load.commands[i : i + BATCH] for i in range(0, len(load.commands), BATCH)]
    start = time.thread_time()
    for batch in batches:
        engine.submit(batch, out=out)
    return time.thread_time() - start


def outcome(load: workload.Workload, dormant: np.ndarray, out: np.ndarray) -> tuple[object, ...]:
    """Matches, lots and the book behind the flow; a refusal or an order triggered ends the benchmark."""
    engine = prepared(load, dormant, out)
    matches = lots = 0
    for i in range(0, len(load.commands), BATCH):
        events = engine.submit(load.commands[i : i + BATCH], out=out)
        if np.isin(events["template_id"], (Template.ORDER_REJECTED, Template.ORDER_TRIGGERED)).any():
            raise SystemExit("the flow has orders that are refused, or sets off a dormant one")
        executed = events[events["template_id"] == Template.ORDER_EXECUTED].view(ORDER_EXECUTED)
        matches += len(executed)
        lots += int(executed["qty_lots"].sum())
    engine.check()
    book = [engine.depth(1, side, 1 << 20).tobytes() for side in (Side.BUY, Side.SELL)]
    return matches, lots, book, engine.live_order_count() - len(dormant)


def compare(name: str, load: workload.Workload, dormant: np.ndarray, rounds: int) -> dict[str, object]:
    """The flow without and with dormant orders, in turns."""
    out = np.empty(4 * BATCH, EVENT_COMMON)
    none = dormant[:0]
    if outcome(load, none, out) != outcome(load, dormant, out):
        raise SystemExit(f"{name}: the dormant orders change what the flow does")
    pairs = [(seconds(load, none, out), seconds(load, dormant, out)) for _ in range(rounds)]
    count = len(load.commands)
    return {
        "dormant": len(dormant),
        "kind": name,
        "without": [count / pair[0] / 1e6 for pair in pairs],
        "with": [count / pair[1] / 1e6 for pair in pairs],
        "cost_ns": [(pair[1] - pair[0]) / count * 1e9 for pair in pairs],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=7, flow=sorted(KINDS))
    load = workload.make("single", COMMANDS // 10 if options.quick else COMMANDS)
    rows, data = [], []
    for name, (source, trailing) in KINDS.items():
        if options.flow and name not in options.flow:
            continue
        result = compare(name, load, stops(load, DORMANT, source, trailing), options.rounds)
        data.append(result)
        cells = [spread(result[key]) for key in ("without", "with", "cost_ns")]  # type: ignore[arg-type]
        rows.append((f"{DORMANT:,} on {name}, 3 of 10 trailing", *cells))
    notes = f"median (range) of {options.rounds} rounds; batches of {BATCH}, events into a reused buffer"
    heads = ("dormant stops", "without M/s", "with M/s", "cost ns/command")
    show("dormant stops beside a flow", heads, rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
