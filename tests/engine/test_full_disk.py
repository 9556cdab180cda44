"""A disk that is really full: the system's own limit on file sizes, in a child process."""

import subprocess
import sys
from pathlib import Path

import pytest
from venue_flow import open_small

CHILD = """
import resource, signal, sys
sys.path.insert(0, sys.argv[3])
from venue_flow import LOAD, START_NS, drive, open_small, prepare
from tradsys.errors import EngineStoppedError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sequencer = open_small(sys.argv[1], sys.argv[2], events_per_file=1 << 20)
prepare(sequencer)
sequencer.wait_stored()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # the events file outgrows it
try:
    drive(sequencer, LOAD.commands)
    sequencer.wait_stored()
except EngineStoppedError as error:
    print(sequencer.released_event_seq(), error.code, error)
"""


@pytest.mark.parametrize("durability", ["none", "batch", "fsync"])
def test_a_full_disk_stops_the_engine(tmp_path, durability):
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "data"), durability, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    released, code, *sentence = run.stdout.split()
    assert code == "ENGINE_STOPPED", run.stderr
    assert "File too large" in " ".join(sentence)
    with open_small(tmp_path / "data", durability) as sequencer:
        assert durability == "none" or sequencer.last_event_seq >= int(released)
        assert sequencer.last_event_seq > 100
