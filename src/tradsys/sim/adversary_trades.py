"""Commands 48 to 50 as nobody well-behaved sends them: matches that are kept, forgotten, undone twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tradsys.sim.draw import Draw
from tradsys.wire.enums import Template

Fields = dict[str, int | bytes]
WEIGHTS = ((Template.KEEP_TRADES, 1), (Template.BUST_TRADE, 2), (Template.CORRECT_TRADE, 3))


def makers(
    draw: Draw, matches: Sequence[tuple[int, int]], price: Callable[[int], int]
) -> dict[Template, Callable[[], Fields]]:
    """A maker of fields for each of the commands.

    Parameters
    ----------
    matches
        (seq, instrument) of matches that were kept; the list may grow and shrink.
    price
        Draws a price of an instrument [ticks].
    """

    def target() -> Fields:
        if not matches or draw.chance(12):
            return {"match_seq": draw.below(4000), "instrument_id": draw.pick((1, 1, 2, 3, 5))}
        seq, instrument_id = draw.pick(matches)
        return {"match_seq": seq, "instrument_id": 2 if draw.chance(20) else instrument_id}

    def correction() -> Fields:
        fields = target()
        return {**fields, "price_ticks": price(int(fields["instrument_id"]))}

    return {
        Template.KEEP_TRADES: lambda: {
            "kept_count": draw.pick((0, 1, 2, 5, 9, 9, 30, 30, 30, 1 << 20, 1 + (1 << 20)))
        },
        Template.BUST_TRADE: target,
        Template.CORRECT_TRADE: correction,
    }
