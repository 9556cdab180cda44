"""The demo market's world: its instruments, its participants and the settings a venue needs to host it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tradsys.errors import ConfigError

SETTINGS_FILE: Final = "tradsys.yaml"  # in the data directory; written once, holds the demo's keys
REPLAY_SYMBOL: Final = "AMZN"  # not traded by the demo: for `tradsys replay lobster`


class DemoInstrument(NamedTuple):
    """One instrument and how its simulated fundamental price behaves."""

    symbol: str
    asset_class: str
    currency: str
    tick: str  # size of a tick, in the currency
    lot: str  # size of a lot, in units
    price: str  # where the fundamental price starts
    price_max: str
    qty_max: str
    volatility_ticks: float  # standard deviation of the fundamental over one second
    spread_ticks: int  # usual distance of the best quotes
    size_lots: int  # usual quantity of an order
    weight: float  # share of the traders' attention


INSTRUMENTS: Final = (
    DemoInstrument("AAPL", "STOCK", "USD", "0.01", "1", "228.40", "100000", "1000000", 1.6, 2, 120, 1.4),
    DemoInstrument("MSFT", "STOCK", "USD", "0.01", "1", "431.15", "100000", "1000000", 2.4, 3, 80, 1.2),
    DemoInstrument("O", "REIT", "USD", "0.01", "1", "57.22", "100000", "1000000", 0.5, 1, 300, 0.6),
    DemoInstrument("SPY", "ETF", "USD", "0.01", "1", "591.20", "100000", "1000000", 2.0, 1, 200, 1.6),
    DemoInstrument(
        "VFIAX", "MUTUAL_FUND", "USD", "0.01", "0.001", "543.21", "100000", "1000000", 0.6, 4, 25_000, 0.3
    ),
    DemoInstrument("US10Y", "BOND", "USD", "0.01", "100", "98.42", "10000", "100000000", 0.4, 2, 400, 0.5),
    DemoInstrument(
        "BTC-USD", "CRYPTO", "USD", "0.01", "0.00001", "97312.50", "10000000", "1000", 420.0, 250, 20_000, 1.5
    ),
    DemoInstrument(
        "ETH-USD", "CRYPTO", "USD", "0.01", "0.0001", "3384.10", "1000000", "10000", 26.0, 20, 15_000, 1.0
    ),
    DemoInstrument(
        "EUR/USD", "FOREX", "USD", "0.00001", "1000", "1.08233", "100", "100000000", 1.2, 2, 500, 1.3
    ),
    DemoInstrument("GOLD", "COMMODITY", "USD", "0.1", "1", "2671.3", "1000000", "100000", 1.5, 3, 20, 0.6),
)

# name, kind, permissions, STP mode. A participant has one session of the same name.
TRADERS: Final = (
    ("maker-1", "maker"),
    ("maker-2", "maker"),
    ("maker-3", "maker"),
    ("noise-1", "noise"),
    ("noise-2", "noise"),
    ("momentum-1", "momentum"),
    ("whale-1", "whale"),
)
OTHERS: Final = ("replay-maker", "replay-taker", "trader")  # for the user
OPERATOR: Final = "operator"
FIX_TRADER: Final = "fix-trader"  # its session speaks FIX, see `tradsys fix console`
FIX_SENDER: Final = "DEMO"  # SenderCompID and user name of that session
FIX_COPY: Final = "DEMO-COPY"  # likewise of its drop copy; those of the others are called MAKER-1-COPY ...
MARKET_DATA_PORT: Final = 9880


def settings(venue: dict[str, Any]) -> dict[str, Any]:
    """All settings of a demo venue, with fresh keys; ``venue`` is its ``venue`` section."""
    names = [name for name, _ in TRADERS] + [*OTHERS, OPERATOR, FIX_TRADER]
    made = {
        "venue": venue,
        "participants": [
            {
                "participant_id": number,
                "name": name,
                "permissions": ["TRADE", "OPERATE"] if name == OPERATOR else ["TRADE"],
                "stp_mode": "CANCEL_OLDEST",
                "sessions": [{"session_id": number, "name": name, **_credentials(name)}],
            }
            for number, name in enumerate(names, start=1)
        ],
        "instruments": [
            *(_instrument(number, item) for number, item in enumerate(INSTRUMENTS, start=1)),
            {
                "instrument_id": len(INSTRUMENTS) + 1,
                "symbol": REPLAY_SYMBOL,
                "asset_class": "STOCK",
                "price_max": "100000",
            },
        ],
    }
    add_drop_copies(made)
    return made | {"fix_market_data": market_data_section(made)}


def add_drop_copies(made: dict[str, Any]) -> None:
    """Give each participant that may trade and has none a drop copy, so that ``tradsys risk live`` follows all of them."""
    taken = {session["session_id"] for participant in made["participants"] for session in participant["sessions"]}
    for participant in reversed(made["participants"]):
        sessions = participant["sessions"]
        if "TRADE" in participant.get("permissions", ()) and not any(_is_copy(session) for session in sessions):
            sessions.append(_drop_copy(max(taken) + 1, participant["name"]))
            taken.add(max(taken) + 1)


def market_data_section(made: dict[str, Any]) -> dict[str, Any]:
    """FIX market data for the FIX trader of these settings, who logs on as it does to trade."""
    sessions = [session for participant in made["participants"] for session in participant["sessions"]]
    found = [session["fix"] for session in sessions if session.get("fix", {}).get("sender_comp_id") == FIX_SENDER]
    names = ("sender_comp_id", "username", "password")
    return {"sessions": [{name: fix[name] for name in names if name in fix} for fix in found]}


def _credentials(name: str) -> dict[str, Any]:
    """How a session logs on: with a key and a secret, or over FIX with a password."""
    if name == FIX_TRADER:
        fix = {"sender_comp_id": FIX_SENDER, "username": FIX_SENDER, "password": secrets.token_hex(12)}
        return {"fix": fix}
    return {"api_key": name, "secret": secrets.token_hex(24)}


def _drop_copy(session_id: int, name: str) -> dict[str, Any]:
    """A session that is told what those of the participant are told."""
    sender, label = (FIX_COPY, "fix-copy") if name == FIX_TRADER else (f"{name.upper()}-COPY", f"{name[:13]}-dc")
    fix = {"sender_comp_id": sender, "username": sender, "password": secrets.token_hex(12), "kind": "drop_copy"}
    return {"session_id": session_id, "name": label, "fix": fix}


def _is_copy(session: dict[str, Any]) -> bool:
    return session.get("fix", {}).get("kind") == "drop_copy"


def write_settings(data_dir: Path, venue: dict[str, Any], market_data_port: int = MARKET_DATA_PORT) -> Path:
    """Write the demo's settings into the data directory, for its owner's eyes only, unless they are there already.

    Keys stay the same for the life of a data directory; the ``venue`` section and the port of the FIX market data are
    written anew at each start, and drop copies that are missing are added.
    """
    path = data_dir / SETTINGS_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        made = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else settings(venue)
        made["venue"] = venue
        add_drop_copies(made)
        market_data = made.setdefault("fix_market_data", market_data_section(made))
        market_data["port"] = market_data_port
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yaml.safe_dump(made, file, sort_keys=False)
        temporary.replace(path)
    except (OSError, yaml.YAMLError, TypeError, KeyError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return path


def _instrument(number: int, item: DemoInstrument) -> dict[str, Any]:
    return {
        "instrument_id": number,
        "symbol": item.symbol,
        "asset_class": item.asset_class,
        "currency": item.currency,
        "tick": item.tick,
        "lot": item.lot,
        "price_min": item.tick,
        "price_max": item.price_max,
        "qty_max": item.qty_max,
    }
