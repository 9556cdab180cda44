"""Order lists where a scenario does not reach: many of them under one command, small event buffers, snapshots, random ones.

Method: the compiled engine and the reference side by side; an event buffer that takes a few events at a time.
"""

import numpy as np
import pytest
from market import setup

from tradsys.core import Engine
from tradsys.sim import adversary, commands
from tradsys.sim.compare import World
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.reference_records import COMMANDS, read_events, split
from tradsys.wire.commands import new_order_list
from tradsys.wire.enums import (
    CancelReason,
    EventFlags,
    ListType,
    OrderType,
    RejectReason,
    RiskScope,
    Side,
    Template,
    TimeInForce,
    TriggerSource,
)
from tradsys.wire.records import EVENT_COMMON

SETUP = setup(10**6, 10**6)
ROOM = {"orders_max": 1000, "instruments_max": 4, "participants_max": 4, "sessions_max": 8, "accounts_max": 4}
LISTS = 60


def decide(engine, *records):
    return engine.submit(np.frombuffer(b"".join(records), dtype=np.uint8)).tobytes()


def leg(ref, side, price=0, trigger=0, **fields):
    kind = (OrderType.STOP_LIMIT if price else OrderType.STOP) if trigger else OrderType.LIMIT
    return {
        "client_ref": ref,
        "side": side,
        "price_ticks": price,
        "trigger_price_ticks": trigger,
        "order_type": kind,
        "time_in_force": TimeInForce.GTC,
        **fields,
    }


def listed(list_type, *legs, session_id=1, qty_lots=2, **fields):
    made = new_order_list(
        list_type=list_type, instrument_id=1, qty_lots=qty_lots, legs=legs, session_id=session_id, **fields
    )
    return made.tobytes()


def bracket(n, parent_price):
    """Parent 3n, take-profit 3n + 1, stop 3n + 2."""
    return listed(
        ListType.OTOCO,
        leg(3 * n, Side.BUY, parent_price),
        leg(3 * n + 1, Side.SELL, 500 + n),
        leg(3 * n + 2, Side.SELL, trigger=10 + n),
        trigger_source=TriggerSource.LAST,
    )


def brackets():
    return [bracket(n, 100 + n) for n in range(LISTS)]


def release_all(ref=9001):
    """A sell that fills every parent."""
    return commands.new_order(2, ref, Side.SELL, 2 * LISTS, 90)


def both(*records):
    """Engine and reference with the same commands decided, and the events of the last one."""
    engines = [make(**ROOM) for make in (Engine, ReferenceEngine)]
    told = []
    for engine in engines:
        decide(engine, SETUP, *records[:-1])
        told.append(decide(engine, records[-1]))
        engine.check()
    assert told[0] == told[1]
    assert engines[0].state_hash() == engines[1].state_hash()
    return engines[0], read_events(told[0])


def test_one_match_releases_the_children_of_many_lists():
    engine, events = both(*brackets(), release_all())
    released = [event.client_ref for template, event in events if template == Template.ORDER_RELEASED]
    assert released == [3 * n + k for n in reversed(range(LISTS)) for k in (1, 2)]
    assert engine.live_order_count() == 2 * LISTS


def test_one_mass_cancel_ends_both_of_many_pairs():
    cancel = commands.record(Template.MASS_CANCEL, session_id=1, instrument_id=1, side=Side.BUY)
    engine, events = both(*brackets(), cancel)
    reasons = [event.cancel_reason for template, event in events if template == Template.ORDER_CANCELED]
    assert reasons == [CancelReason.MASS_CANCEL] * LISTS + [CancelReason.LIST_PARENT_ENDED] * 2 * LISTS
    assert engine.live_order_count() == 0


LAST = {
    "release": release_all(),
    "mass cancel": commands.record(Template.MASS_CANCEL, session_id=1, instrument_id=1, side=Side.BUY),
}


@pytest.mark.parametrize("room", [70, 71, 130])
@pytest.mark.parametrize("last", LAST.values(), ids=LAST.keys())
@pytest.mark.parametrize("watched", [False, True])
def test_a_buffer_that_fills_up_between_two_lists_changes_nothing(room, last, watched):
    """Rule 10.27: what finds no room follows before anything else is decided; a snapshot in between goes on alike."""
    first = [SETUP, *brackets()]
    if watched:
        first.insert(1, commands.record(Template.SET_RISK_LIMITS, scope=RiskScope.HOUSE, scope_id=1, open_max_lots=10**6))
    records = [last, commands.new_order(2, 5002, Side.BUY, 1, 7)]
    whole, small = Engine(**ROOM), Engine(**ROOM)
    for engine in (whole, small):
        decide(engine, *first)
    begun = small.last_seq
    wanted = decide(whole, *records)
    out = np.zeros(room, EVENT_COMMON)
    told, slices = [], 0
    for _ in range(1000):
        if small.last_seq == whole.last_seq and not small.is_unfinished():
            break
        data = b"".join(records[small.last_seq - begun :])
        try:
            told.append(small.submit(np.frombuffer(data, np.uint8), out=out).tobytes())
        except BufferError:
            told.append(small.read_events().tobytes())
        small.check()
        if small.is_unfinished():
            slices += 1
            again = Engine.restore(small.snapshot(), **ROOM)
            again.check()
            assert again.state_hash() == small.state_hash()
            small = again
    assert slices > 0
    assert b"".join(told) == wanted
    assert small.state_hash() == whole.state_hash()


def test_a_snapshot_with_lists_goes_on_as_the_engine_does():
    engine = Engine(**ROOM)
    decide(engine, SETUP, *brackets(), commands.new_order(2, 1, Side.SELL, 5, 157))
    again = Engine.restore(engine.snapshot(), **ROOM)
    again.check()
    assert again.state_hash() == engine.state_hash()
    for record in (
        bracket(200, 50),
        commands.new_order(2, 2, Side.BUY, 1, 558),
        commands.record(Template.CANCEL_ORDER, session_id=1, orig_client_ref=9, instrument_id=1),
        release_all(),
        commands.new_order(2, 3, Side.BUY, 100, 520),
    ):
        assert decide(again, record) == decide(engine, record)
        again.check()
    assert again.state_hash() == engine.state_hash()


def test_what_one_of_a_pair_matches_is_never_matched_again_by_the_other():
    """Both legs of a sell OCO never sell more than its quantity, whatever is bought and how prices jump."""
    for trigger in range(95, 110):
        records = [
            listed(
                ListType.OCO,
                leg(1, Side.SELL, 105),
                leg(2, Side.SELL, 95, trigger=trigger),
                qty_lots=10,
                trigger_source=TriggerSource.LAST,
            ),
            *(commands.new_order(2, 10 + n, 1 + n % 2, 3, (120, 90, 105)[n % 3]) for n in range(12)),
        ]
        engine = Engine(**ROOM)
        events = read_events(decide(engine, SETUP, *records))
        sold = sum(
            event.qty_lots
            for template, event in events
            if template == Template.ORDER_EXECUTED and 1 in (event.resting_session_id, event.incoming_session_id)
        )
        assert sold <= 10
        engine.check()


def test_the_adversary_reaches_lists():
    """Kinds of lists, what they do and what refuses them come up in some thousand commands."""
    seen, released = set(), 0
    for seed in range(0, 20, 2):
        world, engine = World("adversarial", seed), ReferenceEngine(**adversary.CAPACITIES)
        engine.submit(world.setup())
        for _ in range(60):
            chunk = world.chunk(50, engine).tobytes()
            for at, layout in split(chunk, COMMANDS):
                command = layout.read(chunk, at)
                for template, event in read_events(engine.submit(chunk[at : at + layout.size])):
                    released += template == Template.ORDER_RELEASED
                    seen.add(("template", template))
                    if getattr(event, "list_leg", 0):
                        seen |= {("leg", event.list_leg), ("reject", event.reject_reason)}
                    if template == Template.ORDER_ACCEPTED and event.event_flags & EventFlags.HELD:
                        seen.add(("list", command.list_type))
                    if template == Template.ORDER_CANCELED:
                        seen.add(("cancel", event.cancel_reason, bool(event.event_flags & EventFlags.HELD)))
                    if template == Template.ORDER_REDUCED:
                        seen.add(("reduced", event.cancel_reason))
    assert released > 200
    assert {("list", int(kind)) for kind in ListType} <= seen
    assert {("leg", n) for n in (1, 2, 3)} <= seen
    reasons = (CancelReason.LIST_LEG_EXECUTED, CancelReason.LIST_LEG_ENDED, CancelReason.LIST_PARENT_ENDED)
    assert {("cancel", int(reason), held) for reason in reasons for held in (False, True)} - seen <= {
        ("cancel", int(CancelReason.LIST_PARENT_ENDED), False)
    }
    assert ("reduced", int(CancelReason.LIST_LEG_EXECUTED)) in seen
    wanted = (
        RejectReason.BAD_LIST,
        RejectReason.TOO_MANY_LISTS,
        RejectReason.BOOK_FULL,
        RejectReason.WRONG_PHASE,
        RejectReason.BAD_TRIGGER,
        RejectReason.DUPLICATE_CLIENT_REF,
    )
    assert {("reject", int(reason)) for reason in wanted} <= seen
