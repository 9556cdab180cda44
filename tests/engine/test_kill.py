"""kill -9 at random instants: everything acknowledged is there after the restart, nothing is there twice.

A child commits and tells through a pipe how far it was acknowledged; it is killed after a random number of
acknowledgements or at a random instant, many times over the same directory. TRADSYS_KILLS sets how often in the heavy one.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from venue_flow import all_events, derive, journalled, open_small

CHILD = Path(__file__).with_name("kill_child.py")


def run_and_kill(path, durability, chunk, rng):
    """Let a child run and kill it; the last acknowledged (seq, event seq)."""
    command = [sys.executable, str(CHILD), str(path), durability, str(chunk)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    acknowledged = (0, 0)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        if rng.random() < 0.5:  # at any instant
            timer = threading.Timer(rng.uniform(0, 0.15), os.kill, (child.pid, signal.SIGKILL))
            timer.start()
            lines = child.stdout.readlines()
            timer.join()
        else:  # right after an acknowledgement
            lines = [child.stdout.readline() for _ in range(rng.randint(1, 60))]
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.readlines()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert child.returncode == -signal.SIGKILL
    whole = [line for line in lines if line.endswith("\n")]
    if whole:
        seq, event_seq = whole[-1].split()
        acknowledged = int(seq), int(event_seq)
    return acknowledged


def drill(path, durability, times, seed):
    rng = random.Random(seed)
    for turn in range(times):
        seq, event_seq = run_and_kill(path, durability, rng.choice([1, 7, 60]), rng)
        with open_small(path, durability) as sequencer:
            where = f"kill {turn}, seed {seed}: {sequencer.recovery.sentence()}"
            assert sequencer.last_seq >= seq, where
            assert sequencer.last_event_seq >= event_seq, where
            events = all_events(sequencer)
            state_hash = sequencer.engine.state_hash()
            last_seq = sequencer.last_seq
        journal = journalled(path)
        derived, engine = derive(journal)
        assert engine.last_seq == last_seq, where
        assert engine.state_hash() == state_hash, where
        assert derived.tobytes() == events.tobytes(), where
        assert (np.diff(derived["seq"].astype(np.int64)) == 1).all(), where


@pytest.mark.parametrize("durability", ["batch", "fsync"])
def test_kill_a_few_times(tmp_path, durability):
    drill(tmp_path / "data", durability, 3, seed=11)


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("durability", ["batch", "fsync"])
def test_kill_many_times(tmp_path, durability):
    times = int(os.environ.get("TRADSYS_KILLS", "50"))
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    for part in range(0, times, 10):  # a fresh directory now and then, so that the whole log stays quick to check
        drill(tmp_path / f"data{part}", durability, min(10, times - part), seed + part)
