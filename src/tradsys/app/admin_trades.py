"""``tradsys admin trade``: undo matches and give them other prices, at a running venue, through its order door."""

from __future__ import annotations

from cyclopts import App

from tradsys.app.admin_risk import send
from tradsys.app.operators import Common
from tradsys.wire import commands

trade = App(name="trade", help="Trade bust and correct (rule book, 13.5 to 13.8).")


@trade.command
def keep(count: int, *, common: Common | None = None) -> int:
    """Keep the last matches from now on, so that they can be undone and corrected.

    Parameters
    ----------
    count
        How many, at most 1048576; 0 for none.
    """
    return send(common, commands.keep_trades(count))


@trade.command
def bust(match_seq: int, instrument_id: int, *, common: Common | None = None) -> int:
    """Undo a match: positions, profit and fees. The orders stay as they are.

    Example: tradsys admin trade bust 1741 1

    Parameters
    ----------
    match_seq
        The match: `match_id` of the feed, `event_seq` of the report.
    instrument_id
        Its instrument.
    """
    return send(common, commands.bust_trade(match_seq, instrument_id))


@trade.command
def correct(match_seq: int, instrument_id: int, price_ticks: int, *, common: Common | None = None) -> int:
    """Give a match another price: positions, profit and fees follow.

    Parameters
    ----------
    match_seq
        The match: `match_id` of the feed, `event_seq` of the report.
    instrument_id
        Its instrument.
    price_ticks
        The price at which it stands from now on.
    """
    return send(common, commands.correct_trade(match_seq, instrument_id, price_ticks))
