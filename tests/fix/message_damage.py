"""Messages drawn from the dictionary and damaged in every way: what the compiled codec is tested and fuzzed with."""

from hypothesis import strategies as st
from test_rules import OURS, drawn

from tradsys.fix.message import frame_of

TAGS = sorted(OURS.fields)
STRANGE_TAGS = [0, -1, 1, 5000, 999, 1023, 1024, 65535, 65536, 65537, 70000, 2**31 - 1, -(2**31) + 1, 10, 8, 9, 35]  # fmt: skip
VALUES = [
    b"", b"0", b"1", b"2", b"-1", b"Y", b"N", b"AA", b" ", b"G 6", b"6 ", b"1.", b".", b"-", b"1e5", b"99999999999999999999",
    b"20260901-12:00:00", b"20260901-12:00:60.123", b"20260229-12:00:00", b"20240229", b"12:00:00", b"USDT", b"a\x00\xff",
]  # fmt: skip


def framed(body):
    """Put BeginString and BodyLength before, CheckSum behind any bytes."""
    text = b"8=FIX.4.4\x019=%d\x01%b" % (len(body), body)
    return text + b"10=%03d\x01" % (sum(text) % 256)


def rebuilt(fields):
    """Message of fields from 8 to 10, whose length and checksum are right."""
    return frame_of(field for field in fields if field[0] not in (8, 9, 10))


@st.composite
def damaged_fields(draw, fields):
    """A few fields taken out, doubled, moved, put in, given another tag or value."""
    fields = list(fields)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(fields) - 1)) if fields else 0
        kind = draw(st.integers(0, 5))
        tag = draw(st.sampled_from(TAGS) | st.sampled_from(STRANGE_TAGS))
        value = draw(
            st.sampled_from(VALUES) | st.binary(max_size=6).map(lambda text: text.replace(b"\x01", b""))
        )
        if kind == 0 or not fields:
            fields.insert(at, (tag, value))
        elif kind == 1:
            del fields[at]
        elif kind == 2:
            fields.insert(draw(st.integers(0, len(fields))), fields[at])
        elif kind == 3:
            fields.insert(draw(st.integers(0, len(fields) - 1)), fields.pop(at))
        elif kind == 4:
            fields[at] = (fields[at][0], value)
        else:
            fields[at] = (tag, fields[at][1])
    return fields


@st.composite
def damaged_bytes(draw, message):
    """A few bytes changed, cut or put in; half of the time length and checksum are right again."""
    data = bytearray(message)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        piece = draw(
            st.binary(max_size=3)
            | st.sampled_from([b"\x01", b"=", b"\x0110=", b"-", b"\x0195=3\x0196=a\x01b\x01"])
        )
        data[at : at + draw(st.integers(0, 3))] = piece
    if draw(st.booleans()):
        return bytes(data)
    begin = data.find(b"35=")
    return framed(bytes(data[max(begin, 0) : max(data.rfind(b"10="), 0)]))


@st.composite
def any_messages(draw):
    """A whole message of the dictionary, or one that was."""
    header, body, trailer = draw(drawn())
    fields = [*header, *body, *trailer]
    if draw(st.booleans()):
        fields = draw(damaged_fields(fields))
    message = rebuilt(fields)
    return draw(damaged_bytes(message)) if draw(st.integers(0, 3)) == 0 else message
