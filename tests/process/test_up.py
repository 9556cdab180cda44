"""``tradsys up`` as a user runs it: real processes, real sockets, free ports."""

import json
import os
import signal
import socket
import sys

import pytest
from house import PORTS, WAIT_S, Up, converse

from tradsys.app.cli import main
from tradsys.config import load

RINGS_BYTES = 320 << 20  # event ring, and what the feed's channels keep for gap fills


@pytest.fixture
def up(tmp_path):
    started = []

    def start(*words, **options):
        started.append(Up(tmp_path / "data", *words, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_the_demo_trades_is_recorded_and_stops_cleanly(up, tmp_path, capsys):
    # Goal: orders, trades, latency, recorded rows, and after Ctrl-C the files it names. Method: run it, interrupt it,
    # read the recording with DuckDB and verify the journal.
    running = up("--rate=300")
    running.wait(
        lambda now: now["trades"] > 50 and (now["recorded_rows"] or 0) > 500 and now["latency_us"]["p50"]
    )
    later = running.wait(lambda now: now["orders"] > 600)
    assert later["sessions"] == 7
    assert later["feed"]["lost"] == 0
    assert later["instruments"] == 11
    assert later["journal_bytes"] > 0
    status, summary = running.stop(signal.SIGINT)
    assert (status, summary["holds"], summary["failed"]) == (0, True, None), running.errors
    memory = summary["memory_by_process"]
    assert set(memory) == {"up", "venue", "recorder", "fix market data", "demo market"}
    assert all(resident > 1 << 20 for resident in memory.values())
    assert summary["memory_bytes"] == sum(memory.values())
    assert main(["journal", "verify", summary["data_dir"]]) == 0
    capsys.readouterr()
    assert main(["query", "select count(*) as n from trades", f"--dir={summary['recording']}", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["rows"][0][0] > 50


def test_fix_market_data_is_there_with_the_demos_credentials(up, tmp_path):
    # Goal: what README shows: the console follows a book. Method: run the demo, type at the console through a pipe.
    running = up("--rate=300", "--no-record")
    doors = running.wait(lambda now: now["trades"] > 5)["doors"]
    (session,) = load(tmp_path / "data" / "tradsys.yaml", environ={}).fix_market_data.sessions
    command = ["fix", "console", "--port", doors["fix_market_data"].rpartition(":")[2], "--wait", "0.1", "--username", "DEMO"]
    wanted = "MarketDataSnapshotFullRefresh MDReqID=", "    BID ", "SecurityTradingStatus=17(READY_TO_TRADE)"
    status, said, errors = converse(
        [sys.executable, "-m", "tradsys", *command], "md BTC-USD 3\nwatch BTC-USD\n", wanted,
        env={**os.environ, "TRADSYS_FIX_PASSWORD": session.password, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert status == 0, errors
    for text in wanted:
        assert text in said
    assert running.stop()[0] == 0, running.errors


def test_sigterm_without_a_demo_and_a_second_start(up, tmp_path):
    # Goal: a supervisor's SIGTERM is as clean, and the same folder starts again with the same keys. Method: twice.
    first = up("--no-demo", "--no-record")
    first.wait(lambda now: now["instruments"] == 11)
    status, summary = first.stop(signal.SIGTERM)
    assert (status, summary["orders"]) == (0, 0), first.errors
    keys = load(summary["settings"], environ={}).participants
    second = up("--no-demo", "--no-record", "--seconds=0.5")
    status, summary = second.end()
    assert status == 0, second.errors
    assert load(summary["settings"], environ={}).participants == keys


def test_a_taken_port_is_said_with_its_code(up, tmp_path):
    # Goal: a port in use is a sentence with the code IN_USE and exit status 1, not a traceback. Method: bind it first.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = up(ports=(f"--orders-port={port}", *PORTS[1:]))
        status = refused.process.wait(WAIT_S)
    refused.end()
    assert status == 1
    assert "IN_USE" in refused.errors
    assert str(port) in refused.errors
    assert "Traceback" not in refused.errors


def test_a_process_that_dies_ends_the_whole_with_its_name(up):
    # Goal: nothing goes on half-alive. Method: kill the venue; the others are stopped and the exit status is 1.
    running = up("--rate=100")
    now = running.wait(lambda now: now["orders"] > 0)
    assert set(now["processes"]) == {"venue", "recorder", "fix market data", "demo market"}
    os.kill(now["processes"]["venue"], signal.SIGKILL)
    status, summary = running.end()
    assert (status, summary["holds"]) == (1, False)
    assert "venue" in summary["failed"]
    for pid in now["processes"].values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_memory_stays_flat(up):
    # Goal: nothing grows in ten minutes of trading but the rings the venue set up at its start, until they are full.
    # Method: memory of each process after two and after ten minutes, or TRADSYS_SOAK_SECONDS (up to 840).
    until = int(os.environ.get("TRADSYS_SOAK_SECONDS", "600"))
    running = up("--rate=1000")
    early = running.wait(lambda now: now["seconds"] > 120, 200)["memory_by_process"]
    late = running.wait(lambda now: now["seconds"] > until, until + 60)["memory_by_process"]
    for name in ("up", "recorder", "fix market data", "demo market"):
        assert late[name] < 1.1 * early[name] + (16 << 20), name
    assert late["venue"] < early["venue"] + RINGS_BYTES
    assert running.stop()[0] == 0
