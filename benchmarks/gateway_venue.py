"""A venue process for the gateway benchmarks, and the orders they send."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np

from tradsys.client import OrderClient
from tradsys.wire import records
from tradsys.wire.enums import OrderType, ReportType, Side, Template, TimeInForce

SECRET = "a secret of a benchmark"
SETTINGS = """\
venue: {{data_dir: {data}, orders_port: 0, feed_a_port: 0, feed_b_port: 0, snapshot_port: 0, fix_port: 0,
        durability: {durability}, poll: {poll}, snapshot_commands: 0}}
capacities: {{orders_max: 262144, instruments_max: 64, participants_max: 64, sessions_max: 1024, accounts_max: 64}}
participants:
  - {{participant_id: 1, name: one, sessions: [{{session_id: 1, name: one, api_key: key1, secret: {secret}}}]}}
  - participant_id: 2
    name: two
    sessions:
{fix_sessions}instruments:
  - {{instrument_id: 1, symbol: SYM1}}
"""
FIX_SESSION = """\
      - session_id: {id}
        name: fix{id}
        fix: {{sender_comp_id: {comp_id}, password: bench, latency_s: 0, orders_max: {orders}}}
"""


class VenueChild:
    """`tradsys venue` in a process of its own, on free ports and a directory that is removed afterwards.

    Parameters
    ----------
    poll, durability : str
        As in the settings.
    fix_sessions : int
        FIX sessions it has: CLIENT, CLIENT2, CLIENT3 ...
    fix_orders : int
        ClOrdIDs each remembers.
    """

    def __init__(
        self, poll: str, durability: str = "batch", fix_sessions: int = 1, fix_orders: int = 1 << 18
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tradsys-bench-")
        path = Path(self._folder.name, "tradsys.yaml")
        data = Path(self._folder.name, "data")
        sessions = "".join(
            FIX_SESSION.format(id=2 + n, comp_id=comp_id(n), orders=fix_orders) for n in range(fix_sessions)
        )
        settings = {"data": data, "durability": durability, "poll": poll, "secret": SECRET}
        path.write_text(SETTINGS.format(**settings, fix_sessions=sessions))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tradsys", "venue", "--quiet", "--config", str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"READY orders=(\S+)", line):
                self.address = found[1]
                fix = re.search(r" fix=tcp://([\d.]+):(\d+)", line)
                assert fix is not None, f"no FIX door in {line!r}"
                self.fix_address = (fix[1], int(fix[2]))
                return
        raise RuntimeError("the venue did not start")

    def client(self, **options: object) -> OrderClient:
        """Log on as the only session."""
        return OrderClient(self.address, "key1", SECRET.encode(), **options).connect()

    def cpu_seconds(self) -> float:
        """Processor time of all the venue's threads so far: what a noisy machine does not change."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Memory of the process that is not shared with files."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
        raise RuntimeError("the venue has no RssAnon")

    def __enter__(self) -> VenueChild:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=60)
        self._folder.cleanup()
        if error is None and self._process.returncode:
            raise RuntimeError(f"the venue ended with status {self._process.returncode}")


def comp_id(number: int) -> str:
    """SenderCompID of a FIX session, counted from 0."""
    return "CLIENT" if number == 0 else f"CLIENT{number + 1}"


def orders_and_cancels(count: int, first_ref: int = 1, live: int = 1_000) -> np.ndarray:
    """`count` commands, half of them new orders spread over 64 prices, half cancels of the order `live` before."""
    made = records.empty(Template.NEW_ORDER, count)
    made["instrument_id"] = 1
    pair = np.arange(count) // 2
    is_cancel = (np.arange(count) % 2 == 1) & (pair >= live)
    new = ~is_cancel
    made["client_ref"] = first_ref + np.arange(count)
    made["price_ticks"][new] = 10_000 + (pair[new] * 7) % 64
    made["qty_lots"][new] = 1 + pair[new] % 9
    made["side"][new] = Side.BUY
    made["order_type"][new] = OrderType.LIMIT
    made["time_in_force"][new] = TimeInForce.DAY
    cancels = made.view(records.CANCEL_ORDER)
    cancels["template_id"][is_cancel] = Template.CANCEL_ORDER
    cancels["orig_client_ref"][is_cancel] = first_ref + 2 * (pair[is_cancel] - live)
    return made


def check_answers(commands: np.ndarray, reports: np.ndarray, first_seq: int) -> None:
    """Every command has exactly one report, in order, of the type it must have."""
    if not np.array_equal(reports["client_seq"], np.arange(first_seq, first_seq + len(commands))):
        raise RuntimeError("the reports do not answer the commands one by one, in order")
    if len(reports) > 1 and not (np.diff(reports["report_seq"].astype(np.int64)) == 1).all():
        raise RuntimeError("reports are missing or doubled")
    wanted = np.where(
        commands["template_id"] == Template.NEW_ORDER, int(ReportType.ACCEPTED), int(ReportType.CANCELED)
    )
    if not np.array_equal(reports["report_type"], wanted):
        raise RuntimeError("a command was not carried out")


def clear_book(client: OrderClient) -> np.ndarray:
    """Cancel everything; the reports up to the answer, those of before that had not been received among them."""
    client.mass_cancel()
    got = []
    while True:
        got.append(client.receive(10.0))
        if not len(got[-1]):
            raise RuntimeError("a mass cancel was not answered")
        if got[-1]["report_type"][-1] == ReportType.MASS_CANCELED:
            return np.concatenate(got)
