"""A venue, and QuickFIX with each dictionary; skipped where quickfix (extra ``interop``) is not installed."""

import importlib.util
import signal
import subprocess
import sys

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
def port(venue):
    """Where the market data process of the venue listens."""
    command = [sys.executable, "-m", "tradsys", "fix-market-data", "-c", str(venue.settings), "--port", "0"]
    for name, door in (("line-a", "feed_a"), ("line-b", "feed_b"), ("recovery", "snapshots")):
        command += [f"--{name}", venue.doors[door]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=trading_floor.environment(), text=True) as process:
        try:
            yield int(process.stdout.readline().rsplit(":", 1)[1])
        finally:
            process.terminate()


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
