"""Goal: the order path reads messages as the plain parser does, and writes decimals and times exactly.

Method: messages of orders, whole and damaged, cut anywhere; numbers of every size against `decimal`.
"""

import decimal
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tradsys.errors import InputError
from tradsys.fix import message as plain
from tradsys.gateways import fix_request, fix_text

HEAD = [(35, b"D"), (34, b"7"), (49, b"CLIENT"), (52, b"20260901-12:00:00.123456"), (56, b"TRADSYS")]
BODY = [
    (11, b"name"),
    (55, b"SYM1"),
    (54, b"1"),
    (60, b"20260901-12:00:00"),
    (38, b"10"),
    (40, b"2"),
    (44, b"99.5"),
]
ORDER = plain.frame_of([*HEAD, *BODY])
PIECES = st.sampled_from(
    [
        ORDER,
        ORDER[:-1],
        b"8=FIX",
        b"8=FIX.4.4\x019=5\x01",
        b"\x0110=000\x01",
        b"8=",
        b"x",
        b"\x01",
        b"9=1\x01",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=8), max_size=6).map(b"".join))
@example(ORDER + ORDER)
@example(ORDER.replace(b"9=1", b"9=2") + ORDER)
def test_a_stream_is_cut_as_the_plain_parser_cuts_it(stream):
    assert fix_request.split(stream) == plain.split(stream)


def test_a_stream_that_comes_byte_by_byte():
    stream, rest, frames = ORDER + b"junk" + ORDER + ORDER, b"", []
    for at in range(len(stream)):
        found, _, rest = fix_request.split(rest + stream[at : at + 1])
        frames += found
    assert frames == [ORDER] * 3


def read(fields):
    return fix_request.read(plain.frame_of(fields))


def test_an_order_is_read():
    found = read([*HEAD, *BODY])
    assert (found["msg_type"], found["seq"], found["is_plain"], found["fault"]) == (68, 7, True, -1)
    assert (found["cl_ord_id"], found["symbol"], found["qty"], found["price"]) == (
        b"name",
        b"SYM1",
        b"10",
        b"99.5",
    )
    assert found["sending_time_ns"] == plain.parse_time(b"20260901-12:00:00.123456")
    assert found["unsupported_tag"] == 0
    assert read([(35, b"AF"), *HEAD[1:], (584, b"x"), (585, b"7")])["msg_type"] == 0x4146


@pytest.mark.parametrize(
    ("more", "fault"),
    [([(11, b"b")], (13, 11)), ([(0, b"x")], (0, 0)), ([(-5, b"x")], (0, -5)), ([(58, b"")], (4, 58)),
     ([(70000, b"")], (4, 70000)), ([(59, b"9")], (5, 59)), ([(5000, b"x"), (2**31 - 1, b"y")], (-1, 0))],
)  # fmt: skip
def test_faults_of_an_order(more, fault):
    found = read([*HEAD, *BODY, *more])
    assert (found["fault"], found["fault_tag"]) == fault


@pytest.mark.parametrize("tag", [11, 55, 54, 60, 40])
def test_a_required_field_is_missing(tag):
    found = read([*HEAD, *(field for field in BODY if field[0] != tag)])
    assert (found["fault"], found["fault_tag"]) == (1, tag)


@pytest.mark.parametrize("tag", [43, 97, 122, 115, 116, 128, 129, 144, 145])
def test_what_the_session_has_to_see(tag):
    assert not read([*HEAD, (tag, b"Y"), *BODY])["is_plain"]


def test_a_second_sequence_number_is_a_tag_too_many():
    """The first one counts: the order must not be taken under the number of the second."""
    for second in (b"9", b"CLIENT"):
        found = read([*HEAD, (34, second), *BODY])
        assert (found["seq"], found["fault"], found["fault_tag"]) == (7, 13, 34)


@pytest.mark.parametrize(
    "tag",
    [66, 67, 68, 386, 388, 389, 583, 835, 837, 838, 1080, 1081, 1084, 1086, 1088, 1100, 1109, 1138, 1385],
)
def test_what_the_venue_does_not_have(tag):
    assert read([*HEAD, *BODY, (tag, b"1")])["unsupported_tag"] == tag


TERMS = {
    99: b"101.5", 110: b"5", 111: b"2", 126: b"20300101-12:00:00", 152: b"1000", 211: b"3", 432: b"20300101", 836: b"2",
    1085: b"1", 1107: b"M", 5110: b"S", 5111: b"4", 5112: b"7", 7928: b"N",
}  # fmt: skip


@given(st.sets(st.sampled_from(sorted(TERMS))), st.randoms(use_true_random=False))
def test_fields_of_special_orders_are_read_wherever_they_stand(tags, random):
    fields = [*BODY, *((tag, TERMS[tag]) for tag in tags)]
    random.shuffle(fields)
    found = read([*HEAD, *fields])
    assert found["fault"] == -1
    assert found["terms"] == {tag: TERMS[tag] for tag in tags}
    assert (found["qty"], found["price"], found["unsupported_tag"]) == (b"10", b"99.5", 0)
    if tags:
        tag = min(tags)
        twice = read([*HEAD, *fields, (tag, TERMS[tag])])
        assert (twice["fault"], twice["fault_tag"]) == (13, tag)
        other = read([(35, b"V"), *HEAD[1:], *fields, (tag, TERMS[tag])])
        assert (other["fault"], other["terms"]) == (-1, {})


@pytest.mark.parametrize(
    ("tag", "value", "reason"),
    [
        (126, b"2030", 6), (126, b"20300230-12:00:00", 6), (126, b"20300101-12:00:00.1", 6), (432, b"20301301", 6),
        (432, b"2030-01-01", 6), (432, b"19691231", 6), (836, b"4", 5), (836, b"00", 5), (1107, b"7", 5),
        (1107, b"m", 5), (5110, b"X", 5), (7928, b"X", 5), (7928, b"NN", 5), (99, b"", 4), (7928, b"", 4),
    ],
)  # fmt: skip
def test_values_of_special_orders_that_cannot_be(tag, value, reason):
    for msg_type in (b"D", b"G"):
        found = read([(35, msg_type), *HEAD[1:], (41, b"before"), *BODY, (tag, value)])
        assert (found["fault"], found["fault_tag"]) == (reason, tag)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(ORDER) - 1), st.binary(max_size=3), st.booleans())
@example(26, b"34", True)
def test_a_damaged_order_is_no_order_or_is_one_to_both(at, piece, is_framed):
    data = ORDER[:at] + piece + ORDER[at + len(piece) :]
    if is_framed:
        body = data[data.find(b"35=") : data.rfind(b"10=")]
        text = b"8=FIX.4.4\x019=%d\x01" % len(body) + body
        data = text + b"10=%03d\x01" % (sum(text) % 256)
    found = fix_request.read(data)
    try:
        parsed = plain.parse(data)
    except InputError:
        assert found["fault"] == 100
        return
    assert found["fault"] != 100
    assert found["seq"] == parsed.seq
    assert found["fault"] == 13 or found["cl_ord_id"] == parsed.get(11)


@settings(max_examples=400, deadline=None)
@given(st.integers(1970, 2261), st.integers(0, 13), st.integers(0, 32), st.integers(0, 24), st.integers(0, 61),
       st.integers(0, 61), st.sampled_from(["", ".123", ".123456", ".123456789", ".1", ".12x"]))  # fmt: skip
def test_times_are_read_as_the_plain_parser_reads_them(year, month, day, hour, minute, second, behind):
    text = f"{year:04}{month:02}{day:02}-{hour:02}:{minute:02}:{second:02}{behind}".encode()
    message = plain.frame_of([*HEAD[:3], (52, text), *HEAD[4:], *BODY])
    try:
        wanted = plain.parse_time(text)
    except InputError:
        wanted = -1
    assert fix_request.read(message)["sending_time_ns"] == wanted


@pytest.mark.parametrize(
    ("text", "ns"),
    [(b"19691231-23:59:59", -1), (b"22620101-00:00:00", 2**63 - 1), (b"99991231-23:59:60", 2**63 - 1),
     (b"2026-09-0112:00:00", -1), (b"20260901-12-00-00", -1), (b"20260901-12:00:0:", -1), (b"2026/901-12:00:00", -1)],
)  # fmt: skip
def test_times_at_the_edges(text, ns):
    message = plain.frame_of([*HEAD[:3], (52, text), *HEAD[4:], *BODY])
    assert fix_request.read(message)["sending_time_ns"] == ns


WIDE = decimal.Context(prec=80)
COUNTS = (
    st.integers(-(2**62), 2**62)
    | st.integers(-10_000, 10_000)
    | st.sampled_from([10**9, -(10**9), 10**9 - 1, 0])
)
MANTISSAS = st.integers(1, 10**10) | st.sampled_from([1, 5, 25, 10**9 - 1, 10**9, 9 * 10**10])
EXPONENTS = st.integers(-18, 0)


def shortest(value):
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()


@settings(max_examples=500, deadline=None)
@given(COUNTS, MANTISSAS, EXPONENTS)
def test_units_are_exact(count, mantissa, exponent):
    value = WIDE.scaleb(Decimal(count * mantissa), exponent)
    assert fix_text.units_text(count, mantissa, exponent) == (shortest(value) if count else b"0")


@settings(max_examples=500, deadline=None)
@given(
    COUNTS,
    st.integers(1, 2**40) | st.integers(1, 100),
    st.integers(1, 10**9) | st.sampled_from([1, 5]),
    st.integers(-18, 0),
)
def test_averages_are_exact_or_half_even(total, count, mantissa, exponent):
    units, rest = divmod(abs(total) * mantissa * 10**8, count)
    units += 2 * rest > count or (2 * rest == count and units % 2)
    value = WIDE.scaleb(Decimal(units), exponent - 8)
    wanted = (b"-" if total < 0 else b"") + shortest(value) if units else b"0"
    if total < 0 and not units:
        wanted = fix_text.average_text(total, count, mantissa, exponent).replace(b"-", b"")
    assert fix_text.average_text(total, count, mantissa, exponent) == wanted
