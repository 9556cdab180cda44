"""A journal is read by both builds alike: written by one, decided again by the other, same events, same hash."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILDS = {"release": ROOT / "src", "debug": ROOT / "build" / "debug"}
WRITE = """
import sys
sys.path.insert(0, sys.argv[2])
from venue_flow import LOAD, drive, open_small, prepare
with open_small(sys.argv[1]) as sequencer:
    prepare(sequencer)
    drive(sequencer, LOAD.commands)
    sequencer.wait_stored()
    print(f"{sequencer.engine.state_hash():#018x}", sequencer.last_event_seq)
"""


def python(build, *words):
    if not list(BUILDS[build].glob("tradsys/engine/sequencer.*.so")):
        pytest.skip(f"the {build} build is not there")
    env = os.environ | {"PYTHONPATH": str(BUILDS[build])}
    run = subprocess.run([sys.executable, *map(str, words)], env=env, capture_output=True, text=True, check=True)
    return run.stdout


@pytest.mark.heavy
@pytest.mark.parametrize(("writer", "reader"), [("release", "debug"), ("debug", "release")])
def test_written_by_one_build_read_by_the_other(tmp_path, writer, reader):
    told = python(writer, "-c", WRITE, tmp_path / "data", Path(__file__).parent).split()
    audit = json.loads(python(reader, "-m", "tradsys", "journal", "replay", tmp_path / "data", "--json"))
    assert audit["holds"]
    assert [audit["state_hash"], str(audit["events_compared"])] == told
