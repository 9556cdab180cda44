"""Records as words: enums by name, zero fields left out."""

from enum import IntEnum, IntFlag
from typing import Any

import numpy as np

from tradsys.wire import enums
from tradsys.wire.enums import Template

ENUMS: dict[str, type[IntEnum | IntFlag]] = {
    "side": enums.Side,
    "incoming_side": enums.Side,
    "order_type": enums.OrderType,
    "time_in_force": enums.TimeInForce,
    "stp_mode": enums.StpMode,
    "stp_scope": enums.StpScope,
    "post_only_mode": enums.PostOnlyMode,
    "order_flags": enums.OrderFlags,
    "list_type": enums.ListType,
    "group_role": enums.GroupRole,
    **dict.fromkeys(("side_2", "side_3"), enums.Side),
    **dict.fromkeys(("order_type_2", "order_type_3"), enums.OrderType),
    **dict.fromkeys(("time_in_force_2", "time_in_force_3"), enums.TimeInForce),
    **dict.fromkeys(("order_flags_2", "order_flags_3"), enums.OrderFlags),
    "event_flags": enums.EventFlags,
    "state": enums.InstrumentState,
    "state_before": enums.InstrumentState,
    "state_after": enums.InstrumentState,
    "surplus_side": enums.Side,
    "auction_news": enums.AuctionNews,
    "trade_change": enums.TradeChange,
    "breaker_level": enums.BreakerLevel,
    "breaker_action": enums.BreakerAction,
    "asset_class": enums.AssetClass,
    "permissions": enums.Permission,
    "close_reason": enums.CloseReason,
    "cancel_reason": enums.CancelReason,
    "reject_reason": enums.RejectReason,
    "refused_template": Template,
    "done_template": Template,
}
COMMAND_TEMPLATES = {each.name: int(each) for each in Template if each < 64}
HEADER = ("block_length", "template_id", "schema_id", "version")


def fields_of(record: np.void) -> dict[str, Any]:
    """Give a record's fields by name: template first, padding left out, enums by name where they have one."""
    out: dict[str, Any] = {"template": Template(int(record["template_id"])).name}
    for name in record.dtype.names or ():
        if name not in HEADER and not name.startswith("pad"):
            out[name] = value_of(name, record[name])
    return out


def value_of(name: str, value: Any) -> Any:
    """Give one field's value as a number or text."""
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("ascii", "backslashreplace")
    if isinstance(value, np.ndarray):
        return value.tobytes().hex()
    number = int(value)
    kind = ENUMS.get(name)
    if kind is None:
        return number
    if issubclass(kind, IntFlag):
        names = [member.name for member in kind if number & member]
        return "|".join(str(each) for each in names) if names and number == kind(number) else number
    return kind(number).name if number in kind.__members__.values() else number


def line_of(record: np.void, indent: int = 0) -> str:
    """Give a record as one line: seq, time, kind, then what is not zero."""
    fields = fields_of(record)
    head = f"{' ' * indent}{fields.pop('seq'):>10} {fields.pop('ts_ns')} {fields.pop('template')}"
    return head + "".join(f" {name}={value}" for name, value in fields.items() if value not in (0, ""))
