"""Commands 51 to 54 as nobody well-behaved sends them: breakers near what prices do, groups that stop each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tradsys.sim import commands
from tradsys.sim.draw import Draw
from tradsys.wire.enums import Template

Fields = dict[str, int | bytes]
WEIGHTS = (
    (Template.SET_BREAKER_LEVEL, 3),
    (Template.SET_BREAKER, 3),
    (Template.START_BREAKER_DAY, 1),
    (Template.PUBLISH_INDEX, 3),
)
NO_PRICE = -(1 << 63)


def setup(instruments: Iterable[int]) -> list[bytes]:
    """Commands that give instruments breakers that trip often and not for long."""
    records = []
    for number in instruments:
        velocity = {"breaker_level": 4, "distance_ticks": 5, "window_ns": 20_000}
        level = {"breaker_level": 1, "distance_ppm": 400_000}
        for rule in (velocity, level):
            fields = {"breaker_action": 1, "breaker_side": 3, "pause_ns": 3_000, **rule}
            records.append(commands.record(Template.SET_BREAKER_LEVEL, instrument_id=number, **fields))
        fields = {"member_group_id": 1, "reference_price_ticks": NO_PRICE}
        records.append(commands.record(Template.SET_BREAKER, instrument_id=number, **fields))
    return records


def makers(
    draw: Draw, price: Callable[[int], int], now_ns: Callable[[], int]
) -> dict[Template, Callable[[], Fields]]:
    """A maker of fields for each of the commands.

    Parameters
    ----------
    price
        Draws a price of an instrument [ticks].
    now_ns
        About the time of the command.
    """

    def instrument() -> int:
        return draw.pick((1, 1, 1, 2, 3, 4, 5))

    def level() -> Fields:
        kind = draw.pick((1, 1, 2, 3, 4, 4, 5))
        action = draw.pick((1, 1, 1, 2, 2, 3))
        fields: Fields = {
            "instrument_id": instrument(),
            "breaker_level": kind,
            "breaker_action": action,
            "breaker_side": draw.pick((1, 2, 3, 3)),
            "pause_ns": 0 if action == 3 else draw.pick((0, 3_000, 9_000, 10**18)),
        }
        if kind == 4:
            fields["distance_ticks"] = draw.pick((0, 1, 3, 5, 8))
            fields["window_ns"] = draw.pick((1, 7, 5_000, 20_000, 10**18))
        else:
            fields["distance_ppm"] = draw.pick((0, 1, 300_000, 1_000_000, 2_500_000, (1 << 32) - 1))
        return fields

    def breaker() -> Fields:
        number = instrument()
        return {
            "instrument_id": number,
            "group_id": draw.pick((0, 0, 0, 1, 1, 2, 64)),
            "member_group_id": draw.pick((0, 1, 1, 2)),
            "reference_price_ticks": draw.pick((NO_PRICE, price(number), price(number))),
            "quiet_from_ts_ns": now_ns() + draw.below(200_000) if draw.chance(6) else 0,
            "reopen_call_ns": draw.pick((0, 0, 4_000, 10**18)),
            "takes_auctions": draw.below(2),
        }

    def index() -> Fields:
        number = instrument()
        return {"instrument_id": number, "price_ticks": price(number)}

    return {
        Template.SET_BREAKER_LEVEL: level,
        Template.SET_BREAKER: breaker,
        Template.START_BREAKER_DAY: lambda: {"instrument_id": draw.pick((0, 0, 1, 2, 5))},
        Template.PUBLISH_INDEX: index,
    }
