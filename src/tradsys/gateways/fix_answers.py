"""Answers of the FIX door that need no order and no subscription: reference data, session status, refusals."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tradsys.fix.message import SECRET_TAGS, Field, Message, frame_of
from tradsys.gateways.fix_catalog import FixCatalog, Listed
from tradsys.wire.enums import InstrumentState

if TYPE_CHECKING:
    from tradsys.gateways.fix_symbols import FixSymbols

ADMIN_TYPES = frozenset({"0", "1", "2", "3", "4", "5", "A"})
ECHO_BYTES_MAX = 64  # of a client's value sent back: an answer has to fit a message
OTHER, UNSUPPORTED_TYPE, NOT_AUTHORIZED = b"0", b"3", b"6"  # BusinessRejectReason
REQUIRED_MISSING, BAD_VALUE = 1, 5  # SessionRejectReason
SENTENCES = {REQUIRED_MISSING: b"Required tag missing", BAD_VALUE: b"Value is incorrect (out of range) for this tag"}
TRADING_SESSION = b"1"  # there is one
S = InstrumentState
TRADING_STATUS = {  # SecurityTradingStatus 326, TradingSessionSubID 625
    S.CLOSED: (b"18", b""),
    S.OPEN: (b"17", b"3"),
    S.HALTED: (b"2", b""),
    S.PRE_OPEN: (b"21", b"1"),
    S.OPENING_AUCTION: (b"22", b"2"),
    S.VOLATILITY_AUCTION: (b"5", b"6"),
    S.CLOSING_AUCTION: (b"5", b"4"),
    S.TRADE_AT_CLOSE: (b"17", b"5"),
    S.NAV_COLLECTION: (b"21", b"NAV"),
    S.CANCEL_ONLY: (b"2", b"CANCEL_ONLY"),
    S.POST_ONLY: (b"21", b"POST_ONLY"),
}
STOPPED = frozenset((S.HALTED, S.CANCEL_ONLY, S.VOLATILITY_AUCTION))  # trading goes on behind it: RESUMED
RESUMED, UNKNOWN_INSTRUMENT = b"3", b"20"  # 326
SESSION_STATUS = {S.OPEN: b"2", S.CLOSING_AUCTION: b"5", S.PRE_OPEN: b"4", S.HALTED: b"1", S.CLOSED: b"3"}  # 340
SESSION_STATES = (  # the session's state: of the first row that has the state of any instrument, else CLOSED
    (S.OPEN, {S.OPEN}),
    (S.CLOSING_AUCTION, {S.CLOSING_AUCTION, S.TRADE_AT_CLOSE}),
    (S.PRE_OPEN, {S.PRE_OPEN, S.OPENING_AUCTION, S.NAV_COLLECTION, S.POST_ONLY}),
    (S.HALTED, STOPPED),
)
AUCTION = b"AUCTION"  # 625 of a match of an auction
Answer = tuple[str, Sequence[Field]]

REQUIRED = {
    "x": (320, 559),
    "e": (324, 55, 263),
    "g": (335, 263),
    "AD": (568, 569),
    "BE": (923, 924, 553),
    "UL": (5105,),
}
VALUES = {
    ("x", 559): b"0 1 2 3 4", ("x", 263): b"0 1 2", ("e", 263): b"0 1 2", ("g", 263): b"0 1 2", ("AD", 263): b"0 1 2",
    ("AD", 569): b"0 1 2 3 4", ("BE", 924): b"1 2 3 4",
}  # fmt: skip
REQUEST_IDS = {"x": 320, "e": 324, "g": 335, "AD": 568, "BE": 923, "UL": 5105}


def fault_of(message: Message) -> Answer | None:
    """Refuse a request that lacks what it needs, has a value that cannot be, or an id too long to be sent back."""
    kind = message.msg_type
    for tag in REQUIRED[kind]:
        if not message.has(tag):
            return reject(message, REQUIRED_MISSING, tag)
    for (of, tag), allowed in VALUES.items():
        if of == kind and message.has(tag) and message.get(tag) not in allowed.split():
            return reject(message, BAD_VALUE, tag)
    if len(message.get(REQUEST_IDS[kind]) or b"") > ECHO_BYTES_MAX:
        return refuse(message, OTHER, b"the request id has more than 64 characters")
    return None


def reject(message: Message, reason: int, tag: int) -> Answer:
    """Write a Reject (3) of a field."""
    kind = message.msg_type.encode("latin-1")
    return "3", [
        (45, b"%d" % message.seq), (58, SENTENCES[reason]), (371, b"%d" % tag), (372, kind), (373, b"%d" % reason),
    ]  # fmt: skip


def refuse(message: Message, reason: bytes, text: bytes) -> Answer:
    """Write a BusinessMessageReject (j)."""
    kind = message.msg_type.encode("latin-1")[:ECHO_BYTES_MAX]
    return "j", [(45, b"%d" % message.seq), (372, kind), (380, reason), (58, text)]


def security_list(message: Message, catalog: FixCatalog) -> Iterator[Answer]:
    """SecurityList: one instrument (559=0) or all (559=4), so many a message."""
    request_id = message.get(320) or b""
    head: list[Field] = [(320, request_id), (322, request_id)]
    if message.get(559) not in (b"0", b"4"):
        yield "y", [*head, (560, b"1")]
        return
    one = catalog.find(message.get(55)) if message.get(559) == b"0" else None
    pages = list(catalog.pages()) if message.get(559) == b"4" else []
    count = len(catalog)
    if one is not None:
        pages, count = [[(146, b"1"), *one.fields()]], 1
    if not pages:
        yield "y", [*head, (560, b"2")]
    for number, page in enumerate(pages, 1):
        last = b"Y" if number == len(pages) else b"N"
        yield "y", [*head, (560, b"0"), (393, b"%d" % count), (893, last), *page]


def listed_instrument(message: Message, catalog: FixCatalog) -> int | None:
    """Instrument that a list to be followed has, 0: all; None: there is nothing to follow."""
    if message.get(559) == b"4":
        return 0
    one = catalog.find(message.get(55)) if message.get(559) == b"0" else None
    return None if one is None else one.instrument_id


def security_list_update(request_id: bytes, part: Sequence[Listed]) -> Answer:
    """SecurityList of instruments defined since a list was sent; at most a page of them."""
    head: list[Field] = [(320, request_id), (322, request_id), (560, b"0"), (393, b"%d" % len(part)), (893, b"Y")]
    return "y", [*head, (146, b"%d" % len(part)), *(field for one in part for field in one.fields())]


def security_list_ended(request_id: bytes, *, is_known: bool) -> Answer:
    """SecurityList that says that a list is followed no more, or that none has this id."""
    return "y", [(320, request_id), (322, request_id), (560, b"0" if is_known else b"1")]


def session_state(states: Iterable[int]) -> InstrumentState:
    """Find the trading session's state among those of its instruments; one of the keys of `SESSION_STATUS`."""
    present = frozenset(states)
    return next((state for state, of_it in SESSION_STATES if not present.isdisjoint(of_it)), S.CLOSED)


def session_status(request_id: bytes | None, state: int, is_update: bool = False) -> Answer:
    """TradingSessionStatus of the venue's one session."""
    fields: list[Field] = [(336, TRADING_SESSION)]
    if is_update:
        fields.append((325, b"Y"))
    fields.append((340, SESSION_STATUS[InstrumentState(state)]))
    return "h", [(335, request_id), *fields] if request_id is not None else fields


def no_such_session(message: Message) -> Answer:
    """TradingSessionStatus for a session that is none."""
    named = (message.get(336) or b"")[:ECHO_BYTES_MAX]
    return "h", [(335, message.get(335) or b""), (336, named), (340, b"6"), (567, b"1")]


def unknown_security(request_id: bytes, symbol: bytes) -> Answer:
    """SecurityStatus for an instrument that is none."""
    return "f", [(324, request_id), (55, symbol), (326, UNKNOWN_INSTRUMENT), (58, b"no such Symbol")]


def security_status(request_id: bytes, symbol: bytes, state: int) -> Answer:
    """SecurityStatus of one instrument."""
    return "f", [(324, request_id), (55, symbol), *status_fields(state)]


def security_update(
    request_id: bytes, symbol: bytes, state: int, before: int, *, moment: bytes = b"", end: bytes = b""
) -> Answer:
    """SecurityStatus of an instrument whose state has changed, or whose call goes on: the same state, a later end."""
    is_resumed = state == S.OPEN and before in STOPPED
    fields: list[Field] = [(324, request_id), (55, symbol), (325, b"Y")]
    fields += [(326, RESUMED) if is_resumed and tag == 326 else (tag, value) for tag, value in status_fields(state)]
    if moment:
        fields.append((60, moment))
    if end:
        fields.append((58, (b"the call is extended to " if state == before else b"the call is to end at ") + end))
    return "f", fields


def status_fields(state: int) -> list[Field]:
    """Write an InstrumentState: 326, and 336 with 625 where a phase of the trading session stands behind it."""
    status, phase = TRADING_STATUS[InstrumentState(state)]
    return [(336, TRADING_SESSION), (625, phase), (326, status)] if phase else [(326, status)]


def news(headline: str, lines: Sequence[str], urgency: str = "0") -> Answer:
    """News of the venue; every line is one of the text's."""
    fields: list[Field] = [(61, urgency.encode()), (148, printable(headline)), (33, b"%d" % max(len(lines), 1))]
    return "B", [*fields, *((58, printable(line)) for line in lines or [headline])]


def printable(text: str) -> bytes:
    """Text as it may stand in a field: never empty, at most 255 characters."""
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)[:255].encode() or b"-"


def mass_status_filter(message: Message, symbols: "FixSymbols") -> tuple[tuple[int, int] | None, bytes]:
    """Read what an OrderMassStatusRequest asks for: instrument and side (0: all), or the sentence why not."""
    side = {None: 0, b"1": 1, b"2": 2}.get(message.get(54))
    if message.get(585) == b"7" and side is not None:
        return (0, side), b""
    if message.get(585) == b"1" and side is not None:
        instrument_id = symbols.id_of(message.get(55) or b"")
        return ((instrument_id, side), b"") if instrument_id else (None, b"no such Symbol")
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


def logged(message: Message, frame: bytes) -> bytes:
    """Write a message for a log: as it came, or masked when it has credentials, whatever its type."""
    return masked(message) if any(tag in SECRET_TAGS for tag, _ in message.fields) else frame


def masked(message: Message) -> bytes:
    """Write a message with its credentials replaced, for a log; its checksum fits."""
    fields = [(tag, b"***" if tag in SECRET_TAGS else value) for tag, value in message.fields[2:-1]]
    fields = [(tag, b"3" if tag == 95 else value) for tag, value in fields]
    return frame_of(fields)
