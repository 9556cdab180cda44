"""Goal: commands say what their arguments say and nothing else. Method: read the records back."""

import numpy as np
import pytest

from tradsys.errors import FieldError, UnitError
from tradsys.wire import commands, records
from tradsys.wire.enums import OrderFlags, OrderType, Permission, Side, StpMode, Template, TimeInForce


def test_new_order_says_all_it_was_told():
    order = commands.new_order(
        instrument_id=7,
        side=Side.SELL,
        qty_lots=5,
        client_ref=2**64 - 1,
        price_ticks=-3,
        time_in_force=TimeInForce.IOC,
        stp_mode=StpMode.CANCEL_BOTH,
        order_flags=OrderFlags.POST_ONLY,
        account_id=9,
        session_id=4,
    )[0]
    assert order["template_id"] == Template.NEW_ORDER
    assert (order["side"], order["order_type"], order["time_in_force"]) == (2, OrderType.LIMIT, 3)
    assert (order["price_ticks"], order["qty_lots"], order["client_ref"]) == (-3, 5, 2**64 - 1)
    assert (order["session_id"], order["account_id"], order["stp_mode"], order["order_flags"]) == (4, 9, 4, 1)
    assert order["seq"] == order["ts_ns"] == order["client_seq"] == 0


def test_an_instrument_is_defined_in_decimals():
    made = commands.define_instrument(
        3,
        "BTCUSD",
        tick="0.25",
        lot="0.001",
        price_min="-1",
        price_max="1000",
        qty_increment="0.01",
        qty_max="2",
    )[0]
    assert (made["tick_mantissa"], made["tick_exponent"]) == (25, -2)
    assert (made["lot_mantissa"], made["lot_exponent"]) == (1, -3)
    assert (made["price_min_ticks"], made["price_max_ticks"], made["price_increment_ticks"]) == (-4, 4000, 1)
    assert (made["qty_min_lots"], made["qty_max_lots"], made["qty_increment_lots"]) == (10, 2000, 10)
    assert made["symbol"] == b"BTCUSD"


def test_an_instrument_whose_limit_is_no_multiple_of_the_tick_is_refused():
    with pytest.raises(UnitError, match="not a multiple"):
        commands.define_instrument(1, "A", tick="0.25", price_max="0.3")


def test_records_of_many_kinds_lie_back_to_back():
    made = [
        commands.define_participant(1, permissions=Permission.TRADE | Permission.OPERATE),
        commands.define_session(2, 1, name="alpha"),
        commands.cancel_order(instrument_id=1, client_ref=2, orig_client_ref=1),
        commands.checkpoint(),
    ]
    packed = commands.pack(made)
    offset = 0
    for record in made:
        size = int(packed[offset : offset + 2].view("<u2")[0]) + records.HEADER_BYTES
        assert packed[offset : offset + size].tobytes() == record.tobytes()
        offset += size
    assert offset == len(packed)
    assert commands.pack([]).shape == (0,)


def test_unknown_fields_and_long_texts_are_refused():
    with pytest.raises(ValueError, match="NEW_ORDER has no field colour"):
        commands.record(Template.NEW_ORDER, colour=1)
    with pytest.raises(ValueError, match="symbol must have at most 16 characters"):
        commands.define_instrument(1, "A" * 17)
    with pytest.raises(FieldError):
        commands.set_entitlement(-1, 1, allowed=True)


def test_every_builder_makes_one_record_of_its_template():
    made = [
        commands.reduce_order(instrument_id=1, client_ref=1, qty_lots=1, order_id=5),
        commands.replace_order(instrument_id=1, client_ref=2, price_ticks=1, qty_lots=1, orig_client_ref=1),
        commands.mass_cancel(),
        commands.open_session(1, cancel_on_disconnect=True),
        commands.close_session(1),
        commands.set_instrument_state(1, 2),
        commands.define_account(1, 1),
        commands.expire_day_orders(),
    ]
    assert [record["template_id"][0] for record in made] == [3, 4, 5, 10, 11, 21, 24, 26]
    assert all(record.shape == (1,) and record.dtype != np.uint8 for record in made)


def test_allocation_is_in_order_of_arrival_unless_told_otherwise():
    made = commands.set_allocation(3)[0]
    assert (made["fifo_bp"], made["top"], made["rounding"], made["pro_rata_min_lots"]) == (10_000, 0, 1, 1)
    assert (made["instrument_id"], made["top_min_lots"], made["top_max_lots"]) == (3, 1, 0)
    share = commands.set_allocation_share(3, 4, 2500)[0]
    assert (share["instrument_id"], share["participant_id"], share["share_bp"]) == (3, 4, 2500)


@pytest.mark.parametrize(
    ("field", "value", "held"),
    [
        ("qty_lots", 2**63, "[-9223372036854775808, 9223372036854775807]"),
        ("client_ref", -1, "[0, 18446744073709551615]"),
        ("instrument_id", 2**32, "[0, 4294967295]"),
    ],
)
def test_a_number_its_field_cannot_hold_is_refused_with_what_it_holds(field, value, held):
    fields = {"instrument_id": 1, "side": Side.BUY, "qty_lots": 1, "client_ref": 1, field: value}
    with pytest.raises(FieldError) as refused:
        commands.new_order(**fields)
    assert str(refused.value) == f"{field} must be in {held}, was {value}"


def test_a_text_longer_than_its_field_is_refused():
    with pytest.raises(FieldError, match="name must have at most 16 characters"):
        commands.define_session(2, 1, name="a" * 17)
