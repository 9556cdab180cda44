"""Dormant orders where a scenario does not reach: very many, small event buffers, snapshots, long trails.

Method: the compiled engine and the reference side by side; an event buffer that takes a few events at a time.
"""

import numpy as np
import pytest
from market import setup

from tradsys.core import Engine
from tradsys.sim import adversary, commands
from tradsys.sim.compare import World
from tradsys.sim.draw import Draw
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.reference_records import COMMANDS, read_events, split
from tradsys.wire.commands import set_mark_price
from tradsys.wire.enums import OrderType, RejectReason, Side, Template, TrailUnit, TriggerSource
from tradsys.wire.records import EVENT_COMMON

SETUP = setup(10**6, 10**6)
ROOM = {"orders_max": 1000, "instruments_max": 4, "participants_max": 4, "sessions_max": 8, "accounts_max": 4}


def decide(engine, *records):
    return engine.submit(np.frombuffer(b"".join(records), dtype=np.uint8)).tobytes()


def order(ref, side, trigger, kind=OrderType.STOP, source=TriggerSource.LAST, **terms):
    return commands.record(
        Template.NEW_COMPLEX_ORDER,
        **{
            "session_id": 1,
            "client_ref": ref,
            "side": side,
            "qty_lots": 1,
            "instrument_id": 1,
            "order_type": kind,
            "time_in_force": 2,
            "trigger_price_ticks": trigger,
            "trigger_source": source,
            **terms,
        },
    )


def trail(ref, side, trigger, offset, unit=TrailUnit.TICKS, source=TriggerSource.MARK):
    return order(ref, side, trigger, OrderType.TRAILING_STOP, source, trail_offset=offset, trail_unit=unit)


def mark(price):
    return set_mark_price(instrument_id=1, mark_price_ticks=price).tobytes()


def pair(*records):
    """Engine and reference with the same commands decided, and the events of the last one."""
    engines = [make(**ROOM) for make in (Engine, ReferenceEngine)]
    told = []
    for engine in engines:
        decide(engine, SETUP, *records[:-1])
        told.append(decide(engine, records[-1]))
        engine.check()
    assert told[0] == told[1]
    assert engines[0].state_hash() == engines[1].state_hash()
    return engines[0], told[0]


def cascade():
    """A ladder of offers and a stop at each: the first match sets off one after the other."""
    offers = [commands.new_order(2, n, Side.SELL, 1, 100 + n) for n in range(120)]
    stops = [order(1000 + n, Side.BUY, 100 + n) for n in range(119)]
    return [*offers, *stops]


def test_one_match_sets_off_a_hundred_stops():
    """Rule 10.6: each in the order in which it becomes due, all of them behind the one command."""
    engine, told = pair(*cascade(), commands.new_order(2, 5001, Side.BUY, 1, 100))
    events = read_events(told)
    triggered = [event.trigger_price_ticks for template, event in events if template == Template.ORDER_TRIGGERED]
    assert triggered == list(range(100, 219))
    assert {event.cause_seq for _, event in events} == {events[0][1].cause_seq}
    assert engine.live_order_count() == 0


@pytest.mark.parametrize("room", [8, 9, 13])
def test_a_buffer_that_fills_up_between_two_orders_changes_nothing(room):
    """Rule 10.6: what finds no room follows before anything else is decided, also with no further command."""
    records = [commands.new_order(2, 5001, Side.BUY, 1, 100), commands.new_order(2, 5002, Side.BUY, 1, 7)]
    whole, small = Engine(**ROOM), Engine(**ROOM)
    for engine in (whole, small):
        decide(engine, SETUP, *cascade())
    wanted = decide(whole, *records)
    out = np.zeros(room, EVENT_COMMON)
    told, at, data = [], whole.last_seq - len(records), b"".join(records)
    record_bytes = len(records[0])
    for _ in range(1000):
        done = small.last_seq - at
        try:
            told.append(small.submit(np.frombuffer(data[done * record_bytes :], np.uint8), out=out).tobytes())
        except BufferError:
            told.append(small.read_events().tobytes())
        small.check()
        if small.last_seq == whole.last_seq and not small.is_unfinished():
            break
        if small.is_unfinished():
            again = Engine.restore(small.snapshot(), **ROOM)
            assert again.is_unfinished()
            assert again.state_hash() == small.state_hash()
            small = again
    assert b"".join(told) == wanted
    assert small.state_hash() == whole.state_hash()


@pytest.mark.parametrize("events_max", [4, 16])
def test_the_engines_own_buffer_grows(events_max):
    small = Engine(**ROOM, events_max=events_max)
    decide(small, SETUP, *cascade())
    last = [commands.new_order(2, 5001, Side.BUY, 1, 100)]
    whole = Engine(**ROOM)
    decide(whole, SETUP, *cascade())
    assert decide(small, *last) == decide(whole, *last)
    again = Engine(**ROOM, events_max=events_max)
    decide(again, SETUP, *cascade())
    count = again.new_order(2, 5001, 1, Side.BUY, 100, 1)
    assert again.read_events()[:count].tobytes()[128:] == decide_again(whole)[128:]


def decide_again(_whole):
    engine = Engine(**ROOM)
    decide(engine, SETUP, *cascade())
    return decide(engine, commands.new_order(2, 5001, Side.BUY, 1, 100))


def test_an_instrument_has_sixty_four_offsets():
    """Rule 10.8: sources, sides, units and offsets count; a free one can be taken again."""
    records = [trail(n, Side.SELL, 50, 1 + n // 2, TrailUnit.TICKS if n % 2 else TrailUnit.BASIS_POINTS) for n in range(64)]
    engine, told = pair(*records, trail(99, Side.SELL, 50, 40))
    assert read_events(told)[0][1].reject_reason == RejectReason.TOO_MANY_TRAILS
    assert read_events(decide(engine, trail(99, Side.SELL, 51, 7)))[0][0] == Template.ORDER_ACCEPTED
    cancel = commands.record(Template.CANCEL_ORDER, session_id=1, orig_client_ref=5, instrument_id=1)
    assert read_events(decide(engine, cancel))[0][0] == Template.ORDER_CANCELED
    assert read_events(decide(engine, trail(98, Side.BUY, 50, 40)))[0][0] == Template.ORDER_ACCEPTED
    engine.check()


def test_a_due_order_keeps_its_offset():
    """Rule 10.8 counts dormant orders, those that wait for the instrument to open too."""
    closed, opened = commands.set_state(1, 3), commands.set_state(1, 2)
    records = [trail(n, Side.SELL, 50, 1 + n) for n in range(64)]
    records += [closed, mark(40), trail(99, Side.SELL, 50, 99)]
    engine, _ = pair(*records, opened)
    assert engine.live_order_count() == 0


@pytest.mark.parametrize("seed", range(4))
def test_long_trails_move_as_in_the_reference(seed):
    """Rules 10.8 and 10.9: hundreds of orders of few offsets, a mark price that wanders, orders that leave in between."""
    draw, records, live, price = Draw(seed), [], [], 1000
    for n in range(1, 900):
        price += draw.between(-6, 6)
        if draw.chance(3):
            records.append(mark(price))
        elif live and draw.chance(4):
            ref = live.pop(draw.below(len(live)))
            records.append(
                commands.record(Template.CANCEL_ORDER, session_id=1, orig_client_ref=ref, instrument_id=1)
            )
        else:
            side = 1 + draw.below(2)
            away = draw.between(1, 40)
            unit = 1 + draw.below(2)
            offset = draw.pick((5, 9, 20)) if unit == 1 else draw.pick((40, 150))
            records.append(trail(n, side, price + away if side == Side.BUY else price - away, offset, unit))
            live.append(n)
    engines = [make(**ROOM) for make in (Engine, ReferenceEngine)]
    for engine in engines:
        decide(engine, SETUP)
    triggered = 0
    for at in range(0, len(records), 25):
        told = [decide(engine, *records[at : at + 25]) for engine in engines]
        assert told[0] == told[1]
        engines[0].check()
        assert engines[0].state_hash() == engines[1].state_hash()
        triggered += sum(template == Template.ORDER_TRIGGERED for template, _ in read_events(told[0]))
    assert triggered > 50
    restored = Engine.restore(engines[0].snapshot(), **ROOM)
    restored.check()
    assert restored.state_hash() == engines[1].state_hash()
    assert decide(restored, mark(price - 100)) == decide(engines[1], mark(price - 100))


def test_the_adversary_reaches_dormant_orders():
    """Kinds, sources, moved trails, due orders and refusals of section 10 come up in some thousand commands."""
    seen, places, kinds = set(), set(), set()
    for seed in range(0, 20, 4):  # worlds without pre-trade risk that do not share out the busiest instrument
        world, engine = World("adversarial", seed), ReferenceEngine(**adversary.CAPACITIES)
        engine.submit(world.setup())
        for _ in range(60):
            chunk = world.chunk(50, engine).tobytes()
            for at, layout in split(chunk, COMMANDS):
                for template, event in read_events(engine.submit(chunk[at : at + layout.size])):
                    seen.add(("template", template))
                    seen.add(("reject", getattr(event, "reject_reason", 0)))
                    seen.add(("cancel", getattr(event, "cancel_reason", 0)))
                    if template == Template.ORDER_TRIGGERED:
                        kinds.add((event.order_type, event.trigger_source))
                places |= {order.place for order in engine.orders.values()}
    assert {("template", Template.ORDER_TRIGGERED), ("template", Template.MARK_PRICE_SET)} <= seen
    assert ("reject", RejectReason.BAD_TRIGGER) in seen
    assert places == {0, 1, 2, 3, 4}
    assert kinds == {(kind, source) for kind in (1, 2) for source in (1, 2, 3)}
