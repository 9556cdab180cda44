"""``tradsys admin breaker``: circuit breakers of a running venue, through its order door."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from tradsys.app.admin_risk import send
from tradsys.app.operators import Common
from tradsys.wire import commands
from tradsys.wire.enums import BreakerAction, BreakerLevel, BreakerSide

breaker = App(name="breaker", help="Circuit breakers (rule book, 13.9 to 13.16).")
MS_NS = 1_000_000
Flag = Annotated[bool, Parameter(negative="")]


@breaker.command(name="set")
def set_breaker(
    instrument_id: int,
    *,
    reference_price_ticks: int = -(1 << 63),
    stops_group: int = 0,
    member_of: int = 0,
    reopen_ms: int = 0,
    quiet_from_ts_ns: int = 0,
    takes_auctions: Flag = False,
    us_market_wide: Flag = False,
    common: Common | None = None,
) -> int:
    """Give an instrument its circuit breaker, all of it but its levels.

    Example: tradsys admin breaker set 9 --stops-group 1 --reference-price-ticks 400000 --us-market-wide

    Parameters
    ----------
    instrument_id
        Whose price is looked at.
    reference_price_ticks
        What moves are measured from; the one before stays where none is given.
    stops_group
        Group that stops, 1 to 63; 0 for the instrument alone.
    member_of
        Group the instrument stops with; 0 for none.
    reopen_ms
        Length of the volatility auction behind a halt, in milliseconds; 0 for none.
    quiet_from_ts_ns
        From this time on only what closes trips, in nanoseconds since the epoch; 0 for never.
    takes_auctions
        The price of each uncross becomes the reference price.
    us_market_wide
        Levels of 7, 13 and 20 per cent down: two halts of 15 minutes, then a close.
    """
    record = commands.set_breaker(
        instrument_id,
        group_id=stops_group,
        member_group_id=member_of,
        reference_price_ticks=reference_price_ticks,
        quiet_from_ts_ns=quiet_from_ts_ns,
        reopen_call_ns=reopen_ms * MS_NS,
        takes_auctions=takes_auctions,
    )
    status = send(common, record)
    for level in commands.us_market_wide_levels(instrument_id) if us_market_wide else ():
        status = status or send(common, level)
    return status


@breaker.command
def level(
    instrument_id: int,
    number: Literal["1", "2", "3", "velocity"],
    action: Literal["halt", "volatility-auction", "close"],
    *,
    side: Literal["down", "up", "both"] = "both",
    distance_ppm: int = 0,
    distance_ticks: int = 0,
    window_ms: int = 0,
    pause_ms: int = 0,
    common: Common | None = None,
) -> int:
    """Say at which move trading stops, and how; a distance of 0 turns the level off.

    Example: tradsys admin breaker level 1 velocity volatility-auction --distance-ticks 50 --window-ms 1000 --pause-ms 120000

    Parameters
    ----------
    instrument_id
        Whose price is looked at.
    number
        Which level.
    action
        What happens.
    side
        Which moves trip it.
    distance_ppm
        From the reference price, in parts per million of it; not of velocity.
    distance_ticks
        Within the window; of velocity.
    window_ms
        The window, in milliseconds; of velocity.
    pause_ms
        How long the stop is planned to be, in milliseconds.
    """
    record = commands.set_breaker_level(
        instrument_id,
        BreakerLevel.VELOCITY if number == "velocity" else BreakerLevel(int(number)),
        BreakerAction[action.upper().replace("-", "_")],
        side=BreakerSide[side.upper()],
        distance_ppm=distance_ppm,
        distance_ticks=distance_ticks,
        window_ns=window_ms * MS_NS,
        pause_ns=pause_ms * MS_NS,
    )
    return send(common, record)


@breaker.command(name="new-day")
def new_day(instrument_id: int = 0, *, common: Common | None = None) -> int:
    """Measure from the last prices, and have all levels trip again.

    Parameters
    ----------
    instrument_id
        Of which instrument; 0 for all.
    """
    return send(common, commands.start_breaker_day(instrument_id))


@breaker.command
def index(instrument_id: int, price_ticks: int, *, common: Common | None = None) -> int:
    """Tell a circuit breaker a price that no match has made.

    Parameters
    ----------
    instrument_id
        Whose breaker.
    price_ticks
        The price.
    """
    return send(common, commands.publish_index(instrument_id, price_ticks))
