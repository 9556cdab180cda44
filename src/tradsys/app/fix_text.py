"""FIX messages as people and programs read them: by name, with credentials masked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tradsys.client.fix_books import entries
from tradsys.fix.message import SECRET_TAGS, Message

if TYPE_CHECKING:
    from tradsys.fix.dictionary import Dictionary

FRAME_TAGS = frozenset((8, 9, 35, 34, 49, 52, 56, 10))  # in front of the line, or of no interest in it
ARROWS = {"in": "<", "out": ">"}
MASK = "***"
MARKET_DATA = ("W", "X")
NO_MD_ENTRIES = 268


class FixText:
    """Writes messages by the names of a dictionary; without one, by their numbers."""

    def __init__(self, dictionary: Dictionary | None) -> None:
        self._dictionary = dictionary

    def message_name(self, msg_type: str) -> str:
        """Name of a message type."""
        known = None if self._dictionary is None else self._dictionary.messages.get(msg_type)
        return msg_type if known is None else known.name

    def field_name(self, tag: int) -> str:
        """Name of a field."""
        return str(tag) if self._dictionary is None else self._dictionary.name_of(tag)

    def meaning(self, tag: int, value: str) -> str:
        """Name of a field's value; empty when it has none."""
        return "" if self._dictionary is None else self._dictionary.value_name(tag, value)

    def line(self, direction: str, message: Message) -> str:
        """Write a message on one line: arrow, number, name, fields."""
        words = [ARROWS[direction], str(message.seq), self.message_name(message.msg_type)]
        for tag, raw in message.fields:
            if tag in FRAME_TAGS:
                continue
            value = shown(tag, raw)
            meaning = self.meaning(tag, value)
            words.append(f"{self.field_name(tag)}={value}" + (f"({meaning})" if meaning else ""))
        return " ".join(words)

    def block(self, direction: str, message: Message) -> str:
        """Write a message on one line; market data with a line for each entry below it."""
        if message.msg_type not in MARKET_DATA:
            return self.line(direction, message)
        place = next((n for n, (tag, _) in enumerate(message.fields) if tag == NO_MD_ENTRIES), len(message.fields))
        head = Message([(35, message.msg_type.encode()), (34, b"%d" % message.seq), *message.fields[3:place]])
        lines = [self.line(direction, head)]
        lines += [f"    {self._entry(entry)}" for entry in entries(message)]
        return "\n".join(lines)

    def _entry(self, entry: dict[int, bytes]) -> str:
        """Write an entry of market data: what happened, kind, instrument, price x quantity (orders), time, text."""
        said = {tag: shown(tag, value) for tag, value in entry.items()}
        words = [self.meaning(tag, said[tag]) or said[tag] for tag in (279, 269) if tag in said]
        words += [said[tag] for tag in (55, 270) if tag in said]
        words += [f"x {said[271]}"] if 271 in said else []
        words += [f"({said[346]})"] if 346 in said else []
        words += [said[tag] for tag in (272, 273, 58) if tag in said]
        return " ".join(words)

    def json(self, direction: str, message: Message) -> str:
        """Write a message as one JSON object on one line, all fields in order."""
        fields = []
        for tag, raw in message.fields:
            value = shown(tag, raw)
            field: dict[str, object] = {"tag": tag, "name": self.field_name(tag), "value": value}
            meaning = self.meaning(tag, value)
            fields.append(field | {"meaning": meaning} if meaning else field)
        name = self.message_name(message.msg_type)
        head = {"direction": direction, "seq": message.seq, "msg_type": message.msg_type, "name": name}
        return json.dumps(head | {"fields": fields})


def shown(tag: int, raw: bytes) -> str:
    """Write a value so that it stays on its line; a secret one is masked."""
    if tag in SECRET_TAGS:
        return MASK
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in raw.decode("latin-1"))
