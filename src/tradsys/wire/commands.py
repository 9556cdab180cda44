"""Commands from readable arguments: each function returns one record, zeroed where nothing was said.

The records go to ``Engine.submit``, into a frame for the order door, or together into one stream of bytes by ``pack``.
``seq``, ``ts_ns``, ``session_id`` and ``client_seq`` are left 0: the door and the sequencer write them. Give them by
name where you are the door, e.g. ``new_order(..., session_id=3)``.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tradsys.errors import FieldError
from tradsys.units import InstrumentUnits
from tradsys.wire.enums import (
    AllocationRounding,
    AssetClass,
    BreakerAction,
    BreakerLevel,
    BreakerSide,
    CloseReason,
    InstrumentState,
    ListType,
    OrderFlags,
    OrderType,
    Permission,
    Restriction,
    RiskScope,
    Side,
    StpMode,
    StpScope,
    Template,
    TimeInForce,
)
from tradsys.wire.records import empty


def record(template: int, **fields: Any) -> np.ndarray:
    """Make one record of a template with the fields given; FieldError: there is no such field, or the value does not fit."""
    made = empty(template)
    for name, value in fields.items():
        if name not in (made.dtype.names or ()):
            raise FieldError(f"{Template(template).name} has no field {name}")
        width = made.dtype[name].itemsize
        if isinstance(value, str):
            value = value.encode("ascii")
        if isinstance(value, bytes) and len(value) > width:
            raise FieldError(f"{name} must have at most {width} characters, was {value!r}")
        try:
            made[name] = value
        except OverflowError:
            held = np.iinfo(made.dtype[name])
            raise FieldError(f"{name} must be in [{held.min}, {held.max}], was {value}") from None
    return made


def pack(commands: Iterable[np.ndarray]) -> np.ndarray:
    """Lay records of any templates back to back.

    Returns
    -------
    np.ndarray
        uint8, shape (sum of the records' bytes,).
    """
    parts = [np.ascontiguousarray(command).view(np.uint8).reshape(-1) for command in commands]
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


# ---------------------------------------------------------------- orders


def new_order(
    *,
    instrument_id: int,
    side: Side,
    qty_lots: int,
    client_ref: int,
    price_ticks: int = 0,
    order_type: OrderType = OrderType.LIMIT,
    time_in_force: TimeInForce = TimeInForce.DAY,
    stp_mode: StpMode = StpMode.PARTICIPANT_DEFAULT,
    order_flags: OrderFlags = OrderFlags(0),  # noqa: B008 - an immutable flag
    account_id: int = 0,
    expire_ts_ns: int = 0,
    **sequencing: int,
) -> np.ndarray:
    """Enter an order; ``price_ticks`` stays 0 on a market order, ``expire_ts_ns`` [ns, UTC] belongs to GTD."""
    return record(
        Template.NEW_ORDER,
        instrument_id=instrument_id,
        side=side,
        qty_lots=qty_lots,
        client_ref=client_ref,
        price_ticks=price_ticks,
        order_type=order_type,
        time_in_force=time_in_force,
        stp_mode=stp_mode,
        order_flags=order_flags,
        account_id=account_id,
        expire_ts_ns=expire_ts_ns,
        **sequencing,
    )


def new_complex_order(
    *,
    instrument_id: int,
    side: Side,
    client_ref: int,
    qty_lots: int = 0,
    order_type: OrderType = OrderType.LIMIT,
    time_in_force: TimeInForce = TimeInForce.DAY,
    **fields: int,
) -> np.ndarray:
    """Enter an order with terms: the other fields of NEW_COMPLEX_ORDER by their names (rule book, sections 9 and 10).

    ``qty_lots`` stays 0 on a market order by notional.
    """
    return record(
        Template.NEW_COMPLEX_ORDER,
        instrument_id=instrument_id,
        side=side,
        client_ref=client_ref,
        qty_lots=qty_lots,
        order_type=order_type,
        time_in_force=time_in_force,
        **fields,
    )


def new_order_list(
    *, list_type: ListType, instrument_id: int, qty_lots: int, legs: Sequence[Mapping[str, int]], **fields: int
) -> np.ndarray:
    """Enter two or three orders that depend on each other (rule book, 10.20 to 10.28).

    Each leg has ``side``, ``client_ref`` and, where its kind has them, ``order_type``, ``price_ticks``,
    ``trigger_price_ticks``, ``time_in_force`` and ``order_flags``. What all legs share comes by name: ``account_id``,
    ``stp_mode``, ``expire_ts_ns``, ``trigger_source``, ``trail_offset``, ``trail_unit``.
    """
    if not 2 <= len(legs) <= 3:
        raise ValueError(f"a list has 2 or 3 legs, was {len(legs)}")
    for suffix, leg in zip(("", "_2", "_3"), legs, strict=False):
        filled = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.DAY} | dict(leg)
        fields |= {name + suffix: value for name, value in filled.items()}
    return record(
        Template.NEW_ORDER_LIST, list_type=list_type, instrument_id=instrument_id, qty_lots=qty_lots, **fields
    )


def set_mark_price(
    *, instrument_id: int, mark_price_ticks: int, client_ref: int = 0, **sequencing: int
) -> np.ndarray:
    """Tell the venue an instrument's mark price; triggers with source MARK look at it (rule book, section 10)."""
    return record(
        Template.SET_MARK_PRICE,
        instrument_id=instrument_id,
        mark_price_ticks=mark_price_ticks,
        client_ref=client_ref,
        **sequencing,
    )


def cancel_order(
    *, instrument_id: int, client_ref: int, orig_client_ref: int = 0, order_id: int = 0, **sequencing: int
) -> np.ndarray:
    """Cancel what is left of an order, named by the venue's ``order_id`` or by ``orig_client_ref``."""
    return record(
        Template.CANCEL_ORDER,
        instrument_id=instrument_id,
        client_ref=client_ref,
        orig_client_ref=orig_client_ref,
        order_id=order_id,
        **sequencing,
    )


def reduce_order(
    *,
    instrument_id: int,
    client_ref: int,
    qty_lots: int,
    orig_client_ref: int = 0,
    order_id: int = 0,
    **sequencing: int,
) -> np.ndarray:
    """Take ``qty_lots`` off an order, keeping its priority."""
    return record(
        Template.REDUCE_ORDER,
        instrument_id=instrument_id,
        client_ref=client_ref,
        qty_lots=qty_lots,
        orig_client_ref=orig_client_ref,
        order_id=order_id,
        **sequencing,
    )


def replace_order(
    *,
    instrument_id: int,
    client_ref: int,
    price_ticks: int,
    qty_lots: int,
    orig_client_ref: int = 0,
    order_id: int = 0,
    order_flags: OrderFlags = OrderFlags(0),  # noqa: B008 - an immutable flag
    **sequencing: int,
) -> np.ndarray:
    """Give an order a new reference, price and total quantity (``qty_lots`` includes what has been filled)."""
    return record(
        Template.REPLACE_ORDER,
        instrument_id=instrument_id,
        client_ref=client_ref,
        price_ticks=price_ticks,
        qty_lots=qty_lots,
        orig_client_ref=orig_client_ref,
        order_id=order_id,
        order_flags=order_flags,
        **sequencing,
    )


def mass_cancel(
    *,
    client_ref: int = 0,
    instrument_id: int = 0,
    side: int = 0,
    target_session_id: int = 0,
    target_participant_id: int = 0,
    target_account_id: int = 0,
    target_group_id: int = 0,
    **sequencing: int,
) -> np.ndarray:
    """Cancel every live order that fits; 0 fits all. A trade group is for operators."""
    return record(
        Template.MASS_CANCEL,
        client_ref=client_ref,
        instrument_id=instrument_id,
        side=side,
        target_session_id=target_session_id,
        target_participant_id=target_participant_id,
        target_account_id=target_account_id,
        target_group_id=target_group_id,
        **sequencing,
    )


# ---------------------------------------------------------------- sessions


def open_session(
    session_id: int, *, reset_client_seq: bool = False, cancel_on_disconnect: bool = False, **sequencing: int
) -> np.ndarray:
    """Say that a client logged on."""
    return record(
        Template.OPEN_SESSION,
        session_id=session_id,
        reset_client_seq=reset_client_seq,
        cancel_on_disconnect=cancel_on_disconnect,
        **sequencing,
    )


def close_session(
    session_id: int, *, close_reason: CloseReason = CloseReason.LOGOUT, **sequencing: int
) -> np.ndarray:
    """Say that a client is gone."""
    return record(Template.CLOSE_SESSION, session_id=session_id, close_reason=close_reason, **sequencing)


# ---------------------------------------------------------------- definitions


def define_instrument(
    instrument_id: int,
    symbol: str,
    *,
    currency: str = "USD",
    asset_class: AssetClass = AssetClass.STOCK,
    tick: str = "0.01",
    lot: str = "1",
    price_increment: str = "",
    price_min: str = "0.01",
    price_max: str = "1000000",
    qty_increment: str = "",
    qty_min: str = "",
    qty_max: str = "1000000",
    **sequencing: int,
) -> np.ndarray:
    """Define an instrument; prices and quantities are decimals and become ticks and lots, exactly or ``UnitError``.

    Empty means: one tick, one lot, and for ``qty_min`` one increment.
    """
    units = InstrumentUnits.parse(tick, lot)
    qty_increment_lots = units.qty_lots(qty_increment) if qty_increment else 1
    return record(
        Template.DEFINE_INSTRUMENT,
        instrument_id=instrument_id,
        symbol=symbol,
        currency=currency,
        asset_class=asset_class,
        tick_mantissa=units.tick.mantissa,
        tick_exponent=units.tick.exponent,
        lot_mantissa=units.lot.mantissa,
        lot_exponent=units.lot.exponent,
        price_increment_ticks=units.price_ticks(price_increment) if price_increment else 1,
        price_min_ticks=units.price_ticks(price_min),
        price_max_ticks=units.price_ticks(price_max),
        qty_increment_lots=qty_increment_lots,
        qty_min_lots=units.qty_lots(qty_min) if qty_min else qty_increment_lots,
        qty_max_lots=units.qty_lots(qty_max),
        **sequencing,
    )


def set_instrument_state(instrument_id: int, state: InstrumentState, **sequencing: int) -> np.ndarray:
    """Take an instrument to another phase: open, halt or close it, begin or end a call."""
    return record(Template.SET_INSTRUMENT_STATE, instrument_id=instrument_id, state=state, **sequencing)


def set_auction_rules(
    instrument_id: int,
    *,
    reference_price_ticks: int | None = None,
    dynamic_range_bp: int = 0,
    static_range_bp: int = 0,
    extension_range_bp: int = 0,
    volatility_call_ns: int = 0,
    random_ns: int = 0,
    extension_ns: int = 0,
    extensions_max: int = 0,
    **sequencing: int,
) -> np.ndarray:
    """Set price ranges, extensions and, unless it is None, the reference price of an instrument."""
    return record(
        Template.SET_AUCTION_RULES,
        instrument_id=instrument_id,
        reference_price_ticks=-(1 << 63) if reference_price_ticks is None else reference_price_ticks,
        dynamic_range_bp=dynamic_range_bp,
        static_range_bp=static_range_bp,
        extension_range_bp=extension_range_bp,
        volatility_call_ns=volatility_call_ns,
        random_ns=random_ns,
        extension_ns=extension_ns,
        extensions_max=extensions_max,
        **sequencing,
    )


def start_call(
    instrument_id: int,
    state: InstrumentState,
    *,
    end_ts_ns: int,
    state_after: InstrumentState = InstrumentState.OPEN,
    **sequencing: int,
) -> np.ndarray:
    """Begin the call of an auction that an AUCTION_TIMER ends at ``end_ts_ns`` or later."""
    return record(
        Template.START_CALL,
        instrument_id=instrument_id,
        state=state,
        state_after=state_after,
        end_ts_ns=end_ts_ns,
        **sequencing,
    )


def auction_timer(instrument_id: int, **sequencing: int) -> np.ndarray:
    """Publish what an instrument's auction would come to, or end its call when it is due."""
    return record(Template.AUCTION_TIMER, instrument_id=instrument_id, **sequencing)


def publish_nav(
    instrument_id: int, price_ticks: int, *, issuer_session_id: int, client_ref: int, **sequencing: int
) -> np.ndarray:
    """Execute what was collected for a fund; the issuer's session takes what is left over, under ``client_ref``."""
    return record(
        Template.PUBLISH_NAV,
        instrument_id=instrument_id,
        price_ticks=price_ticks,
        issuer_session_id=issuer_session_id,
        client_ref=client_ref,
        **sequencing,
    )


def define_participant(
    participant_id: int,
    *,
    permissions: Permission = Permission.TRADE,
    stp_mode: StpMode = StpMode.CANCEL_NEWEST,
    stp_scope: StpScope = StpScope.PARTICIPANT,
    enabled: bool = True,
    **sequencing: int,
) -> np.ndarray:
    """Define a participant, or change its permissions and whose orders self-trade prevention takes for its own."""
    return record(
        Template.DEFINE_PARTICIPANT,
        participant_id=participant_id,
        permissions=permissions,
        stp_mode=stp_mode,
        stp_scope=stp_scope,
        enabled=enabled,
        **sequencing,
    )


def define_session(
    session_id: int,
    participant_id: int,
    *,
    name: str = "",
    enabled: bool = True,
    sender: int = 0,
    **sequencing: int,
) -> np.ndarray:
    """Define ``session_id`` as a session of the participant; ``sender`` is the session that sends the command."""
    return record(
        Template.DEFINE_SESSION,
        defined_session_id=session_id,
        participant_id=participant_id,
        name=name,
        enabled=enabled,
        session_id=sender,
        **sequencing,
    )


def define_account(
    account_id: int, participant_id: int, *, enabled: bool = True, **sequencing: int
) -> np.ndarray:
    """Give an account to a participant."""
    return record(
        Template.DEFINE_ACCOUNT,
        account_id=account_id,
        participant_id=participant_id,
        enabled=enabled,
        **sequencing,
    )


def set_entitlement(
    participant_id: int, instrument_id: int, *, allowed: bool, **sequencing: int
) -> np.ndarray:
    """Allow or forbid a participant one instrument."""
    return record(
        Template.SET_ENTITLEMENT,
        participant_id=participant_id,
        instrument_id=instrument_id,
        allowed=allowed,
        **sequencing,
    )


def set_allocation(
    instrument_id: int,
    *,
    fifo_bp: int = 10_000,
    top: bool = False,
    rounding: AllocationRounding = AllocationRounding.DOWN,
    pro_rata_min_lots: int = 1,
    top_min_lots: int = 1,
    top_max_lots: int = 0,
    **sequencing: int,
) -> np.ndarray:
    """Set how an instrument's price levels are shared out (rule 12.1); in order of arrival unless told otherwise.

    Parameters
    ----------
    instrument_id
        Instrument.
    fifo_bp
        Part given in order of arrival before the pro-rata part [basis points, 0 to 10,000].
    top
        Whether the order that set the best price goes first.
    rounding
        Of pro-rata parts to the quantity increment.
    pro_rata_min_lots
        A smaller pro-rata part is nothing [lots, at least 1].
    top_min_lots, top_max_lots
        Smaller orders do not become the top order; most it gets before the others, 0 for all of it [lots].
    """
    return record(
        Template.SET_ALLOCATION,
        instrument_id=instrument_id,
        fifo_bp=fifo_bp,
        top=top,
        rounding=rounding,
        pro_rata_min_lots=pro_rata_min_lots,
        top_min_lots=top_min_lots,
        top_max_lots=top_max_lots,
        **sequencing,
    )


def set_allocation_share(
    instrument_id: int, participant_id: int, share_bp: int, **sequencing: int
) -> np.ndarray:
    """Give a participant a share of an instrument's matches (rule 12.2) [basis points]; 0 takes it away."""
    return record(
        Template.SET_ALLOCATION_SHARE,
        instrument_id=instrument_id,
        participant_id=participant_id,
        share_bp=share_bp,
        **sequencing,
    )


def expire_day_orders(instrument_id: int = 0, **sequencing: int) -> np.ndarray:
    """Cancel the DAY orders of one instrument, or of all (0)."""
    return record(Template.EXPIRE_DAY_ORDERS, instrument_id=instrument_id, **sequencing)


def expire_orders(instrument_id: int = 0, **sequencing: int) -> np.ndarray:
    """Cancel the GTD orders that have expired by the command's time, of one instrument or of all (0)."""
    return record(Template.EXPIRE_ORDERS, instrument_id=instrument_id, **sequencing)


def checkpoint(client_ref: int = 0, **sequencing: int) -> np.ndarray:
    """Compute the state hash here."""
    return record(Template.CHECKPOINT, client_ref=client_ref, **sequencing)


def set_risk_limits(scope: RiskScope, scope_id: int, **limits: int) -> np.ndarray:
    """Give a holder, an instrument or an asset class its limits, all at once; those not named are none.

    ``limits`` are fields of SetRiskLimits, and of the sequencing.
    """
    return record(Template.SET_RISK_LIMITS, scope=scope, scope_id=scope_id, **limits)


def set_trade_group(participant_id: int, group_id: int, **sequencing: int) -> np.ndarray:
    """Put a participant into a trade group; 0 takes it out."""
    return record(Template.SET_TRADE_GROUP, participant_id=participant_id, group_id=group_id, **sequencing)


def kill_switch(scope: RiskScope, scope_id: int = 0, *, is_on: bool, **sequencing: int) -> np.ndarray:
    """Refuse new orders and cancel those that live, until turned off; ``scope_id`` is 0 with VENUE."""
    return record(Template.KILL_SWITCH, scope=scope, scope_id=scope_id, is_on=is_on, **sequencing)


def set_restriction(
    scope: RiskScope, scope_id: int, instrument_id: int, restriction: Restriction, **sequencing: int
) -> np.ndarray:
    """Say what a holder may do in an instrument."""
    return record(
        Template.SET_RESTRICTION,
        scope=scope,
        scope_id=scope_id,
        instrument_id=instrument_id,
        restriction=restriction,
        **sequencing,
    )


def set_conduct(
    participant_id: int,
    *,
    order_to_trade_max: int = 0,
    order_to_trade_free: int = 0,
    output_max_value: int = 0,
    output_window_ns: int = 0,
    **sequencing: int,
) -> np.ndarray:
    """Say how many messages a match a participant may send, and how much it may match in a time [ticks x lots]; 0: any."""
    return record(
        Template.SET_CONDUCT_LIMITS,
        scope=RiskScope.PARTICIPANT,
        scope_id=participant_id,
        order_to_trade_max=order_to_trade_max,
        order_to_trade_free=order_to_trade_free,
        output_max_value=output_max_value,
        output_window_ns=output_window_ns,
        **sequencing,
    )


def set_resting_time(instrument_id: int, resting_min_ns: int, **sequencing: int) -> np.ndarray:
    """Say how long orders of an instrument rest before their owners may withdraw them [ns]; 0: as they like."""
    return record(
        Template.SET_CONDUCT_LIMITS,
        scope=RiskScope.INSTRUMENT,
        scope_id=instrument_id,
        resting_min_ns=resting_min_ns,
        **sequencing,
    )


def start_risk_day(**sequencing: int) -> np.ndarray:
    """Have realised profit and loss, messages and matches count from 0 again."""
    return record(Template.START_RISK_DAY, **sequencing)


def set_price_bands(
    instrument_id: int,
    *,
    low_ticks: int = -(1 << 63),
    high_ticks: int = (1 << 63) - 1,
    dynamic_ppm: int = 0,
    collar_ticks: int = 0,
    reference_price_ticks: int = -(1 << 63),
    **sequencing: int,
) -> np.ndarray:
    """Give an instrument its price bands, all at once; the defaults are none, and leave the last price."""
    return record(
        Template.SET_PRICE_BANDS,
        instrument_id=instrument_id,
        band_low_ticks=low_ticks,
        band_high_ticks=high_ticks,
        dynamic_ppm=dynamic_ppm,
        collar_ticks=collar_ticks,
        reference_price_ticks=reference_price_ticks,
        **sequencing,
    )


def set_fee_schedule(
    instrument_id: int, fee_class: int = 0, *, fee_exponent: int = -2, is_on: bool = True, **numbers: int
) -> np.ndarray:
    """Give a fee class of an instrument its schedule, or take it away.

    ``numbers`` are fields of SetFeeSchedule: rates in parts of 10^7, amounts in 10^fee_exponent of the currency; those
    not named are 0.
    """
    return record(
        Template.SET_FEE_SCHEDULE,
        instrument_id=instrument_id,
        fee_class=fee_class,
        fee_exponent=fee_exponent,
        is_on=is_on,
        **numbers,
    )


def set_fee_class(participant_id: int, fee_class: int, **sequencing: int) -> np.ndarray:
    """Put a participant into a fee class."""
    return record(Template.SET_FEE_CLASS, participant_id=participant_id, fee_class=fee_class, **sequencing)


def keep_trades(kept_count: int, **sequencing: int) -> np.ndarray:
    """Keep the last ``kept_count`` matches from now on, to be busted and corrected; 0: none."""
    return record(Template.KEEP_TRADES, kept_count=kept_count, **sequencing)


def bust_trade(match_seq: int, instrument_id: int, **sequencing: int) -> np.ndarray:
    """Undo a match; ``match_seq`` is the seq of its OrderExecuted."""
    return record(Template.BUST_TRADE, match_seq=match_seq, instrument_id=instrument_id, **sequencing)


def correct_trade(match_seq: int, instrument_id: int, price_ticks: int, **sequencing: int) -> np.ndarray:
    """Give a match another price."""
    return record(
        Template.CORRECT_TRADE,
        match_seq=match_seq,
        instrument_id=instrument_id,
        price_ticks=price_ticks,
        **sequencing,
    )


US_MARKET_WIDE = (  # NYSE rule 7.12: 7, 13 and 20 per cent below the close of the day before
    (BreakerLevel.LEVEL_1, BreakerAction.HALT, 70_000, 15 * 60 * 10**9),
    (BreakerLevel.LEVEL_2, BreakerAction.HALT, 130_000, 15 * 60 * 10**9),
    (BreakerLevel.LEVEL_3, BreakerAction.CLOSE, 200_000, 0),
)


def set_breaker_level(
    instrument_id: int,
    level: BreakerLevel,
    action: BreakerAction,
    *,
    side: BreakerSide = BreakerSide.BOTH,
    distance_ppm: int = 0,
    distance_ticks: int = 0,
    window_ns: int = 0,
    pause_ns: int = 0,
    **sequencing: int,
) -> np.ndarray:
    """Say at which move of an instrument's price trading stops; ``distance_ticks`` and ``window_ns`` are VELOCITY's."""
    return record(
        Template.SET_BREAKER_LEVEL,
        instrument_id=instrument_id,
        breaker_level=level,
        breaker_action=action,
        breaker_side=side,
        distance_ppm=distance_ppm,
        distance_ticks=distance_ticks,
        window_ns=window_ns,
        pause_ns=pause_ns,
        **sequencing,
    )


def set_breaker(
    instrument_id: int,
    *,
    group_id: int = 0,
    member_group_id: int = 0,
    reference_price_ticks: int = -(1 << 63),
    quiet_from_ts_ns: int = 0,
    reopen_call_ns: int = 0,
    takes_auctions: bool = False,
    **sequencing: int,
) -> np.ndarray:
    """Give an instrument the rest of its circuit breaker; the reference price stays where none is given."""
    return record(
        Template.SET_BREAKER,
        instrument_id=instrument_id,
        group_id=group_id,
        member_group_id=member_group_id,
        reference_price_ticks=reference_price_ticks,
        quiet_from_ts_ns=quiet_from_ts_ns,
        reopen_call_ns=reopen_call_ns,
        takes_auctions=takes_auctions,
        **sequencing,
    )


def us_market_wide_levels(instrument_id: int) -> list[np.ndarray]:
    """The levels of the market-wide circuit breakers of the US exchanges: 7 and 13 per cent halt 15 minutes, 20 close."""
    return [
        set_breaker_level(
            instrument_id, level, action, side=BreakerSide.DOWN, distance_ppm=distance_ppm, pause_ns=pause_ns
        )
        for level, action, distance_ppm, pause_ns in US_MARKET_WIDE
    ]


def start_breaker_day(instrument_id: int = 0, **sequencing: int) -> np.ndarray:
    """Have the last prices become reference prices and all levels trip again; 0: of every circuit breaker."""
    return record(Template.START_BREAKER_DAY, instrument_id=instrument_id, **sequencing)


def publish_index(instrument_id: int, price_ticks: int, **sequencing: int) -> np.ndarray:
    """Tell a circuit breaker a price that no match has made."""
    return record(Template.PUBLISH_INDEX, instrument_id=instrument_id, price_ticks=price_ticks, **sequencing)
