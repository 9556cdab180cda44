"""Nasdaq TotalView-ITCH 5.0: every message of the specification, from files of 2-byte framed messages.

A message is a named tuple of its fields. All integers are big-endian on the wire; prices are USD x 10,000 (x
10^8 in the decline levels), time is ns after midnight, New York. Alphanumeric fields lose the blanks they are
padded with.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final

from tradsys.connectors.file_errors import BAD_MESSAGE_LENGTH, TRUNCATED, UNKNOWN_MESSAGE, FileFormatError

READ_BYTES: Final = 1 << 20
FRAME_HEAD_BYTES: Final = 2

# Per type: name, then "field:format" in wire order after type, stock_locate, tracking_number and the 6-byte
# time. H, I, Q are unsigned integers; ns is text of n bytes; c is one character.
_FIELDS: Final = {
    "S": ("SystemEvent", "event_code:c"),
    "R": (
        "StockDirectory",
        "stock:8s market_category:c financial_status:c round_lot_qty:I round_lots_only:c "
        "issue_classification:c issue_subtype:2s authenticity:c short_sale_threshold:c ipo_flag:c "
        "luld_tier:c etp_flag:c etp_leverage:I inverse_indicator:c",
    ),
    "H": ("StockTradingAction", "stock:8s trading_state:c reserved:c reason:4s"),
    "Y": ("RegShoRestriction", "stock:8s reg_sho_action:c"),
    "L": (
        "MarketParticipantPosition",
        "mpid:4s stock:8s primary_market_maker:c market_maker_mode:c market_participant_state:c",
    ),
    "V": ("MwcbDeclineLevel", "level_1_e8:Q level_2_e8:Q level_3_e8:Q"),
    "W": ("MwcbStatus", "breached_level:c"),
    "K": ("IpoQuotingPeriodUpdate", "stock:8s release_time_s:I release_qualifier:c ipo_price_ticks:I"),
    "J": (
        "LuldAuctionCollar",
        "stock:8s reference_price_ticks:I upper_price_ticks:I lower_price_ticks:I extension:I",
    ),
    "h": ("OperationalHalt", "stock:8s market_code:c halt_action:c"),
    "A": ("AddOrder", "order_ref:Q side:c qty_lots:I stock:8s price_ticks:I"),
    "F": ("AddOrderAttributed", "order_ref:Q side:c qty_lots:I stock:8s price_ticks:I attribution:4s"),
    "E": ("OrderExecuted", "order_ref:Q qty_lots:I match_number:Q"),
    "C": ("OrderExecutedAtPrice", "order_ref:Q qty_lots:I match_number:Q printable:c price_ticks:I"),
    "X": ("OrderCancel", "order_ref:Q qty_lots:I"),
    "D": ("OrderDelete", "order_ref:Q"),
    "U": ("OrderReplace", "orig_order_ref:Q order_ref:Q qty_lots:I price_ticks:I"),
    "P": ("Trade", "order_ref:Q side:c qty_lots:I stock:8s price_ticks:I match_number:Q"),
    "Q": ("CrossTrade", "qty_lots:Q stock:8s price_ticks:I match_number:Q cross_type:c"),
    "B": ("BrokenTrade", "match_number:Q"),
    "I": (
        "NetOrderImbalance",
        "paired_lots:Q imbalance_lots:Q imbalance_direction:c stock:8s far_price_ticks:I near_price_ticks:I "
        "reference_price_ticks:I cross_type:c price_variation:c",
    ),
    "N": ("RetailPriceImprovement", "stock:8s interest_flag:c"),
    "O": (
        "DirectListingPriceDiscovery",
        "stock:8s open_eligibility:c minimum_price_ticks:I maximum_price_ticks:I "
        "near_execution_price_ticks:I near_execution_time_ns:Q lower_collar_ticks:I upper_collar_ticks:I",
    ),
}
_HEAD: Final = "message_type stock_locate tracking_number ts_ns"

Message = (
    Any  # one of the named tuples below: message_type, stock_locate, tracking_number, ts_ns, then its fields
)


def _message_kind(name: str, names: list[str]) -> Any:
    return namedtuple(name, [*_HEAD.split(), *names])


def _decoder(code: str, name: str, fields: str) -> tuple[Struct, Callable[[bytes], Message]]:
    names = [field.split(":")[0] for field in fields.split()]
    formats = [field.split(":")[1] for field in fields.split()]
    layout = Struct(">HHHI" + "".join(formats))
    kind: Any = _message_kind(name, names)
    text = tuple(index for index, form in enumerate(formats) if form in ("c",) or form.endswith("s"))

    def decode(body: bytes) -> Message:
        locate, tracking, ts_high, ts_low, *values = layout.unpack(body)
        for index in text:
            values[index] = values[index].decode("latin-1").rstrip(" ")
        return kind(code, locate, tracking, ts_high << 32 | ts_low, *values)

    return layout, decode


_DECODERS: Final = {ord(code): _decoder(code, name, fields) for code, (name, fields) in _FIELDS.items()}
MESSAGE_BYTES: Final = {chr(code): layout.size + 1 for code, (layout, _) in _DECODERS.items()}
MESSAGE_NAMES: Final = {code: name for code, (name, _) in _FIELDS.items()}


def decode_message(data: bytes, place: str = "message") -> Message:
    """One message from its bytes, type first.

    Raises
    ------
    FileFormatError
        UNKNOWN_MESSAGE for a type the specification does not have, BAD_MESSAGE_LENGTH for any other length
        than its type's, TRUNCATED for no bytes at all.
    """
    if not data:
        raise FileFormatError(TRUNCATED, place, "a message of 0 bytes", "at least its type")
    entry = _DECODERS.get(data[0])
    if entry is None:
        raise FileFormatError(
            UNKNOWN_MESSAGE, place, f"type {data[:1]!r} ({len(data)} bytes)", f"one of {''.join(_FIELDS)}"
        )
    layout, decode = entry
    if len(data) != layout.size + 1:
        raise FileFormatError(
            BAD_MESSAGE_LENGTH, place, f"{len(data)} bytes", f"{layout.size + 1} for type {chr(data[0])!r}"
        )
    return decode(data[1:])


def encode_message(
    code: str, stock_locate: int, tracking_number: int, ts_ns: int, *values: int | str
) -> bytes:
    """The bytes of one message, type first: what ``decode_message`` reads back."""
    layout, _ = _DECODERS[ord(code)]
    wire: list[int | bytes] = []
    for field, value in zip(_FIELDS[code][1].split(), values, strict=True):
        width = field.split(":")[1]
        if isinstance(value, str):
            wire.append(value.encode("latin-1").ljust(int(width[:-1] or "1") if width.endswith("s") else 1))
        else:
            wire.append(value)
    return code.encode() + layout.pack(stock_locate, tracking_number, ts_ns >> 32, ts_ns & 0xFFFFFFFF, *wire)


def read_itch(path: Path) -> Iterator[Message]:
    """Stream the messages of a 2-byte framed file; at most one chunk is in memory.

    Raises
    ------
    FileFormatError
        With the file offset of the frame's length bytes. The messages before it have been yielded.
    """
    with path.open("rb") as file:
        for offset, data in read_frames(file, path.name):
            yield decode_message(data, f"{path.name} offset {offset}")


def read_frames(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """(offset, message bytes) of each frame; one of length 0, the end-of-session mark, ends the stream."""
    rest, start = b"", 0  # bytes not yet framed, file offset of the first of them
    while chunk := file.read(READ_BYTES):
        data = rest + chunk
        at = 0
        while at + FRAME_HEAD_BYTES <= len(data):
            size = data[at] << 8 | data[at + 1]
            if size == 0:
                return
            end = at + FRAME_HEAD_BYTES + size
            if end > len(data):
                break
            yield start + at, data[at + FRAME_HEAD_BYTES : end]
            at = end
        rest, start = data[at:], start + at
    if rest:
        raise FileFormatError(
            TRUNCATED, f"{name} offset {start}", f"{len(rest)} bytes at the end of the file", "a whole frame"
        )
