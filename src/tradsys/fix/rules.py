"""Is a message what the dictionary says? In plain Python: the reference the compiled validation is held against.

It gives the SessionRejectReason QuickFIX's full validation gives. Where several things are wrong with one message the
first kind found counts, in this order, and of one kind the first field of the message:

1. a tag below 1 (reason 0), a field without value (4);
2. a field of the header behind one of the body or trailer, or one of the body behind the trailer (14);
3. a MsgType the dictionary does not have (11);
4. a tag twice in header, trailer or body, outside its groups (13);
5. a required field of header, trailer or body that is missing (1), the lowest tag first;
6. field by field, groups with their entries: a tag twice in an entry (13), a value of the wrong form (6) or not among
   those listed (5), a tag the dictionary does not have (0) or not there (2), an entry that does not begin with its
   delimiter, or whose fields are not in the dictionary's order (15), without a required field (1), and a count that
   is not the number of entries (16).

Not strict, tags the message's definition does not name are passed over, their values too, and the fields of an entry
come in any order behind its delimiter. An absent tag 34 or a SendingTime out of range is the session's to judge.
"""

import re
from collections.abc import Callable, Iterable

from tradsys.errors import InputError
from tradsys.fix.actions import Fault
from tradsys.fix.dictionary import Dictionary, Member, Section
from tradsys.fix.message import Field, Message, parse_time

INVALID_TAG = 0
REQUIRED_TAG_MISSING = 1
TAG_NOT_IN_MESSAGE = 2
NO_VALUE = 4
VALUE_INCORRECT = 5
BAD_FORMAT = 6
INVALID_MSG_TYPE = 11
REPEATED_TAG = 13
OUT_OF_ORDER = 14
GROUP_OUT_OF_ORDER = 15
GROUP_COUNT = 16

WHOLE = re.compile(rb"-?[0-9]{1,18}")
COUNTED = re.compile(rb"[0-9]{1,18}")
DECIMAL = re.compile(rb"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
TIME_OF_DAY = re.compile(rb"\d\d:\d\d:\d\d(?:\.(?:\d{3}|\d{6}|\d{9}))?")
DATE = re.compile(rb"\d{8}")
MONTH = re.compile(rb"\d{4}(?:0[1-9]|1[0-2])(?:w[1-5])?")


class Rules:
    """The rules of one dictionary.

    Parameters
    ----------
    dictionary : Dictionary
    strict : bool
        Whether tags the message does not have are faults, and the order within an entry counts.
    """

    def __init__(self, dictionary: Dictionary, strict: bool = False) -> None:
        self.dictionary, self.strict = dictionary, strict

    def check(self, message: Message) -> Fault | None:
        """Find the fault a message has; None: it has none.

        Parameters
        ----------
        message : Message
            As ``tradsys.fix.message.parse`` gives it: length, checksum and the first three fields are right.
        """
        fault = syntax_fault(message.fields) or self._order_fault(message.fields)
        if fault is not None:
            return fault
        if message.msg_type not in self.dictionary.messages:
            return Fault(INVALID_MSG_TYPE)
        body = self.dictionary.messages[message.msg_type].body
        header_end, body_end = self._cut(message.fields)
        parts = (
            (self.dictionary.header, message.fields[:header_end]),
            (self.dictionary.trailer, message.fields[body_end:]),
            (body, self._wanted(message.fields[header_end:body_end], body)),
        )
        for section, fields in parts:
            fault = repeated_fault(section, fields)
            if fault is not None:
                return fault
        for section, fields in parts:
            fault = missing_fault(section, {tag for tag, _ in fields})
            if fault is not None:
                return fault
        for section, fields in parts:
            fault = self._part_fault(section, fields)
            if fault is not None:
                return fault
        return None

    # --------------------------------------------------------------------------------------- header, body, trailer

    def _order_fault(self, fields: list[Field]) -> Fault | None:
        header_end, body_end = self._cut(fields)
        for position, (tag, _) in enumerate(fields):
            is_header, is_trailer = self._is_header(tag), self._is_trailer(tag)
            if (is_header and position >= header_end) or (not is_trailer and position >= body_end):
                return Fault(OUT_OF_ORDER, tag)
        return None

    def _cut(self, fields: list[Field]) -> tuple[int, int]:
        """Count the fields before the body, and before the trailer."""
        header_end = next((n for n, (tag, _) in enumerate(fields) if not self._is_header(tag)), len(fields))
        body_end = next((n for n, (tag, _) in enumerate(fields) if self._is_trailer(tag)), len(fields))
        return min(header_end, body_end), body_end

    def _is_header(self, tag: int) -> bool:
        return tag in self.dictionary.header.all_tags

    def _is_trailer(self, tag: int) -> bool:
        return tag in self.dictionary.trailer.all_tags

    def _wanted(self, fields: list[Field], body: Section) -> list[Field]:
        """Leave out what is passed over."""
        return fields if self.strict else [field for field in fields if field[0] in body.all_tags]

    # --------------------------------------------------------------------------------------- field by field

    def _part_fault(self, section: Section, fields: list[Field]) -> Fault | None:
        fault, end = self._place_fault(section, fields, 0, None)
        assert fault is not None or end == len(fields)
        return fault

    def _place_fault(
        self, section: Section, fields: list[Field], begin: int, delimiter: int | None
    ) -> tuple[Fault | None, int]:
        """Look at the fields of one section, or of one entry of a group; say also where it ends."""
        seen: set[int] = set()
        last_place = -1
        position = begin
        while position < len(fields):
            tag, value = fields[position]
            member = section.by_tag.get(tag)
            if delimiter is not None and (member is None or (tag == delimiter and position > begin)):
                break
            fault = Fault(REPEATED_TAG, tag) if tag in seen else self._value_fault(tag, value)
            if fault is not None:
                return fault, position
            if member is None:
                return Fault(TAG_NOT_IN_MESSAGE, tag), position
            if delimiter is not None and self.strict and section.place[tag] < last_place:
                return Fault(GROUP_OUT_OF_ORDER, tag), position
            seen.add(tag)
            last_place = section.place[tag]
            position += 1
            if member.group is not None:
                fault, position = self._group_fault(member, int(value), fields, position)
                if fault is not None:
                    return fault, position
        if delimiter is not None:
            return missing_fault(section, seen), position
        return None, position

    def _group_fault(
        self, member: Member, count: int, fields: list[Field], begin: int
    ) -> tuple[Fault | None, int]:
        """Look at the entries of a group; say also where they end."""
        group = member.group
        assert group is not None
        entries, position = 0, begin
        while position < len(fields) and fields[position][0] in group.by_tag:
            tag = fields[position][0]
            if tag != group.delimiter:
                return Fault(GROUP_OUT_OF_ORDER, tag), position
            entries += 1
            fault, position = self._place_fault(group, fields, position, group.delimiter)
            if fault is not None:
                return fault, position
        return (Fault(GROUP_COUNT, member.tag) if entries != count else None), position

    def _value_fault(self, tag: int, value: bytes) -> Fault | None:
        known = self.dictionary.fields.get(tag)
        if known is None:
            return Fault(INVALID_TAG, tag)
        if not FORMATS.get(known.type_name, is_text)(value):
            return Fault(BAD_FORMAT, tag)
        if known.values:
            is_list = known.type_name in LISTS
            words = value.split(b" ") if is_list else [value]
            if not all(word.decode("latin-1") in known.values for word in words):
                return Fault(VALUE_INCORRECT, tag)
        return None


def syntax_fault(fields: Iterable[Field]) -> Fault | None:
    """Find a tag below 1, or a field without value."""
    for tag, value in fields:
        if tag < 1:
            return Fault(INVALID_TAG, tag)
        if not value:
            return Fault(NO_VALUE, tag)
    return None


def repeated_fault(section: Section, fields: Iterable[Field]) -> Fault | None:
    """Find a tag of the section that is there twice; those of groups are looked at entry by entry."""
    seen: set[int] = set()
    for tag, _ in fields:
        if tag in seen and tag in section.by_tag and tag not in section.group_tags:
            return Fault(REPEATED_TAG, tag)
        seen.add(tag)
    return None


def missing_fault(section: Section, tags: set[int]) -> Fault | None:
    """Find a required field that is not there."""
    return next((Fault(REQUIRED_TAG_MISSING, tag) for tag in section.required if tag not in tags), None)


# ------------------------------------------------------------------------------------------- forms of values


def is_text(value: bytes) -> bool:
    """Take anything."""
    return True


def is_whole(value: bytes) -> bool:
    """Tell whether it is a whole number of at most 18 digits: no sign but a minus."""
    return WHOLE.fullmatch(value) is not None


def is_counted(value: bytes) -> bool:
    """Tell whether it is a whole number from 0 of at most 18 digits."""
    return COUNTED.fullmatch(value) is not None


def is_decimal(value: bytes) -> bool:
    """Tell whether it is a decimal number: no sign but a minus, no exponent, at least one digit."""
    return DECIMAL.fullmatch(value) is not None


def is_char(value: bytes) -> bool:
    """Tell whether it is one byte."""
    return len(value) == 1


def is_boolean(value: bytes) -> bool:
    """Tell whether it is Y or N."""
    return value in (b"Y", b"N")


def is_timestamp(value: bytes) -> bool:
    """Tell whether it is a UTCTimestamp of seconds, ms, us or ns."""
    try:
        parse_time(value)
    except InputError:
        return False
    return True


def is_date(value: bytes) -> bool:
    """Tell whether it is a day, YYYYMMDD."""
    return DATE.fullmatch(value) is not None and is_timestamp(value + b"-00:00:00")


def is_time_of_day(value: bytes) -> bool:
    """Tell whether it is a time of day of seconds, ms, us or ns."""
    return TIME_OF_DAY.fullmatch(value) is not None and is_timestamp(b"19700101-" + value)


def is_month(value: bytes) -> bool:
    """Tell whether it is YYYYMM, YYYYMMDD or YYYYMMwN."""
    return MONTH.fullmatch(value) is not None or is_date(value)


def is_day_of_month(value: bytes) -> bool:
    """Tell whether it is 1 to 31."""
    return COUNTED.fullmatch(value) is not None and 1 <= int(value) <= 31


LISTS = ("MULTIPLEVALUESTRING", "MULTIPLESTRINGVALUE", "MULTIPLECHARVALUE")
# types not named here are text; the count of a group may be negative in form: it is then not the number of entries
FORMATS: dict[str, Callable[[bytes], bool]] = {
    **dict.fromkeys(("INT", "NUMINGROUP"), is_whole),
    **dict.fromkeys(("SEQNUM", "LENGTH"), is_counted),
    **dict.fromkeys(("AMT", "FLOAT", "PERCENTAGE", "PRICE", "PRICEOFFSET", "QTY"), is_decimal),
    **dict.fromkeys(("LOCALMKTDATE", "UTCDATE", "UTCDATEONLY"), is_date),
    "BOOLEAN": is_boolean,
    "CHAR": is_char,
    "DAYOFMONTH": is_day_of_month,
    "MONTHYEAR": is_month,
    "UTCTIMEONLY": is_time_of_day,
    "UTCTIMESTAMP": is_timestamp,
}
