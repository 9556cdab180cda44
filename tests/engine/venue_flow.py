"""A small venue for the tests of the sequencer: one flow of commands, and what the bare engine makes of it."""

import numpy as np

from tradsys.core import Engine
from tradsys.engine.sequencer import Sequencer
from tradsys.sim import workload
from tradsys.wire.records import EVENT_COMMON

LOAD = workload.make("normal", count=6000, seed=7, live_target=300)
CAPACITIES = LOAD.capacities | {"orders_max": 600}
#: Small files, so that a few thousand commands cross several of them.
SMALL = {
    **CAPACITIES,
    "batch_bytes": 8192,
    "segment_bytes": 65_536,
    "event_ring_events": 1024,
    "events_per_file": 1500,
    "snapshot_at_close": False,
}
START_NS = 1_700_000_000_000_000_000


def open_small(path, durability="batch", **settings):
    return Sequencer.open(path, durability, **(SMALL | settings))


def drive(sequencer, commands, chunk=50):
    """Commit commands in chunks, the clock one step a chunk."""
    for begin in range(0, len(commands), chunk):
        sequencer.run(commands[begin : begin + chunk], START_NS + sequencer.last_seq)


def prepare(sequencer):
    """Define participants, sessions and instruments; fill the book."""
    sequencer.run(LOAD.setup, START_NS)
    drive(sequencer, LOAD.prefill)


def all_events(sequencer):
    """Every event so far, from memory and disk."""
    parts = []
    count = 0
    while len(part := sequencer.read_events(count + 1, 700)):
        parts.append(part)
        count += len(part)
    return np.concatenate(parts) if parts else np.empty(0, EVENT_COMMON)


def derive(commands):
    """Decide sequenced commands (bytes) with a bare engine; its events and the engine."""
    engine = Engine(**CAPACITIES, events_max=1 << 20)
    events = engine.submit(np.frombuffer(commands, np.uint8))
    return np.frombuffer(events.tobytes(), EVENT_COMMON), engine


def journalled(path):
    """Every command in the journal, back to back."""
    from tradsys.engine.data_dir import DataDir
    from tradsys.engine.segment_reader import SegmentReader

    out = b""
    room = np.empty(1 << 16, np.uint8)
    for _, segment in DataDir(path).segments():
        reader = SegmentReader(segment)
        while size := reader.read(room):
            out += room[:size].tobytes()
    return out
