"""A data dictionary in QuickFIX's XML form: which fields and messages there are, and what each message consists of.

Components are resolved, groups nest. Ours is fix_specs/TRADSYS-FIX44.xml; the stock ones of the engines load as well.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tradsys.errors import InputError

COMPONENT_DEPTH_MAX = 16  # components in components and groups in groups; deeper is a circle


class FieldType(Struct, frozen=True):
    """One field of the dictionary."""

    tag: int
    name: str
    type_name: str  # QTY, INT, UTCTIMESTAMP ...
    values: dict[str, str] = {}  # value: its name; empty: any value of the type


class Member(Struct, frozen=True):
    """One field's place in a message, header, trailer or group."""

    tag: int
    is_required: bool
    group: "Section | None" = None  # what each entry consists of when the field counts entries


class Section:
    """The fields of a message's body, of header or trailer, or of an entry of a group, in order.

    Parameters
    ----------
    members : tuple of Member
        Of a tag that is named twice the first place holds.
    """

    __slots__ = ("all_tags", "by_tag", "group_tags", "members", "place", "required")

    def __init__(self, members: tuple[Member, ...]) -> None:
        self.by_tag: dict[int, Member] = {}
        for member in members:
            self.by_tag.setdefault(member.tag, member)
        self.members = tuple(self.by_tag.values())
        self.place = {tag: place for place, tag in enumerate(self.by_tag)}  # 0 for the first
        self.required = sorted(member.tag for member in self.members if member.is_required)
        self.group_tags: frozenset[int] = frozenset().union(
            *(member.group.all_tags for member in self.members if member.group is not None)
        )
        self.all_tags: frozenset[int] = self.group_tags.union(self.by_tag)

    @property
    def delimiter(self) -> int:
        """Tag that begins each entry of a group."""
        return self.members[0].tag


class MessageType(Struct, frozen=True):
    """One message of the dictionary."""

    msg_type: str
    name: str
    is_admin: bool
    body: Section


class Dictionary(Struct, frozen=True):
    """A whole dictionary."""

    begin_string: str
    fields: dict[int, FieldType]
    messages: dict[str, MessageType]  # by MsgType
    header: Section
    trailer: Section

    def name_of(self, tag: int) -> str:
        """Name of a field; its number when it is not known."""
        return self.fields[tag].name if tag in self.fields else str(tag)

    def value_name(self, tag: int, value: str) -> str:
        """Name of a field's value; empty when it has none."""
        return self.fields[tag].values.get(value, "") if tag in self.fields else ""


def load(path: str | Path, *supplements: str | Path) -> Dictionary:
    """Read a dictionary.

    Parameters
    ----------
    path : str or Path
        XML file in QuickFIX's form.
    *supplements : str or Path
        Files in the same form with messages, components and fields for it; what is there before holds.

    Raises
    ------
    InputError
        A file cannot be read, is no XML, or contradicts itself; the text says where.
    """
    root = root_of(path)
    for supplement in supplements:
        add(root, root_of(supplement))
    try:
        return Reader(root).read()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def root_of(path: str | Path) -> ElementTree.Element:
    """Read a file's root element."""
    try:
        return ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f"{path}: no FIX dictionary: {error}") from None


def add(root: ElementTree.Element, more: ElementTree.Element) -> None:
    """Add the elements of another dictionary that this one does not have."""
    for part, key in (("messages", "msgtype"), ("components", "name"), ("fields", "number")):
        into, known = root.find(part), {element.get(key) for element in root.iterfind(f"{part}/*")}
        if into is not None:
            into.extend(element for element in more.iterfind(f"{part}/*") if element.get(key) not in known)


class Reader:
    """Reads a dictionary from the root element of its file."""

    def __init__(self, root: ElementTree.Element) -> None:
        if root.tag != "fix":
            raise InputError(f"the root element is <fix>, was <{root.tag}>")
        self.root = root
        self.fields: dict[int, FieldType] = {}
        self.tags: dict[str, int] = {}  # by name
        self.components: dict[str, ElementTree.Element] = {}

    def read(self) -> Dictionary:
        """Read everything."""
        kind, major, minor = (attribute(self.root, name) for name in ("type", "major", "minor"))
        self.read_fields()
        self.components = {
            attribute(element, "name"): element for element in self.root.iterfind("components/component")
        }
        messages: dict[str, MessageType] = {}
        for element in self.part("messages"):
            message = self.read_message(element)
            if message.msg_type in messages:
                raise InputError(f"message type {message.msg_type} is defined twice")
            messages[message.msg_type] = message
        return Dictionary(
            begin_string=f"{kind}.{major}.{minor}",
            fields=self.fields,
            messages=messages,
            header=self.section(self.part("header"), "header"),
            trailer=self.section(self.part("trailer"), "trailer"),
        )

    def part(self, name: str) -> ElementTree.Element:
        """Find a part of the file that must be there and hold something."""
        element = self.root.find(name)
        if element is None or not len(element):
            raise InputError(f"<{name}> is missing or empty")
        return element

    def read_fields(self) -> None:
        """Read <fields>."""
        for element in self.part("fields"):
            name, number = attribute(element, "name"), attribute(element, "number")
            if not (number.isascii() and number.isdigit() and int(number) > 0):
                raise InputError(f"field {name}: number must be a whole number from 1, was {number!r}")
            tag = int(number)
            if tag in self.fields or name in self.tags:
                raise InputError(f"field {name} ({tag}): name or number is defined twice")
            values = {
                attribute(value, "enum"): value.get("description", "") for value in element.iterfind("value")
            }
            self.fields[tag] = FieldType(tag, name, attribute(element, "type").upper(), values)
            self.tags[name] = tag

    def read_message(self, element: ElementTree.Element) -> MessageType:
        """Read one <message>."""
        name = attribute(element, "name")
        category = element.get("msgcat", "app")
        return MessageType(
            attribute(element, "msgtype"), name, category == "admin", self.section(element, name)
        )

    def section(self, element: ElementTree.Element, where: str) -> Section:
        """Read what stands in a message, header, trailer."""
        return Section(tuple(self.read_members(element, True, where, 0)))

    def read_members(
        self, element: ElementTree.Element, is_required: bool, where: str, depth: int
    ) -> Iterator[Member]:
        """Walk over fields, groups and the components' content; what an optional component requires is optional."""
        if depth > COMPONENT_DEPTH_MAX:
            raise InputError(f"{where}: components and groups must nest at most {COMPONENT_DEPTH_MAX} deep")
        for child in element:
            name = attribute(child, "name")
            required = is_required and child.get("required", "N") in ("Y", "y")
            if child.tag == "component":
                if name not in self.components:
                    raise InputError(f"{where}: component {name} is not defined")
                yield from self.read_members(self.components[name], required, f"{where}.{name}", depth + 1)
                continue
            if child.tag not in ("field", "group"):
                raise InputError(f"{where}: <field>, <group> or <component> expected, was <{child.tag}>")
            if name not in self.tags:
                raise InputError(f"{where}: field {name} is not defined")
            group = None
            if child.tag == "group":
                members = tuple(self.read_members(child, True, f"{where}.{name}", depth + 1))
                if not members:
                    raise InputError(f"{where}: group {name} has no members")
                count_type = self.fields[self.tags[name]].type_name
                if count_type not in ("NUMINGROUP", "INT"):
                    raise InputError(f"{where}: group {name} must be counted by NUMINGROUP, was {count_type}")
                group = Section(members)
            yield Member(self.tags[name], required, group)


def attribute(element: ElementTree.Element, name: str) -> str:
    """Take an attribute that must be there."""
    value = element.get(name)
    if not value:
        raise InputError(f"<{element.tag} {element.get('name', '')}>: attribute {name} is missing")
    return value
