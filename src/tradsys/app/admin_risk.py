"""``tradsys admin risk`` and ``tradsys admin kill``: limits and kill switches of a running venue, through its order door."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Annotated, Literal

import numpy as np
from cyclopts import App, Parameter

from tradsys.app.doors import address_of, find_settings
from tradsys.app.operators import Common, operator_of
from tradsys.app.sessions import LOGON_SECONDS, curve_of
from tradsys.client.order_client import OrderClient
from tradsys.config import load
from tradsys.errors import SessionError, reject_text
from tradsys.wire import commands
from tradsys.wire.enums import ReportType, Restriction, RiskScope

risk = App(
    name="risk", help="Limits, trade groups, restricted lists, price bands (rule book, sections 13 and 14)."
)
WAIT_SECONDS = 30.0  # the first limits compile what looks at them

LimitScope = Literal["account", "house", "participant", "group", "instrument", "asset-class"]
HolderScope = Literal["account", "house", "participant", "group"]
KillScope = Literal["account", "house", "participant", "group", "instrument", "session", "venue"]
Flag = Annotated[bool, Parameter(negative="")]


@Parameter(name="*")
@dataclass
class Limits:
    """Limits of a holder; 0 is no limit. Values are price x quantity, in ticks x lots."""

    order_qty_max_lots: int = 0
    "Lots of one order."
    order_value_max: int = 0
    "Value of one order, at most."
    order_value_min: int = 0
    "Value of one order, at least."
    qty_step_lots: int = 0
    "Quantities are multiples of it."
    position_max_lots: int = 0
    "Position in each instrument, long or short, open orders counted as filled."
    open_max_lots: int = 0
    "Lots of open buys and sells in each instrument."
    gross_max_value: int = 0
    "Worst-case value of all positions."
    credit_value: int = 0
    "Buying power before profit and loss."
    daily_loss_max: int = 0
    "Realised loss since the risk day began."
    rate_count: int = 0
    "Orders and replaces a window."
    rate_window_ns: int = 0
    "The window, in nanoseconds."
    duplicate_window_ns: int = 0
    "How long the same order again is refused, in nanoseconds."
    price_distance_ppm: int = 0
    "Distance from the last price, in parts per million of it."
    concentration_ppm: int = 0
    "Worst-case value in one instrument, of the credit."
    leverage_ppm: int = 0
    "Worst-case value of all positions, of credit and profit; 5000000 is fivefold."
    margin_ppm: int = 0
    "Of the worst-case value that credit must cover; 0 is all of it."
    approvals: int = 0
    "Bit n: may trade asset class n where that needs approval."
    risk_flags: int = 0
    "1: no short positions; of an asset class 2: needs approval."


@risk.command(name="set")
def set_limits(
    scope: LimitScope, scope_id: int, *, limits: Limits | None = None, common: Common | None = None
) -> int:
    """Give somebody all of its limits at once; what is not named has none.

    Example: tradsys admin risk set participant 3 --order-qty-max-lots 500 --position-max-lots 10000

    Parameters
    ----------
    scope
        Whose limits.
    scope_id
        Number of the account, participant, group, instrument or asset class.
    """
    limits = limits or Limits()
    given = {name.name: getattr(limits, name.name) for name in fields(limits)}
    return send(common, commands.set_risk_limits(_scope(scope), scope_id, **given))


@risk.command
def group(participant_id: int, group_id: int, *, common: Common | None = None) -> int:
    """Put a participant into a trade group; group 0 takes it out.

    Parameters
    ----------
    participant_id
        Whose positions count in the group.
    group_id
        The group.
    """
    return send(common, commands.set_trade_group(participant_id, group_id))


@risk.command
def restrict(
    scope: HolderScope,
    scope_id: int,
    instrument_id: int,
    restriction: Literal["free", "close-only", "no-orders"],
    *,
    common: Common | None = None,
) -> int:
    """Say what somebody may do in an instrument.

    Parameters
    ----------
    scope
        Who.
    scope_id
        Its number.
    instrument_id
        Where.
    restriction
        What.
    """
    wanted = Restriction[restriction.upper().replace("-", "_")]
    return send(common, commands.set_restriction(_scope(scope), scope_id, instrument_id, wanted))


@risk.command
def bands(
    instrument_id: int,
    *,
    low_ticks: int | None = None,
    high_ticks: int | None = None,
    dynamic_ppm: int = 0,
    collar_ticks: int = 0,
    reference_price_ticks: int | None = None,
    common: Common | None = None,
) -> int:
    """Give an instrument its price bands, all at once; what is not named is none.

    Parameters
    ----------
    instrument_id
        Which.
    low_ticks
        Lowest price of the static band.
    high_ticks
        Highest price of the static band.
    dynamic_ppm
        Distance from the last price, in parts per million of it.
    collar_ticks
        How far beyond the best price a market order may match.
    reference_price_ticks
        Taken for the last price until a match.
    """
    given = {"low_ticks": low_ticks, "high_ticks": high_ticks, "reference_price_ticks": reference_price_ticks}
    named = {name: value for name, value in given.items() if value is not None}
    record = commands.set_price_bands(
        instrument_id, dynamic_ppm=dynamic_ppm, collar_ticks=collar_ticks, **named
    )
    return send(common, record)


@risk.command
def conduct(
    participant_id: int,
    *,
    order_to_trade_max: int = 0,
    order_to_trade_free: int = 0,
    output_max_value: int = 0,
    output_window_ms: int = 0,
    common: Common | None = None,
) -> int:
    """Say how a participant may trade, all at once; what is not named is not limited. A tripwire that was torn is whole again.

    Example: tradsys admin risk conduct 3 --order-to-trade-max 50 --order-to-trade-free 1000

    Parameters
    ----------
    participant_id
        Which.
    order_to_trade_max
        Orders, replaces, reduces and cancels a match; beyond it only cancels and reduces are carried out.
    order_to_trade_free
        Those of a risk day that need no match.
    output_max_value
        Price x quantity it may match within the window, in ticks x lots; beyond it its orders are cancelled, new ones refused.
    output_window_ms
        The window, in milliseconds.
    """
    record = commands.set_conduct(
        participant_id,
        order_to_trade_max=order_to_trade_max,
        order_to_trade_free=order_to_trade_free,
        output_max_value=output_max_value,
        output_window_ns=output_window_ms * 1_000_000,
    )
    return send(common, record)


@risk.command(name="resting-time")
def resting_time(instrument_id: int, milliseconds: int, *, common: Common | None = None) -> int:
    """Say how long orders of an instrument rest before their owners may cancel, reduce or replace them; 0 is as they like.

    Parameters
    ----------
    instrument_id
        Which.
    milliseconds
        How long.
    """
    return send(common, commands.set_resting_time(instrument_id, milliseconds * 1_000_000))


@risk.command(name="mass-cancel")
def mass_cancel(
    *,
    participant_id: int = 0,
    account_id: int = 0,
    group_id: int = 0,
    instrument_id: int = 0,
    session_id: int = 0,
    side: Literal["both", "buy", "sell"] = "both",
    common: Common | None = None,
) -> int:
    """Cancel the live orders that fit all of what is named; new ones are let in.

    Example: tradsys admin risk mass-cancel --account-id 17

    Parameters
    ----------
    participant_id
        Whose; without account and group the operator's own.
    account_id
        Of which account.
    group_id
        Of the participants of which trade group.
    instrument_id
        In which instrument; 0 for all.
    session_id
        Entered by which session; 0 for all.
    side
        Which side.
    """
    record = commands.mass_cancel(
        target_participant_id=participant_id,
        target_account_id=account_id,
        target_group_id=group_id,
        instrument_id=instrument_id,
        target_session_id=session_id,
        side={"both": 0, "buy": 1, "sell": 2}[side],
    )
    return send(common, record)


@risk.command(name="new-day")
def new_day(*, common: Common | None = None) -> int:
    """Have realised profit and loss, messages and matches of everybody count from 0 again."""
    return send(common, commands.start_risk_day())


def kill(scope: KillScope, scope_id: int = 0, *, off: Flag = False, common: Common | None = None) -> int:
    """Refuse new orders and cancel those that live, until it is turned off. It stays so over restarts.

    Example: tradsys admin kill participant 3

    Parameters
    ----------
    scope
        Whose orders.
    scope_id
        Its number; none for the venue.
    off
        Let orders in again.
    """
    return send(common, commands.kill_switch(_scope(scope), scope_id, is_on=not off))


def _scope(text: str) -> RiskScope:
    return RiskScope[text.upper().replace("-", "_")]


def send(common: Common | None, command: np.ndarray) -> int:
    """Log on as operator, send one command and print what came of it."""
    common = common or Common()
    settings = load(find_settings(common.settings))
    operator = operator_of(settings, common.operator)
    address = address_of(settings, common.at)
    client = OrderClient(
        address, operator.api_key, operator.secret.encode(), curve=curve_of(settings), reconnect_s=0.0
    )
    client.connect(LOGON_SECONDS)
    try:
        seq = client.send_one(command)
        reports = client.receive_until(seq, WAIT_SECONDS)
    finally:
        client.close()
    mine = reports[reports["client_seq"] == seq]
    refused = [int(reason) for reason in mine["reject_reason"] if reason]
    if refused:
        raise SessionError(reject_text(refused[0]))
    canceled = [int(count) for count in mine[mine["report_type"] == ReportType.MASS_CANCELED]["qty_lots"]]
    if common.as_json:
        print(json.dumps({"ok": True, "canceled": sum(canceled)}))
    else:
        print(f"done; {sum(canceled)} orders cancelled" if canceled else "done")
    return 0
