"""Goal: no decoder breaks on bytes it does not understand. Method: the fuzz targets, fed by hypothesis."""

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradsys.client import order_session
from tradsys.core import Engine
from tradsys.engine.frames import checksum, frame
from tradsys.wire import commands, records
from tradsys.wire.commands import pack
from tradsys.wire.enums import Channel, InstrumentState, Side, Template
from tradsys.wire.packet import frame_fault, make_frame

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import fuzz  # noqa: E402


def frame_of(command):
    """Make a frame the order door accepts, to be spoiled."""
    head = records.empty(Template.FRAME)
    head["first_seq"], head["message_count"] = 1, 1
    head["frame_bytes"] = head.nbytes + command.nbytes
    return head.tobytes() + command.tobytes()


def feed_of_adds():
    """Make an L3 packet of two orders."""
    adds = records.empty(Template.MD_ORDER_ADD, 2)
    adds["order_id"], adds["instrument_id"] = [1 << 24, 2 << 24 | 1], 1
    adds["side"], adds["price_ticks"], adds["qty_lots"] = [Side.BUY, Side.SELL], [99, 101], 5
    return make_frame(Channel.L3, 1, 1, 2, adds.tobytes())


def logon_accepted():
    """Make the answer to a logon, to be spoiled."""
    answer = records.empty(Template.LOGON_ACCEPTED)
    answer["session_id"], answer["next_client_seq"], answer["heartbeat_ms"] = 1, 1, 1000
    return order_session.frame_of(answer.tobytes())


def engine_of(packed):
    engine = Engine(**fuzz.SMALL)
    engine.submit(packed)
    return engine


def segment_of(made):
    """Make a journal segment by journal.md: header, then one frame of sequenced records."""
    for number, record in enumerate(made, 1):
        record["seq"], record["ts_ns"] = number, number
    head = struct.pack("<8sIHHQQQ20s", b"TSJRNL01", 1, records.SCHEMA_ID, records.SCHEMA_VERSION, 1, 1, 7, bytes(20))
    written = bytearray(frame(pack(made).tobytes()))
    size = struct.unpack_from("<I", written, 4)[0]
    struct.pack_into("<I", written, 4, size | 1 << 31)
    struct.pack_into("<I", written, 0, checksum(bytes(written[4 : 8 + size])))
    return head + struct.pack("<I", checksum(head)) + bytes(written) + bytes(64)


def setup_commands():
    return [
        commands.define_instrument(1, "A"),
        commands.set_instrument_state(1, InstrumentState.OPEN),
        commands.define_participant(1),
        commands.define_session(1, 1),
        commands.open_session(1),
        commands.new_order(instrument_id=1, side=Side.BUY, qty_lots=5, client_ref=1, price_ticks=100, session_id=1),
        commands.new_order(instrument_id=1, side=Side.SELL, qty_lots=9, client_ref=2, price_ticks=101, session_id=1),
        commands.replace_order(
            instrument_id=1, client_ref=3, orig_client_ref=2, qty_lots=9, price_ticks=100, session_id=1
        ),
        commands.mass_cancel(session_id=1),
    ]


SETUP = setup_commands()

GOOD = {
    "frames": frame_of(commands.cancel_order(instrument_id=1, client_ref=2, orig_client_ref=1)),
    "commands": pack(SETUP).tobytes(),
    "feed": feed_of_adds(),
    "reports": logon_accepted(),
    "snapshot": engine_of(pack(SETUP)).snapshot(),
    "journal": segment_of(SETUP),
    "itch": b"\x00\x0cS" + bytes(10) + b"O" + b"\x00\x00",
    "lobster": b"34200.189607670,1,11885113,21,2238100,1\n34200.5,3,11885113,21,2238100,1\n",
    "config": b"venue: {orders_port: 1}\n",
    "units": b"12.34",
    "fix": b"35=D\x0134=2\x0149=A\x0152=20260901-12:00:00\x0156=B\x0111=a\x0155=b\x0154=1\x0160=20260901-12:00:00\x0140=1\x01",
    "fix_session": b"1\x01112=a\x01\n2\x017=1\x0116=0\x01\nD\x0134=9\x0143=Y\x0111=a\x01\n4\x0134=9\x0136=5\x01\n5\x01",
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
    assert frame_fault(GOOD["feed"]) is None
    events = engine_of(pack(SETUP)).read_events()
    assert Template.ORDER_EXECUTED in events["template_id"] or Template.ORDER_CANCELED in events["template_id"]


@pytest.mark.parametrize("name", list(fuzz.TARGETS))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_bytes_break_a_decoder(name, data):
    fuzz.TARGETS[name](data.draw(st.binary(max_size=300) | spoiled(GOOD[name])))


def test_an_unknown_target_is_bad_usage(capsys):
    assert fuzz.main(["nothing"]) == 2
    shown = capsys.readouterr().err
    assert all(name in shown for name in fuzz.TARGETS)
