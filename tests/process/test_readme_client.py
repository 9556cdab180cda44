"""Goal: the client README shows works against the venue README shows. Method: start it, run the block, stop it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text(encoding="utf-8")
DOORS = {"orders": 5555, "feed_a": 5556, "feed_b": 5557, "snapshots": 5558}
FREE_PORTS = {f"TRADSYS_VENUE__{door}_PORT": "0" for door in ("ORDERS", "FEED_A", "FEED_B", "SNAPSHOT", "FIX")}


def block(language, text):
    return next(b for b in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if text in b)


def test_the_client_shown_trades_with_the_venue_shown(tmp_path):
    (tmp_path / "tradsys.yaml").write_text(block("yaml", "participants:"))
    environ = {**os.environ, **FREE_PORTS, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "tradsys", "venue", "--quiet", "--config", "tradsys.yaml", "--data-dir", "data"]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as venue:
        try:
            ready = next(line for line in venue.stdout if line.startswith("READY"))
            code = block("python", "OrderClient")
            for door, port in DOORS.items():
                address = re.search(rf" {door}=(\S+)", ready)[1]
                code = code.replace(f"tcp://127.0.0.1:{port}", address)
            done = subprocess.run(
                [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=120, check=False
            )
        finally:
            venue.send_signal(signal.SIGINT)
            venue.communicate(timeout=120)
    assert done.returncode == 0, done.stderr
    assert "ReportType.ACCEPTED" in done.stdout
    assert "bid_price_ticks=22380, bid_qty_lots=10" in done.stdout
    assert venue.returncode == 0
