"""``tradsys admin fees``: what matches cost, at a running venue, through its order door."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import App, Parameter

from tradsys.app.admin_risk import send
from tradsys.app.operators import Common
from tradsys.wire import commands

fees = App(name="fees", help="Fee schedules and fee classes (rule book, section 15).")


@Parameter(name="*")
@dataclass
class Numbers:
    """What a class pays; rates in parts of 10^7 of price x quantity, amounts in the fee unit."""

    maker_rate_e7: int = 0
    "Rate of the resting party; negative is a rebate. 1 basis point is 1000."
    taker_rate_e7: int = 0
    "Rate of the incoming party."
    auction_rate_e7: int = 0
    "Rate of both parties of an auction's match."
    maker_per_lot: int = 0
    "Amount per lot of the resting party, added to the rate."
    taker_per_lot: int = 0
    "Amount per lot of the incoming party."
    auction_per_lot: int = 0
    "Amount per lot of both parties of an auction's match."
    order_fee_min: int = 0
    "What an order that owes something pays at least."
    order_fee_max: int = 0
    "What an order pays at most; 0 is no maximum."


@fees.command(name="set")
def set_schedule(
    instrument_id: int,
    fee_class: int = 0,
    *,
    exponent: int = -2,
    numbers: Numbers | None = None,
    common: Common | None = None,
) -> int:
    """Give a fee class of an instrument its schedule, all at once; what is not named is 0.

    Example: tradsys admin fees set 1 --maker-rate-e7 -500 --taker-rate-e7 3000 --exponent -4

    Parameters
    ----------
    instrument_id
        Which instrument.
    fee_class
        Who pays it: 0 for everybody whose class has none of its own.
    exponent
        Amounts count 10^exponent of the currency: -2 for cents. It stays for the instrument.
    """
    return send(
        common,
        commands.set_fee_schedule(
            instrument_id, fee_class, fee_exponent=exponent, **asdict(numbers or Numbers())
        ),
    )


@fees.command
def off(instrument_id: int, fee_class: int = 0, *, exponent: int = -2, common: Common | None = None) -> int:
    """Take the schedule of a fee class away.

    Parameters
    ----------
    instrument_id
        Which instrument.
    fee_class
        Which class.
    exponent
        As it was set.
    """
    record = commands.set_fee_schedule(instrument_id, fee_class, fee_exponent=exponent, is_on=False)
    return send(common, record)


@fees.command(name="class")
def set_class(
    participant_id: int,
    fee_class: Annotated[int, Parameter(help="0 to 15; everybody begins in 0.")],
    *,
    common: Common | None = None,
) -> int:
    """Put a participant into a fee class.

    Parameters
    ----------
    participant_id
        Whom.
    """
    return send(common, commands.set_fee_class(participant_id, fee_class))
