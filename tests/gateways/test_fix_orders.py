"""The order table of a FIX session: found by reference and by ClOrdID, bounded, live orders never forgotten."""

import random

import pytest

from tradsys.gateways.fix_orders import FixOrders
from tradsys.gateways.fix_text import average_text, time_text, to_units, units_text


def test_what_was_added_is_found_and_the_oldest_ended_is_forgotten():
    """Method: random adds and ends against a dict and a list, over several times the capacity."""
    random_ = random.Random(7)
    orders, live, known = FixOrders(2048), {}, {}
    for number in range(12_000):
        text = b"id-%d" % number
        reference = orders.add_order(text)
        assert reference
        live[text] = known[text] = reference
        while len(live) > 700:
            ended = random_.choice(list(live))
            orders.end_order(live.pop(ended))
    orders.check()
    assert orders.live() == sorted(live.values())
    for text, reference in live.items():
        assert orders.state_of(text)["client_ref"] == reference
    remembered = [text for text in known if orders.state_of(text)]
    assert len(remembered) == 2048
    assert set(live) <= set(remembered)
    assert b"id-11999" in remembered


def test_a_table_full_of_live_orders_takes_no_more():
    orders = FixOrders(1024)
    made = [orders.add_order(b"%d" % number) for number in range(1024)]
    assert all(made)
    assert orders.add_order(b"one more") == 0
    orders.end_order(made[500])
    assert orders.add_order(b"one more") != 0
    assert orders.state_of(b"500") is None
    orders.check()


def test_an_order_is_found_by_the_engines_id_as_long_as_it_is_remembered():
    """Method: ids in runs and far apart, some given anew, over several times the capacity, against a dict."""
    random_ = random.Random(11)
    orders, named = FixOrders(2048), {}
    for number in range(9_000):
        reference = orders.add_order(b"id-%d" % number)
        orders.end_order(reference)
        order_id = random_.choice([number + 1, random_.getrandbits(62) + 1, (number + 1) << 40])
        orders.name_order(reference, order_id)
        named[reference] = order_id
        if number % 7 == 0 and number > 10:
            again = reference - random_.randrange(1, 10)
            named[again] = random_.getrandbits(62) + 1
            orders.name_order(again, named[again])
    orders.check()
    remembered = {order_id: reference for reference, order_id in named.items() if reference > 9_000 - 2048}
    assert {order_id: orders.reference_of(order_id) for order_id in remembered} == remembered
    assert not any(orders.reference_of(named[reference]) for reference in range(1, 9_000 - 2048))
    assert orders.reference_of(0) == orders.reference_of(-5) == 0


def test_requests_the_engine_never_saw_are_forgotten():
    orders = FixOrders(1024)
    orders.add_order(b"a")
    assert orders.forget_undecided(0) == 0  # a test entry has client_seq 0: decided
    orders.check()


@pytest.mark.parametrize(
    ("text", "mantissa", "exponent", "units"),
    [
        (b"223.81", 1, -2, 22381), (b"223.810", 1, -2, 22381), (b"-1.5", 5, -1, -3), (b"10", 1, 0, 10),
        (b"00023.0", 1, 0, 23), (b".5", 25, -2, 2), (b"0", 1, -8, 0), (b"1e5", 1, 0, None), (b"", 1, 0, None),
        (b"-", 1, 0, None), (b".", 1, 0, None), (b"1.2.3", 1, -2, None), (b"223.815", 1, -2, None),
        (b"9223372036854775807", 1, 0, 2**63 - 1), (b"9223372036854775808", 1, 0, None), (b"9" * 30, 1, 0, None),
        (b"0.000000000000000001", 1, -18, 1), (b"1.3", 5, -1, None), (b" 1", 1, 0, None), (b"+1", 1, 0, None),
    ],
)  # fmt: skip
def test_a_decimal_is_read_exactly_or_not_at_all(text, mantissa, exponent, units):
    assert to_units(text, mantissa, exponent) == units
    if units is not None:
        assert to_units(units_text(units, mantissa, exponent), mantissa, exponent) == units


def test_units_are_written_as_the_shortest_decimal():
    assert units_text(22381, 1, -2) == b"223.81"
    assert units_text(22380, 1, -2) == b"223.8"
    assert units_text(-5, 1, -2) == b"-0.05"
    assert units_text(0, 1, -2) == b"0"
    assert units_text(7, 25, -2) == b"1.75"
    assert units_text(2**63 - 1, 10**6, 0) == b"9223372036854775807000000"


def test_an_average_is_exact_or_rounded_half_to_even():
    assert average_text(0, 0, 1, -2) == b"0"
    assert average_text(30, 4, 1, -2) == b"0.075"
    assert average_text(10, 3, 1, -2) == b"0.0333333333"
    assert average_text(20, 3, 1, -2) == b"0.0666666667"
    assert average_text(-10, 3, 1, -2) == b"-0.0333333333"
    assert average_text(22381 * 7 + 22380 * 3, 10, 1, -2) == b"223.807"
    assert average_text((2**60 - 1) * 7, 7, 1, 0) == b"%d" % (2**60 - 1)


def test_times_are_written_to_the_digit():
    assert time_text(1_732_462_245_123_456_789, 0) == b"20241124-15:30:45"
    assert time_text(1_732_462_245_123_456_789, 3) == b"20241124-15:30:45.123"
    assert time_text(1_732_462_245_123_456_789, 6) == b"20241124-15:30:45.123456"
    assert time_text(0, 9) == b"19700101-00:00:00.000000000"
    assert time_text(951_782_400 * 10**9, 0) == b"20000229-00:00:00"


def test_live_orders_carried_into_a_smaller_table_keep_their_entries():
    """Goal: a reset loses no live order. Method: references that share an entry of the table the new one begins as."""
    before, after = FixOrders(1 << 14), FixOrders(1 << 14)
    references = [before.add_order(b"o%d" % number) for number in range(5_000)]
    live = references[::512]
    for reference in live:
        after.carry_order(before, reference)
    assert after.live() == live
    after.check()
