"""Commands 46 and 47 as nobody well-behaved sends them: schedules that round, rebates, minima and maxima of orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tradsys.sim import commands
from tradsys.sim.draw import Draw
from tradsys.wire.enums import Template

Fields = dict[str, int | bytes]
WEIGHTS = ((Template.SET_FEE_SCHEDULE, 4), (Template.SET_FEE_CLASS, 1))
_RATES = (0, 0, 0, -5_000_000, 333_333, 1_000_000, 10_000_000, -10_000_000, 10_000_001)
_PER_LOT = (0, 0, 0, 1, 3, -1, -2, (1 << 60) - 1, -(1 << 60) + 1, 1 << 60)
_EXPONENTS = {1: -2, 2: 0, 3: -18, 4: -3}


def setup(instruments: Iterable[int]) -> list[bytes]:
    """Commands that give instruments fees of class 0, with a minimum of an order."""
    numbers = {"maker_per_lot": -1, "taker_per_lot": 3, "auction_per_lot": 2, "taker_rate_e7": 333_333}
    return [
        commands.record(
            Template.SET_FEE_SCHEDULE,
            instrument_id=number,
            is_on=1,
            fee_exponent=_EXPONENTS[number],
            order_fee_min=5,
            **numbers,
        )
        for number in instruments
    ]


def makers(draw: Draw) -> dict[Template, Callable[[], Fields]]:
    """A maker of fields for each of the commands."""
    return {
        Template.SET_FEE_SCHEDULE: lambda: _set_fee_schedule(draw),
        Template.SET_FEE_CLASS: lambda: {
            "participant_id": draw.pick((1, 2, 3, 4, 5, 7)),
            "fee_class": draw.pick((0, 0, 1, 1, 2, 15, 16)),
        },
    }


def _set_fee_schedule(draw: Draw) -> Fields:
    instrument_id = draw.pick((1, 1, 1, 2, 3, 4, 5))
    fields: Fields = {
        "instrument_id": instrument_id,
        "fee_class": draw.pick((0, 0, 1, 2, 15)),
        "is_on": int(not draw.chance(4)),
        "fee_exponent": -draw.below(20) if draw.chance(12) else _EXPONENTS.get(instrument_id, -2),
    }
    for name in ("maker", "taker", "auction"):
        fields[f"{name}_rate_e7"] = draw.pick(_RATES[:-1]) if draw.chance(2) else 0
        fields[f"{name}_per_lot"] = draw.pick(_PER_LOT if draw.chance(8) else _PER_LOT[:7])
    if draw.chance(2):
        fields["order_fee_min"] = draw.pick((0, 2, 5, 9))
        fields["order_fee_max"] = draw.pick((0, 0, 9, 12, 30))
    if draw.chance(20):
        fields["maker_rate_e7"] = draw.pick(_RATES)
    return fields
