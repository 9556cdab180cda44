"""What a client asks for: MarketDataRequest (V) and SecurityStatusRequest (e), read and refused.

A message that is not formed as FIX wants it has a `Fault` (Reject, 3); one that is and asks for what is not served is
`Refused` (MarketDataRequestReject, Y). See fix_specs/RULES_OF_ENGAGEMENT.md section 9.
"""

from __future__ import annotations

from msgspec import Struct

from tradsys.fix.actions import Fault
from tradsys.fix.message import Field, Message
from tradsys.fix.rules import GROUP_COUNT, GROUP_OUT_OF_ORDER, REQUIRED_TAG_MISSING, is_counted, syntax_fault

ID_BYTES_MAX = 64
BID, OFFER, TRADE, OPENING, HIGH, LOW, VOLUME = b"0", b"1", b"2", b"4", b"7", b"8", b"B"
CLOSING, IMBALANCE, AUCTION = b"5", b"A", b"Q"  # Q is of a later FIX: told to who asks for it
LEVEL_KINDS = frozenset((BID, OFFER))
STATISTIC_KINDS = frozenset((OPENING, CLOSING, HIGH, LOW, IMBALANCE, VOLUME, AUCTION))
KINDS = LEVEL_KINDS | STATISTIC_KINDS | {TRADE}  # of MDEntryType, 269
SNAPSHOT, SUBSCRIBE, UNSUBSCRIBE = b"0", b"1", b"2"  # of SubscriptionRequestType, 263

# of MDReqRejReason, 281; empty: none fits
UNKNOWN_SYMBOL, DUPLICATE_ID, BANDWIDTH = b"0", b"1", b"2"
BAD_SUBSCRIPTION_TYPE, BAD_DEPTH, BAD_UPDATE_TYPE, BAD_AGGREGATION, BAD_ENTRY_TYPE = (
    b"4",
    b"5",
    b"6",
    b"7",
    b"8",
)
NO_REASON = b""

# tags that must be there, by MsgType; V without what 263=2 has no use for
REQUIRED: dict[str, tuple[int, ...]] = {
    "V": (262, 263, 264, 267, 146),
    "e": (324, 55, 263),
    "x": (320, 559),
    "g": (335, 263),
}
GROUPS = {267: 269, 146: 55}  # the first tag of each entry


class Refused(Struct, frozen=True):
    """Why a request is not met."""

    reason: bytes  # 281; empty: none of its values fits
    text: str


class MarketDataRequest(Struct, frozen=True):
    """A request as it was read; symbols are not looked up yet."""

    request_id: bytes
    kind: bytes  # SNAPSHOT, SUBSCRIBE or UNSUBSCRIBE; an unsubscription has nothing else
    depth: int = 0  # levels a side; 0: all there are
    is_incremental: bool = False
    entry_kinds: frozenset[bytes] = frozenset()
    symbols: tuple[bytes, ...] = ()


class RequestLimits(Struct, frozen=True):
    """How much one session may ask for."""

    requests_max: int = 100  # subscriptions at a time
    symbols_max: int = 200  # of one request
    books_max: int = 2_000  # symbols of all subscriptions


def fault_of(message: Message) -> Fault | None:
    """Find what is wrong with the form of a request; None: nothing, or it is no request."""
    fault = syntax_fault(message.fields)
    if fault is not None or message.msg_type not in REQUIRED:
        return fault
    required = REQUIRED[message.msg_type]
    if message.msg_type == "V" and message.get(263) == UNSUBSCRIBE:
        required = (262,)
    missing = next((tag for tag in required if not message.has(tag)), None)
    if missing is not None:
        return Fault(REQUIRED_TAG_MISSING, missing)
    if message.msg_type != "V":
        return None
    faults = (
        group_fault(message.fields, count, first) for count, first in GROUPS.items() if message.has(count)
    )
    return next((found for found in faults if found is not None), None)


def group_fault(fields: list[Field], count_tag: int, first_tag: int) -> Fault | None:
    """Compare the count of a group with its entries; the first tag of the first one follows the count."""
    place = next(place for place, (tag, _) in enumerate(fields) if tag == count_tag)
    count = fields[place][1]
    entries = sum(tag == first_tag for tag, _ in fields)
    if not is_counted(count) or int(count) != entries or not entries:
        return Fault(GROUP_COUNT, count_tag)
    if fields[place + 1][0] != first_tag:
        return Fault(GROUP_OUT_OF_ORDER, fields[place + 1][0])
    return None


def read(message: Message) -> MarketDataRequest | Refused:
    """Read a MarketDataRequest no fault was found with, or say why it asks for what is not served."""
    request_id, kind = message.get(262, b"") or b"", message.get(263, b"") or b""
    if len(request_id) > ID_BYTES_MAX:
        return Refused(NO_REASON, f"MDReqID(262) has at most {ID_BYTES_MAX} characters")
    if kind not in (SNAPSHOT, SUBSCRIBE, UNSUBSCRIBE):
        return Refused(BAD_SUBSCRIPTION_TYPE, "SubscriptionRequestType(263) is 0, 1 or 2")
    if kind == UNSUBSCRIBE:
        return MarketDataRequest(request_id, kind)
    depth = message.number(264)
    if depth < 0:
        return Refused(BAD_DEPTH, "MarketDepth(264) is a number from 0")
    if message.get(265, b"1") not in (b"0", b"1"):
        return Refused(BAD_UPDATE_TYPE, "MDUpdateType(265) is 0 or 1")
    if message.get(266, b"Y") != b"Y":
        return Refused(BAD_AGGREGATION, "AggregatedBook(266) is Y: an entry is a price level")
    entry_kinds = frozenset(message.values(269))
    if not entry_kinds <= KINDS:
        return Refused(BAD_ENTRY_TYPE, "MDEntryType(269) is one of 0, 1, 2, 4, 5, 7, 8, A, B, Q")
    symbols = tuple(dict.fromkeys(message.values(55)))
    return MarketDataRequest(request_id, kind, depth, message.get(265) != b"0", entry_kinds, symbols)
