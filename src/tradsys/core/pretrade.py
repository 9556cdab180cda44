"""Pre-trade risk: one function that says whether an order may be accepted (rule book, section 14).

`evaluate` looks at one record: an order, the limits of one holder and what the holder has. The engine calls it as
machine code, compiled by numba at the first use and kept on disk; as plain Python it gives the same answer.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np

from tradsys.wire.enums import RejectReason, Restriction, RiskFlags

ACCEPT = 1
VALUE_MAX = 1 << 60
"""Values and lots are cut to this magnitude before they are looked at; limits are below it."""
SCALED_MAX = 1 << 62
MILLION = 1_000_000

_FIELDS = [
    "qty_lots",
    "price_ticks",
    "order_value",
    "is_buy",
    "has_price",
    "ts_ns",
    "order_qty_max_lots",
    "order_value_max",
    "order_value_min",
    "qty_step_lots",
    "position_max_lots",
    "open_max_lots",
    "gross_max_value",
    "credit_value",
    "daily_loss_max",
    "rate_window_ns",
    "duplicate_window_ns",
    "price_distance_ppm",
    "concentration_ppm",
    "leverage_ppm",
    "margin_ppm",
    "rate_cost_ns",
    "risk_flags",
    "has_reference",
    "reference_price_ticks",
    "price_low_ticks",
    "price_high_ticks",
    "restriction",
    "is_approved",
    "position_lots",
    "open_buy_lots",
    "open_sell_lots",
    "worst_value",
    "gross_value",
    "realised_value",
    "account_position_lots",
    "account_cost_value",
    "account_buy_value",
    "account_sell_value",
    "account_worst_value",
    "bucket_ns",
    "bucket_ts_ns",
    "is_repeated",
    "repeated_ts_ns",
]

CHECK = np.dtype([(name, "<i8") for name in _FIELDS])
"""What `evaluate` looks at: int64 throughout. Order; limits; prices and permissions; what the holder has in the
instrument and altogether, a replaced order's own part left out; what its account has there; bucket and last order."""

KNOWN_LIMITS = frozenset(_FIELDS[6:22])

_RESTRICTED, _APPROVAL = int(RejectReason.RESTRICTED), int(RejectReason.APPROVAL_REQUIRED)
_ORDER_QTY, _ORDER_VALUE = int(RejectReason.ORDER_QTY_LIMIT), int(RejectReason.ORDER_VALUE_LIMIT)
_VALUE_TOO_SMALL, _QTY_STEP = int(RejectReason.ORDER_VALUE_TOO_SMALL), int(RejectReason.ORDER_QTY_STEP)
_NO_REFERENCE, _UNREASONABLE = int(RejectReason.NO_REFERENCE_PRICE), int(RejectReason.PRICE_UNREASONABLE)
_BAND, _POSITION = int(RejectReason.PRICE_OUTSIDE_BAND), int(RejectReason.POSITION_LIMIT)
_OPEN, _SHORT = int(RejectReason.OPEN_ORDER_LIMIT), int(RejectReason.SHORT_SALE)
_GROSS, _CREDIT = int(RejectReason.GROSS_VALUE_LIMIT), int(RejectReason.CREDIT_LIMIT)
_DAILY_LOSS, _CONCENTRATION = int(RejectReason.DAILY_LOSS_LIMIT), int(RejectReason.CONCENTRATION_LIMIT)
_LEVERAGE, _RATE = int(RejectReason.LEVERAGE_LIMIT), int(RejectReason.ORDER_RATE_LIMIT)
_DUPLICATE = int(RejectReason.DUPLICATE_ORDER)
_CLOSE_ONLY, _NO_ORDERS = int(Restriction.CLOSE_ONLY), int(Restriction.NO_ORDERS)
_NO_SHORT, _NEEDS_APPROVAL = int(RiskFlags.NO_SHORT), int(RiskFlags.NEEDS_APPROVAL)


def evaluate(c: Any) -> int:
    """Say what stands against an order.

    Parameters
    ----------
    c
        The fields of `CHECK`, read only. Values and lots are within +-`VALUE_MAX`, times in [0, 2^62].

    Returns
    -------
    int
        ACCEPT, or the lowest RejectReason that applies. 0, which compiled code returns when it fails, is neither.

    Notes
    -----
    No sum of the values passes 2^63 and no product is taken that could: divisions come first.
    """
    if c.is_buy:
        closes = c.position_lots + c.open_buy_lots + c.qty_lots <= 0
    else:
        closes = c.position_lots - c.open_sell_lots - c.qty_lots >= 0
    reason = order_reason(c, closes)
    if reason == 0:
        reason = position_reason(c, closes)
    if reason == 0 and (
        c.gross_max_value | c.credit_value | c.daily_loss_max | c.concentration_ppm | c.leverage_ppm
    ):
        reason = value_reason(c, closes)
    if reason == 0 and c.rate_cost_ns > min(c.bucket_ns + max(c.ts_ns - c.bucket_ts_ns, 0), c.rate_window_ns):
        reason = _RATE
    if reason == 0 and c.is_repeated and abs(c.ts_ns - c.repeated_ts_ns) < c.duplicate_window_ns:
        reason = _DUPLICATE
    return ACCEPT if reason == 0 else reason


def order_reason(c: Any, closes: bool) -> int:
    """What stands against the order by itself (14.6, 13.4), or 0."""
    if c.restriction == _NO_ORDERS or (c.restriction == _CLOSE_ONLY and not closes):
        return _RESTRICTED
    if c.risk_flags & _NEEDS_APPROVAL and not c.is_approved:
        return _APPROVAL
    if 0 < c.order_qty_max_lots < c.qty_lots:
        return _ORDER_QTY
    if 0 < c.order_value_max < c.order_value:
        return _ORDER_VALUE
    if c.has_price and c.order_value < c.order_value_min:
        return _VALUE_TOO_SMALL
    if c.qty_step_lots > 0 and c.qty_lots % c.qty_step_lots != 0:
        return _QTY_STEP
    if c.has_price:
        if c.price_distance_ppm > 0:
            if not c.has_reference:
                return _NO_REFERENCE
            base = abs(c.reference_price_ticks)
            distance = (
                base // MILLION * c.price_distance_ppm + base % MILLION * c.price_distance_ppm // MILLION
            )
            if base // MILLION < SCALED_MAX // c.price_distance_ppm and (
                abs(c.price_ticks - c.reference_price_ticks) > distance
            ):
                return _UNREASONABLE
        if c.price_ticks < c.price_low_ticks or c.price_ticks > c.price_high_ticks:
            return _BAND
    return 0


def position_reason(c: Any, closes: bool) -> int:
    """What its lots would make of the position (14.7), or 0."""
    if c.position_max_lots > 0:
        if c.is_buy:
            worst_lots = c.position_lots + c.open_buy_lots + c.qty_lots
        else:
            worst_lots = c.open_sell_lots + c.qty_lots - c.position_lots
        if worst_lots > c.position_max_lots:
            return _POSITION
    if 0 < c.open_max_lots < c.open_buy_lots + c.open_sell_lots + c.qty_lots:
        return _OPEN
    if c.risk_flags & _NO_SHORT and not c.is_buy and not closes:
        return _SHORT
    return 0


def value_reason(c: Any, closes: bool) -> int:
    """What its value would make of the holder's worst case (14.8), or 0."""
    # The worst case of the order's account in the instrument: long with all buys filled, or short with all sells.
    long_value = c.account_buy_value
    short_value = c.account_sell_value
    if c.account_position_lots > 0:
        long_value += c.account_cost_value
    elif c.account_position_lots < 0:
        short_value += c.account_cost_value
    if c.is_buy:
        long_value += c.order_value
    else:
        short_value += c.order_value
    change = max(long_value, short_value) - c.account_worst_value
    gross_value = c.gross_value + change
    if change > 0 and 0 < c.gross_max_value < gross_value:
        return _GROSS
    equity = max(c.credit_value + c.realised_value, 0)
    if change > 0 and c.credit_value > 0:
        margin_ppm = c.margin_ppm
        if margin_ppm == 0:
            margin_ppm = MILLION
        if gross_value // MILLION >= SCALED_MAX // margin_ppm:
            return _CREDIT
        if gross_value // MILLION * margin_ppm + gross_value % MILLION * margin_ppm // MILLION > equity:
            return _CREDIT
    if c.daily_loss_max > 0 and c.realised_value <= -c.daily_loss_max and not closes:
        return _DAILY_LOSS
    if (
        change > 0
        and c.concentration_ppm > 0
        and c.credit_value // MILLION < SCALED_MAX // c.concentration_ppm
    ):
        share = c.credit_value // MILLION * c.concentration_ppm + (
            c.credit_value % MILLION * c.concentration_ppm // MILLION
        )
        if c.worst_value + change > share:
            return _CONCENTRATION
    if change > 0 and c.leverage_ppm > 0 and equity // MILLION < SCALED_MAX // c.leverage_ppm:
        multiple = equity // MILLION * c.leverage_ppm + equity % MILLION * c.leverage_ppm // MILLION
        if gross_value > multiple:
            return _LEVERAGE
    return 0


_compiled: list[Any] = []  # the cfunc object: whoever holds its address needs it alive


def address() -> int:
    """Address of `evaluate` as C function of a pointer to `CHECK`; compiles it at the first call."""
    if not _compiled:
        from numba import carray, cfunc, from_dtype, njit, types

        # numba compiles functions that call compiled ones; evaluate itself stays plain Python. All become one function:
        # the calls between them would take as long as their work.
        parts = {
            part.__name__: njit(part, error_model="numpy", inline="always")
            for part in (order_reason, position_reason, value_reason)
        }
        inner = njit(
            FunctionType(evaluate.__code__, {**globals(), **parts}), error_model="numpy", inline="always"
        )
        signature = types.int64(types.CPointer(from_dtype(CHECK)))

        @cfunc(signature, cache=True, error_model="numpy")
        def check(record):  # type: ignore[no-untyped-def]
            return inner(carray(record, 1)[0])

        _compiled.append(check)
    return int(_compiled[0].address)
