"""``tradsys top``: the live view of a running venue, from its public feed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tradsys.app.doors import find_settings, full_address
from tradsys.app.live_view import LiveView
from tradsys.app.market_follower import MarketFollower
from tradsys.app.market_state import MarketState
from tradsys.app.stopping import stopping
from tradsys.config import load


def top(
    *,
    feed: str = "",
    feed_b: str = "",
    snapshots: str = "",
    config: Path | None = None,
    seconds: float = 0.0,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Watch a running venue: books, trades, rates, gaps. Arrow keys choose the instrument, q quits.

    Without a terminal, or with --json, it prints a line a second.

    Example: tradsys top --feed 127.0.0.1:5556

    Parameters
    ----------
    feed
        Line A of the feed: an address, host:port or port; what the settings say if not given.
    feed_b
        Line B; none if FEED is given and this is not.
    snapshots
        Snapshot and gap-fill door; if not given the settings' one, or with FEED the port two above it.
    config
        Settings; else ./tradsys.yaml or tradsys-data/tradsys.yaml.
    seconds
        Stop after this time; 0: not before Ctrl-C or q.
    as_json
        Lines of JSON.
    """
    venue = load(find_settings(config)).venue
    line_a = full_address(feed or f"{venue.bind}:{venue.feed_a_port}")
    line_b = (
        full_address(feed_b)
        if feed_b
        else None
        if feed
        else full_address(f"{venue.bind}:{venue.feed_b_port}")
    )
    host, _, port = line_a.rpartition(":")
    beside = f"{host}:{int(port) + 2}" if feed and port.isdigit() else f"{venue.bind}:{venue.snapshot_port}"
    state = MarketState(where=f"feed {line_a}", doors={"feed_a": line_a}, started_s=time.monotonic())
    follower = MarketFollower(state, line_a, line_b, full_address(snapshots or beside))
    try:
        with stopping(seconds) as stop:
            LiveView(follower, stop.is_set).run(as_json=as_json)
    finally:
        follower.close()
    return 0
