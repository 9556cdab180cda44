"""Fixtures for all rooms."""

import os
from pathlib import Path

import pytest

from tradsys.app.parent import VARIABLE as STOP_WITH_PARENT

ROOT = Path(__file__).resolve().parent.parent
os.environ[STOP_WITH_PARENT] = "1"  # no process a test starts outlives the tests


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of the real market data; TRADSYS_DATA says where, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("TRADSYS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real market data: TRADSYS_DATA is not set and {folder} is not a folder")
    return folder
