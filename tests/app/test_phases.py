"""The clock of trading phases sends each phase once, at its local time, and makes up for the last one missed.

Method: a manual clock steps through days; the commands are read back.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tradsys import config
from tradsys.app.phases import PhaseClock
from tradsys.errors import ConfigError
from tradsys.wire.enums import InstrumentState, Template

BERLIN = ZoneInfo("Europe/Berlin")
S_NS = 10**9
MINUTE_NS = 60 * S_NS
DAY = (
    {"at": "07:30", "state": "PRE_OPEN"},
    {"at": "08:50", "state": "OPENING_AUCTION", "until": "09:00"},
    {"at": "17:30", "state": "CLOSING_AUCTION", "until": "17:35", "then": "TRADE_AT_CLOSE"},
    {"at": "17:45", "state": "CLOSED"},
)


class Engine:
    """States by instrument."""

    def __init__(self):
        self.states = {}
        self.expiry_ns = (1 << 63) - 1
        self.ends = {}  # planned ends, ns

    def defined_instruments(self):
        return sorted({1, 2, 3} | set(self.states))

    def instrument_state(self, instrument_id):
        return self.states.get(instrument_id, InstrumentState.CLOSED)

    def next_expiry_ns(self):
        return self.expiry_ns

    def planned_end(self, instrument_id):
        return self.ends.get(instrument_id, 0)


def at(text):
    """A Berlin time, ns since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()) * 10**9


def clock(since, *tables, indicative_ms=1_000):
    schedule = msgspec.convert({"timetables": tables, "indicative_ms": indicative_ms}, config.Schedule)
    instruments = [
        config.Instrument(
            instrument_id=number, symbol=f"S{number}", currency="EUR", asset_class=kind, tick="0.01", lot="1", price_max="100"
        )
        for number, kind in ((1, "STOCK"), (2, "STOCK"), (3, "BOND"))
    ]
    return PhaseClock(schedule, instruments, since)


def told(records):
    return [(int(r["instrument_id"][0]), InstrumentState(int(r["state"][0])).name) for r in records]


def test_a_day_is_sent_phase_by_phase_each_once():
    phases = clock(at("2026-03-27 06:00"), {"phases": DAY, "zone": "Europe/Berlin", "asset_class": "STOCK"})
    engine, sent = Engine(), []
    for minute in range(13 * 60):
        now_ns = at("2026-03-27 06:00") + minute * MINUTE_NS
        sent += [(minute, *one) for one in told(phases.due(engine, now_ns))]
    assert sent == [
        (90, 1, "PRE_OPEN"),
        (90, 2, "PRE_OPEN"),
        (170, 1, "OPENING_AUCTION"),
        (170, 2, "OPENING_AUCTION"),
        (690, 1, "CLOSING_AUCTION"),
        (690, 2, "CLOSING_AUCTION"),
        (705, 1, "CLOSED"),
        (705, 2, "CLOSED"),
    ]


def test_day_orders_end_with_their_day_once_and_after_any_pause():
    # Goal: no DAY order lives into the next day. Method: minute by minute over the end; a night, a weekend passed over.
    day = ({"at": "09:00", "state": "OPEN"}, {"at": "17:45", "state": "CLOSED", "day_ends": True})
    table = {"phases": day, "zone": "Europe/Berlin", "instruments": [1, 3]}

    def ended(phases, when):
        due = phases.due(Engine(), at(when))
        return [int(r["instrument_id"][0]) for r in due if r["template_id"][0] == Template.EXPIRE_DAY_ORDERS]

    phases = clock(at("2026-03-27 17:00"), table)
    assert ended(phases, "2026-03-27 17:44") == []
    assert ended(phases, "2026-03-27 17:45") == [1, 3]
    assert ended(phases, "2026-03-27 17:46") == []
    assert ended(clock(at("2026-03-26 17:00"), table), "2026-03-27 10:00") == [1, 3]  # OPEN is the newest phase
    assert ended(clock(at("2026-03-27 17:00"), table), "2026-03-30 10:00") == [1, 3]
    assert ended(clock(at("2026-03-27 17:00"), {**table, "phases": DAY}), "2026-03-30 10:00") == []


def test_a_call_has_its_end_and_what_comes_after_it():
    phases = clock(at("2026-06-01 17:00"), {"phases": DAY, "zone": "Europe/Berlin", "instruments": [3]})
    (record,) = phases.due(Engine(), at("2026-06-01 17:30"))
    assert record["template_id"][0] == Template.START_CALL
    assert record["end_ts_ns"][0] == at("2026-06-01 17:35")
    assert record["state_after"][0] == InstrumentState.TRADE_AT_CLOSE


def test_the_time_of_day_stays_when_clocks_change():
    phases = clock(at("2026-03-28 12:00"), {"phases": DAY, "zone": "Europe/Berlin", "instruments": [1], "days": ["SUN", "MON"]})
    assert phases.due(Engine(), at("2026-03-29 07:29")) == []
    assert told(phases.due(Engine(), at("2026-03-29 07:30"))) == [(1, "PRE_OPEN")]


def test_after_a_pause_the_last_phase_missed_is_sent_and_none_of_a_weekend():
    phases = clock(at("2026-03-27 07:00"), {"phases": DAY, "zone": "Europe/Berlin", "instruments": [1]})
    assert told(phases.due(Engine(), at("2026-03-27 17:31"))) == [(1, "CLOSING_AUCTION")]
    assert told(phases.due(Engine(), at("2026-03-28 09:00"))) == [(1, "CLOSED")]
    assert phases.due(Engine(), at("2026-03-29 09:00")) == []
    assert phases.due(Engine(), at("2026-03-29 08:00")) == [], "a clock set back sends nothing again"
    assert told(phases.due(Engine(), at("2026-03-30 09:00"))) == [(1, "OPENING_AUCTION")]


def test_an_instrument_goes_by_the_first_table_that_names_it():
    tables = (
        {"phases": [{"at": "10:00", "state": "OPEN"}], "instruments": [2]},
        {"phases": [{"at": "10:00", "state": "HALTED"}]},
    )
    phases = clock(at("2026-06-01 09:00"), *tables)
    assert told(phases.due(Engine(), at("2026-06-01 12:30"))) == [(2, "OPEN"), (1, "HALTED"), (3, "HALTED")]


def test_timers_go_to_instruments_in_an_auction_at_their_pace():
    phases, engine = clock(0, indicative_ms=500), Engine()
    engine.states = {1: InstrumentState.CLOSING_AUCTION, 2: InstrumentState.PRE_OPEN, 3: InstrumentState.VOLATILITY_AUCTION}
    sent = [phases.due(engine, 10**18 + ms * 10**6) for ms in (0, 100, 499, 500, 900, 1000)]
    assert [len(one) for one in sent] == [2, 0, 0, 2, 0, 2]
    assert {int(record["instrument_id"][0]) for record in sent[0]} == {1, 3}
    assert all(record["template_id"][0] == Template.AUCTION_TIMER for record in sent[0])


def test_orders_that_expire_are_ended_when_it_is_time_at_their_pace():
    phases, engine, second = clock(0), Engine(), 10**9
    start = 10**18
    engine.expiry_ns = start + 5 * second
    sent = [phases.due(engine, start + tenth * second // 10) for tenth in range(70)]
    assert [tenth for tenth, found in enumerate(sent) if found] == [50, 60]
    assert all(record["template_id"][0] == Template.EXPIRE_ORDERS for found in sent for record in found)
    assert sent[50][0]["instrument_id"][0] == 0, "of all instruments"


@pytest.mark.parametrize(
    "table",
    [
        {"phases": DAY, "instruments": [9]},
        {"phases": DAY, "zone": "Mars/Olympus"},
    ],
)
def test_a_timetable_that_cannot_be_followed_is_refused(table):
    with pytest.raises(ConfigError, match="schedule"):
        clock(0, table)


@pytest.mark.parametrize(
    "phases",
    [
        [],
        [{"at": "09:00", "state": "OPEN", "until": "10:00"}],
        [{"at": "09:00", "state": "CLOSING_AUCTION", "until": "08:00"}],
        [{"at": "09:00", "state": "OPEN"}, {"at": "08:00", "state": "CLOSED"}],
        [{"at": "9:00", "state": "OPEN"}],
        [{"at": "09:00", "state": "VOLATILITY_AUCTION"}],
    ],
)
def test_phases_that_make_no_day_are_refused(phases):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"phases": phases}, config.Timetable)


def test_a_halt_with_a_planned_end_is_ended_when_it_is_due():
    begin = at("2026-03-27 10:00")
    phases, engine = clock(begin), Engine()
    engine.states = {1: InstrumentState.HALTED, 2: InstrumentState.HALTED}
    engine.ends = {2: begin + 5 * 10**9}
    sent = [phases.due(engine, begin + second * 10**9) for second in range(1, 8)]
    assert [[int(r["instrument_id"][0]) for r in records] for records in sent] == [[]] * 4 + [[2]] * 3


def test_an_instrument_that_no_setting_names_has_its_timers_too():
    begin = at("2026-03-27 10:00")
    phases, engine = clock(begin), Engine()
    engine.states = {1: InstrumentState.OPEN, 77: InstrumentState.HALTED, 78: InstrumentState.VOLATILITY_AUCTION}
    engine.ends = {77: begin + S_NS}
    sent = [int(r["instrument_id"][0]) for r in phases.due(engine, begin + S_NS)]
    assert sent == [77, 78]
