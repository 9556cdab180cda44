"""Goal: the compiled scan cuts and refuses exactly what `message.parse` cuts and refuses.

Method: messages as drawn, damaged fieldwise and bytewise, with length and checksum put right again or not; on every kind of
block scan the processor has.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_damage import any_messages, framed

from tradsys.errors import InputError
from tradsys.fix.fields import fields_of, use_blocks
from tradsys.fix.message import MESSAGE_BYTES_MAX, frame_of, parse

KINDS = [kind for kind in (1, 2, 3) if use_blocks(kind)]
use_blocks(0)


def reference(message):
    try:
        return parse(message).fields
    except InputError:
        return None


def same(message):
    wanted = reference(message)
    try:
        for kind in KINDS:
            assert use_blocks(kind)
            assert fields_of(message) == wanted, (kind, message)
    finally:
        use_blocks(0)
    return wanted


@settings(max_examples=400, deadline=None)
@given(any_messages())
def test_fields_are_those_of_the_reference(message):
    same(message)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data):
    same(data)
    same(framed(data))
    same(framed(b"35=D\x01" + data))


@pytest.mark.parametrize("size", [*range(120, 135), *range(185, 200)])
def test_every_length_around_a_block(size):
    body = b"35=D\x0158=" + b"x" * size + b"\x01"
    assert same(framed(body)) is not None
    assert same(framed(body)[:-1]) is None


@pytest.mark.parametrize(
    "body",
    [
        b"95=3\x0196=a\x01b\x01", b"95=7\x0196=a\x0110=0\x01\x01", b"93=0\x0189=\x01", b"348=2\x01349=\x01\x01\x01",
        b"96=ab\x01", b"95=3\x0158=x\x0196=abc\x01", b"95=-1\x0196=abc\x01", b"95=x\x0196=abc\x01",
        b"0=x\x01", b"-1=x\x01", b"-0=x\x01", b"00011=x\x01", b"2147483647=x\x01", b"-2147483647=x\x01", b"11==\x01",
        b"11=\x01", b"445=1\x01446=\x01\x01", b"95=" + b"0" * 17 + b"3\x0196=a\x01b\x01",
    ],
)  # fmt: skip
def test_messages_that_can_be_cut(body):
    assert same(framed(b"35=D\x01" + body)) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"11\x01", b"x=1\x01", b"=1\x01", b"-=1\x01", b"--1=1\x01", b"+1=1\x01", b"1 =1\x01", b"\x01", b"11=a\x01\x01",
        b"2147483648=x\x01", b"-2147483648=x\x01", b"99999999999=x\x01", b"18446744073709551617=x\x01",
        b"1" * 300 + b"=x\x01", b"10=000\x01", b"0010=000\x01", b"95=4\x0196=a\x01b\x01",
        b"95=999999\x0196=abc\x01", b"95=999999999999999999\x0196=abc\x01",
    ],
)  # fmt: skip
def test_messages_that_cannot_be_cut(body):
    assert same(framed(b"35=D\x01" + body)) is None
    assert same(framed(b"35=D\x0111=a\x01" + body)) is None


def test_data_may_swallow_the_checksum():
    body = b"35=D\x0195=8\x0196=a"  # a, SOH, 10=nnn and the last SOH ends the data
    fields = same(framed(body + b"\x01"))
    assert fields is not None
    assert [tag for tag, _ in fields] == [8, 9, 35, 95, 96]


@pytest.mark.parametrize(
    "head",
    [b"8=FIX.4.4\x019={}\x01", b"8=FIX\x019={}\x01", b"8=FIXT.1.1 and me\x019={}\x01", b"8=FIX\x0100009={}\x01",
     b"8=FIX.4.4 and more.\x019={}\x01", b"8=FIY.4.4\x019={}\x01", b"8=FIX.4.4\x01\x019={}\x01", b"8=FIX.4.4\x019=0{}\x01",
     b"8=FIX.4.4\x019=00000{}\x01", b"8=FIX.4.4\x019=-{}\x01", b"8=FIX.4.4\x019={} \x01", b"8=FIX.4.4\x0135=D\x019={}\x01"],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"35=D\x0111=a\x01", b"11=a\x0135=D\x01", b"35=\x01", b""])
def test_heads(head, body):
    message = head.replace(b"{}", b"%d" % len(body)) + body
    same(message + b"10=%03d\x01" % (sum(message) % 256))
    same(message + b"10=%03d\x01" % ((sum(message) + 1) % 256))


def test_lengths_checksums_and_cuts_that_are_wrong():
    message = frame_of([(35, b"D"), (11, b"a"), (55, b"INTC")])
    assert same(message) is not None
    for end in range(len(message)):
        assert same(message[:end]) is None
    for wrong in (b"10=12\x01", b"10=1234\x01", b"10=x23\x01", b"10=123", b"11=123\x01", b"10=256\x01"):
        assert same(message[:-7] + wrong) is None
    assert same(message + b"\x01") is None
    assert same(message + message) is None


def test_the_longest_message():
    def of_text(size):
        return framed(b"35=D\x0158=" + b"x" * size + b"\x01")

    size = MESSAGE_BYTES_MAX - (len(of_text(MESSAGE_BYTES_MAX)) - MESSAGE_BYTES_MAX)
    assert len(of_text(size)) == MESSAGE_BYTES_MAX
    assert same(of_text(size)) is not None
    assert fields_of(of_text(size + 1)) is None  # a stream is never cut into such ones
    many = (MESSAGE_BYTES_MAX - 40) // 3
    assert len(same(framed(b"35=D\x01" + b"1=\x01" * many)) or []) == many + 4
