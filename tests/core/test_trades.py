"""Positions, profit and fees are those of the matches as they stand, whatever was undone; kept matches outlive restarts.

Method: a workload with everybody watched, random busts and corrections of kept matches, then sums over the matches as they
stand compared with `positions`; a ring that has come round, saved and loaded.
"""

from collections import defaultdict

import pytest
from market import market, one

from tradsys.core import Engine
from tradsys.sim import workload
from tradsys.sim.draw import Draw
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.reference_records import read_commands, read_events
from tradsys.wire import commands
from tradsys.wire.enums import EventFlags, RejectReason, RiskScope, Side, Template

KEPT = 40


class Standing:
    """The matches as they stand, from events."""

    def __init__(self, owners):
        self.owners = owners  # session -> participant
        self.matches = {}  # seq -> [match, price or None]
        self.fees = defaultdict(int)  # (participant, instrument) -> fee units

    def apply(self, events):
        for template, e in read_events(events):
            if template == Template.ORDER_EXECUTED:
                self.matches[e.seq] = [e, e.price_ticks]
            elif template in (Template.TRADE_BUSTED, Template.TRADE_CORRECTED):
                kept = self.matches[e.match_seq]
                assert e.price_before_ticks == kept[1]
                assert (e.qty_lots, e.resting_order_id, e.incoming_side) == (
                    kept[0].qty_lots, kept[0].resting_order_id, kept[0].incoming_side,
                )  # fmt: skip
                kept[1] = e.price_ticks if template == Template.TRADE_CORRECTED else None
            elif template == Template.FEE_CHARGED:
                self.fees[self.owners[e.resting_session_id], e.instrument_id] += e.resting_fee
                self.fees[self.owners[e.incoming_session_id], e.instrument_id] += e.incoming_fee

    def sums(self):
        """(participant, instrument) -> position, cash, traded value."""
        found = defaultdict(lambda: [0, 0, 0])
        for match, price in self.matches.values():
            for party, side in (("resting", 3 - match.incoming_side), ("incoming", match.incoming_side)):
                if price is not None:
                    signed = match.qty_lots if side == Side.BUY else -match.qty_lots
                    place = found[self.owners[getattr(match, f"{party}_session_id")], match.instrument_id]
                    place[0] += signed
                    place[1] -= signed * price
                    place[2] += match.qty_lots * abs(price)
        return {place: tuple(values) for place, values in found.items()}


def watched(engine, load):
    engine.submit(load.setup)
    for participant_id in range(1, workload.PARTICIPANTS + 1):
        engine.submit(commands.set_trade_group(participant_id, 1 + participant_id % 2).tobytes())
    for instrument_id in range(1, load.capacities["instruments_max"]):
        engine.submit(
            commands.set_fee_schedule(instrument_id, maker_rate_e7=-900, taker_rate_e7=2100).tobytes()
        )
    engine.submit(commands.keep_trades(KEPT).tobytes())


def owners_of(load):
    return {
        command.defined_session_id: command.participant_id
        for template, command in read_commands(load.setup)
        if template == Template.DEFINE_SESSION
    }


def test_positions_are_those_of_the_matches_as_they_stand():
    load = workload.make("flash_crash", 3000, seed=7, live_target=300)
    engine, reference = Engine(**load.capacities), ReferenceEngine(**load.capacities)
    standing, draw = Standing(owners_of(load)), Draw(5)
    for made in (engine, reference):
        watched(made, load)
    changed = 0
    for at in range(0, len(load.commands), 50):
        part = load.commands[at : at + 50] if at else load.prefill
        events = engine.submit(part).tobytes()
        assert events == reference.submit(part).tobytes()
        standing.apply(events)
        for seq, (match, price) in list(standing.matches.items())[-12:]:
            if draw.chance(3):
                if draw.chance(3) or price is None:
                    command = commands.bust_trade(seq, match.instrument_id)
                else:
                    command = commands.correct_trade(seq, match.instrument_id, price + draw.between(-9, 9))
                events = engine.submit(command).tobytes()
                assert events == reference.submit(command.tobytes()).tobytes()
                standing.apply(events)
                changed += len(events) > 128
        engine.check()
    assert changed > 80
    assert engine.state_hash() == reference.state_hash()
    sums, rows = standing.sums(), engine.positions()
    of_participants = [row for row in rows if row.scope == RiskScope.PARTICIPANT]
    assert {(row.scope_id, row.instrument_id) for row in of_participants} >= set(sums)
    for row in of_participants:
        position, cash, traded = sums.get((row.scope_id, row.instrument_id), (0, 0, 0))
        assert (row.position_lots, row.realised_value - row.cost_value, row.traded_value) == (
            position,
            cash,
            traded,
        )
        assert row.fees == standing.fees[row.scope_id, row.instrument_id]
    assert sum(row.position_lots for row in of_participants) == 0
    assert sum(row.realised_value - row.cost_value for row in of_participants) == 0
    reference.check()


@pytest.mark.parametrize("count", [3, KEPT, 10_000])
def test_kept_matches_outlive_a_restart(count):
    load = workload.make("normal", 2000, seed=3, live_target=200)
    engine = Engine(**load.capacities)
    watched(engine, load)
    engine.submit(commands.keep_trades(count))
    standing = Standing(owners_of(load))
    for part in (load.prefill, load.commands):
        standing.apply(engine.submit(part))
    newest = list(standing.matches)
    assert len(newest) > KEPT
    restored = Engine.restore(engine.snapshot(), **load.capacities)
    restored.check()
    assert restored.state_hash() == engine.state_hash()
    for seq in [*newest[-2:], newest[0]]:
        bust = commands.bust_trade(seq, standing.matches[seq][0].instrument_id)
        events = engine.submit(bust).tobytes()
        assert restored.submit(bust).tobytes() == events
        (kind, answer), *_ = read_events(events)
        forgotten = len(newest) - newest.index(seq) > count
        assert (kind == Template.COMMAND_REJECTED) == forgotten
        assert not forgotten or answer.reject_reason == RejectReason.UNKNOWN_TRADE
    for fewer in (2, 7):
        for made in (engine, restored):
            made.submit(commands.keep_trades(fewer))
            made.check()
    assert restored.state_hash() == engine.state_hash()


def test_a_bust_that_finds_no_room_is_not_begun():
    engine = market(price_max=1000, qty_max=9)
    engine.submit(commands.keep_trades(5))
    engine.submit(commands.set_fee_schedule(1, taker_per_lot=1))
    order = {"instrument_id": 1, "price_ticks": 5, "qty_lots": 4}
    engine.submit(commands.new_order(client_ref=1, session_id=1, side=Side.BUY, **order))
    events = engine.submit(commands.new_order(client_ref=1, session_id=2, side=Side.SELL, **order)).copy()
    seq = int(events["seq"][list(events["template_id"]).index(Template.ORDER_EXECUTED)])
    before = engine.last_event_seq
    with pytest.raises(BufferError):
        engine.submit(commands.bust_trade(seq, 1), events[:2].copy())
    assert engine.last_event_seq == before
    told = engine.submit(commands.bust_trade(seq, 1))
    assert [Template(int(t)).name for t in told["template_id"]] == [
        "COMMAND_DONE",
        "TRADE_BUSTED",
        "FEE_CHARGED",
    ]
    ((_, fee),) = read_events(told[2:])
    assert (fee.incoming_fee, fee.event_flags) == (-4, EventFlags.REVERSED)
    assert one(engine.submit(commands.bust_trade(seq, 1)))["reject_reason"] == RejectReason.TRADE_BUSTED
