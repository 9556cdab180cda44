"""FIX messages as people and programs read them: by name, with credentials masked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tradsys.fix.message import Message

if TYPE_CHECKING:
    from tradsys.fix.dictionary import Dictionary

SECRET_TAGS = frozenset(
    (554, 925, 96, 1402, 1404)
)  # Password, NewPassword, RawData, EncryptedPassword, -NewPassword
FRAME_TAGS = frozenset((8, 9, 35, 34, 49, 52, 56, 10))  # in front of the line, or of no interest in it
ARROWS = {"in": "<", "out": ">"}
MASK = "***"


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
