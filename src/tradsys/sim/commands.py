"""Command records as bytes, with the defaults scenarios and workloads share."""

from __future__ import annotations

from typing import Any

from tradsys.wire import commands
from tradsys.wire.enums import (
    AssetClass,
    InstrumentState,
    OrderType,
    Permission,
    StpMode,
    Template,
    TimeInForce,
)


def record(template: int, **fields: int | bytes) -> bytes:
    """One command record; fields not given are 0."""
    return commands.record(template, **fields).tobytes()


def new_order(
    session_id: int, client_ref: int, side: int, qty_lots: int, price_ticks: int, **fields: int
) -> bytes:
    """NEW_ORDER of instrument 1; a DAY limit order unless `fields` say otherwise."""
    values: dict[str, Any] = {
        "session_id": session_id,
        "client_ref": client_ref,
        "side": side,
        "qty_lots": qty_lots,
        "price_ticks": price_ticks,
        "instrument_id": 1,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
    }
    return record(Template.NEW_ORDER, **(values | fields))


def define_participant(participant_id: int, **fields: int) -> bytes:
    """DEFINE_PARTICIPANT: may trade everything, self-trades cancel the newest, unless `fields` say otherwise."""
    values: dict[str, Any] = {
        "permissions": Permission.TRADE,
        "stp_mode": StpMode.CANCEL_NEWEST,
        "enabled": 1,
    }
    return record(Template.DEFINE_PARTICIPANT, participant_id=participant_id, **(values | fields))


def define_session(session_id: int, participant_id: int, enabled: int = 1) -> bytes:
    """DEFINE_SESSION, sent by the venue itself."""
    return record(
        Template.DEFINE_SESSION,
        defined_session_id=session_id,
        participant_id=participant_id,
        enabled=enabled,
        name=f"S{session_id}".encode(),
    )


def define_account(account_id: int, participant_id: int, enabled: int = 1) -> bytes:
    """DEFINE_ACCOUNT, sent by the venue itself."""
    return record(
        Template.DEFINE_ACCOUNT, account_id=account_id, participant_id=participant_id, enabled=enabled
    )


def define_instrument(instrument_id: int, **fields: int | bytes) -> bytes:
    """DEFINE_INSTRUMENT with ticks of 0.01 and lots of 1, wide limits, unless `fields` say otherwise."""
    values: dict[str, Any] = {
        "asset_class": AssetClass.STOCK,
        "tick_exponent": -2,
        "lot_exponent": 0,
        "symbol": f"SYM{instrument_id}".encode(),
        "currency": b"USD",
        "tick_mantissa": 1,
        "lot_mantissa": 1,
        "price_increment_ticks": 1,
        "price_min_ticks": -(10**9),
        "price_max_ticks": 10**9,
        "qty_increment_lots": 1,
        "qty_min_lots": 1,
        "qty_max_lots": 10**9,
    }
    return record(Template.DEFINE_INSTRUMENT, instrument_id=instrument_id, **(values | fields))


def set_state(instrument_id: int, state: int = InstrumentState.OPEN) -> bytes:
    """SET_INSTRUMENT_STATE, sent by the venue itself."""
    return record(Template.SET_INSTRUMENT_STATE, instrument_id=instrument_id, state=state)


def checkpoint() -> bytes:
    """CHECKPOINT, sent by the venue itself."""
    return record(Template.CHECKPOINT)
