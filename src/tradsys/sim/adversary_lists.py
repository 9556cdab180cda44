"""NEW_ORDER_LIST as nobody well-behaved sends it: lists that hold, as a rule, near where prices are, and lists that cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradsys.wire.enums import ListType

if TYPE_CHECKING:
    from tradsys.sim.adversary import Adversary

Fields = dict[str, int | bytes]


def new_order_list(adversary: Adversary) -> Fields:
    """A list of one to three kinds of legs that can be one, as a rule."""
    draw = adversary.draw
    fields = adversary.new_order()
    instrument_id = int(fields["instrument_id"])
    if instrument_id == adversary.shared_out[0] and not draw.chance(6):
        fields["instrument_id"] = instrument_id = draw.pick((2, 4) if adversary.shared_out[0] == 1 else (1, 1, 4))
        fields["qty_lots"] = (1 + draw.below(3)) * (3 if instrument_id == 2 else 1)
    list_type = draw.pick((1, 1, 2, 3, 3))
    fields["list_type"] = list_type if not draw.chance(60) else draw.below(256)
    fields["order_flags"] = draw.pick((0, 0, 0, 2, 4)) if not draw.chance(30) else 1
    waiting = draw.below(2)  # which of a pair has a trigger
    trails = triggers = False
    for n, suffix in enumerate(("", "_2", "_3")[: 3 if list_type == ListType.OTOCO else 2]):
        parent = list_type != ListType.OCO and n == 0
        place = n if list_type == ListType.OCO else n - 1
        kind = draw.pick((1, 1, 1, 2, 4)) if parent else 1
        if not parent and (place == waiting or draw.chance(5)) and not draw.chance(30):
            kind = draw.pick((4, 5, 5, 6, 7, 8, 9))
        triggers, trails = triggers or 4 <= kind <= 9, trails or kind in (6, 7)
        fields["order_type" + suffix] = kind
        fields["price_ticks" + suffix] = adversary.price(instrument_id) if kind in (1, 5, 7, 9) else 0
        fields["trigger_price_ticks" + suffix] = adversary.price(instrument_id) if 4 <= kind <= 9 else 0
        fields["side" + suffix] = int(fields["side"]) if list_type == ListType.OCO and not draw.chance(4) else 1 + draw.below(2)
        fields["time_in_force" + suffix] = draw.pick((1, 1, 2, 2, 5)) if not draw.chance(12) else 1 + draw.below(9)
        if n:
            fields["client_ref" + suffix] = adversary.ref()
            fields["order_flags" + suffix] = draw.pick((0, 0, 2))
    fields["trigger_source"] = draw.pick((1, 1, 2, 3)) if triggers or draw.chance(60) else 0
    fields["trail_unit"] = fields["trail_offset"] = 0
    if trails:
        fields["trail_unit"] = unit = 1 + draw.below(2)
        fields["trail_offset"] = draw.pick((1, 1, 2)) if unit == 1 else draw.pick((1, 5000))
    expires = 5 in [fields.get("time_in_force" + suffix) for suffix in ("", "_2", "_3")]
    fields["expire_ts_ns"] = adversary.sent * 1000 + draw.between(-300, 20_000) if expires else 0
    return fields
