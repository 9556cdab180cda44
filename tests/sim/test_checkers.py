"""The event checker finds every kind of wrong event log.

Method: a log the reference made is right; each test changes one event the way a broken engine might.
"""

import numpy as np
import pytest

from tradsys.sim import commands, compare
from tradsys.sim.checkers import CheckFailed, EventChecker
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire.enums import EventFlags, Side, StpMode, Template
from tradsys.wire.records import DTYPES, EVENT_COMMON

RECORDS = [
    commands.define_participant(1, stp_mode=StpMode.NONE),
    commands.define_participant(2, stp_mode=StpMode.CANCEL_NEWEST),
    commands.define_session(11, 1),
    commands.define_session(21, 2),
    commands.define_instrument(1),
    commands.set_state(1),
    commands.new_order(11, 1, Side.SELL, 5, 100),  # event 7: accepted, rests
    commands.new_order(11, 2, Side.SELL, 5, 100),  # 8
    commands.new_order(11, 3, Side.SELL, 5, 101),  # 9
    commands.new_order(21, 1, Side.BUY, 7, 100),  # 10 accepted, 11 and 12 executed
    commands.new_order(21, 2, Side.BUY, 4, 99),  # 13
    commands.record(
        Template.REDUCE_ORDER, session_id=21, orig_client_ref=2, instrument_id=1, qty_lots=1
    ),  # 14
    commands.record(
        *(Template.REPLACE_ORDER,),
        session_id=21,
        orig_client_ref=2,
        client_ref=3,
        instrument_id=1,
        qty_lots=9,
        price_ticks=101,
    ),  # 15 replaced, 16 executed with order 2 at 100, 17 executed with order 3 at 101, 18 rested
    commands.record(Template.CANCEL_ORDER, session_id=21, orig_client_ref=3, instrument_id=1),  # 19
]


def log():
    engine = ReferenceEngine()
    return engine, engine.submit(b"".join(RECORDS)).copy()


def test_a_right_log_passes_and_tells_the_book():
    engine, events = log()
    checker = EventChecker()
    checker.apply(events)
    checker.check_totals()
    checker.check_engine(engine, [1])
    assert checker.positions == {(1, 1): -15, (2, 1): 15}
    assert checker.depth(1, Side.SELL) == checker.depth(1, Side.BUY) == []


def test_events_are_where_the_tests_below_think():
    _, events = log()
    names = [Template(int(template)).name for template in events["template_id"][6:]]
    assert names[:6] == ["ORDER_ACCEPTED"] * 4 + ["ORDER_EXECUTED"] * 2
    assert names[6:] == [
        "ORDER_ACCEPTED",
        "ORDER_REDUCED",
        "ORDER_REPLACED",
        *["ORDER_EXECUTED"] * 2,
        *names[11:],
    ]
    assert names[-1] == "ORDER_CANCELED"


def changed(seq, /, **fields):
    """The log with fields of event `seq` set; a callable gets the old value."""
    _, events = log()
    index = seq - 1
    row = events[index : index + 1].view(DTYPES[int(events["template_id"][index])])
    for name, value in fields.items():
        row[name] = value(row[name][0]) if callable(value) else value
    return events


WRONG = {
    "an event number is left out": (11, {"seq": 12}, "event seq"),
    "a cause goes back": (11, {"cause_seq": 9}, "cause"),
    "a report number is left out": (12, {"incoming_report_seq": 9}, "gets report"),
    "the taker's price": (16, {"price_ticks": 101}, "price is not the resting order's"),
    "leaves that do not add up": (11, {"resting_leaves_lots": 1}, "leaves"),
    "more than was left": (11, {"qty_lots": 6}, "lots matched of"),
    "a match of nothing": (11, {"qty_lots": 0}, "match of 0 lots"),
    "the second in the queue first": (11, {"resting_order_id": 2 << 24 | 1}, "not the first"),
    "an order nobody knows": (11, {"resting_order_id": 99 << 24}, "is not live"),
    "accepted with less than its quantity": (7, {"leaves_lots": 4}, "all its quantity"),
    "more taken off than there was": (14, {"qty_lots": 9}, "lots taken off"),
    "a replace that forgets what was left": (15, {"leaves_before_lots": 9}, "leaves before"),
    "a replace that says it kept its place": (
        15,
        {"event_flags": EventFlags.RESTS | EventFlags.PRIORITY_KEPT},
        "PRIORITY_KEPT",
    ),
    "more cancelled than was left": (19, {"qty_lots": 2}, "lots cancelled"),
    "a cancel that did not rest": (19, {"event_flags": 0}, "RESTS of the cancel"),
    "a crossed book": (13, {"price_ticks": 102}, "crossed"),
    "a self-trade": (10, {"participant_id": 1, "stp_mode": StpMode.CANCEL_NEWEST}, "self-trade"),
    "a limit that is broken": (10, {"price_ticks": 98}, "limit is broken"),
}


@pytest.mark.parametrize(("seq", "fields", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_event_is_found(seq, fields, message):
    events = changed(seq, **fields)
    with pytest.raises(CheckFailed, match=message):
        EventChecker().apply(events)


def test_a_lost_cancel_is_found_when_books_are_compared():
    engine, events = log()
    checker = EventChecker()
    checker.apply(events[:-1])
    with pytest.raises(CheckFailed, match="depth of instrument 1"):
        checker.check_engine(engine, [1])


def test_positions_that_do_not_sum_to_zero_are_found():
    _, events = log()
    checker = EventChecker()
    checker.apply(events)
    checker.positions[1, 1] += 1
    with pytest.raises(CheckFailed, match="sum to zero"):
        checker.check_totals()


def test_lots_that_vanish_are_found():
    _, events = log()
    checker = EventChecker()
    checker.apply(events)
    checker.entered_lots += 1
    with pytest.raises(CheckFailed, match="lots entered"):
        checker.check_totals()


@pytest.mark.parametrize("profile", compare.PROFILES)
def test_the_reference_passes_on_every_profile(profile):
    checker = EventChecker()
    compare.run(ReferenceEngine, profile, 5, 600, live_target=200, state_every=100, watch=checker.apply)
    checker.check_totals()
    assert checker.last_seq > 600


def test_events_may_come_as_any_array():
    _, events = log()
    for form in (
        events,
        np.frombuffer(events.tobytes(), np.uint8),
        events.tobytes(),
        events.view(EVENT_COMMON),
    ):
        checker = EventChecker()
        checker.apply(form)
        assert checker.last_seq == len(events)
