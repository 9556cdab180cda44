"""Goal: the fixed sizes of limits.py are those of the records. Method: compare with the generated dtypes."""

from tradsys import limits
from tradsys.wire import records


def test_sizes_are_those_of_the_records():
    commands = [dtype.itemsize for template, dtype in records.DTYPES.items() if template < 64]
    events = {dtype.itemsize for template, dtype in records.DTYPES.items() if 64 <= template < 128}
    assert max(commands) == limits.COMMAND_BYTES_MAX
    assert events == {limits.EVENT_BYTES}


def test_a_full_frame_of_the_largest_orders_fits_its_bytes():
    frame = records.FRAME.itemsize + limits.FRAME_MESSAGES_MAX * records.NEW_ORDER.itemsize
    assert frame <= limits.FRAME_BYTES_MAX


def test_notional_fits_up_to_the_edge():
    assert limits.notional_fits(2**31, 2**31)
    assert limits.notional_fits(-(2**31), 2**32 - 1)
    assert not limits.notional_fits(2**31, 2**32)
    assert not limits.notional_fits(-(2**60), 8)
