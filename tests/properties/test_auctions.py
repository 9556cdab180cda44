"""An auction trades as much as any price would allow, at the price rule 11.6 names.

Method: small random books, market orders and equal limits among them; every price there is is tried out in plain Python,
and both engines are asked for the indicative and for the uncross.
"""

import os
import secrets

import numpy as np
import pytest

from tradsys.core import Engine
from tradsys.sim import commands
from tradsys.sim.draw import Draw
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire.enums import EventFlags, InstrumentState, OrderType, Side, StpMode, Template
from tradsys.wire.records import DTYPES

NO_PRICE = -(1 << 63)
CAPACITIES = {"orders_max": 64, "instruments_max": 2, "participants_max": 3, "sessions_max": 3, "accounts_max": 1}
SETUP = b"".join(
    [
        *(commands.define_participant(n, stp_mode=StpMode.CANCEL_BOTH) for n in (1, 2)),
        *(commands.define_session(n, n) for n in (1, 2)),
        commands.define_instrument(1, price_min_ticks=-40, price_max_ticks=40),
        commands.set_state(1, InstrumentState.OPENING_AUCTION),
    ]
)


class RandomBook:
    """Orders of one call, and what plain counting says of them."""

    def __init__(self, seed):
        draw = Draw(seed)
        self.reference = draw.between(-12, 12) if draw.chance(2) else NO_PRICE
        width = draw.pick((2, 5, 10))
        self.orders = []  # side, price or None, lots
        for _ in range(draw.below(24)):
            price = None if draw.chance(6) else draw.between(-width, width)
            self.orders.append((1 + draw.below(2), price, 1 + draw.below(draw.pick((2, 9)))))

    def records(self):
        """Commands that collect the orders."""
        if self.reference != NO_PRICE:
            yield commands.record(
                Template.SET_AUCTION_RULES, instrument_id=1, reference_price_ticks=self.reference
            )
        for number, (side, price, lots) in enumerate(self.orders):
            market = price is None
            order_type = OrderType.MARKET if market else OrderType.LIMIT
            yield commands.new_order(
                1 + number % 2, number, side, lots, 0 if market else price, order_type=order_type
            )

    def demand(self, price):
        return sum(lots for side, limit, lots in self.orders if side == 1 and (limit is None or limit >= price))

    def supply(self, price):
        return sum(lots for side, limit, lots in self.orders if side == 2 and (limit is None or limit <= price))

    def volume(self, price):
        return min(self.demand(price), self.supply(price))

    def surplus(self, price):
        return self.demand(price) - self.supply(price)

    def candidates(self):
        limits = {limit for _, limit, _ in self.orders if limit is not None}
        return sorted(limits | ({self.reference} - {NO_PRICE}))


def seeds(count):
    first = int(os.environ.get("TRADSYS_SEED", secrets.randbelow(1 << 40)))
    print(f"first seed {first}")
    return range(first, first + count)


def events_of(engine, record):
    found = engine.submit(np.frombuffer(record, dtype=np.uint8)).copy()
    return [event.view(DTYPES[int(event["template_id"])]) for event in found]


@pytest.mark.parametrize("make_engine", [ReferenceEngine, Engine])
def test_the_price_and_the_volume_hold_against_every_price(make_engine):
    for seed in seeds(300):
        book = RandomBook(seed)
        engine = make_engine(**CAPACITIES)
        engine.submit(np.frombuffer(SETUP + b"".join(book.records()), dtype=np.uint8))
        events = events_of(engine, commands.set_state(1, InstrumentState.OPEN))
        engine.check()
        result = events[0]
        assert result["template_id"] == Template.AUCTION_UNCROSSED
        price, volume = int(result["price_ticks"]), int(result["qty_lots"])
        greatest = max(book.volume(p) for p in range(-45, 46))
        if price == NO_PRICE:
            market_only = all(limit is None for _, limit, _ in book.orders)
            assert volume == 0, seed
            assert greatest == 0 or (market_only and book.reference == NO_PRICE), seed
            continue
        assert volume == book.volume(price) == greatest > 0, seed
        assert price in [*book.candidates(), book.reference], seed
        best = [p for p in book.candidates() if book.volume(p) == greatest]
        smallest = min(abs(book.surplus(p)) for p in best)
        best = [p for p in best if abs(book.surplus(p)) == smallest]
        assert abs(book.surplus(price)) <= smallest, seed
        if all(book.surplus(p) > 0 for p in best):
            assert price == best[-1], seed
        elif all(book.surplus(p) < 0 for p in best):
            assert price == best[0], seed
        elif book.reference != NO_PRICE:
            low = max((p for p in best if book.surplus(p) > 0), default=best[0])
            high = min((p for p in best if book.surplus(p) < 0), default=best[-1])
            distances = {p: abs(p - book.reference) for p in range(low, high + 1)}
            assert price in distances, seed
            assert distances[price] == min(distances.values()), seed
        check_matches(book, events, price, volume)


def check_matches(book, events, price, volume):
    """All at one price, nobody beyond his limit, priority kept, as much as was said."""
    matches = [event for event in events if event["template_id"] == Template.ORDER_EXECUTED]
    assert sum(int(event["qty_lots"]) for event in matches) == volume
    filled = dict.fromkeys(range(len(book.orders)), 0)
    for event in matches:
        assert event["event_flags"] == EventFlags.AUCTION
        assert event["price_ticks"] == price
        for name, side in (("resting_client_ref", Side.SELL), ("incoming_client_ref", Side.BUY)):
            number = int(event[name])
            assert book.orders[number][0] == side
            filled[number] += int(event["qty_lots"])
    for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
        queue = sorted(
            (number for number, order in enumerate(book.orders) if order[0] == side),
            key=lambda number: (
                book.orders[number][1] is not None,
                sign * (book.orders[number][1] or 0),
                number,
            ),
        )
        left = volume
        for number in queue:
            assert filled[number] == min(left, book.orders[number][2])
            left -= filled[number]


def test_both_engines_agree_on_books_with_many_levels():
    capacities = CAPACITIES | {"orders_max": 1024}
    for seed in seeds(40):
        draw = Draw(seed)
        pair = [ReferenceEngine(**capacities), Engine(**capacities)]
        records = [SETUP]
        if draw.chance(2):
            records.append(
                commands.record(
                    Template.SET_AUCTION_RULES, instrument_id=1, reference_price_ticks=draw.between(-40, 40)
                )
            )
        for number in range(draw.below(400)):
            market = draw.chance(draw.pick((3, 10, 100)))
            order_type = OrderType.MARKET if market else OrderType.LIMIT
            side, price = 1 + draw.below(2), draw.between(-40, 40)
            records.append(
                commands.new_order(
                    1 + number % 2,
                    number,
                    side,
                    1 + draw.below(50),
                    0 if market else price,
                    order_type=order_type,
                )
            )
        records.append(commands.record(Template.AUCTION_TIMER, instrument_id=1))
        records.append(commands.set_state(1, InstrumentState.OPEN))
        data = np.frombuffer(b"".join(records), dtype=np.uint8)
        expected, found = (engine.submit(data).tobytes() for engine in pair)
        assert found == expected, seed
        assert pair[0].state_hash() == pair[1].state_hash(), seed


def test_an_uncross_without_room_for_its_events_changes_nothing_rule_11_17():
    """Rule 11.17. Method: a buffer one event too short refuses the command whole; a larger one decides it."""
    engine = Engine(**CAPACITIES)
    book = [commands.new_order(1 + n % 2, n, 1 + n % 2, 5, 3) for n in range(20)]
    engine.submit(np.frombuffer(SETUP + b"".join(book), dtype=np.uint8))
    before = engine.state_hash()
    end = np.frombuffer(commands.set_state(1, InstrumentState.OPEN), dtype=np.uint8)
    with pytest.raises(BufferError):
        engine.submit(end, out=np.empty(20 * 128, dtype=np.uint8))
    assert engine.state_hash() == before
    assert len(engine.submit(end, out=np.empty(32 * 128, dtype=np.uint8))) == 12
    engine.check()
