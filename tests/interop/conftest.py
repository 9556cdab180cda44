"""A venue, and QuickFIX with each dictionary; skipped where quickfix (extra ``interop``) is not installed."""

import importlib.util
import signal

import pytest
import trading_floor


@pytest.fixture(scope="session")
def has_quickfix():
    if importlib.util.find_spec("quickfix") is None:
        pytest.skip("quickfix is not installed (extra interop)")


@pytest.fixture(params=["published", "stock"])
def dictionary(request, has_quickfix):
    return trading_floor.PUBLISHED if request.param == "published" else trading_floor.stock_dictionary()


@pytest.fixture
def venue(tmp_path):
    venue = trading_floor.Venue(tmp_path)
    try:
        yield venue.start()
    finally:
        venue.end(signal.SIGKILL)


@pytest.fixture
def client_of(tmp_path, venue, dictionary):
    """Makes clients; those left over are ended."""
    made = []

    def make(**settings):
        made.append(trading_floor.QuickFix(tmp_path, venue.port, dictionary, **settings))
        return made[-1]

    yield make
    for client in made:
        if client.process.poll() is None:
            client.kill()
