"""Goal: sessions are found by their connection and the throttle lets through exactly its rate.
Method: a random model test against a dict; the bucket on a clock moved by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.gateways.sessions import SessionTable, Throttle

SECOND = 1_000_000_000


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40), st.booleans()), max_size=60))
def test_connections_find_their_session(steps):
    table, model = SessionTable(10), {}
    for session_id, route, connects in steps:
        if not connects:
            table.disconnect(session_id)
            model.pop(session_id, None)
        elif route not in model.values():
            table.connect(session_id, route)
            model[session_id] = route
        table.check()
        found = {route: table.session_of(route) for route in range(41)}
        assert {route: who for route, who in found.items() if who} == {r: s for s, r in model.items()}
        assert sorted(table.open_sessions()) == sorted(model)


def test_a_session_id_out_of_range_is_refused():
    with pytest.raises(ValueError, match="sessions_max"):
        SessionTable(1)
    table = SessionTable(4)
    for session_id in (0, 4):
        with pytest.raises(ValueError, match="no session"):
            table.connect(session_id, 1)


def test_7_1_the_bucket_is_full_at_first_and_fills_with_time():
    throttle = Throttle(5, SECOND)
    assert [throttle.take(0) for _ in range(6)] == [True] * 5 + [False]
    assert not throttle.take(SECOND // 5 - 1)
    assert throttle.take(SECOND // 5)
    assert not throttle.take(SECOND // 5)
    assert [throttle.take(100 * SECOND) for _ in range(6)] == [True] * 5 + [False]


def test_7_1_no_limit_is_no_limit():
    throttle = Throttle(0, SECOND)
    assert all(throttle.take(0) for _ in range(10_000))
    assert not throttle.is_flood(10**9, 0)


def test_7_1_a_clock_that_stands_or_steps_back_gives_nothing():
    throttle = Throttle(1, SECOND)
    assert throttle.take(5 * SECOND)
    assert not throttle.take(4 * SECOND)
    assert not throttle.take(5 * SECOND)
    assert throttle.take(6 * SECOND)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 50), st.lists(st.integers(0, SECOND // 2), min_size=1, max_size=120))
def test_7_1_never_more_than_the_rate_allows(messages, gaps):
    throttle, now, let_through = Throttle(messages, SECOND), 0, []
    for gap in gaps:
        now += gap
        if throttle.take(now):
            let_through.append(now)
    # any stretch of time holds at most a full bucket and what came in meanwhile
    for i, begin in enumerate(let_through):
        for j in range(i, len(let_through)):
            assert j - i + 1 <= messages + messages * (let_through[j] - begin) // SECOND + 1


def test_7_2_useless_messages_make_a_flood_within_one_window():
    throttle = Throttle(10, SECOND, 3)
    assert not throttle.is_flood(30, 0)
    assert throttle.is_flood(1, SECOND - 1)
    assert not throttle.is_flood(30, SECOND)
