"""A venue in a process of its own, for the tests of processes."""

import json
import os
import re
import signal
import subprocess
import sys

from free_ports import free_ports

from tradsys.client import OrderClient

WAIT_S = 60.0
SECRETS = {1: b"secret of session 1", 2: b"secret of session 2"}
SETTINGS = """\
venue: {{data_dir: {data}, orders_port: {port}, feed_a_port: 0, feed_b_port: 0, snapshot_port: 0, durability: {durability},
        snapshot_commands: {snapshot_commands}{curve}}}
capacities: {{orders_max: 16384, instruments_max: 16, participants_max: 16, sessions_max: 16, accounts_max: 16}}
participants:
  - participant_id: 1
    name: one
    permissions: [TRADE, OPERATE]
    accounts: [7]
    sessions: [{{session_id: 1, name: one, api_key: key1, secret: "secret of session 1"}}]
  - participant_id: 2
    name: two
    sessions: [{{session_id: 2, name: two, api_key: key2, secret: "secret of session 2"}}]
instruments:
  - {{instrument_id: 1, symbol: SYM1}}
  - {{instrument_id: 2, symbol: SYM2, open: false}}
"""


class VenueChild:
    """`tradsys venue`; on the same port again after a restart."""

    def __init__(self, folder, durability="batch", snapshot_commands=0, curve=""):
        self.folder = folder
        self.settings = folder / "tradsys.yaml"
        self.options = {"durability": durability, "snapshot_commands": snapshot_commands, "curve": curve}
        self.process = None
        self.address = None
        (self.port,) = free_ports(1)
        self.lines = []

    def write_settings(self, port=0):
        self.settings.write_text(SETTINGS.format(data=self.folder / "data", port=port, **self.options))

    def popen(self, *words):
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tradsys",
                "venue",
                "--quiet",
                "--json",
                "--config",
                str(self.settings),
                *words,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            text=True,
        )

    def start(self):
        self.write_settings(self.port)
        self.process = self.popen()
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"READY orders=(\S+)", line):
                self.address = found[1]
                return self
        self.process.communicate()
        raise AssertionError(f"the venue did not start: {self.lines}")

    def client(self, session_id=1, **options):
        options = {"heartbeat_ms": 60_000, **options}  # a test that stands still for a while stays logged on
        return OrderClient(self.address, f"key{session_id}", SECRETS[session_id], **options)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def stop(self, number=signal.SIGTERM):
        """End it in peace; its summary."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 0, out
        return json.loads(out.splitlines()[-1])
