"""Answers of the FIX door that need no order: reference data, session status, refusals of what is not served."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tradsys.fix.message import Field, Message, frame_of
from tradsys.gateways.fix_text import units_text
from tradsys.wire.enums import AssetClass, InstrumentState

if TYPE_CHECKING:
    from tradsys.gateways.fix_symbols import FixSymbols

ADMIN_TYPES = frozenset({"0", "1", "2", "3", "4", "5", "A"})
SECRET_TAGS = (554, 925, 96)
SYMBOLS_A_MESSAGE = 50
ECHO_BYTES_MAX = 64  # of a client's value sent back: an answer has to fit a message
UNSUPPORTED_TYPE, OTHER = b"3", b"0"
SECURITY_TYPES = {AssetClass.STOCK: b"CS", AssetClass.MUTUAL_FUND: b"MF", AssetClass.FOREX: b"FOR"}
Answer = tuple[str, Sequence[Field]]


def answer(message: Message, symbols: "FixSymbols") -> Iterator[Answer]:
    """Answer a business message that is no order message."""
    fields = [(45, b"%d" % message.seq), (372, message.msg_type.encode("latin-1")[:ECHO_BYTES_MAX])]
    if any(len(message.get(tag) or b"") > ECHO_BYTES_MAX for tag in (320, 335)):
        yield "j", [*fields, (380, OTHER), (58, b"the request id has more than 64 characters")]
    elif message.msg_type == "x":
        yield from security_list(message, symbols)
    elif message.msg_type == "g":
        yield "h", session_status(message, symbols)
    else:
        yield "j", [*fields, (380, UNSUPPORTED_TYPE), (58, b"this message type is not served here")]


def security_list(message: Message, symbols: "FixSymbols") -> Iterator[Answer]:
    """SecurityList: one instrument (559=0) or all (559=4), so many a message."""
    wanted = message.get(55) if message.get(559) == b"0" else None
    found = [one for one in symbols.symbols() if wanted is None or one[1] == wanted]
    request_id = message.get(320, b"") or b""
    head: list[Field] = [(320, request_id), (322, request_id)]
    if message.get(559) not in (b"0", b"4") or not found:
        result = b"1" if message.get(559) not in (b"0", b"4") else b"2"
        yield "y", [*head, (560, result)]
        return
    for begin in range(0, len(found), SYMBOLS_A_MESSAGE):
        part = found[begin : begin + SYMBOLS_A_MESSAGE]
        last = b"Y" if begin + len(part) == len(found) else b"N"
        fields: list[Field] = [
            *head,
            (560, b"0"),
            (393, b"%d" % len(found)),
            (893, last),
            (146, b"%d" % len(part)),
        ]
        for _, symbol, asset_class, currency, mantissa, exponent, qty_min, increment, _ in part:
            fields.append((55, symbol))
            if asset_class in SECURITY_TYPES:
                fields.append((167, SECURITY_TYPES[AssetClass(asset_class)]))
            fields += [
                (15, currency),
                (561, units_text(increment, mantissa, exponent)),
                (562, units_text(qty_min, mantissa, exponent)),
            ]
        yield "y", fields


def session_status(message: Message, symbols: "FixSymbols") -> list[Field]:
    """TradingSessionStatus of the venue's one session: open while any instrument is."""
    is_open = any(one[8] == InstrumentState.OPEN for one in symbols.symbols())
    fields: list[Field] = [(336, b"1"), (340, b"2" if is_open else b"3")]
    request_id = message.get(335)
    return [(335, request_id), *fields] if request_id is not None else fields


def mass_status_filter(message: Message, symbols: "FixSymbols") -> tuple[tuple[int, int] | None, bytes]:
    """Read what an OrderMassStatusRequest asks for: instrument and side (0: all), or the sentence why not."""
    side = {None: 0, b"1": 1, b"2": 2}.get(message.get(54))
    if message.get(585) == b"7" and side is not None:
        return (0, side), b""
    if message.get(585) == b"1" and side is not None:
        named = [one[0] for one in symbols.symbols() if one[1] == message.get(55)]
        return ((named[0], side), b"") if named else (None, b"no such Symbol")
    return None, b"MassStatusReqType must be 1 or 7"


def no_orders(message: Message, problem: bytes, out_seq: int) -> list[Field]:
    """Answer an OrderMassStatusRequest that no order fits."""
    return [
        (37, b"NONE"), (17, b"M%d" % out_seq), (150, b"I"), (39, b"8"), (103, b"99"),
        (55, (message.get(55) or b"NONE")[:ECHO_BYTES_MAX]), (54, (message.get(54) or b"1")[:1]),
        (151, b"0"), (14, b"0"), (6, b"0"), (58, problem or b"no live orders"),
        (584, (message.get(584) or b"")[:ECHO_BYTES_MAX]), (911, b"0"), (912, b"Y"),
    ]  # fmt: skip


def rewritten(message: Message) -> bytes:
    """Write a message as it was received."""
    return frame_of(message.fields[2:-1])


def masked(message: Message) -> bytes:
    """Write a message with its credentials replaced, for a log; its checksum fits."""
    fields = [(tag, b"***" if tag in SECRET_TAGS else value) for tag, value in message.fields[2:-1]]
    fields = [(tag, b"3" if tag == 95 else value) for tag, value in fields]
    return frame_of(fields)
