"""What ``tradsys risk watch`` shows of a risk stream: a table that changes, or a line of JSON a frame."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tradsys.errors import FeedError
from tradsys.risk.stream import ACCOUNT, ALERT, PARTICIPANT, STATUS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tradsys.client.risk_client import RiskClient

POLL_MS: Final = 100
SCREEN_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 5.0  # for the first whole picture
COLORS = {"ok": "green", "warning": "yellow", "breach": "bold red"}

Bodies = Mapping[str, dict[str, Any]]


def watch_lines(client: RiskClient, name: str, is_over: Callable[[], bool]) -> None:
    """Print every new body as a line of JSON; with a name its own, its limits and the status."""
    begin_s = time.monotonic()
    while not is_over():
        for body in client.poll(POLL_MS):
            if not name or name in (body.get("name", name), body.get("participant"), body.get("whom")):
                print(json.dumps(body), flush=True)
        raise_if_nothing(client, begin_s)


def watch_screen(client: RiskClient, name: str, is_over: Callable[[], bool]) -> None:
    """Show the tables; on a terminal as they change, elsewhere once, when the picture is whole."""
    from rich.console import Console, Group
    from rich.live import Live

    begin_s = time.monotonic()
    if not sys.stdout.isatty():
        while not client.is_whole and not is_over():
            client.poll(POLL_MS)
            raise_if_nothing(client, begin_s)
        Console(width=160, highlight=False).print(Group(*tables(client, name)))
        return
    with Live(Group(*tables(client, name)), screen=True, auto_refresh=False) as screen:
        shown_s = 0.0
        while not is_over():
            client.poll(POLL_MS)
            if time.monotonic() - shown_s >= SCREEN_SECONDS:
                shown_s = time.monotonic()
                screen.update(Group(*tables(client, name)), refresh=True)
    Console().print(Group(*tables(client, name)))


def raise_if_nothing(client: RiskClient, begin_s: float) -> None:
    """Refuse to wait for a stream that is not there."""
    if not client.bodies and client.is_silent and time.monotonic() - begin_s > PATIENCE_SECONDS:
        raise FeedError(
            f"nothing is heard from the risk stream in {PATIENCE_SECONDS:g} s; does tradsys risk live run?"
        )


def tables(client: RiskClient, name: str) -> Iterator[RenderableType]:
    """Status, participants and accounts, positions of one, limits."""
    from rich.text import Text

    bodies = client.bodies
    yield Text(status_line(client))
    yield portfolios(bodies, name)
    if name:
        yield from positions(bodies, name)
    yield from limits(bodies, name)
    yield from doubts(bodies, name)


def status_line(client: RiskClient) -> str:
    """How the stream itself is."""
    status = client.bodies.get(STATUS)
    if client.is_silent:
        return "the risk stream is silent: what stands here is old"
    if status is None or not client.is_whole:
        return "waiting for the whole picture"
    states = [copy["state"] for copy in status["copies"]]
    told = f"{states.count('following')} of {len(states)} drop copies followed"
    missing = f"; not followed: {', '.join(status['not_followed'])}" if status["not_followed"] else ""
    fills = status["fill_us"]
    speed = f"; {fills['count']} fills in the last second, {fills['p50']:.0f} us each" if fills else ""
    problem = status["limits"]["problem"]
    when = datetime.fromtimestamp(status["ts_us"] / 1e6, UTC).strftime("%H:%M:%S")
    return (
        f"{when} UTC  {status['method']} {status['level']:g} over {status['horizon_days']} d; {told}{missing}{speed}"
        + (f"\nlimits: {problem}" if problem else "")
    )


def chosen(bodies: Bodies, prefix: str, name: str) -> list[dict[str, Any]]:
    """Bodies of a kind, in the order of their names; with a name those of that participant or account."""
    found = [body for topic, body in bodies.items() if topic.startswith(prefix)]
    if name:
        found = [body for body in found if body["name"] == name or body["participant"] == name]
    return sorted(found, key=lambda body: str(body["name"]))


def portfolios(bodies: Bodies, name: str) -> RenderableType:
    """A line each participant and account."""
    from rich.table import Table

    table = Table(title="risk", title_justify="left")
    table.add_column("who")
    for head in ("net", "gross", "VaR", "ES", "P&L", "realised", "HHI", "trades", "doubts"):
        table.add_column(head, justify="right")
    both = chosen(bodies, PARTICIPANT, name) + chosen(bodies, ACCOUNT, name)
    for body in sorted(both, key=lambda body: str(body["name"])):
        is_sum = body["account"] is None
        table.add_row(
            f"[bold]{body['name']}[/]" if is_sum else f"  {body['name']}",
            *(amount(body[name]) for name in ("net", "gross", "var", "es")),
            amount(body["pnl"]), amount(body["realised"]), f"{body['concentration']:.2f}", f"{body['trades']:,}",
            f"{len(body['doubts'])}" if body["doubts"] else "",
        )  # fmt: skip
    return table


def positions(bodies: Bodies, name: str) -> Iterator[RenderableType]:
    """The positions of who was named."""
    from rich.table import Table

    found = bodies.get(PARTICIPANT + name) or bodies.get(ACCOUNT + name)
    if found is None:
        return
    table = Table(title=f"positions of {name}, {found['currency']}", title_justify="left")
    table.add_column("symbol")
    for head in ("quantity", "average", "mark", "from", "exposure", "P&L", "component VaR"):
        table.add_column(head, justify="right")
    for held in found["positions"]:
        average = "" if held["average"] is None else f"{held['average']:,.6g}"
        table.add_row(
            held["symbol"], held["quantity"], average, f"{held['mark']:,.6g}", held["mark_source"], amount(held["exposure"]),
            amount(held["pnl"]), amount(held["component_var"]),
        )  # fmt: skip
    yield table


def limits(bodies: Bodies, name: str) -> Iterator[RenderableType]:
    """Limits that have been reached, the worst first."""
    from rich.table import Table

    alerts = [body for topic, body in bodies.items() if topic.startswith(ALERT)]
    alerts = [body for body in alerts if not name or body["whom"].partition("/")[0] == name.partition("/")[0]]
    if not alerts:
        return
    table = Table("whom", "limit", "state", title="limits", title_justify="left")
    for head in ("value", "bound", "action", "outcome"):
        table.add_column(head, justify="right" if head in ("value", "bound") else "left")
    order = {"breach": 0, "warning": 1, "ok": 2}
    for body in sorted(alerts, key=lambda body: (order[body["state"]], body["whom"], body["limit"])):
        table.add_row(
            body["whom"], body["limit"], f"[{COLORS[body['state']]}]{body['state']}[/]", f"{body['value']:,.6g}",
            f"{body['bound']:,.6g}", body["action"], body["outcome"],
        )  # fmt: skip
    yield table


def doubts(bodies: Bodies, name: str) -> Iterator[RenderableType]:
    """Why figures are not whole."""
    from rich.text import Text

    for body in chosen(bodies, PARTICIPANT, name):
        for doubt in body["doubts"]:
            yield Text(f"{body['name']}: {doubt}", style="yellow")


def amount(value: float | None) -> str:
    """An amount for people; unknown is a question mark."""
    return "?" if value is None else f"{value:,.2f}"
