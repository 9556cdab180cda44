"""A replay against the venue's rules without sockets: what is sent, what is hit, and what the report says of it."""

import numpy as np
import pytest
from venue_in_memory import VenueInMemory

from tradsys.connectors import itch
from tradsys.connectors.itch_plan import ItchPlan
from tradsys.connectors.lobster import read_day
from tradsys.connectors.lobster_plan import LobsterPlan, Seeding
from tradsys.connectors.order_flow import Command, CommandKind, Party, Step
from tradsys.connectors.replay_driver import Market, ReplayDriver
from tradsys.connectors.resting_orders import ASK, BID
from tradsys.errors import SessionError, UnitError
from tradsys.units import InstrumentUnits

NEW, REDUCE, DELETE, EXECUTE, HIDDEN = 1, 2, 3, 4, 5
CENTS = Market(1, "AMZN", InstrumentUnits.parse("0.01", "1"))
DAY = "AMZN_2012-06-21_34200000_57600000"


def driver(venue, market=CENTS) -> ReplayDriver:
    links = {Party.MAKER: venue.links[1], Party.TAKER: venue.links[2], Party.OPERATOR: venue.links[3]}
    return ReplayDriver(links, lambda number: market)


def replay(messages, rows, seeding=Seeding.FIRST):
    """Replay LOBSTER rows of one level with prices in cents x 100."""
    venue, plan = VenueInMemory(), LobsterPlan(seeding, 1)
    driven = driver(venue)
    return venue, driven.run(plan.step(message, row) for message, row in zip(messages, rows, strict=True))


def test_executions_hit_the_order_the_file_names():
    # Goal: an execution is counted as a hit only if its whole quantity met that very order. Method: two orders at one
    # price; the file executes the first (hit), then claims the second twice, once while the first still rests (miss).
    messages = [
        (0, HIDDEN, 0, 1, 9500, 1),
        (1, NEW, 7, 5, 9100, 1),
        (2, NEW, 8, 5, 9100, 1),
        (3, EXECUTE, 7, 3, 9100, 1),
        (4, EXECUTE, 8, 2, 9100, 1),
        (5, EXECUTE, 8, 5, 9100, 1),
    ]
    row = (10000, 10, 9000, 20)
    rows = [row, (10000, 10, 9100, 5), (10000, 10, 9100, 10), (10000, 10, 9100, 7), (10000, 10, 9100, 5), row]
    _, report = replay(messages, rows)
    assert (report.executions, report.executions_known, report.executions_hit) == (3, 3, 2)
    assert report.executions_unfilled == 0
    assert (report.rows_compared, report.rows_top_equal) == (6, 6)
    assert report.matches == 3
    assert not report.rejected


def test_a_top_that_differs_is_seen_and_its_row_named():
    # Goal: the comparison is of our book after that very row. Method: one wrong quantity, one wrong price in the file.
    messages = [(0, HIDDEN, 0, 1, 9500, 1), (1, NEW, 7, 5, 9100, 1), (2, DELETE, 7, 5, 9100, 1)]
    rows = [(10000, 10, 9000, 20), (10000, 10, 9100, 6), (10000, 10, 9200, 20)]
    _, report = replay(messages, rows)
    assert (report.rows_compared, report.rows_top_equal, report.rows_top_price_equal) == (3, 1, 2)
    assert report.first_unequal_row == 1


def test_an_order_that_matches_on_entry_rests_with_what_is_left():
    # Goal: the book rebuilt from reports knows a rest that no report tells of. Method: a crossing order, partly
    # matched.
    messages = [(0, HIDDEN, 0, 1, 9500, 1), (1, NEW, 7, 15, 10000, 1), (2, NEW, 8, 1, 10100, -1)]
    rows = [(10000, 10, 9000, 20), (9999999999, 0, 10000, 5), (10100, 1, 10000, 5)]
    _, report = replay(messages, rows)
    assert report.rows_top_equal == 3
    assert report.matches == 1


def test_a_price_between_ticks_is_refused():
    # Goal: nothing is rounded. Method: half a cent into an instrument of cents.
    with pytest.raises(UnitError, match=r"9150 x 10\^-4 is not a whole number of ticks of 0\.01"):
        replay([(0, HIDDEN, 0, 1, 9500, 1), (1, NEW, 7, 5, 9150, 1)], [(10000, 10, 9000, 20)] * 2)


def test_a_venue_that_does_not_answer_is_named(monkeypatch):
    # Goal: a replay does not hang for ever. Method: a link that swallows everything, and no patience.
    venue = VenueInMemory()
    monkeypatch.setattr(venue, "decide", lambda session, records: None)
    monkeypatch.setattr("tradsys.connectors.replay_driver.ANSWER_SECONDS", 0.01)
    step = Step(0, 0, [Command(Party.MAKER, CommandKind.NEW, 0, 1, 0, BID, 9000, 1)], -1, False, None)
    with pytest.raises(SessionError, match="1 commands are not answered"):
        driver(venue).run([step])


def test_a_match_with_somebody_else_is_named(monkeypatch):
    # Goal: a replay into an instrument that others trade says so. Method: a foreign order is in the way.
    venue = VenueInMemory()
    monkeypatch.setattr("tradsys.connectors.replay_driver.ANSWER_SECONDS", 0.01)
    foreign = driver(venue)
    foreign._links = {Party.MAKER: venue.links[3]}
    foreign.run([Step(0, 0, [Command(Party.MAKER, CommandKind.NEW, 0, 1, 0, BID, 9000, 1)], -1, False, None)])
    step = Step(0, 0, [Command(Party.TAKER, CommandKind.AGGRESS, 0, 9, 0, ASK, 9000, 1)], 5, True, None)
    links = {Party.MAKER: venue.links[1], Party.TAKER: venue.links[2]}
    with pytest.raises(SessionError, match="1 matches were with somebody else"):
        ReplayDriver(links, lambda number: CENTS).run([step])


def test_many_commands_go_in_one_frame():
    # Goal: a run of one session's commands is packed. Method: 1,000 new orders need four frames of 256.
    venue = VenueInMemory()
    commands = [Command(Party.MAKER, CommandKind.NEW, 0, ref, 0, BID, 9000, 1) for ref in range(1, 1001)]
    driver(venue).run([Step(0, 0, commands, -1, False, None)])
    assert venue.links[1].frames == 4
    assert len(venue.engine.orders) == 1000


def test_a_speed_keeps_the_times_of_the_file(monkeypatch):
    # Goal: at speed 10 a row is sent a tenth of its time after the first, not before. Method: a clock that only waiting
    # for reports moves; four rows, the last two at the same time.
    clock, sent = [50.0], []
    monkeypatch.setattr("tradsys.connectors.replay_driver.time.perf_counter", lambda: clock[0])
    venue = VenueInMemory()
    link = venue.links[1]
    send, receive = link.send, link.receive

    def timed_send(records):
        sent.append(clock[0] - 50.0)
        return send(records)

    def timed_receive(timeout_s):
        clock[0] += timeout_s
        return receive(timeout_s)

    monkeypatch.setattr(link, "send", timed_send)
    monkeypatch.setattr(link, "receive", timed_receive)
    times = (34_200_000_000_000, 34_201_000_000_000, 34_230_000_000_000, 34_230_000_000_000)
    steps = [
        Step(
            row, ts_ns, [Command(Party.MAKER, CommandKind.NEW, 0, row + 1, 0, BID, 9000, 1)], -1, False, None
        )
        for row, ts_ns in enumerate(times)
    ]
    ReplayDriver({Party.MAKER: link}, lambda number: CENTS, speed=10.0).run(steps)
    assert len(sent) == 4
    assert sent[0] == 0.0
    assert 0.1 <= sent[1] < 0.2
    assert 3.0 <= sent[2] <= sent[3] < 3.2


@pytest.mark.parametrize("levels", [1, 5])
def test_a_prefix_of_the_amzn_day_is_equal_at_every_row(market_data, levels):
    # Goal: with the window kept, our best prices equal the venue's on every row. Method: the first 6,000 rows into the
    # reference engine; the shares are those of the report.
    folder = market_data / "lobster"
    files = [folder / f"{DAY}_{kind}_{levels}.parquet" for kind in ("message", "orderbook")]
    plan = LobsterPlan(Seeding.WINDOW, levels)
    report = driver(VenueInMemory()).run(_steps(plan, files, levels, 6000))
    assert report.rows_compared == report.rows_top_equal == 6000
    assert report.executions > 300
    assert report.executions_hit > 0.85 * report.executions_known
    assert report.executions_unfilled == 0
    assert not report.rejected


def _steps(plan, files, levels, rows):
    for batch, block in read_day(*files, levels):
        columns = [column.tolist() for column in batch.columns()]
        for message, row in zip(zip(*columns, strict=True), block.tolist(), strict=True):
            if rows == 0:
                return
            yield plan.step(message, row)
            rows -= 1


# ---------------------------------------------------------------- ITCH

MILLS = Market(7, "TEST", InstrumentUnits.parse("0.0001", "1"))


def itch_replay(*messages, operate=True):
    venue, plan = VenueInMemory(), ItchPlan(operate=operate)
    decoded = [itch.decode_message(itch.encode_message(*message)) for message in messages]
    report = driver(venue, MILLS).run(plan.step(message) for message in decoded)
    return venue, plan, report


DIRECTORY = ("R", 5, 0, 1, "TEST", "Q", "N", 100, "N", "C", "Z", "P", "N", "N", "1", "N", 0, "N")
OPENING = ("H", 5, 0, 2, "TEST", "T", " ", "")


def depth(venue):
    """Side, price and leaves of the orders of instrument 7, by reference."""
    orders = [order for order in venue.engine.orders.values() if order.instrument_id == 7]
    return {order.client_ref: (order.side, order.price, order.leaves) for order in orders}


def test_the_life_of_itch_orders():
    # Goal: every order message has its effect. Method: a short session that uses A, F, E, C, X, D and both kinds of U.
    venue, plan, report = itch_replay(
        DIRECTORY,
        OPENING,
        ("A", 5, 0, 3, 101, "B", 100, "TEST", 10000),
        ("F", 5, 0, 4, 102, "S", 50, "TEST", 10100, "UBSS"),
        ("A", 5, 0, 5, 103, "B", 30, "TEST", 9900),
        ("E", 5, 0, 6, 101, 40, 1),  # 60 left
        ("X", 5, 0, 7, 101, 10),  # 50 left
        ("C", 5, 0, 8, 102, 20, 2, "Y", 10050),  # 30 left
        ("U", 5, 0, 9, 101, 201, 70, 10001),  # new price: 70
        ("U", 5, 0, 10, 102, 202, 25, 10100),  # same price, less: to the back
        ("D", 5, 0, 11, 103),
        ("E", 5, 0, 12, 201, 70, 3),  # gone
    )
    assert depth(venue) == {202: (2, 10100, 25)}
    assert set(plan.orders) == {202}
    assert (report.executions, report.executions_hit) == (2, 2)
    assert report.commands["REPLACE"] == 1
    assert not report.rejected


def test_itch_instruments_are_defined_opened_and_halted_by_the_operator():
    # Goal: a directory entry and a trading action become operator commands. Method: a halt between two orders.
    venue, _, report = itch_replay(
        DIRECTORY,
        OPENING,
        ("A", 5, 0, 3, 101, "B", 100, "TEST", 10000),
        ("H", 5, 0, 4, "TEST", "H", " ", "LUDP"),
        ("A", 5, 0, 5, 102, "B", 100, "TEST", 10000),
    )
    assert set(depth(venue)) == {101}
    assert report.rejected == {"INSTRUMENT_NOT_OPEN": 1}
    assert report.commands["HALT"] == 1


def test_only_the_symbols_asked_for_are_followed():
    # Goal: other stocks cost nothing and are counted. Method: one stock followed, orders of another.
    plan = ItchPlan(symbols=["TEST"])
    other = itch.decode_message(itch.encode_message("A", 6, 0, 3, 101, "B", 100, "ELSE", 10000))
    delete = itch.decode_message(itch.encode_message("D", 6, 0, 4, 101))
    assert plan.step(other).commands == []
    assert plan.step(delete).commands == []
    assert plan.counts["other_stock"] == 2


def test_messages_without_orders_are_counted(market_data):
    # Goal: a real session's start sends nothing without an operator and counts everything. Method: 1,000 messages.
    plan = ItchPlan()
    sent = [
        plan.step(message).commands
        for message in itch.read_itch(market_data / "formats/nasdaq_itch50_first1000.itch")
    ]
    assert not any(sent)
    assert plan.counts == {
        "StockDirectory": 993,
        "StockTradingAction": 3,
        "RegShoRestriction": 3,
        "SystemEvent": 1,
    }


def test_encoded_records_are_what_the_door_expects():
    # Goal: zero where the door writes, the file's values elsewhere. Method: one frame of each order command.
    venue = VenueInMemory()
    kinds = (
        CommandKind.NEW,
        CommandKind.AGGRESS,
        CommandKind.REDUCE,
        CommandKind.CANCEL,
        CommandKind.REPLACE,
    )
    commands = [Command(Party.MAKER, kind, 0, 11, 12, ASK, 9000, 3) for kind in kinds]
    records = driver(venue).encode(commands)
    assert len(records) == 5 * 80
    heads = records.reshape(5, 80)[:, :32].copy().view(np.uint64)
    assert not heads[:, 1:].any()  # seq, ts_ns, session_id and client_seq
