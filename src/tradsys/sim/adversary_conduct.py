"""Command 55 as nobody well-behaved sends it: limits that a few orders and matches of the small world reach."""

from __future__ import annotations

from collections.abc import Callable

from tradsys.sim.draw import Draw
from tradsys.wire.enums import RiskScope, Template

Fields = dict[str, int | bytes]
WEIGHTS = ((Template.SET_CONDUCT_LIMITS, 5),)
_RESTING_NS = (0, 0, 1, 2_000, 30_000, 200_000, 10**18, 10**18 + 1)


def makers(draw: Draw) -> dict[Template, Callable[[], Fields]]:
    """A maker of fields for the command."""
    return {Template.SET_CONDUCT_LIMITS: lambda: _set_conduct_limits(draw)}


def _set_conduct_limits(draw: Draw) -> Fields:
    if draw.chance(20):
        return {
            "scope": draw.below(10),
            "scope_id": draw.pick((0, 1, 2, 11)),
            "resting_min_ns": draw.below(2),
        }
    if draw.chance(3):
        return {
            "scope": int(RiskScope.INSTRUMENT),
            "scope_id": draw.pick((1, 1, 1, 2, 3, 4, 5)),
            "resting_min_ns": draw.pick(_RESTING_NS),
        }
    fields: Fields = {"scope": int(RiskScope.PARTICIPANT), "scope_id": draw.pick((1, 2, 3, 4, 5, 8))}
    if draw.chance(3):  # lets everything through again
        return fields
    if not draw.chance(3):
        fields["order_to_trade_max"] = draw.pick((1, 2, 4, 9, (1 << 32) - 1))
        fields["order_to_trade_free"] = draw.pick((0, 5, 20, 40))
    if not draw.chance(3):
        fields["output_max_value"] = draw.pick((1, 9, 30, 80, 300, 1 << 40, (1 << 60) - 1))
        fields["output_window_ns"] = draw.pick((1, 7, 9_000, 80_000, 10**18))
    return fields
