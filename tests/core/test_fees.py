"""Fees are what the schedules say of every match, add up per order, and outlive restarts.

Method: workloads on instruments with schedules, each FeeCharged computed again from the match it names with exact
fractions, sums compared with `positions`; snapshots, small event buffers and the reference in between.
"""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from market import kinds, market

from tradsys.core import Engine
from tradsys.sim import workload
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.reference_records import read_commands, read_events
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, RiskScope, Side, Template

SCHEDULES = {
    0: {"maker_rate_e7": -1500, "taker_rate_e7": 2999, "taker_per_lot": 1},
    1: {"maker_rate_e7": -2000, "taker_rate_e7": 2500},
    2: {"maker_per_lot": 3, "taker_per_lot": 7, "order_fee_min": 40, "order_fee_max": 900},
}
EXPONENT = -4


def fee_commands(load):
    records = []
    for instrument_id in range(1, load.capacities["instruments_max"]):
        for fee_class, numbers in SCHEDULES.items():
            records.append(
                commands.set_fee_schedule(instrument_id, fee_class, fee_exponent=EXPONENT, **numbers)
            )
    records += [commands.set_fee_class(n, n % 4) for n in range(1, workload.PARTICIPANTS + 1)]
    return commands.pack(records)


def nearest(value):
    """The nearest whole number, halves away from 0."""
    whole = int(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


class Fees:
    """Fees computed again from matches and schedules."""

    def __init__(self, owners):
        self.owners = owners  # session -> participant
        self.matches = {}
        self.due = []  # matches of the command that are not charged yet
        self.owed, self.charged = defaultdict(int), defaultdict(int)
        self.paid = defaultdict(int)  # (participant, instrument) -> fee units
        self.count = 0

    def apply(self, events):
        for template, e in read_events(events):
            if template == Template.ORDER_EXECUTED:
                self.matches[e.seq] = e
                self.due.append(e.seq)
            elif template == Template.FEE_CHARGED:
                assert e.match_seq == self.due.pop(0)
                self.check(e, self.matches[e.match_seq])
                self.count += 1
        assert not self.due

    def check(self, fee, match):
        assert fee.fee_exponent == EXPONENT
        assert fee.cause_seq == match.cause_seq
        for party, role in (("resting", "maker"), ("incoming", "taker")):
            order_id, session_id = getattr(match, f"{party}_order_id"), getattr(match, f"{party}_session_id")
            assert getattr(fee, f"{party}_order_id") == order_id
            participant_id = self.owners[session_id]
            numbers = SCHEDULES.get(participant_id % 4, SCHEDULES[0])
            # a tick is 0.01 and a lot 1: a tick x lot is 100 fee units
            value = Fraction(
                abs(match.price_ticks) * match.qty_lots * 100 * numbers.get(f"{role}_rate_e7", 0), 10**7
            )
            self.owed[order_id] += nearest(value) + numbers.get(f"{role}_per_lot", 0) * match.qty_lots
            charge = self.owed[order_id]
            if charge > 0:
                charge = max(charge, numbers.get("order_fee_min", 0))
                charge = min(charge, numbers.get("order_fee_max", charge) or charge)
            assert getattr(fee, f"{party}_fee") == charge - self.charged[order_id]
            self.paid[participant_id, match.instrument_id] += charge - self.charged[order_id]
            self.charged[order_id] = charge


def participants_of_sessions(load):
    return {
        command.defined_session_id: command.participant_id
        for template, command in read_commands(load.setup)
        if template == Template.DEFINE_SESSION
    }


@pytest.mark.parametrize("name", ["normal", "flash_crash"])
def test_fees_are_what_the_schedules_say_and_add_up(name):
    load = workload.make(name, 5000, seed=5, live_target=400)
    engine = Engine(**load.capacities)
    engine.submit(load.setup)
    for participant_id in range(1, workload.PARTICIPANTS + 1):
        engine.submit(commands.set_trade_group(participant_id, 1 + participant_id % 2))
    engine.submit(fee_commands(load))
    fees = Fees(participants_of_sessions(load))
    for part in (load.prefill, load.commands[:2500], load.commands[2500:]):
        fees.apply(engine.submit(part))
        engine.check()
    assert fees.count > 300
    rows = engine.positions()
    of_participants = {
        (row.scope_id, row.instrument_id): row.fees for row in rows if row.scope == RiskScope.PARTICIPANT
    }
    assert {place: paid for place, paid in of_participants.items() if paid} == {
        place: paid for place, paid in fees.paid.items() if paid
    }
    of_groups = sum(row.fees for row in rows if row.scope == RiskScope.GROUP)
    assert of_groups == sum(fees.paid.values()) == sum(fees.charged.values())


def test_what_orders_owe_outlives_a_restart_and_the_reference_agrees():
    load = workload.make("normal", 2400, seed=8, live_target=300)
    engine, reference = Engine(**load.capacities), ReferenceEngine(**load.capacities)
    for part in (load.setup, fee_commands(load), load.prefill, load.commands[:1200]):
        assert engine.submit(part).tobytes() == reference.submit(part).tobytes()
        assert engine.state_hash() == reference.state_hash()
    restored = Engine.restore(engine.snapshot(), **load.capacities)
    restored.check()
    assert restored.state_hash() == engine.state_hash()
    events = engine.submit(load.commands[1200:]).tobytes()
    assert (
        restored.submit(load.commands[1200:]).tobytes()
        == events
        == reference.submit(load.commands[1200:]).tobytes()
    )
    assert restored.state_hash() == engine.state_hash() == reference.state_hash()
    damaged = bytearray(engine.snapshot())
    damaged[-16] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        Engine.restore(bytes(damaged), **load.capacities)


def test_events_are_the_same_however_little_room_there_is():
    load = workload.make("flash_crash", 1500, seed=2, live_target=200)
    whole, piecewise = Engine(**load.capacities), Engine(**load.capacities)
    for engine in (whole, piecewise):
        engine.submit(load.setup)
        engine.submit(fee_commands(load))
    expected = b"".join(whole.submit(part).tobytes() for part in (load.prefill, load.commands))
    out = np.zeros(20, dtype=whole.read_events().dtype)
    found, at, waited = b"", 0, 0
    records = np.concatenate([load.prefill, load.commands])
    first = piecewise.last_seq
    while at < len(records) or piecewise.is_unfinished():
        try:
            made = piecewise.submit(records[at : at + 8], out)
        except BufferError:
            made = piecewise.read_events()
        assert len(made), "a command alone finds room, and so does what waits"
        found += made.tobytes()
        at = piecewise.last_seq - first
        waited += piecewise.is_unfinished()
    assert waited > 0
    assert found == expected
    assert piecewise.state_hash() == whole.state_hash()


def test_an_uncross_is_charged_behind_everything_it_does():
    engine = market(price_max=1000, qty_max=100)
    engine.submit(commands.set_fee_schedule(1, auction_per_lot=2))
    engine.submit(commands.set_instrument_state(1, InstrumentState.CLOSED))
    engine.submit(commands.set_instrument_state(1, InstrumentState.PRE_OPEN))
    for session_id, side in ((1, Side.BUY), (2, Side.SELL), (2, Side.SELL)):
        engine.submit(
            commands.new_order(
                session_id=session_id, client_ref=engine.last_seq, instrument_id=1, side=side, qty_lots=4 // session_id,
                price_ticks=10,
            )
        )  # fmt: skip
    events = engine.submit(commands.set_instrument_state(1, InstrumentState.OPEN))
    assert kinds(events) == [
        Template.AUCTION_UNCROSSED,
        *[Template.ORDER_EXECUTED] * 2,
        Template.COMMAND_DONE,
        *[Template.FEE_CHARGED] * 2,
    ]
    engine.check()


def test_a_venue_without_schedules_says_and_saves_what_it_always_did():
    plain, once = market(), market()
    once.submit(commands.set_fee_schedule(1, is_on=False, taker_per_lot=5))
    plain.submit(commands.expire_day_orders())
    order = {"instrument_id": 1, "price_ticks": 5, "qty_lots": 1}
    for engine in (plain, once):
        for session_id in (1, 2):
            events = engine.submit(
                commands.new_order(client_ref=1, session_id=session_id, side=session_id, **order)
            )
        assert Template.FEE_CHARGED not in kinds(events)
        engine.check()
    assert len(once.snapshot()) > len(plain.snapshot())
