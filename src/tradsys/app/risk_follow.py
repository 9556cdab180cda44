"""``tradsys risk live``, ``watch`` and ``control``: the risk of a running venue, followed, shown, acted upon."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from tradsys.app.arguments import Address, AddressOrNone, InputFile, Interval, Seconds, checked, number, whole

if TYPE_CHECKING:
    from tradsys.app.risk_live import RiskProcess

DEFINITIONS_SECONDS = 10.0  # the feed may take so long to tell the venue's instruments
READY = "READY stream="
Json = Annotated[bool, Parameter(name="--json", negative="")]
Level = Annotated[float, number("as a probability", 0.5, 1.0 - 1e-9)]
Share = Annotated[float, number("as a share", 0.0, 1.0 - 1e-9, above=True)]
Days = Annotated[int, whole("days", 1, 10**6)]


def _horizon(text: str) -> None:
    from tradsys.app.risk_files import horizon_days

    horizon_days(text)


def live(
    *,
    history: InputFile,
    settings: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    limits: InputFile | None = None,
    method: Literal["normal", "historical"] = "normal",
    level: Level = 0.99,
    horizon: Annotated[str, checked(_horizon)] = "1d",
    base: str = "USD",
    covariance: Literal["sample", "ewma", "shrunk", "lead-lag"] = "ewma",
    decay: Share = 0.94,
    missing: Literal["refuse", "common", "carry"] = "common",
    window: Days | None = None,
    fix: Address | None = None,
    ca: InputFile | None = None,
    orders: Address | None = None,
    operator: str = "",
    line_a: AddressOrNone | None = None,
    line_b: AddressOrNone | None = None,
    recovery: AddressOrNone | None = None,
    stream: Address | None = None,
    snapshots: Address | None = None,
    interval: Interval = 0.25,
    refresh: Interval = 5.0,
    mark_age: Interval = 60.0,
    seconds: Seconds = 0.0,
    as_json: Json = False,
) -> int:
    """Follow a running venue: positions, exposure, P&L and P&L at risk of every account, published as they change.

    Trades come from the FIX drop copy each participant has in the settings (`kind: drop_copy`), prices from the public feed,
    the risk of what is held from a history of prices, updated fill by fill. Limits are a YAML file: what they raise is told,
    and may cancel, block or disable at the venue (protocols/risk_stream.md). `tradsys risk watch` shows it.

    Example: tradsys risk live --history prices.parquet --limits limits.yaml --config tradsys-data/tradsys.yaml

    Parameters
    ----------
    history
        Prices of the venue's instruments, as of `tradsys risk var`.
    settings
        Settings file of the venue; else $TRADSYS_CONFIG, ./tradsys.yaml, ./tradsys-data/tradsys.yaml.
    limits
        Limits of accounts and what is done at them; read again when the file changes.
    method
        normal: covariance, updated in microseconds. historical: every day of the history.
    level
        Of VaR and ES.
    horizon
        Trading days: 1d, 10d, 2w, 1m.
    base
        Currency of all amounts.
    covariance
        Of the normal method: sample, ewma, shrunk or lead-lag.
    decay
        Of ewma.
    missing
        Days on which something has no price: refuse, common or carry.
    window
        Only so many latest returns.
    fix
        FIX door; the settings' if not given.
    ca
        Speak TLS to it, and trust these certificates (PEM).
    orders
        Order door, for commands; the settings' if not given.
    operator
        Session to send commands with, by name or API key; else the first whose participant has OPERATE. "none": alerts only.
    line_a, line_b, recovery
        Addresses of the feed; the settings' if not given; "none": there is none.
    stream, snapshots
        Where to publish; in the data directory if not given. TCP needs venue.curve.
    interval
        Seconds between two looks at the prices.
    refresh
        Seconds after which everything is told again.
    mark_age
        Seconds after which a last trade is no longer trusted as a price.
    seconds
        Stop after this time; 0: not before Ctrl-C.
    as_json
        A summary as one JSON object on the last line.
    """
    from tradsys.app.risk_start import say_when_compiling

    say_when_compiling()
    from tradsys.app.risk_files import horizon_days
    from tradsys.app.risk_live import Setup
    from tradsys.app.stopping import stopping
    from tradsys.risk.returns import Missing

    setup = Setup(
        base, method, level, horizon_days(horizon), covariance, decay, Missing(missing), window, interval, refresh, mark_age
    )  # fmt: skip
    with ExitStack() as stack:
        stop = stack.enter_context(stopping(seconds))
        process = _open(stack, setup, settings, history, limits, fix, ca, orders, operator, (line_a, line_b, recovery),
                        (stream, snapshots))  # fmt: skip
        print(
            f"{READY}{process.publisher.addresses[0]} snapshots={process.publisher.addresses[1]}", flush=True
        )
        while not stop.is_set():
            process.turn()
    followed = [copy.session.participant for copy in process.copies.values()]
    trades = sum(copy.trades for copy in process.copies.values())
    if as_json:
        print(
            json.dumps(
                {"command": "risk live", "followed": followed, "trades": trades, "frames": process.frames}
            )
        )
    else:
        print(f"{trades:,} trades of {', '.join(followed)}; {process.frames:,} frames")
    return 0


def watch(
    name: str = "",
    *,
    settings: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    stream: Address | None = None,
    snapshots: Address | None = None,
    seconds: Seconds = 0.0,
    as_json: Json = False,
) -> int:
    """Watch the risk of a running venue: what `tradsys risk live` publishes. Without a terminal the tables are printed once.

    Example: tradsys risk watch desk --config tradsys-data/tradsys.yaml

    Parameters
    ----------
    name
        Only this participant (desk) or account (desk/7), with its positions.
    settings
        Settings file of the venue; else $TRADSYS_CONFIG, ./tradsys.yaml, ./tradsys-data/tradsys.yaml.
    stream, snapshots
        Where it is; in the venue's data directory if not given.
    seconds
        Stop after this time; 0: not before Ctrl-C.
    as_json
        Every frame as a line of JSON.
    """
    from tradsys.app.doors import find_settings
    from tradsys.app.risk_stream import stream_addresses
    from tradsys.app.risk_watch import watch_lines, watch_screen
    from tradsys.app.sessions import curve_of
    from tradsys.app.stopping import stopping
    from tradsys.client.risk_client import RiskClient
    from tradsys.config import load

    loaded = load(find_settings(settings))
    addresses = stream_addresses(loaded, stream, snapshots)
    with stopping(seconds) as stop, RiskClient(*addresses, curve=curve_of(loaded)) as client:
        if as_json:
            watch_lines(client, name, stop.is_set)
        else:
            watch_screen(client, name, stop.is_set)
    return 0


def control(
    verb: Literal["cancel", "block", "disable", "release", "enable", "halt", "open", "close"],
    name: str,
    /,
    *,
    instrument: str = "",
    settings: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    orders: Address | None = None,
    operator: str = "",
    as_json: Json = False,
) -> int:
    """Kill switch by hand: cancel, block, disable, release or enable a participant; halt, open or close an instrument.

    cancel: all its orders. block: it may enter none in any instrument, and its orders are cancelled. disable: the same, and
    its sessions are logged out and refused. release and enable take that back. Exit status 1: the venue has refused it.

    Example: tradsys risk control block desk --config tradsys-data/tradsys.yaml

    Parameters
    ----------
    verb
        What is to be done.
    name
        Of the participant; with halt, open and close the symbol.
    instrument
        cancel, block, release: in this symbol only.
    settings
        Settings file of the venue; else $TRADSYS_CONFIG, ./tradsys.yaml, ./tradsys-data/tradsys.yaml.
    orders
        Order door; the settings' if not given.
    operator
        Session to send with, by name or API key; else the first whose participant has OPERATE.
    as_json
        One JSON object on the last line.
    """
    from tradsys.app.doors import find_settings
    from tradsys.app.risk_control import DONE, by_hand
    from tradsys.config import load

    count, outcome = by_hand(load(find_settings(settings)), verb, name, instrument, orders or "", operator)
    if as_json:
        told = {
            "verb": verb,
            "name": name,
            "instrument": instrument or None,
            "commands": count,
            "outcome": outcome,
        }
        print(json.dumps({"command": "risk control", **told, "holds": outcome == DONE}))
    else:
        print(f"{verb} {name}{' in ' + instrument if instrument else ''}: {outcome} ({count} commands)")
    return 0 if outcome == DONE else 1


def _open(
    stack: ExitStack,
    setup: Any,
    settings: Path | None,
    history: Path,
    limits: Path | None,
    fix: str | None,
    ca: Path | None,
    orders: str | None,
    operator: str,
    feed: tuple[str | None, str | None, str | None],
    places: tuple[str | None, str | None],
) -> RiskProcess:
    """Open all doors, or say which one is not there."""
    from tradsys import config
    from tradsys.app.doors import address_of, find_settings
    from tradsys.app.fix import context_of
    from tradsys.app.record import feed_addresses
    from tradsys.app.risk_control import VenueControl, operator_session
    from tradsys.app.risk_copies import CopyFollower, copies_of
    from tradsys.app.risk_files import read_history
    from tradsys.app.risk_live import RiskProcess
    from tradsys.app.risk_marks import FeedMarks
    from tradsys.app.risk_stream import RiskPublisher, stream_addresses
    from tradsys.errors import ConfigError, FeedError

    loaded = config.load(find_settings(settings))
    sessions, not_followed = copies_of(loaded)
    if not sessions:
        raise ConfigError(
            "the settings have no FIX session of kind drop_copy with a password: nobody can be followed"
        )
    prices = read_history(history)
    link = (
        None
        if operator == "none"
        else VenueControl(loaded, address_of(loaded, orders or ""), operator_session(loaded, operator))
    )
    lines = feed_addresses(loaded, *feed)
    marks = FeedMarks(lines.line_a or None, lines.line_b or None, lines.recovery or None)
    stack.callback(marks.close)
    if not marks.client.wait_synced(DEFINITIONS_SECONDS):
        raise FeedError(
            f"nothing whole is heard from {lines.line_a or lines.line_b} in {DEFINITIONS_SECONDS:g} s; does a venue run?"
        )
    marks.poll()
    publisher = RiskPublisher(loaded, *stream_addresses(loaded, *places))
    stack.callback(publisher.close)
    host, _, port = (fix or f"tcp://{loaded.venue.bind}:{loaded.venue.fix_port}").rpartition(":")
    host = host.removeprefix("tcp://")
    tls = context_of(ca, None) if ca else None

    def units(symbol: str) -> Any:
        listed = marks.by_symbol.get(symbol)
        return None if listed is None else listed.units

    copies = [CopyFollower(session, host, int(port), units, tls) for session in sessions]
    process = RiskProcess(loaded, setup, prices, copies, not_followed, marks, publisher, link, limits)
    stack.callback(process.close)
    for name in not_followed:
        print(f"tradsys risk live: not followed: {name}", file=sys.stderr, flush=True)
    return process
