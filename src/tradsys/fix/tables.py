"""A dictionary numbered for the compiled validation: fields by field_id, sections by their place in a list."""

from msgspec import Struct

from tradsys.errors import InputError
from tradsys.fix.dictionary import Dictionary, FieldType, Section
from tradsys.fix.rules import LISTS

PLACES_MAX = 512  # members of one section
NUMBERS_MAX = 32_767  # of fields, and of sections
HEADER, TRAILER = 0, 1  # sections
PART_HEADER, PART_TRAILER = 1, 2


class FieldRow(Struct, frozen=True):
    """What one field's value may be."""

    tag: int
    type_name: str
    part: int  # PART_ flags; 0: of bodies only
    is_closed: bool
    is_list: bool
    letters: bytes  # values of one byte
    words: tuple[int, int]  # values of more bytes: Tables.words from and to


class SectionRow(Struct, frozen=True):
    """What one section consists of."""

    # by field_id: order from 0, and section of its entries (-1: counts none)
    members: dict[int, tuple[int, int]]
    inside: list[int]  # field_ids of members, and of those of groups
    grouped: list[int]  # field_ids of members of groups in it
    required: tuple[int, int]  # Tables.required from and to


EMPTY = SectionRow({}, [], [], (0, 0))


class Tables:
    """The tables.

    Parameters
    ----------
    dictionary : Dictionary

    Raises
    ------
    InputError
        A section has more than 512 members, or there are more than 32,767 sections or fields.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        self.fields: list[FieldRow] = []  # by field_id - 1, the lowest tag first
        self.words: list[tuple[int, bytes]] = []  # where each begins in `text`, and the value
        self.text = b""
        self.required: list[int] = []  # field_ids
        self.sections: list[SectionRow] = []
        # by MsgType of one or two bytes, the first in the higher: section of its body
        self.types: dict[int, int] = {}
        self.long_types: dict[bytes, int] | None = None  # by longer MsgType
        self._known: dict[object, int] = {}  # sections by what they consist of
        tags = sorted(dictionary.fields)
        if len(tags) > NUMBERS_MAX:
            raise InputError(f"a dictionary has at most {NUMBERS_MAX} fields, was {len(tags)}")
        self.field_ids = {tag: field_id for field_id, tag in enumerate(tags, 1)}
        for tag in tags:
            part = PART_HEADER * (tag in dictionary.header.all_tags)
            part |= PART_TRAILER * (tag in dictionary.trailer.all_tags)
            self._add_field(dictionary.fields[tag], part)
        self.sections += [EMPTY, EMPTY]  # header and trailer go first, whatever groups they hold
        self.sections[HEADER] = self._row(dictionary.header)
        self.sections[TRAILER] = self._row(dictionary.trailer)
        for msg_type, message in dictionary.messages.items():
            self._add_type(msg_type, self._add_section(message.body))

    def _add_field(self, field: FieldType, part: int) -> None:
        # a value outside of latin-1 cannot be sent
        values = [value.encode("latin-1") for value in field.values if max(map(ord, value)) < 256]
        begin = len(self.words)
        for value in values:
            if len(value) > 1:
                self.words.append((len(self.text), value))
                self.text += value
        letters = b"".join(value for value in values if len(value) == 1)
        is_list = field.type_name in LISTS
        words = (begin, len(self.words))
        row = FieldRow(field.tag, field.type_name, part, bool(field.values), is_list, letters, words)
        self.fields.append(row)

    def _add_type(self, msg_type: str, section: int) -> None:
        if max(map(ord, msg_type)) > 255:
            return
        key = msg_type.encode("latin-1")
        if len(key) <= 2:
            self.types[int.from_bytes(key, "big")] = section
        else:
            self.long_types = {**(self.long_types or {}), key: section}

    def _add_section(self, section: Section) -> int:
        """Number a section; those that consist of the same have one number."""
        row = self._row(section)
        key = (tuple(row.members.items()), tuple(self.required[slice(*row.required)]))
        if key not in self._known:
            if len(self.sections) > NUMBERS_MAX:
                raise InputError(f"a dictionary has at most {NUMBERS_MAX} sections")
            self._known[key] = len(self.sections)
            self.sections.append(row)
        return self._known[key]

    def _row(self, section: Section) -> SectionRow:
        if len(section.members) > PLACES_MAX:
            raise InputError(f"a section has at most {PLACES_MAX} members, was {len(section.members)}")
        members = {
            self.field_ids[member.tag]: (
                order,
                -1 if member.group is None else self._add_section(member.group),
            )
            for order, member in enumerate(section.members)
        }
        begin = len(self.required)
        self.required += [self.field_ids[tag] for tag in section.required]
        inside = sorted(self.field_ids[tag] for tag in section.all_tags)
        grouped = sorted(self.field_ids[tag] for tag in section.group_tags)
        return SectionRow(members, inside, grouped, (begin, len(self.required)))
