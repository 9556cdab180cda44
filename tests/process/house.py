"""Starts ``tradsys up`` as a user would, on free ports and in a folder of the test."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

WAIT_S = 120.0
PORTS = (
    "--orders-port=0",
    "--feed-a-port=0",
    "--feed-b-port=0",
    "--snapshot-port=0",
    "--fix-port=0",
    "--fix-market-data-port=0",
)


def converse(command, typed, wanted, **options):
    """Type lines at a command and read what it says until all that is wanted has been said; its end, what it said."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    guard = threading.Timer(WAIT_S, process.kill)
    guard.start()
    said = ""
    try:
        process.stdin.write(typed)
        process.stdin.flush()
        while not all(text in said for text in wanted) and (line := process.stdout.readline()):
            said += line
        rest, errors = process.communicate()
    finally:
        guard.cancel()
    return process.returncode, said + rest, errors


class Up:
    """A running ``tradsys up --headless --json``; its lines of JSON come one by one."""

    def __init__(self, data_dir, *words, ports=PORTS):
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tradsys",
                "up",
                f"--data-dir={data_dir}",
                "--headless",
                "--json",
                *ports,
                *words,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            text=True,
        )
        self._lines = queue.Queue()
        self._errors = []
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._lines.put), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self._errors.append), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream, take):
        for line in stream:
            take(line)
        if stream is self.process.stdout:
            take(None)

    def wait(self, wanted, timeout_s=WAIT_S):
        """The first status for which ``wanted`` is true; fails with what the process said when it ends before."""
        deadline = time.monotonic() + timeout_s
        last = None
        while True:
            try:
                line = self._lines.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not within {timeout_s} s: {last} {self.errors}") from None
            if line is None:
                raise AssertionError(f"tradsys up ended: {last} {''.join(self._errors)}")
            last = json.loads(line)
            if wanted(last):
                return last

    def stop(self, number=signal.SIGINT, timeout_s=WAIT_S):
        """Send a signal and wait for the end; returns the exit status and the summary."""
        self.process.send_signal(number)
        return self.end(timeout_s)

    def end(self, timeout_s=WAIT_S):
        """Wait for the end; returns the exit status and the last status line."""
        status = self.process.wait(timeout_s)
        for thread in self._threads:
            thread.join(WAIT_S)
        lines = []
        while (line := self._lines.get()) is not None:
            lines.append(line)
        self.close()
        return status, json.loads(lines[-1]) if lines else {}

    @property
    def errors(self):
        return "".join(self._errors)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
