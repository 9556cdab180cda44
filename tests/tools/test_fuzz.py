"""Goal: no decoder breaks on bytes it does not understand. Method: the fuzz targets, fed by hypothesis."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradsys.wire import commands, records
from tradsys.wire.enums import Template

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import fuzz  # noqa: E402


def frame_of(command):
    """Make a frame the order door accepts, to be spoiled."""
    head = records.empty(Template.FRAME)
    head["first_seq"], head["message_count"] = 1, 1
    head["frame_bytes"] = head.nbytes + command.nbytes
    return head.tobytes() + command.tobytes()


GOOD = {
    "frames": frame_of(commands.cancel_order(instrument_id=1, client_ref=2, orig_client_ref=1)),
    "itch": b"\x00\x0cS" + bytes(10) + b"O" + b"\x00\x00",
    "lobster": b"34200.189607670,1,11885113,21,2238100,1\n34200.5,3,11885113,21,2238100,1\n",
    "config": b"venue: {orders_port: 1}\n",
    "units": b"12.34",
}


@st.composite
def spoiled(draw, good):
    """Bytes of a good input with a few of them changed, cut or repeated."""
    data = bytearray(good)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data)


def test_every_target_has_a_good_input():
    assert set(GOOD) == set(fuzz.TARGETS)
    for name, data in GOOD.items():
        fuzz.TARGETS[name](data)


@pytest.mark.parametrize("name", list(fuzz.TARGETS))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_bytes_break_a_decoder(name, data):
    fuzz.TARGETS[name](data.draw(st.binary(max_size=300) | spoiled(GOOD[name])))


def test_an_unknown_target_is_bad_usage(capsys):
    assert fuzz.main(["nothing"]) == 2
    shown = capsys.readouterr().err
    assert all(name in shown for name in fuzz.TARGETS)
