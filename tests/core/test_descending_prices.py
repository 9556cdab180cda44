"""Prices that come back from below the range the ladder has forgotten: every level must be found again."""

from tradsys.core import Engine
from tradsys.wire.commands import define_instrument, define_participant, define_session, set_instrument_state
from tradsys.wire.enums import InstrumentState, OrderType, Side, TimeInForce

COUNT, MIDDLE, STEP = 400, 500_000_000, 10_000  # far apart: each price has a page of its own


def test_levels_below_a_removed_range_are_found():
    # Goal: a bound left behind by removed prices does not hide lower ones. Method: prices upwards, the lower half
    # cancelled, then prices downwards past where it was; after each the walk over the whole structure holds.
    engine = Engine(orders_max=1 << 12, instruments_max=2, participants_max=2, sessions_max=2, accounts_max=2)
    engine.submit(define_participant(1))
    engine.submit(define_session(1, 1))
    engine.submit(define_instrument(1, "X", tick="1", price_min="1", price_max="1000000000", qty_max="1000"))
    engine.submit(set_instrument_state(1, InstrumentState.OPEN))

    def enter(ref, price):
        engine.new_order(1, ref, 1, Side.SELL, price, 1, OrderType.LIMIT, TimeInForce.GTC)

    for index in range(COUNT):
        enter(1 + index, MIDDLE + index * STEP)
    for index in range(COUNT // 2):
        engine.cancel_order(1, 0, 1, 1 + index)
    prices = [MIDDLE + (COUNT // 2 - 1 - index) * STEP for index in range(COUNT)]
    for index, price in enumerate(prices):
        enter(10_000 + index, price)
        engine.check()
        assert engine.best_ask(1) == price
    assert [engine.qty_at(1, Side.SELL, price) for price in prices] == [1] * COUNT
