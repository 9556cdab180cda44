"""``tradsys top``: the live view of a running venue, from its public feed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tradsys.app.arguments import Address, Seconds
from tradsys.app.doors import find_settings, full_address
from tradsys.app.live_view import LiveView, has_screen
from tradsys.app.market_follower import MarketFollower
from tradsys.app.market_state import MarketState
from tradsys.app.stopping import stopping
from tradsys.config import load
from tradsys.errors import FeedError


def top(
    *,
    feed: Address | None = None,
    feed_b: Address | None = None,
    snapshots: Address | None = None,
    config: Path | None = None,
    seconds: Seconds = 0.0,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Watch a running venue: books, trades, rates, gaps. Arrow keys choose the instrument, q quits.

    Without a terminal, or with --json, it prints a line a second, and ends when nothing is heard from the feed for some
    seconds after the start. Exit status 1: nothing was heard.

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
    on_screen = has_screen() and not as_json
    try:
        with stopping(seconds) as stop:
            view = LiveView(follower, lambda: stop.is_set() or (not on_screen and never_heard(state)))
            view.run(as_json=as_json)
        follower.refresh()
    finally:
        follower.close()
    if not (on_screen or state.is_heard):
        waited_s = time.monotonic() - state.started_s
        raise FeedError(f"nothing is heard from {line_a} in {waited_s:.1f} s; is a venue running, and is this its feed?")
    return 0


def never_heard(state: MarketState) -> bool:
    """Whether the time in which something should have come has passed without anything."""
    return bool(state.silent) and not state.is_heard
