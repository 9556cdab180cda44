"""Positions equal what the events add up to, sum to zero when all are watched, hold their limits, and outlive restarts.

Method: workloads with every participant watched, recomputed from the events by plain sums; limits asked after each
command; snapshots and replays in the middle.
"""

from collections import defaultdict

import numpy as np
import pytest
from market import market

from tradsys.core import Engine
from tradsys.sim import workload
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.reference_records import read_events
from tradsys.wire import commands
from tradsys.wire.enums import RejectReason, RiskScope, Template

HOUSE, PARTICIPANT, GROUP = int(RiskScope.HOUSE), int(RiskScope.PARTICIPANT), int(RiskScope.GROUP)


class Sums:
    """Position, cash and turnover of each participant and instrument, and its open lots, from events."""

    def __init__(self):
        self.position = defaultdict(int)
        self.cash = defaultdict(int)
        self.traded = defaultdict(int)
        self.orders = {}  # order id -> [participant, instrument, side, leaves]

    def apply(self, events):
        for template, e in read_events(events):
            if template == Template.ORDER_ACCEPTED:
                self.orders[e.order_id] = [e.participant_id, e.instrument_id, e.side, e.leaves_lots]
            elif template == Template.ORDER_REPLACED:
                self.orders[e.order_id][3] = e.leaves_lots
            elif template == Template.ORDER_REDUCED:
                self.orders[e.order_id][3] -= e.qty_lots
            elif template == Template.ORDER_CANCELED:
                del self.orders[e.order_id]
            elif template == Template.ORDER_EXECUTED:
                for order_id in (e.resting_order_id, e.incoming_order_id):
                    self.match(self.orders[order_id], e.qty_lots, e.price_ticks)
                    if self.orders[order_id][3] == 0:
                        del self.orders[order_id]

    def match(self, order, lots, price):
        participant_id, instrument_id, side, _ = order
        signed = lots if side == 1 else -lots
        self.position[participant_id, instrument_id] += signed
        self.cash[participant_id, instrument_id] -= signed * price
        self.traded[participant_id, instrument_id] += abs(price) * lots
        order[3] -= lots

    def compare(self, rows):
        opened = defaultdict(int)
        for participant_id, instrument_id, side, leaves in self.orders.values():
            opened[participant_id, instrument_id, side] += leaves
        seen = set()
        for row in rows:
            if row.scope != PARTICIPANT:
                continue
            place = (row.scope_id, row.instrument_id)
            seen.add(place)
            assert row.position_lots == self.position[place]
            assert row.realised_value - row.cost_value == self.cash[place]
            assert row.traded_value == self.traded[place]
            assert (row.open_buy_lots, row.open_sell_lots) == (opened[(*place, 1)], opened[(*place, 2)])
        assert seen >= {place for place, lots in self.position.items() if lots}


def watched_engine(make, load, **limits):
    engine = make(**load.capacities)
    engine.submit(load.setup)
    for participant_id in range(1, workload.PARTICIPANTS + 1):
        engine.submit(commands.set_trade_group(participant_id, 1 + participant_id % 2).tobytes())
        engine.submit(commands.set_risk_limits(RiskScope.PARTICIPANT, participant_id, **limits).tobytes())
    return engine


@pytest.mark.parametrize("name", ["normal", "wide_swings", "flash_crash"])
def test_positions_are_what_the_events_add_up_to(name):
    load = workload.make(name, 6000, seed=3, live_target=600)
    engine = watched_engine(Engine, load)
    sums = Sums()
    for part in (load.prefill, load.commands[:3000], load.commands[3000:]):
        sums.apply(engine.submit(part))
        engine.check()
        rows = engine.positions()
        sums.compare(rows)
        for scope in (HOUSE, PARTICIPANT, GROUP):
            level = [row for row in rows if row.scope == scope]
            assert sum(abs(row.position_lots) for row in level) > 0 or part is load.prefill
            for instrument_id in {row.instrument_id for row in level}:
                mine = [row for row in level if row.instrument_id == instrument_id]
                assert sum(row.position_lots for row in mine) == 0
                assert sum(row.realised_value - row.cost_value for row in mine) == 0


def test_watching_from_the_middle_counts_live_orders_and_the_reference_agrees():
    load = workload.make("normal", 2000, seed=4, live_target=400)
    engine, reference = Engine(**load.capacities), ReferenceEngine(**load.capacities)
    late = commands.set_risk_limits(RiskScope.HOUSE, 3, position_max_lots=400).tobytes()
    for part in (load.setup, load.prefill, load.commands[:1000], late, load.commands[1000:]):
        assert engine.submit(part).tobytes() == reference.submit(part).tobytes()
        engine.check()
        reference.check()
        assert engine.state_hash() == reference.state_hash()
    assert any(row.scope_id == 3 and row.open_buy_lots for row in engine.positions())


def test_limits_are_never_passed_in_the_middle_of_anything():
    load = workload.make("flash_crash", 4000, seed=9, live_target=300)
    engine = watched_engine(Engine, load, position_max_lots=700, gross_max_value=1 << 26)
    refused = 0
    for part in (load.prefill, load.commands):
        for i in range(0, len(part), 16):
            events = engine.submit(part[i : i + 16])
            reasons = (
                events[events["template_id"] == Template.ORDER_REJECTED]
                .view(np.uint8)
                .reshape(-1, 128)[:, 96]
            )
            refused += int(
                np.isin(reasons, (RejectReason.POSITION_LIMIT, RejectReason.GROSS_VALUE_LIMIT)).sum()
            )
            gross = defaultdict(int)
            for row in engine.positions():
                if row.scope == PARTICIPANT:
                    assert row.position_lots + row.open_buy_lots <= 700
                    assert row.open_sell_lots - row.position_lots <= 700
                    gross[row.scope_id] += row.worst_value
            assert all(value <= 1 << 26 for value in gross.values())
    assert refused > 50


def test_positions_limits_and_switches_outlive_a_restart():
    load = workload.make("normal", 2000, seed=6, live_target=400)
    engine = watched_engine(Engine, load, order_qty_max_lots=90, rate_count=1000, rate_window_ns=10**9)
    engine.submit(load.prefill)
    engine.submit(commands.kill_switch(RiskScope.SESSION, 5, is_on=True))
    engine.submit(commands.set_price_bands(2, dynamic_ppm=50_000, collar_ticks=5))
    engine.submit(load.commands[:1000])
    restored = Engine.restore(engine.snapshot(), **load.capacities)
    restored.check()
    assert restored.state_hash() == engine.state_hash()
    assert restored.positions() == engine.positions()
    events = engine.submit(load.commands[1000:])
    assert restored.submit(load.commands[1000:]).tobytes() == events.tobytes()
    assert restored.state_hash() == engine.state_hash()
    reasons = {
        event.reject_reason for template, event in read_events(events) if template == Template.ORDER_REJECTED
    }
    assert {RejectReason.KILLED, RejectReason.ORDER_QTY_LIMIT} <= reasons
    with pytest.raises(ValueError, match="positions"):
        Engine.restore(engine.snapshot(), **(load.capacities | {"positions_max": 3}))


WORD = (1 << 64) - 1


def mix(h, word):
    h = (h ^ word) * 0xBF58476D1CE4E5B9 & WORD
    return h ^ h >> 29


def image_hash(image):
    """Hash of bytes of a snapshot: four lanes of words, the rest padded."""
    words = np.frombuffer(image + bytes(32 - len(image) % 32), "<u8").reshape(-1, 4).tolist()
    lanes, h = [0, 1, 2, 3], len(image)
    for row in words:
        lanes = [mix(lane, word) for lane, word in zip(lanes, row, strict=True)]
    for lane in lanes:
        h = mix(h, lane)
    return h


def seal(snapshot):
    """Give a snapshot its size and its image's hash."""
    image = bytearray(snapshot)
    image[16:24] = len(image).to_bytes(8, "little")
    image[72:80] = bytes(8)
    image[72:80] = mix(image_hash(bytes(image[:168])), image_hash(bytes(image[168:]))).to_bytes(8, "little")
    return bytes(image)


def before_fees(snapshot):
    """The same snapshot as it was written before positions had fees, which were between two of their fields."""
    risk_words, venue_words = np.frombuffer(snapshot, np.uint32)[36:38].tolist()
    begin = len(snapshot) - 8 * (risk_words + venue_words)
    head = np.frombuffer(snapshot[begin : begin + 32], np.uint32).copy()
    assert head[6] & 0xFFFF == 160
    count, head[6] = int(head[1]), head[6] - 16
    at = begin + 32
    records = np.frombuffer(snapshot[at : at + 160 * count], np.uint8).reshape(count, 160)
    assert not records[:, 128:144].any(), "no fees"
    shorter = np.delete(records, slice(128, 144), axis=1)
    image = bytearray(snapshot[:begin] + head.tobytes() + shorter.tobytes() + snapshot[at + 160 * count :])
    image[144:148] = (risk_words - 2 * count).to_bytes(4, "little")
    return seal(image), count


def test_a_snapshot_of_before_the_fees_loads():
    load = workload.make("normal", 2000, seed=6, live_target=400)
    engine = watched_engine(Engine, load, order_qty_max_lots=90)
    engine.submit(load.prefill)
    engine.submit(load.commands[:1000])
    snapshot = engine.snapshot()
    assert seal(snapshot) == snapshot
    older, count = before_fees(snapshot)
    assert count > 50
    assert len(older) == len(snapshot) - 16 * count
    restored = Engine.restore(older, **load.capacities)
    restored.check()
    assert restored.snapshot() == snapshot
    events = engine.submit(load.commands[1000:])
    assert restored.submit(load.commands[1000:]).tobytes() == events.tobytes()
    assert restored.state_hash() == engine.state_hash()


@pytest.mark.parametrize("position_bytes", [136, 143, 152, 176])
def test_a_snapshot_with_positions_of_any_other_layout_is_refused(position_bytes):
    load = workload.make("normal", 200, seed=6, live_target=40)
    engine = watched_engine(Engine, load)
    engine.submit(load.prefill)
    image = bytearray(engine.snapshot())
    risk_words, venue_words = np.frombuffer(bytes(image), np.uint32)[36:38].tolist()
    at = len(image) - 8 * (risk_words + venue_words) + 24
    image[at] = position_bytes
    with pytest.raises(ValueError, match="another layout"):
        Engine.restore(seal(image), **load.capacities)


def test_a_snapshot_without_limits_is_as_it_was():
    engine = market()
    head = np.frombuffer(engine.snapshot()[:176], np.uint32)
    assert not head[-9:].any()


def test_watching_in_vain_changes_nothing():
    engine = market(positions_max=2)
    for session_id, instrument_id in ((1, 1), (1, 1)):
        order = {"instrument_id": instrument_id, "side": 1, "price_ticks": 5, "qty_lots": 1}
        engine.submit(commands.new_order(client_ref=engine.last_seq, session_id=session_id, **order))
    engine.submit(commands.set_trade_group(2, 1))
    before = engine.positions()
    refused = engine.submit(commands.set_trade_group(1, 1))
    assert refused["template_id"][0] == Template.COMMAND_REJECTED
    assert engine.positions() == before == []
    engine.check()
