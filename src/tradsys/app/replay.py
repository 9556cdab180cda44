"""``tradsys replay``: drive a running venue with what another venue's day was, or publish what was recorded."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import App, Parameter

import tradsys
from tradsys.app.arguments import Address, InputFile, Levels, Rows, speed_of
from tradsys.app.arguments import Speed as SpeedText
from tradsys.app.doors import address_of, find_settings
from tradsys.app.replay_screen import Progress, itch_figures, lobster_figures, print_itch, print_lobster
from tradsys.app.sessions import OrderLink, OrderLinks
from tradsys.config import Config, load, sessions_of
from tradsys.connectors.itch import read_itch
from tradsys.connectors.itch_plan import ItchPlan
from tradsys.connectors.lobster import count_levels, count_rows, read_day, read_messages
from tradsys.connectors.lobster_plan import LobsterPlan, Seeding
from tradsys.connectors.order_flow import Party, Step
from tradsys.connectors.replay_driver import Market, ReplayDriver
from tradsys.connectors.replay_report import ReplayReport
from tradsys.errors import ConfigError, InputError, SessionError, UsageError
from tradsys.units import InstrumentUnits
from tradsys.wire.commands import mass_cancel
from tradsys.wire.enums import ReportType

app = App(
    name="tradsys replay",
    help="Drive a running venue with another venue's day, or publish a recording again.",
    version=tradsys.__version__,
)
Flag = Parameter(negative="")
Speed = Annotated[
    SpeedText, Parameter(help="Times the speed of the file (1, 10, ...), or max: as fast as the venue takes it.")
]
Into = Annotated[
    Address | None, Parameter(help="Order door: an address, host:port or port. Default: what the settings say.")
]
Settings = Annotated[
    Path | None,
    Parameter(
        name="--config",
        help="Settings with the sessions' keys; else ./tradsys.yaml, tradsys-data/tradsys.yaml.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON object on the last line.")]
Maker = Annotated[str, Parameter(help="Session that owns the resting orders.")]
Taker = Annotated[str, Parameter(help="Session of another participant, which sends the aggressing orders.")]
TICK = "0.0001"  # of instruments that a replay defines, USD


@app.command(name="lobster")
def lobster(
    messages: InputFile,
    *,
    orderbook: InputFile | None = None,
    levels: Levels | None = None,
    into: Into = None,
    instrument: str = "",
    speed: Speed = "max",
    seeding: Literal["window", "first", "none"] | None = None,
    rows: Rows = 0,
    config: Settings = None,
    maker: Maker = "replay-maker",
    taker: Taker = "replay-taker",
    keep: Annotated[bool, Flag] = False,
    as_json: Json = False,
) -> int:
    """Send a LOBSTER day's orders into a running venue and report how true it was to the day.

    A new order becomes an order, a partial cancel a reduce, a delete a cancel; an execution becomes an aggressing
    immediate-or-cancel order of that size and price from another participant. Hidden executions are counted, not sent.
    The report says which share of the executions hit the very resting order the file names, and on which share of the
    rows our best bid and ask (price and quantity) equal the orderbook file's.

    A file of L levels leaves out what happens beyond them, and what was before it, so messages alone drift. With
    --orderbook the orders missing at the best L levels are seeded from that file (--seeding window) or only its first
    row is (--seeding first); the report says how many orders came from the file.

    Exit status 0: the replay was carried out. 1: it was not.

    Example: tradsys replay lobster AMZN_message_5.csv --orderbook AMZN_orderbook_5.csv --into 127.0.0.1:5555

    Parameters
    ----------
    messages
        Message file, LOBSTER's headerless CSV or Parquet.
    orderbook
        Orderbook file of the same day.
    levels
        Levels of the orderbook file; found out from the file when not given.
    instrument
        Symbol of the venue's instrument; the file name's first part when not given. Nobody else should trade it.
    seeding
        What is taken from the orderbook file: window (default with --orderbook), first, or none.
    rows
        Stop after this many rows; 0: all.
    keep
        Leave the orders on the book at the end.
    """
    settings = load(find_settings(config))
    market = market_of(settings, instrument or messages.name.split("_")[0])
    depth = levels or (count_levels(orderbook) if orderbook else 1)
    how = Seeding(seeding or ("window" if orderbook else "none"))
    if how != Seeding.NONE and orderbook is None:
        raise ConfigError(f"--seeding {how} needs --orderbook")
    plan = LobsterPlan(how, depth)
    steps: Iterator[Step] = lobster_steps(plan, messages, orderbook, depth)
    total = rows or count_rows(messages)
    names = {Party.MAKER: maker, Party.TAKER: taker}
    report = carry_out(
        settings,
        address_of(settings, into or ""),
        names,
        itertools.islice(steps, rows) if rows else steps,
        lambda number: market,
        (speed, total, keep, as_json),
    )
    if as_json:
        figures = lobster_figures(report, plan)
        print(json.dumps({"command": "replay lobster", "holds": True, "instrument": market.symbol} | figures))
    else:
        print_lobster(report, plan, messages.name)
    return 0


@app.command(name="itch")
def itch(
    file: InputFile,
    *,
    symbols: Annotated[
        str, Parameter(help="Stocks to follow, with commas between; all when not given.")
    ] = "",
    into: Into = None,
    speed: Speed = "max",
    define: Annotated[bool, Flag] = False,
    config: Settings = None,
    maker: Maker = "replay-maker",
    taker: Taker = "replay-taker",
    operator: Annotated[str, Parameter(help="Session with OPERATE, for --define.")] = "operator",
    keep: Annotated[bool, Flag] = False,
    as_json: Json = False,
) -> int:
    """Send the orders of a Nasdaq ITCH 5.0 file (2-byte framed) into a running venue.

    Adds, executions, cancels, deletes and replaces of the followed stocks become commands; every other message is
    counted by type. A message of unknown type or wrong length stops the replay with its offset and a code.

    Exit status 0: the replay was carried out. 1: it was not, or the file has not every stock of --symbols.

    Example: tradsys replay itch 20190730.itch --symbols AMZN,AAPL --define --into 127.0.0.1:5555

    Parameters
    ----------
    file
        ITCH 5.0 messages, each behind its length in two bytes.
    define
        Define and open the venue's instruments from the stock directory, and halt and open them as the file says.
    keep
        Leave the orders on the book at the end.
    """
    settings = load(find_settings(config))
    wanted = tuple(symbol for symbol in symbols.split(",") if symbol)
    known = {item.symbol for item in settings.instruments}
    if not (wanted or known or define):
        raise ConfigError("the settings have no instruments to follow; give --symbols and --define, or --config")
    plan = ItchPlan(symbols=wanted or (() if define else tuple(known)), operate=define)
    names = {Party.MAKER: maker, Party.TAKER: taker} | ({Party.OPERATOR: operator} if define else {})
    markets = itch_markets(settings, plan, define=define)
    report = carry_out(
        settings,
        address_of(settings, into or ""),
        names,
        (plan.step(message) for message in read_itch(file)),
        markets,
        (speed, 0, keep, as_json),
    )
    missing = sorted(set(wanted) - set(plan.stocks.values()))
    if not plan.counts:
        raise InputError(f"{file.name} must hold ITCH 5.0 messages, has none")
    if not plan.stocks:
        looked_for = ", ".join(wanted or sorted(known)) or "any"
        raise UsageError(f"--symbols must name stocks of {file.name}, has none of: {looked_for}")
    if as_json:
        figures = itch_figures(report, plan)
        print(json.dumps({"command": "replay itch", "holds": not missing, "missing": missing} | figures))
    else:
        print_itch(report, plan, file.name)
    if missing:
        print(f"tradsys replay itch: {file.name} has no stock {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


app.command(
    "tradsys.app.replay_recording:recording",
    name="recording",
    help="Publish a recording again on PUB sockets.",
)
app.command(
    "tradsys.app.journal:replay_command",
    name="journal",
    help="Decide a journal again and compare the events.",
)


def carry_out(
    settings: Config,
    address: str,
    names: Mapping[Party, str],
    steps: Iterable[Step],
    markets: Callable[[int], Market],
    how: tuple[str, int, bool, bool],
) -> ReplayReport:
    """Log on, clear what an earlier replay has left, drive the steps, clear the book again unless it is kept."""
    speed, total, keep, quiet = how
    pace = speed_of(speed)
    refuse_one_participant(settings, names)
    with OrderLinks(address, settings, names.values()) as links, Progress(total, quiet=quiet) as progress:
        by_party = {party: links[name] for party, name in names.items()}
        driver = ReplayDriver(by_party, markets, pace, progress.show)
        clear(by_party[Party.MAKER])
        report = driver.run(steps)
        if not keep:
            clear(by_party[Party.MAKER])
    return report


def refuse_one_participant(settings: Config, names: Mapping[Party, str]) -> None:
    """Raise UsageError when both sides of the replay's matches would be of one participant, who trades not with himself."""
    owners = {session.name: participant.name for participant, session in sessions_of(settings)}
    maker, taker = (owners.get(names[party]) for party in (Party.MAKER, Party.TAKER))
    if maker is not None and maker == taker:
        raise UsageError(f"--maker and --taker must be sessions of two participants, are both of {maker}")


def clear(link: OrderLink) -> int:
    """Cancel every order of the session's participant; returns how many there were."""
    link.send(mass_cancel().view(np.uint8).reshape(-1))
    while True:
        reports = link.receive(10.0)
        if not len(reports):
            raise SessionError("the venue did not answer a mass cancel within 10 s")
        done = reports[reports["report_type"] == ReportType.MASS_CANCELED]
        if len(done):
            return int(done["qty_lots"][-1])


def market_of(settings: Config, symbol: str) -> Market:
    """The venue's instrument of a symbol."""
    for item in settings.instruments:
        if item.symbol == symbol:
            return Market(item.instrument_id, symbol, InstrumentUnits.parse(item.tick, item.lot))
    known = ", ".join(item.symbol for item in settings.instruments) or "none"
    raise ConfigError(
        f"the settings have no instrument {symbol!r} (--instrument, --config); there are: {known}"
    )


def itch_markets(settings: Config, plan: ItchPlan, *, define: bool) -> Callable[[int], Market]:
    """Find the venue's instrument of a stock; with ``define`` unknown ones get the next free ids."""
    free = itertools.count(max((item.instrument_id for item in settings.instruments), default=0) + 1)
    known = {item.symbol for item in settings.instruments}

    def market(locate: int) -> Market:
        symbol = plan.stocks[locate]
        if symbol in known or not define:
            return market_of(settings, symbol)
        return Market(next(free), symbol, InstrumentUnits.parse(TICK, "1"))

    return market


def lobster_steps(plan: LobsterPlan, messages: Path, orderbook: Path | None, levels: int) -> Iterator[Step]:
    """The steps of a day, one batch in memory."""
    if orderbook is None:
        for batch in read_messages(messages):
            for message in zip(*(column.tolist() for column in batch.columns()), strict=True):
                yield plan.step(message, None)
        return
    for batch, block in read_day(messages, orderbook, levels):
        columns = [column.tolist() for column in batch.columns()]
        for message, row in zip(zip(*columns, strict=True), block.tolist(), strict=True):
            yield plan.step(message, row)
