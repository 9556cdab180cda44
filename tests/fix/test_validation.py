"""Goal: the compiled validation finds exactly the fault the rules in plain Python find, in every message.

Method: messages of our dictionary and of one that has every type, whole and damaged in every way, against `Rules`.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_damage import any_messages, damaged_fields, framed, rebuilt
from test_rules import HEAD, ORDER, OURS, drawn, fields_of

from tradsys.errors import InputError
from tradsys.fix.dictionary import load
from tradsys.fix.message import parse
from tradsys.fix.rules import Rules
from tradsys.fix.validation import Validator

GARBLED = (100, None)

# every type, values of all sizes, tags far out, groups in groups, a field both in header and trailer, long MsgTypes
TYPES = (
    "STRING", "CHAR", "BOOLEAN", "INT", "SEQNUM", "LENGTH", "PRICE", "PRICEOFFSET", "LOCALMKTDATE", "UTCDATEONLY",
    "UTCTIMEONLY", "UTCTIMESTAMP", "MONTHYEAR", "DAYOFMONTH", "CURRENCY",
)  # fmt: skip
OTHER_XML = """
<fix type="FIX" major="4" minor="4" servicepack="0">
<header><field name="BeginString" required="Y"/><field name="BodyLength" required="Y"/>
<field name="MsgType" required="Y"/><field name="Both" required="N"/>
<group name="NoHops" required="N"><field name="Hop" required="N"/><field name="HopTime" required="Y"/></group></header>
<messages>
<message name="All" msgtype="X" msgcat="app">{members}
<field name="Words" required="N"/><field name="Letters" required="N"/><field name="Far" required="Y"/>
<group name="NoOuter" required="N"><field name="Outer" required="Y"/>
<group name="NoInner" required="N"><field name="Inner" required="N"/><field name="InnerText" required="Y"/></group>
<field name="OuterText" required="Y"/></group></message>
<message name="Two" msgtype="XY" msgcat="app"><field name="Far" required="N"/></message>
<message name="Three" msgtype="XYZ" msgcat="app"><field name="Words" required="Y"/></message>
<message name="Foreign" msgtype="\u0416" msgcat="app"><field name="Words" required="Y"/></message>
</messages>
<trailer><field name="Both" required="N"/><field name="CheckSum" required="Y"/></trailer>
<components/>
<fields>
<field number="8" name="BeginString" type="STRING"/><field number="9" name="BodyLength" type="LENGTH"/>
<field number="35" name="MsgType" type="STRING"/><field number="10" name="CheckSum" type="STRING"/>
<field number="50" name="Both" type="STRING"/><field number="60" name="NoHops" type="NUMINGROUP"/>
<field number="61" name="Hop" type="STRING"/><field number="62" name="HopTime" type="UTCTIMESTAMP"/>
<field number="200" name="Words" type="STRING"><value enum="a"/><value enum="ab"/><value enum="abcdefghij"/>
<value enum="abcdefghik"/><value enum="with space"/><value enum="\u0416"/></field>
<field number="201" name="Letters" type="MULTIPLEVALUESTRING"><value enum="a"/><value enum="bc"/><value enum="\u00ff"/></field>
<field number="70001" name="Far" type="INT"><value enum="1"/><value enum="22"/></field>
<field number="70002" name="NoOuter" type="NUMINGROUP"/><field number="203" name="Outer" type="STRING"/>
<field number="204" name="NoInner" type="INT"/><field number="205" name="Inner" type="STRING"/>
<field number="206" name="InnerText" type="CHAR"/><field number="207" name="OuterText" type="STRING"/>
{fields}</fields></fix>"""
FIRST = 101


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    path = tmp_path_factory.mktemp("dictionary") / "other.xml"
    members = "".join(f'<field name="T{name}" required="N"/>' for name in TYPES)
    fields = "".join(
        f'<field number="{FIRST + place}" name="T{name}" type="{name}"/>' for place, name in enumerate(TYPES)
    )
    path.write_text(OTHER_XML.format(members=members, fields=fields), "utf-8")
    return Pair(load(path))


class Pair:
    """The rules of a dictionary in both forms."""

    def __init__(self, dictionary):
        self.forms = [(Rules(dictionary, strict), Validator(dictionary, strict)) for strict in (True, False)]

    def same(self, message):
        """The faults when strict and when not, the same by both."""
        return [self.one(message, rules, validator) for rules, validator in self.forms]

    def one(self, message, rules, validator):
        try:
            fault = rules.check(parse(message))
            wanted = None if fault is None else (fault.reason, fault.ref_tag)
        except InputError:
            wanted = GARBLED
        assert validator.check(message) == wanted, (message, rules.strict)
        return wanted


OURS_BOTH = Pair(OURS)


@settings(max_examples=600, deadline=None)
@given(any_messages())
def test_the_fault_is_that_of_the_rules(message):
    OURS_BOTH.same(message)


@settings(max_examples=400, deadline=None)
@given(drawn(), st.data())
def test_damaged_fields(parts, data):
    fields = [field for part in parts for field in part]
    OURS_BOTH.same(rebuilt(data.draw(damaged_fields(fields))))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes(data):
    OURS_BOTH.same(data)
    OURS_BOTH.same(framed(b"35=D\x01" + data))


def test_every_fault_is_reached():
    head = HEAD.format("D")
    cases = {
        0: f"{head}{ORDER}|0=x", 1: f"{head}40=1", 2: f"{head}{ORDER}|336=a", 4: f"{head}{ORDER}|58=", 5: f"{head}{ORDER}|59=8",
        6: f"{head}{ORDER}|44=x", 11: HEAD.format("ZZ"), 13: f"{head}{ORDER}|40=1", 14: f"{head}{ORDER}|34=3",
        15: f"{head}{ORDER}|453=1|447=D", 16: f"{head}{ORDER}|386=2|336=a",
    }  # fmt: skip
    for reason, text in cases.items():
        assert [found[0] for found in OURS_BOTH.same(rebuilt(fields_of(text)))] == [reason, reason]
    assert OURS_BOTH.same(rebuilt(fields_of(f"{head}{ORDER}"))) == [None, None]
    assert OURS_BOTH.same(rebuilt(fields_of(f"{head}40=1|40=2"))) == [(13, 40), (13, 40)]  # before what is missing
    assert OURS_BOTH.same(b"8=FIX.4.4|") == [GARBLED, GARBLED]
    assert OURS_BOTH.same(rebuilt(fields_of(f"{head}{ORDER}|5000=x"))) == [(0, 5000), None]
    assert OURS_BOTH.same(rebuilt(fields_of(f"{head}{ORDER}|453=1|448=a|452=1|447=D"))) == [(15, 447), None]


NUMBERS = st.from_regex(rb"[-+]?[0-9.]{0,20}", fullmatch=True)
DATES = st.from_regex(
    rb"(0000|0001|1900|2000|2023|2024|9999)(0[0-9]|1[0-3])(0[01]|2[89]|3[012])", fullmatch=True
)
CLOCKS = st.from_regex(
    rb"(0[09]|23|24|2x)[:.](0[09]|59|60)[:.](0[09]|59|60|61)([.:][0-9]{0,10})?", fullmatch=True
)
MONTHS = st.from_regex(rb"20[0-9]{2}(0[0-9]|1[0-3])(w[0-6])?", fullmatch=True)
TIMES = st.builds(
    lambda date, dash, clock: date + dash + clock, DATES, st.sampled_from([b"-", b"", b" "]), CLOCKS
)
WORDS = st.lists(
    st.sampled_from([b"a", b"ab", b"bc", b"abcdefghij", b"abcdefghik", b"abcdefghi", b"with space", b"\xff", b"\xd0\x96", b""]),
    max_size=3,
).map(b" ".join)  # fmt: skip
ANY_VALUE = (
    NUMBERS
    | DATES
    | CLOCKS
    | MONTHS
    | TIMES
    | WORDS
    | st.sampled_from([b"Y", b"N", b"1", b"22"])
    | st.binary(max_size=9)
).map(lambda value: value.replace(b"\x01", b" "))


@settings(max_examples=600, deadline=None)
@given(place=st.integers(0, len(TYPES) + 1), value=ANY_VALUE)
def test_every_form(other, place, value):
    tag = FIRST + place if place < len(TYPES) else 200 + place - len(TYPES)
    other.same(rebuilt([(35, b"X"), (tag, value), (70001, b"22")]))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([50, 60, 61, 62, 200, 203, 204, 205, 206, 207, 70001, 70002, 70003]),
                          st.sampled_from([b"0", b"1", b"2", b"-1", b"a", b"20240229-12:00:00"])), max_size=14),
       st.sampled_from([b"X", b"XY", b"XYZ", b"XYZW", b"\xd0\x96", b"\x00X", b""]))  # fmt: skip
def test_groups_in_groups_and_types_of_every_length(other, fields, msg_type):
    other.same(rebuilt([(35, msg_type), *fields]))


def test_groups_in_groups_that_are_right(other):
    inner = [(204, b"2"), (205, b"a"), (206, b"x"), (205, b"b"), (206, b"y")]
    outer = [(70002, b"2"), (203, b"a"), *inner, (207, b"t"), (203, b"b"), (204, b"0"), (207, b"u")]
    hops = [(60, b"1"), (61, b"a"), (62, b"20240229-12:00:00")]
    assert other.same(rebuilt([(35, b"X"), *hops, (70001, b"1"), *outer])) == [None, None]
    assert other.same(rebuilt([(35, b"X"), *hops, (70001, b"1"), *outer[:-1]])) == [(1, 207), (1, 207)]
    assert other.same(rebuilt([(35, b"XYZ"), (200, b"a")])) == [None, None]


def test_a_dictionary_with_too_large_a_section(tmp_path):
    path = tmp_path / "large.xml"
    names = [f"N{number}" for number in range(513)]
    fields = "".join(f'<field number="{9000 + n}" name="{name}" type="INT"/>' for n, name in enumerate(names))
    members = "".join(f'<field name="{name}" required="N"/>' for name in names)
    path.write_text(OTHER_XML.format(members=members, fields=fields), "utf-8")
    with pytest.raises(InputError, match="at most 512 members"):
        Validator(load(path))


def test_a_message_leaves_nothing_behind():
    whole = rebuilt(fields_of(HEAD.format("D") + ORDER))
    short = rebuilt(fields_of(HEAD.format("D") + "40=1"))
    validator = Validator(OURS, True)
    for _ in range(3):
        assert validator.check(whole) is None
        assert validator.check(short) == (1, 11)
