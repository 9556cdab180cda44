"""A venue's order door served by a thread."""

import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "gateways"))

from door_maker import Door
from free_ports import free_ports

WAIT_S = 60.0


class DoorThread:
    """Serves a door until it is stopped; `call` runs a function there between two turns."""

    def __init__(self, path, **options):
        self.path, self.options = path, options
        self.calls = []
        self.stopping = threading.Event()
        self.started = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        assert self.started.wait(WAIT_S), self.error

    def run(self):
        try:
            self.door = Door(self.path, **self.options)
            self.address = self.door.address
            if self.door.sequencer.last_seq == 0:
                self.door.define()
            self.started.set()
            while not self.stopping.is_set():
                self.door.monotonic_ns = time.monotonic_ns()
                self.door.turn()
                while self.calls:
                    self.calls.pop(0)()
                self.door.gateway.wait(1)
        except Exception as error:  # shown by the fixture
            self.error = error
        finally:
            self.door.close()

    def call(self, function):
        done, result = threading.Event(), []
        self.calls.append(lambda: (result.append(function(self.door)), done.set()))
        assert done.wait(WAIT_S), self.error
        return result[0]

    def stop(self):
        """Drop everything at once, as a crash would: nobody is told."""
        self.stopping.set()
        self.thread.join(WAIT_S)
        assert self.error is None, self.error


@pytest.fixture
def serve(tmp_path):
    """Function that serves a door, always at the same address."""
    served = []
    (port,) = free_ports(1)

    def start(**options):
        served.append(DoorThread(tmp_path / "venue", **{"address": f"tcp://127.0.0.1:{port}", **options}))
        return served[-1]

    yield start
    for one in served:
        if one.thread.is_alive():
            one.stop()


@pytest.fixture
def venue(serve):
    return serve()
