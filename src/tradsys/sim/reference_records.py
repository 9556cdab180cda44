"""Records as plain tuples, for the reference engine: bytes in, named tuples out, and back.

The layouts come from the generated dtypes, but nothing else of the compiled core is used here: fields are read with
`struct`, and an event is written by naming every one of its fields.
"""

from __future__ import annotations

import struct
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tradsys.wire.enums import Template
from tradsys.wire.records import DTYPES, SCHEMA_ID, SCHEMA_VERSION

HEADER_NAMES = ("block_length", "template_id", "schema_id", "version")
_CODES = {"u1": "B", "u2": "H", "u4": "I", "u8": "Q", "i1": "b", "i2": "h", "i4": "i", "i8": "q"}
_HEADER = struct.Struct("<HHHH")


def is_padding(name: str) -> bool:
    """Whether a field of the schema is padding."""
    return name.startswith("pad")


def record_size(template: int) -> int:
    """Size of a record, header and block [bytes]."""
    return int(DTYPES[template].itemsize)


class Layout:
    """How the fields of one record lie in its bytes; padding is left out and written as zero.

    Parameters
    ----------
    template
        Template id of the record.
    names
        The fields that are not padding, in order. They are compared with the schema's, so that whoever writes an
        event by position sees at import when the schema has moved on.
    """

    def __init__(self, template: int, names: str | None = None) -> None:
        dtype = DTYPES[template]
        self.template = template
        self.size = int(dtype.itemsize)
        assert dtype.names is not None
        found = tuple(name for name in dtype.names if name not in HEADER_NAMES and not is_padding(name))
        if names is not None and found != tuple(names.split()):
            raise AssertionError(f"template {template} has the fields {found}, not {names.split()}")
        self.names = found
        self.block = struct.Struct(_block_format(dtype, found))
        self.header = _HEADER.pack(self.size - 8, template, SCHEMA_ID, SCHEMA_VERSION)
        self.make: Callable[[Any], Any] = namedtuple(f"Record{template}", found)._make  # type: ignore[attr-defined]
        self.padding_mask = _padding_mask(dtype)

    def read(self, data: bytes | memoryview, offset: int) -> Any:
        """The record at `offset` [bytes] as a named tuple of its fields."""
        return self.make(self.block.unpack_from(data, offset + 8))

    def has_padding_set(self, data: bytes | memoryview, offset: int) -> bool:
        """Whether any padding byte of the record at `offset` [bytes] is not zero."""
        return bool(int.from_bytes(data[offset : offset + self.size], "little") & self.padding_mask)

    def writer(self) -> Callable[..., bytes]:
        """Return a function of all field values, in order, that gives the record's bytes."""
        header, pack = self.header, self.block.pack

        def write(*values: int | bytes) -> bytes:
            return header + pack(*values)

        return write


def _block_format(dtype: np.dtype[Any], names: tuple[str, ...]) -> str:
    """`struct` format of the block, with padding as `x`."""
    assert dtype.fields is not None
    parts, at = ["<"], 8
    for name in names:
        kind, offset = dtype.fields[name][:2]
        parts.append("x" * (offset - at))
        parts.append(f"{kind.itemsize}s" if kind.kind == "S" else _CODES[kind.str[1:]])
        at = offset + kind.itemsize
    parts.append("x" * (dtype.itemsize - at))
    return "".join(parts)


def _padding_mask(dtype: np.dtype[Any]) -> int:
    """Integer with 0xFF at each padding byte of the little-endian record."""
    assert dtype.fields is not None
    mask = bytearray(dtype.itemsize)
    for name, (kind, offset, *_) in dtype.fields.items():
        if is_padding(name):
            mask[offset : offset + kind.itemsize] = b"\xff" * kind.itemsize
    return int.from_bytes(mask, "little")


COMMANDS = {int(t): Layout(int(t)) for t in Template if int(t) < 64}
EVENTS = {int(t): Layout(int(t)) for t in Template if 64 <= int(t) < 128}


def as_bytes(records: Any) -> bytes:
    """Bytes of a structured or uint8 array, or of any buffer."""
    if isinstance(records, np.ndarray):
        return np.ascontiguousarray(records).tobytes()
    return bytes(records)


def split(data: bytes, layouts: dict[int, Layout]) -> Iterator[tuple[int, Layout]]:
    """Walk records that lie back to back.

    Yields
    ------
    offset, layout
        Where the record starts [bytes] and its layout.

    Raises
    ------
    ValueError
        A header that is not one of `layouts`, or a record cut short.
    """
    at = 0
    while at < len(data):
        template = int.from_bytes(data[at + 2 : at + 4], "little")
        layout = layouts.get(template)
        if layout is None or data[at : at + 8] != layout.header or at + layout.size > len(data):
            raise ValueError(f"no record of the expected kind at byte {at}: header {data[at : at + 8].hex()}")
        yield at, layout
        at += layout.size


def read_all(records: Any, layouts: dict[int, Layout]) -> list[tuple[int, Any]]:
    """All records as (template, named tuple)."""
    data = as_bytes(records)
    return [(layout.template, layout.read(data, at)) for at, layout in split(data, layouts)]


def read_events(records: Any) -> list[tuple[int, Any]]:
    """All events as (template, named tuple)."""
    return read_all(records, EVENTS)


def read_commands(records: Any) -> list[tuple[int, Any]]:
    """All commands as (template, named tuple)."""
    return read_all(records, COMMANDS)
