"""``tradsys fix-market-data``: the public feed as FIX 4.4 market data, a process of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tradsys import config
from tradsys.app.arguments import AddressOrNone, ListenPort, OwnAddress, Seconds
from tradsys.app.doors import LISTENING, find_settings
from tradsys.app.record import feed_addresses
from tradsys.app.stopping import stopping
from tradsys.errors import ConfigError
from tradsys.fix_market_data.server import MarketDataServer


def fix_market_data(
    *,
    settings: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    host: OwnAddress | None = None,
    port: ListenPort | None = None,
    line_a: AddressOrNone | None = None,
    line_b: AddressOrNone | None = None,
    recovery: AddressOrNone | None = None,
    seconds: Seconds = 0.0,
) -> int:
    """Serve market data over FIX 4.4 (V W X Y, e f, x y) until Ctrl-C.

    It follows the venue's public feed like any reader: a slow or hostile client harms neither venue nor other clients.
    Who may log on stands in the settings, fix_market_data.sessions.

    Example: tradsys fix-market-data --config tradsys-data/tradsys.yaml

    Parameters
    ----------
    settings
        Settings file; else $TRADSYS_CONFIG, ./tradsys.yaml or what `tradsys up` has left here.
    host
        Address to listen at; the venue's bind if not given.
    port
        Port to listen at; the settings' if not given; 0: any free one, which is printed.
    line_a, line_b, recovery
        ZeroMQ addresses of the feed; the settings' if not given; "none": there is none.
    seconds
        Stop after this time; 0: not before Ctrl-C.
    """
    loaded = config.load(find_settings(settings))
    mine = loaded.fix_market_data
    if not mine.sessions:
        raise ConfigError("fix_market_data.sessions is empty: nobody could log on")
    lines = feed_addresses(
        loaded,
        line_a or mine.line_a or None,
        line_b or mine.line_b or None,
        recovery or mine.recovery or None,
    )
    host = host or loaded.venue.bind
    with stopping(seconds) as stop:
        asyncio.run(
            serve(
                mine,
                lines.line_a,
                lines.line_b,
                lines.recovery,
                host,
                mine.port if port is None else port,
                stop.is_set,
            )
        )
    return 0


async def serve(mine: config.FixMarketData, line_a: str, line_b: str, recovery: str, host: str, port: int,
                is_over: object) -> None:  # fmt: skip
    """Run a server until it is over; the first line printed says where it listens."""
    assert callable(is_over)
    server = MarketDataServer(mine, line_a or None, line_b or None, recovery or None)
    scheme = "tls" if mine.tls.certificate else "tcp"
    await server.run(
        host, port, lambda port: print(f"{LISTENING}{scheme}://{host}:{port}", flush=True), is_over
    )
