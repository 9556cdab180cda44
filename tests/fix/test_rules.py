"""Goal: a message that is what the dictionary says passes; one that is not gets exactly the fault QuickFIX gives it.

Method: each rule by examples; messages drawn from the dictionary's definition, whole and damaged in one known way.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradsys.fix.actions import Fault
from tradsys.fix.dictionary import load
from tradsys.fix.message import Message
from tradsys.fix.rules import Rules

OURS = load(Path(__file__).resolve().parents[2] / "fix_specs" / "TRADSYS-FIX44.xml")
STRICT, LIBERAL = Rules(OURS, strict=True), Rules(OURS)
HEAD = "8=FIX.4.4|9=100|35={}|34=2|49=TW44|52=20260901-12:00:00.000|56=ISLD|"
ORDER = "11=ID|21=1|40=1|54=1|38=200.00|55=INTC|60=20260901-12:00:00"
# a value that is right, and one that is wrong in form (none: there is no such)
VALUES = {
    "STRING": (b"x y", None), "CHAR": (b"x", b"xy"), "BOOLEAN": (b"Y", b"y"), "DATA": (b"a=b", None),
    "INT": (b"-7", b"+7"), "LENGTH": (b"3", b"-3"), "SEQNUM": (b"12", b"1.5"), "NUMINGROUP": (b"1", b"one"),
    "PRICE": (b"-0.25", b"1e3"), "PRICEOFFSET": (b"-0.5", b"1-"),
    "QTY": (b"00200.00", b"+200"), "AMT": (b".5", b"."), "FLOAT": (b"5.", b"5,0"),
    "CURRENCY": (b"USDT", None), "EXCHANGE": (b"XLON", None), "MULTIPLEVALUESTRING": (b"G 6", None),
    "UTCTIMESTAMP": (b"20260901-12:00:00.123456", b"20260931-12:00:00"), "UTCTIMEONLY": (b"12:00:60", b"12:00"),
    "LOCALMKTDATE": (b"20240229", b"20230229"), "UTCDATEONLY": (b"20240229", b"2024022"),
}  # fmt: skip


def fields_of(text):
    return [
        (int(part.partition("=")[0]), part.partition("=")[2].encode()) for part in text.split("|") if part
    ]


def message_of(body, msg_type="D", head=HEAD):
    return Message(fields_of(head.format(msg_type) + body + "|10=000|"))


def both(body, fault, msg_type="D", head=HEAD):
    message = message_of(body, msg_type, head)
    assert STRICT.check(message) == fault
    assert LIBERAL.check(message) == fault


def test_orders_pass():
    both(ORDER, None)
    both(f"{ORDER}|386=2|336=PRE-OPEN|336=AFTER-HOURS|453=2|448=a|447=D|452=1|448=b|18=G 6", None)
    both(f"{ORDER}|386=0|453=0", None)
    both("", None, "0")


@pytest.mark.parametrize("tag", [999, 5000, 9999, 20000])
def test_a_tag_the_dictionary_does_not_have(tag):
    message = message_of(f"{tag}=HI", "0")
    assert STRICT.check(message) == Fault(0, tag)
    assert LIBERAL.check(message) is None


@pytest.mark.parametrize("tag", [0, -1])
def test_a_tag_below_1(tag):
    both(f"{tag}=HI", Fault(0, tag), "0")


def test_a_tag_not_of_this_message():
    message = message_of("55=MSFT", "0")
    assert STRICT.check(message) == Fault(2, 55)
    assert LIBERAL.check(message) is None


def test_what_is_passed_over_may_repeat_and_may_stand_in_an_entry():
    body = f"{ORDER}|78=2|79=a|80=1|79=b|80=2|453=2|448=a|802=1|523=x|448=b"
    assert LIBERAL.check(message_of(body)) is None
    assert STRICT.check(message_of(body)) == Fault(0, 78)


def test_a_required_field_is_missing():
    both("", Fault(1, 56), "0", HEAD.replace("|56=ISLD", ""))
    both(ORDER.replace("|55=INTC", ""), Fault(1, 55))
    both("40=1", Fault(1, 11))  # of several the lowest tag
    both("40=1", Fault(1, 49), "D", HEAD.replace("|49=TW44", ""))  # of several the header's
    assert STRICT.check(Message(fields_of(HEAD.format("0")))) == Fault(1, 10)


def test_a_field_without_value():
    both(ORDER.replace("INTC", ""), Fault(4, 55))
    both(ORDER, Fault(4, 115), "D", f"{HEAD}115=|")
    both("21=1|5000=", Fault(4, 5000))  # counts before missing, unknown and misplaced ones
    both("21=|34=3", Fault(4, 21))


@pytest.mark.parametrize("part", ["21=4", "167=BOO", "18=G ?", "18=G  6", "54=x", "59=8"])
def test_a_value_not_among_those_listed(part):
    tag = int(part.partition("=")[0])
    order = "|".join(piece for piece in ORDER.split("|") if not piece.startswith(f"{tag}="))
    both(f"{order}|{part}", Fault(5, tag))


@pytest.mark.parametrize(
    "part",
    ["38=+200.00", "38=1e5", "38=-", "38=1.2.3", "38=.", "44=0x1", "54=11", "60=20260901", "60=20261301-12:00:00",
     "60=20260901-12:00:00.12", "432=20230229", "432=2023022", "386=x", "453=1.0", "126=20260901-24:00:00"],
)  # fmt: skip
def test_a_value_of_the_wrong_form(part):
    tag = int(part.partition("=")[0])
    order = "|".join(piece for piece in ORDER.split("|") if not piece.startswith(f"{tag}="))
    both(f"{order}|{part}", Fault(6, tag))


@pytest.mark.parametrize("part", ["38=00200.00", "38=.5", "38=5.", "38=-1", "60=20260901-23:59:60.123456789"])
def test_a_value_of_the_right_form(part):
    tag = int(part.partition("=")[0])
    order = "|".join(piece for piece in ORDER.split("|") if not piece.startswith(f"{tag}="))
    both(f"{order}|{part}", None)


def test_the_form_of_header_fields_counts_too():
    both("", Fault(6, 52), "0", HEAD.replace("20260901-12", "2026-12"))
    both("", Fault(6, 34), "0", HEAD.replace("34=2", "34=two"))
    both("", Fault(6, 43), "0", f"{HEAD}43=X|")


def test_an_unknown_msg_type():
    both("", Fault(11), "*")
    both("55=a|55=b", Fault(11), "ZZ")


def test_a_tag_twice():
    both(f"{ORDER}|40=2", Fault(13, 40))
    both("", Fault(13, 49), "0", f"{HEAD}49=TW44|")
    both(f"{ORDER}|453=1|448=a|447=D|447=D", Fault(13, 447))
    both(f"{ORDER}|386=1|336=a|386=1|336=b", Fault(13, 386))


def test_a_tag_twice_counts_before_one_that_is_missing():
    assert "|40=1" in ORDER
    order = "|".join(piece for piece in ORDER.split("|") if not piece.startswith("60="))
    both(f"{order}|40=2", Fault(13, 40))
    both(f"{order}|453=2|448=a|447=D|448=b|447=D", Fault(1, 60))
    assert STRICT.check(message_of(f"{order}|5000=a|5000=b")) == Fault(1, 60)
    assert STRICT.check(message_of(f"{ORDER}|5000=a|5000=b")) == Fault(0, 5000)


def test_fields_of_header_body_and_trailer_are_apart():
    for body in (f"{ORDER}|34=2|49=TW44", f"55=a|34=2|{ORDER}"):
        both(body, Fault(14, 34), "D", "8=FIX.4.4|9=100|35={}|52=20260901-12:00:00|56=ISLD|")
    both(f"{ORDER}|93=1|89=x|58=late", Fault(14, 58))
    both(f"9998=x|115=a|{ORDER}", Fault(14, 115))
    both(ORDER, None, "D", "8=FIX.4.4|9=100|35={}|56=ISLD|52=20260901-12:00:00|34=2|115=a|49=TW44|")


def test_groups_in_the_header_are_looked_at():
    both("", None, "0", f"{HEAD}627=2|628=a|629=20260901-12:00:00|628=b|630=4|")
    both("", Fault(16, 627), "0", f"{HEAD}627=1|628=a|628=b|")


@pytest.mark.parametrize("count", ["3", "1", "0", "-1", "999999999999999999"])
def test_the_count_of_a_group_is_not_the_number_of_its_entries(count):
    both(f"{ORDER}|386={count}|336=PRE-OPEN|336=AFTER-HOURS|58=x", Fault(16, 386))


def test_entries_begin_with_their_delimiter():
    both(f"{ORDER}|453=1|447=D|448=a", Fault(15, 447))
    both(f"{ORDER}|453=1|447=D", Fault(15, 447))


def test_the_order_within_an_entry_counts_when_strict():
    message = message_of(f"{ORDER}|453=1|448=a|452=1|447=D")
    assert STRICT.check(message) == Fault(15, 447)
    assert LIBERAL.check(message) is None


def test_a_member_of_a_group_that_stands_alone():
    both(f"{ORDER}|336=PRE-OPEN", Fault(2, 336))
    both(f"{ORDER}|386=1|336=a|58=x|336=b", Fault(2, 336))


def test_a_required_member_of_an_entry_is_missing():
    # each side of AE has Side and OrderID
    body = "571=a|570=N|55=b|32=1|31=1|75=20260901|60=20260901-12:00:00|552=2|54=1|37=x|54=2|11=y"
    both(body, Fault(1, 37), "AE")


# ------------------------------------------------------------------------------------------- drawn messages


@st.composite
def section_fields(draw, section, all_members=False):
    """Fields of a section: the required ones, some of the others, in order, groups with 0 to 3 entries."""
    fields = []
    for member in section.members:
        if not (member.is_required or all_members or draw(st.booleans())):
            continue
        if member.group is None:
            fields.append((member.tag, good_value(member.tag, draw)))
        else:
            entries = [draw(section_fields(member.group)) for _ in range(draw(st.integers(0, 3)))]
            fields.append((member.tag, b"%d" % len(entries)))
            fields += [field for entry in entries for field in entry]
    return fields


def good_value(tag, draw):
    known = OURS.fields[tag]
    if known.values:
        return draw(st.sampled_from(sorted(known.values))).encode()
    return VALUES[known.type_name][0]


@st.composite
def drawn(draw):
    """A message as three parts: header, body, trailer."""
    msg_type = draw(st.sampled_from(sorted(OURS.messages)))
    header = [
        (tag, msg_type.encode() if tag == 35 else value) for tag, value in draw(section_fields(OURS.header))
    ]
    return header, draw(section_fields(OURS.messages[msg_type].body)), draw(section_fields(OURS.trailer))


def checked(header, body, trailer):
    return Message([*header, *body, *trailer])


def expect(message, fault):
    assert STRICT.check(message) == fault
    assert LIBERAL.check(message) == fault


def body_of(parts):
    return OURS.messages[next(value for tag, value in parts[0] if tag == 35).decode()].body


@given(drawn())
def test_what_the_dictionary_defines_passes(parts):
    expect(checked(*parts), None)


@given(drawn(), st.data())
def test_without_a_value(parts, data):
    fields = [field for part in parts for field in part]
    place = data.draw(st.integers(0, len(fields) - 1))
    tag = fields[place][0]
    fields[place] = (tag, b"")
    expect(Message(fields), Fault(4, tag))


@given(drawn(), st.data())
def test_without_a_required_field(parts, data):
    required = [*OURS.header.required, *OURS.trailer.required, *body_of(parts).required]
    tag = data.draw(st.sampled_from([tag for tag in required if tag != 35]))
    fields = [field for part in parts for field in part if field[0] != tag]
    expect(Message(fields), Fault(1, tag))


@given(drawn(), st.data())
def test_a_spoiled_value(parts, data):
    fields = [field for part in parts for field in part]
    places = [(place, spoiled) for place, (tag, _) in enumerate(fields) for spoiled in spoiled_values(tag)]
    place, (value, reason) = data.draw(st.sampled_from(places))
    tag = fields[place][0]
    fields[place] = (tag, value)
    expect(Message(fields), Fault(reason, tag))


def spoiled_values(tag):
    known = OURS.fields[tag]
    wrong_form = VALUES[known.type_name][1]
    if wrong_form is not None:
        yield wrong_form, 6
    if known.values:
        yield {"CHAR": b"~", "INT": b"12345"}.get(known.type_name, b"~~"), 5


@given(drawn(), st.data())
def test_a_tag_that_is_none_or_not_of_the_message(parts, data):
    header, body, trailer = parts
    place = data.draw(st.integers(0, len(body)))

    def with_tag(tag):
        return Message([*header, *body[:place], (tag, b"1"), *body[place:], *trailer])

    tag = data.draw(st.integers(-(2**31) + 1, 0))
    expect(with_tag(tag), Fault(0, tag))
    unknown = data.draw(st.integers(5000, 99999).filter(lambda tag: tag not in OURS.fields))
    assert LIBERAL.check(with_tag(unknown)) is None
    outside = body_of(parts).all_tags | OURS.header.all_tags | OURS.trailer.all_tags
    strange = data.draw(st.sampled_from(sorted(set(OURS.fields) - outside)))
    assert LIBERAL.check(with_tag(strange)) is None
    end = Message([*header, *body, (unknown, b"1"), *trailer])
    assert STRICT.check(end) == Fault(0, unknown)


@given(drawn(), st.data())
def test_a_repeated_tag(parts, data):
    header, body, trailer = parts
    places = [place for place, (tag, _) in enumerate(header) if tag in OURS.header.by_tag]
    tag, value = header[data.draw(st.sampled_from(places))]
    expect(checked([*header, (tag, value)], body, trailer), Fault(13, tag))
    at_top = [field for field in body if field[0] in body_of(parts).by_tag]
    if at_top:
        tag, value = data.draw(st.sampled_from(at_top))
        expect(checked(header, [*body, (tag, value)], trailer), Fault(13, tag))


@given(drawn(), st.data())
def test_a_header_field_behind_the_body(parts, data):
    header, body, trailer = parts
    if body:
        tag, value = data.draw(st.sampled_from(header))
        expect(checked(header, [*body, (tag, value)], trailer), Fault(14, tag))


@given(drawn(), st.integers(1, 5))
def test_a_count_that_is_not_the_number_of_entries(parts, more):
    header, body, trailer = parts
    places = [place for place, (tag, _) in enumerate(body) if OURS.fields[tag].type_name == "NUMINGROUP"]
    for place in places:
        tag, value = body[place]
        spoiled = [*body[:place], (tag, b"%d" % (int(value) + more)), *body[place + 1 :]]
        expect(checked(header, spoiled, trailer), Fault(16, tag))


@given(drawn())
def test_an_unknown_type(parts):
    header, body, trailer = parts
    spoiled = [(tag, b"ZZ" if tag == 35 else value) for tag, value in header]
    expect(checked(spoiled, body, trailer), Fault(11))
