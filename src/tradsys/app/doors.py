"""Where a venue's doors and its settings are: what a user gave, or what can be found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tradsys.config import ENV_PREFIX, FILE_NAME, Config

DEFAULT_DATA_DIR: Final = "tradsys-data"
LISTENING: Final = "READY fix_market_data="  # begins the line of the FIX market data that says where it listens


def address_of(settings: Config, given: str = "") -> str:
    """The order door: what was given (an address, host:port or port), else what the settings say."""
    if not given:
        return f"tcp://{settings.venue.bind}:{settings.venue.orders_port}"
    return full_address(given)


def full_address(given: str) -> str:
    """A ZeroMQ address of an address, host:port or port."""
    if "://" in given:
        return given
    return f"tcp://{given}" if ":" in given else f"tcp://127.0.0.1:{given}"


def find_settings(given: Path | None) -> Path | None:
    """The settings file: the one given, else what the loader finds by itself, else what `tradsys up` has left here.

    The loader looks at ``TRADSYS_CONFIG`` and ``./tradsys.yaml``; None leaves it to it.
    """
    if given is not None or Path(FILE_NAME).exists() or os.environ.get(f"{ENV_PREFIX}CONFIG"):
        return given
    left = Path(DEFAULT_DATA_DIR) / FILE_NAME
    return left if left.exists() else None
