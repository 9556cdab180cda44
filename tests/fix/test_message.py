"""The reference reader and writer of FIX messages: what is built is read, what is damaged is noticed, streams recover.

Method: hand-made frames for each fault, and properties over random messages cut at every byte.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradsys.errors import InputError
from tradsys.fix.message import (
    MESSAGE_BYTES_MAX,
    GarbledError,
    Header,
    build,
    checksum,
    format_time,
    frame_of,
    parse,
    parse_time,
    split,
)

HEADER = Header(
    sender_comp_id=b"ALPHA", target_comp_id=b"TRADSYS", seq=7, sending_time=b"20240102-03:04:05.678"
)
ORDER = build("D", [(11, b"one"), (55, b"AMZN"), (54, b"1")], HEADER)
BEAT = build("0", [], HEADER)


def raw(text: str) -> bytes:
    """Write a frame by hand: | is SOH, the checksum is added."""
    data = text.replace("|", "\x01").encode("latin-1")
    return data + b"10=%03d\x01" % checksum(data)


def relength(frame: bytes, change: int) -> bytes:
    """Change the BodyLength of a frame and make its checksum right again."""
    head, _, rest = frame.partition(b"\x019=")
    length, _, body = rest.partition(b"\x01")
    text = head + b"\x019=%d\x01" % (int(length) + change) + body[:-7]
    return text + b"10=%03d\x01" % checksum(text)


def test_build_writes_the_header_in_order() -> None:
    header = Header(
        sender_comp_id=b"A",
        target_comp_id=b"B",
        seq=3,
        sending_time=b"t",
        poss_dup=True,
        poss_resend=True,
        orig_sending_time=b"o",
        routing=((115, b"X"), (116, b"Y")),
    )
    message = parse(build("8", [(37, b"1")], header))
    assert [tag for tag, _ in message.fields] == [8, 9, 35, 34, 43, 49, 52, 56, 97, 115, 116, 122, 37, 10]


def test_a_known_message_has_known_bytes() -> None:
    header = Header(sender_comp_id=b"A", target_comp_id=b"B", seq=1, sending_time=b"20240102-03:04:05")
    frame = build("0", [(112, b"hi")], header)
    assert frame.replace(b"\x01", b"|") == (
        b"8=FIX.4.4|9=48|35=0|34=1|49=A|52=20240102-03:04:05|56=B|112=hi|10=%03d|" % checksum(frame[:-7])
    )


def test_a_message_answers_for_its_fields() -> None:
    message = parse(build("8", [(448, b"a"), (58, b""), (448, b"b"), (141, b"Y"), (108, b"-3")], HEADER))
    assert (message.msg_type, message.seq) == ("8", 7)
    assert (message.get(448), message.values(448), message.text(448)) == (b"a", [b"a", b"b"], "a")
    assert (message.get(1), message.get(1, b"x"), message.text(1)) == (None, b"x", "")
    assert (message.has(58), message.has(59)) == (True, False)
    assert (message.flag(141), message.number(108), message.number(9999)) == (True, -1, -1)


def test_a_sequence_number_that_is_none_is_minus_one() -> None:
    for text in ("35=0|49=A|", "35=0|34=x|", "35=0|34=|", "35=0|34=-4|", "35=0|34=9999999999999999999|"):
        assert parse(raw(f"8=FIX.4.4|9={len(text)}|{text}")).seq == -1


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"8=FIX.4.4\x01",
        ORDER[:-7] + b"10=%03d\x01" % ((checksum(ORDER[:-7]) + 1) % 256),
        ORDER[:-7] + b"10=12\x01",
        relength(ORDER, 1),
        relength(ORDER, -1),
        raw("8=FIX.4.4|35=0|9=5|34=1|"),
        raw("9=5|8=FIX.4.4|35=0|"),
        raw("8=FIX.4.4|9=10|34=1|35=0|"),
        raw("8=FIX.4.4|9=12|35=0|garbled|")[:-7] + b"10=000\x01",
        raw("8=FIX.4.4|9=13|35=0|garbled|"),
        raw("8=FIX.4.4|9=15|35=0|4garbled=|"),
        raw("8=FIX.4.4|9=18|35=0|99999999999=1|"),
        raw("8=FIX.4.4|9=17|35=0|9999999999=1|"),
        raw("8=FIX.4.4|9=8|35=0|=1|"),
        raw("8=FIX.4.4|9=16|35=A|95=9|96=abc|"),
        raw("8=FIX.4.4|9=18|35=0|10=000|34=1|"),
    ],
)
def test_a_frame_with_a_fault_is_garbled(frame: bytes) -> None:
    with pytest.raises(GarbledError):
        parse(frame)


def test_tags_below_one_and_empty_values_are_for_the_rules() -> None:
    fields = parse(raw("8=FIX.4.4|9=18|35=0|0=a|-1=b|58=|")).fields
    assert fields[3:6] == [(0, b"a"), (-1, b"b"), (58, b"")]


def test_data_fields_may_hold_the_separator() -> None:
    message = parse(build("A", [(95, b"7"), (96, b"a\x0110=b\x01"), (98, b"0")], HEADER))
    assert (message.get(96), message.get(98)) == (b"a\x0110=b\x01", b"0")


# ------------------------------------------------------------------------------------------- streams


def test_messages_are_cut_from_a_stream() -> None:
    assert split(ORDER + BEAT + ORDER[:20]) == ([ORDER, BEAT], 0, ORDER[:20])
    assert split(b"noise" + ORDER + b"8=FI") == ([ORDER], 5, b"8=FI")
    assert split(b"noise") == ([], 5, b"")


def test_a_length_that_is_too_short_costs_its_message() -> None:
    bad = relength(ORDER, -20)
    assert split(bad + BEAT) == ([BEAT], len(bad), b"")


def test_a_length_that_is_too_long_takes_the_next_message_with_it() -> None:
    bad = relength(ORDER, 10)
    assert split(bad) == ([], 0, bad)
    assert split(bad + BEAT + ORDER) == ([ORDER], len(bad + BEAT), b"")


@pytest.mark.parametrize(
    "head", ["8=FIX.4.4|35=0|9=5|", "8=FIX.4.4|9=|35=0|", "8=FIX.4.4|9=1234567|", "8=FIX" + "4" * 40 + "|"]
)
def test_a_head_that_is_none_is_passed_over(head: str) -> None:
    bad = head.replace("|", "\x01").encode()
    assert split(bad + BEAT) == ([BEAT], len(bad), b"")


def test_a_message_that_is_too_long_is_passed_over() -> None:
    long = build("B", [(58, b"x" * MESSAGE_BYTES_MAX)], HEADER)
    assert split(long + BEAT) == ([BEAT], len(long), b"")
    endless = b"8=FIX.4.4\x019=10\x01" + b"x" * MESSAGE_BYTES_MAX
    assert split(endless + BEAT) == ([BEAT], len(endless), b"")


Values = st.binary(min_size=1, max_size=12).map(
    lambda value: value.replace(b"\x01", b"_").replace(b"8=FIX", b"_")
)
Fields = st.lists(st.tuples(st.integers(5000, 9999), Values), max_size=6)


@given(bodies=st.lists(Fields, min_size=1, max_size=4), cuts=st.lists(st.integers(1, 40), min_size=1))
def test_any_stream_in_any_pieces_gives_the_same_messages(
    bodies: list[list[tuple[int, bytes]]], cuts: list[int]
) -> None:
    frames = [build("D", body, HEADER) for body in bodies]
    stream, found, rest, position, turn = b"".join(frames), [], b"", 0, 0
    while position < len(stream):
        piece = stream[position : position + cuts[turn % len(cuts)]]
        got, garbled, rest = split(rest + piece)
        assert not garbled
        found += got
        position += len(piece)
        turn += 1
    assert (found, rest) == (frames, b"")
    for frame, body in zip(frames, bodies, strict=True):
        assert parse(frame).fields[7:-1] == body


@given(at=st.integers(0, len(ORDER) - 1), value=st.integers(0, 255))
def test_a_changed_byte_is_noticed(at: int, value: int) -> None:
    changed = ORDER[:at] + bytes([value]) + ORDER[at + 1 :]
    if changed == ORDER:
        return
    with pytest.raises(GarbledError):
        parse(changed)


@given(data=st.binary(max_size=200), after=st.sampled_from([ORDER, BEAT]))
def test_any_bytes_are_read_without_an_error(data: bytes, after: bytes) -> None:
    frames, garbled, rest = split(data + after)
    assert sum(map(len, frames)) + garbled + len(rest) == len(data + after)
    assert after in frames or b"8=FIX" in data or rest


# ------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        (b"19700101-00:00:00", 0),
        (b"20240229-23:59:59", 1709251199 * 10**9),
        (b"20240229-23:59:60", 1709251200 * 10**9),
        (b"20240229-23:59:59.123", 1709251199_123000000),
        (b"20240229-23:59:59.123456", 1709251199_123456000),
        (b"20240229-23:59:59.123456789", 1709251199_123456789),
    ],
)
def test_times_are_read(text: bytes, ns: int) -> None:
    assert parse_time(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        b"", b"20240101", b"20240101-1:00:00", b"20240101-00:00:00.1", b"20240101-00:00:00.", b"20240230-00:00:00",
        b"20241301-00:00:00", b"20240100-00:00:00", b"20240101-24:00:00", b"20240101-00:60:00", b"20240101-00:00:61",
        b"20240101-00:00:00Z", b"20240101 00:00:00", b"00000101-00:00:00",
    ],
)  # fmt: skip
def test_times_that_are_none_are_refused(text: bytes) -> None:
    with pytest.raises(InputError):
        parse_time(text)


@given(ns=st.integers(0, 4102444800 * 10**9))
def test_times_written_are_read_back(ns: int) -> None:
    for precision, unit in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)):
        assert parse_time(format_time(ns, precision)) == ns // unit * unit  # type: ignore[arg-type]


def test_a_frame_of_plain_fields() -> None:
    assert parse(frame_of([(35, b"0")], b"FIX.4.2")).text(8) == "FIX.4.2"
