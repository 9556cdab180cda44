"""``tradsys admin``: operate a running venue through its operator door (protocols/operator.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

import tradsys
from tradsys.app.admin_breakers import breaker
from tradsys.app.admin_fees import fees
from tradsys.app.admin_risk import kill, risk
from tradsys.app.admin_trades import trade
from tradsys.app.doors import find_settings, full_address
from tradsys.app.operators import Common, operator_of
from tradsys.app.sessions import curve_of
from tradsys.client.operator_client import OPERATOR_ADDRESS, OperatorClient
from tradsys.config import Config, load
from tradsys.errors import ConfigError

app = App(name="tradsys admin", version=tradsys.__version__, help="Operate a running venue.")
fix = App(
    name="fix", help="FIX sessions: look at them, tell them news, disconnect, reset numbers, enable, disable."
)
app.command(fix)
app.command(risk)
app.command(fees)
app.command(trade)
app.command(breaker)
app.command(kill)


@fix.command(name="list")
def list_sessions(session: str = "", *, common: Common | None = None) -> int:
    """Print FIX sessions: numbers, who is connected from where, rates, what waits.

    Example: tradsys admin fix list --json

    Parameters
    ----------
    session
        Only this one, by number, name or CompID.
    """
    return ask(common, "fix.list", session=session)


@fix.command
def news(
    text: str,
    *,
    session: Annotated[list[str] | None, Parameter(negative="")] = None,
    urgent: Annotated[bool, Parameter(negative="")] = False,
    common: Common | None = None,
) -> int:
    """Send News (35=B) to the sessions that are logged on, and print which they are.

    Example: tradsys admin fix news "we close at 18:00 UTC today" --urgent

    Parameters
    ----------
    text
        What it says: 1 to 255 printable ASCII characters.
    session
        Only to this one, by number, name or CompID; may be repeated.
    urgent
        Urgency (61) is 1, flash, instead of 0, normal.
    """
    return ask(common, "fix.news", text=text, sessions=session or [], urgent=urgent)


@fix.command
def disconnect(session: str, *, text: str = "", common: Common | None = None) -> int:
    """Log a session out, with a Logout. It may log on again at once: see disable.

    Example: tradsys admin fix disconnect desk --text "please call us"

    Parameters
    ----------
    session
        By number, name or CompID.
    text
        What the Logout says.
    """
    return ask(common, "fix.disconnect", session=session, text=text)


@fix.command
def reset(
    session: str,
    *,
    next_in: int = 1,
    next_out: int = 1,
    logout: Annotated[bool, Parameter(negative="")] = False,
    common: Common | None = None,
) -> int:
    """Set the sequence numbers of a session. One that is connected is refused, or logged out first.

    Example: tradsys admin fix reset desk --next-in 1200 --next-out 3400

    Parameters
    ----------
    session
        By number, name or CompID.
    next_in
        What the client has to send next.
    next_out
        What the venue sends next.
    logout
        Log it out first if it is connected.
    """
    return ask(common, "fix.reset", session=session, next_in=next_in, next_out=next_out, logout=logout)


@fix.command
def enable(session: str, *, common: Common | None = None) -> int:
    """Let a session log on again. It stays so over restarts.

    Parameters
    ----------
    session
        By number, name or CompID.
    """
    return ask(common, "fix.enable", session=session)


@fix.command
def disable(
    session: str, *, cancel: Annotated[bool, Parameter(negative="")] = False, common: Common | None = None
) -> int:
    """Log a session out and refuse its logons and orders. It stays so over restarts.

    Its live orders stay, unless its settings cancel them when it is logged out.

    Example: tradsys admin fix disable desk --cancel

    Parameters
    ----------
    session
        By number, name or CompID.
    cancel
        Cancel its orders.
    """
    return ask(common, "fix.disable", session=session, cancel=cancel)


def ask(common: Common | None, action: str, **fields: Any) -> int:
    """Send one request and print its answer."""
    common = common or Common()
    settings = load(find_settings(common.settings))
    operator = operator_of(settings, common.operator)
    with OperatorClient(
        address_of(settings, common.at), operator.api_key, operator.secret.encode(), curve_of(settings)
    ) as client:
        answer = client.request(action, **fields)
    answer.pop("nonce", None)
    if common.as_json:
        print(json.dumps(answer))
    else:
        print(in_words([answer["session"]] if "session" in answer else answer["sessions"]))
    return 0


def address_of(settings: Config, given: str) -> str:
    """Where the door is: what was given, what the settings say, or what the venue has left."""
    if given:
        return full_address(given)
    venue = settings.venue
    if venue.operator_port:
        return f"tcp://{venue.operator_bind}:{venue.operator_port}"
    file = Path(venue.data_dir) / OPERATOR_ADDRESS
    try:
        return file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}: does a venue with FIX sessions run there?") from None


def in_words(sessions: list[dict[str, Any]]) -> str:
    """One line a session, and a head."""
    rows: list[tuple[Any, ...]] = [
        (
            "session",
            "name",
            "CompID",
            "state",
            "from",
            "next in",
            "next out",
            "orders/s",
            "reports/s",
            "behind",
            "waiting",
        )
    ]
    for one in sessions:
        state = "live" if one["live"] else "enabled" if one["enabled"] else "disabled"
        rows.append(
            (one["session_id"], one["name"], one["comp_id"], state, one["address"] or "-", one["next_in"], one["next_out"],
             one["orders_per_s"], one["reports_per_s"], one["reports_behind"], one["bytes_waiting"]),
        )  # fmt: skip
    texts = [[str(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )
