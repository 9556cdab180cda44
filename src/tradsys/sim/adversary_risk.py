"""Commands 40 to 45 as nobody well-behaved sends them: limits near what the small world does, ids that are not there."""

from __future__ import annotations

from collections.abc import Callable

from tradsys.sim.draw import Draw
from tradsys.wire.enums import RiskScope, Template

Fields = dict[str, int | bytes]
NONE_LOW, NONE_HIGH = -(1 << 63), (1 << 63) - 1
WEIGHTS = (
    (Template.SET_RISK_LIMITS, 9),
    (Template.SET_TRADE_GROUP, 2),
    (Template.KILL_SWITCH, 3),
    (Template.SET_RESTRICTION, 2),
    (Template.START_RISK_DAY, 1),
    (Template.SET_PRICE_BANDS, 2),
)
_IDS = {
    RiskScope.ACCOUNT: (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16),
    RiskScope.HOUSE: (1, 2, 3, 4, 5, 6, 8),
    RiskScope.PARTICIPANT: (1, 2, 3, 4, 5, 6, 8),
    RiskScope.GROUP: (1, 2, 2, 3, 0, 8),
    RiskScope.INSTRUMENT: (1, 1, 2, 3, 4, 5),
    RiskScope.ASSET_CLASS: (1, 1, 2, 0, 9),
    RiskScope.SESSION: (11, 12, 21, 22, 31, 51, 79, 80),
    RiskScope.VENUE: (0, 0, 0, 1),
}
_LIMITS: dict[str, tuple[int, ...]] = {
    "order_qty_max_lots": (7, 20),
    "order_value_max": (20, 60),
    "order_value_min": (1, 4),
    "qty_step_lots": (1, 2),
    "position_max_lots": (3, 9, 20),
    "open_max_lots": (6, 15, 30),
    "gross_max_value": (10, 60, 300, 1 << 59),
    "credit_value": (10, 60, 300, 1 << 59),
    "daily_loss_max": (1, 10, 40),
    "duplicate_window_ns": (1, 3000, 1 << 40),
    "price_distance_ppm": (500_000, 2_000_000, (1 << 32) - 1),
}
_WITH_CREDIT: dict[str, tuple[int, ...]] = {
    "concentration_ppm": (100_000, 700_000, 2_000_000, (1 << 32) - 1),
    "leverage_ppm": (500_000, 1_500_000, 4_000_000, (1 << 32) - 1),
    "margin_ppm": (50_000, 500_000, 1_000_000, (1 << 32) - 1),
}
_OF_ONE_ORDER = (
    *("order_qty_max_lots", "order_value_max", "order_value_min", "qty_step_lots", "duplicate_window_ns"),
    "price_distance_ppm",
)


def makers(draw: Draw) -> dict[Template, Callable[[], Fields]]:
    """A maker of fields for each of the commands."""
    return {
        Template.SET_RISK_LIMITS: lambda: _set_risk_limits(draw),
        Template.SET_TRADE_GROUP: lambda: {
            "participant_id": draw.below(8),
            "group_id": draw.pick((0, 1, 2, 2, 3, 8)),
        },
        Template.KILL_SWITCH: lambda: _kill_switch(draw),
        Template.SET_RESTRICTION: lambda: _set_restriction(draw),
        Template.START_RISK_DAY: dict,
        Template.SET_PRICE_BANDS: lambda: _set_price_bands(draw),
    }


def _holder(draw: Draw, scopes: tuple[RiskScope, ...]) -> Fields:
    scope = draw.pick(scopes)
    return {"scope": int(scope), "scope_id": draw.pick(_IDS[scope])}


def _set_risk_limits(draw: Draw) -> Fields:
    scopes = tuple(RiskScope)[: 8 if draw.chance(20) else 6 if draw.chance(3) else 4]
    fields = _holder(draw, scopes)
    of_holder = int(fields["scope"]) <= RiskScope.GROUP
    names = tuple(_LIMITS) if of_holder else _OF_ONE_ORDER
    if draw.chance(3):  # lets everything through again
        return fields
    for _ in range(1 + draw.below(2)):
        name = draw.pick(names)
        fields[name] = draw.pick(_LIMITS[name])
    if of_holder and "credit_value" in fields and draw.chance(2):
        name = draw.pick(tuple(_WITH_CREDIT))
        fields[name] = draw.pick(_WITH_CREDIT[name])
    if draw.chance(8):
        fields["rate_count"], fields["rate_window_ns"] = (
            draw.pick((1, 3, 7)),
            draw.pick((7, 5000, 40_000, 1 << 59)),
        )
    if draw.chance(12 if of_holder else 30):
        fields["risk_flags"] = 1 if of_holder else 2
    if of_holder and draw.chance(2):
        fields["approvals"] = draw.pick((2, 2, 6, 510))
    return fields


def _kill_switch(draw: Draw) -> Fields:
    scopes = tuple(RiskScope) if draw.chance(6) else tuple(RiskScope)[:7]
    return {**_holder(draw, scopes), "is_on": int(draw.chance(8))}


def _set_restriction(draw: Draw) -> Fields:
    scopes = tuple(RiskScope)[: 8 if draw.chance(20) else 4]
    fields = _holder(draw, scopes)
    return {
        **fields,
        "instrument_id": draw.pick((1, 1, 2, 3, 4, 5)),
        "restriction": draw.pick((0, 0, 0, 0, 0, 1, 1, 2)),
    }


def _set_price_bands(draw: Draw) -> Fields:
    instrument_id = draw.pick((1, 1, 1, 2, 3, 5))
    low, high = draw.pick((NONE_LOW, NONE_LOW, -40, -4)), draw.pick((NONE_HIGH, NONE_HIGH, 40, 4))
    return {
        "instrument_id": instrument_id,
        "dynamic_ppm": draw.pick((0, 0, 0, 2_000_000, (1 << 32) - 1)),
        "reference_price_ticks": draw.pick((NONE_LOW, NONE_LOW, NONE_LOW, 4, -4, 1 << 60, NONE_HIGH)),
        "band_low_ticks": low,
        "band_high_ticks": high,
        "collar_ticks": draw.pick((0, 0, 1, 3, (1 << 60) - 1, 1 << 60)),
    }
