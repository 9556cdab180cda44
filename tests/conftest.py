"""Fixtures for all rooms."""

import gc
import os
import sys
import warnings
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tradsys.app.parent import VARIABLE as STOP_WITH_PARENT

ROOT = Path(__file__).resolve().parent.parent
os.environ[STOP_WITH_PARENT] = "1"  # no process a test starts outlives the tests
# an example may take as long as the machine does: Hypothesis would fail one of more than 200 ms
settings.register_profile("tradsys", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tradsys")


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let go of what a failed test left open here: found later, it would be a warning that fails its neighbour."""
    result = yield
    if item.stash.get(FAILED, False):
        for name in ("last_exc", "last_type", "last_value", "last_traceback"):
            if hasattr(sys, name):
                delattr(sys, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    return result


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of the real market data; TRADSYS_DATA says where, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("TRADSYS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real market data: TRADSYS_DATA is not set and {folder} is not a folder")
    return folder
