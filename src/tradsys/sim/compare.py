"""The reference engine and another one in lockstep: the same commands, the same events byte for byte.

`run` drives one seeded world of a profile through both. The first difference is raised as `Disagreement`, with the
command, what each engine said, and the commands that led there; `shrink` finds a small list of commands that still
disagrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tradsys.sim import adversary, workload
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.reference_records import COMMANDS, EVENTS, as_bytes, split
from tradsys.wire.enums import Template

ADVERSARIAL = "adversarial"
PROFILES = (ADVERSARIAL, *workload.PROFILES)
EVENT_BYTES = 128
MakeEngine = Callable[..., Any]


class World:
    """One seeded world: capacities, set-up and an endless series of chunks of commands.

    Parameters
    ----------
    profile
        `adversarial` or a profile of `tradsys.sim.workload`.
    seed
        One seed is one world.
    live_target
        Live orders of the workload profiles; small books are quicker to check.
    """

    def __init__(self, profile: str, seed: int, live_target: int = 500) -> None:
        self.profile, self.seed = profile, seed
        self._adversary: adversary.Adversary | None = None
        self._stream: workload.Stream | None = None
        if profile == ADVERSARIAL:
            self._adversary = adversary.Adversary(seed)
            self.capacities = adversary.CAPACITIES
        else:
            self._stream = workload.Stream(
                profile, seed, ids_of_four=1 + seed % 3, scrambled_refs=seed % 2 == 1, live_target=live_target
            )
            self.capacities = self._stream.capacities

    def setup(self) -> np.ndarray:
        """Set-up commands, with the prefill of the profile, as uint8."""
        if self._adversary is not None:
            return self._adversary.setup()
        assert self._stream is not None
        return np.concatenate([self._stream.setup(), self._stream.prefill().view(np.uint8)])

    def chunk(self, count: int, engine: ReferenceEngine) -> np.ndarray:
        """The next commands, as uint8; the reference tells the adversary which orders live."""
        if self._adversary is None:
            assert self._stream is not None
            return self._stream.take(count).view(np.uint8)
        live = [
            adversary.LiveOrder(o.order_id, o.session.session_id, o.client_ref, o.instrument_id)
            for o in engine.orders.values()
        ]
        matches = [(seq, kept.match.instrument_id) for seq, kept in engine.trades.kept.items()][-12:]
        return self._adversary.chunk(count, live, matches)


class Disagreement(AssertionError):
    """The engines differ; `commands` are all commands from the set-up to the one they differ on."""

    def __init__(self, message: str, capacities: dict[str, int], commands: list[bytes]) -> None:
        super().__init__(message)
        self.capacities = capacities
        self.commands = commands


@dataclass
class Result:
    """What a run did."""

    commands: int
    events: int
    state_hash: int


class Lockstep:
    """A reference and another engine that have decided the same commands.

    Parameters
    ----------
    make_engine
        Called with the capacities by name; the engine has `submit`, `state_hash`, `depth` and `check`.
    capacities
        Of both engines.
    one_by_one
        Submit and check after every command instead of after every chunk.
    """

    def __init__(
        self, make_engine: MakeEngine, capacities: dict[str, int], *, one_by_one: bool = False
    ) -> None:
        self.capacities = capacities
        self.reference = ReferenceEngine(**capacities)
        self.engine = make_engine(**capacities)
        self.one_by_one = one_by_one
        self.history: list[bytes] = []
        self.commands = 0
        self.events = 0

    def submit(self, commands: np.ndarray) -> bytes:
        """Decide on both and compare; the events."""
        data = as_bytes(commands)
        self.history.append(data)
        last_seq = self.reference.last_seq
        expected = self.reference.submit(data).tobytes()
        if self.one_by_one:
            parts = [data[at : at + layout.size] for at, layout in split(data, COMMANDS)]
            found = b"".join(self._decide(part) for part in parts)
        else:
            found = self._decide(data)
        self.commands += self.reference.last_seq - last_seq
        self.events += len(expected) // EVENT_BYTES
        if found != expected:
            raise self._disagreement(describe_difference(expected, found, data, self.reference))
        return expected

    def compare_state(self) -> None:
        """State hash, depth and the engines' own checks."""
        self._check()
        expected, found = self.reference.state_hash(), self.engine.state_hash()
        if expected != found:
            raise self._disagreement(f"state_hash is {found:#x}, the reference has {expected:#x}")
        for instrument_id in self.reference.instruments:
            for side in (1, 2):
                levels = [
                    tuple(int(v) for v in level) for level in self.engine.depth(instrument_id, side, 50)
                ]
                wanted = self.reference.depth(instrument_id, side, 50)
                if levels != wanted:
                    what = f"depth of instrument {instrument_id} side {side}"
                    raise self._disagreement(f"{what} is {levels[:5]}, the reference has {wanted[:5]}")

    def _decide(self, data: bytes) -> bytes:
        events = as_bytes(self.engine.submit(np.frombuffer(data, dtype=np.uint8)))
        if self.one_by_one:
            self._check()
        return events

    def _check(self) -> None:
        """The engine's own walk over its state."""
        try:
            self.engine.check()
        except AssertionError as error:
            raise self._disagreement(f"the engine's check fails: {error}") from error

    def _disagreement(self, message: str) -> Disagreement:
        joined = b"".join(self.history)
        commands = [joined[at : at + layout.size] for at, layout in split(joined, COMMANDS)]
        return Disagreement(message, self.capacities, commands)


def run(
    make_engine: MakeEngine,
    profile: str,
    seed: int,
    count: int,
    *,
    chunk: int = 64,
    one_by_one: bool = False,
    live_target: int = 500,
    state_every: int = 1,
    watch: Callable[[bytes], None] | None = None,
) -> Result:
    """Drive `count` commands of one world through both engines.

    Parameters
    ----------
    make_engine
        See `Lockstep`.
    chunk
        Commands per submit.
    one_by_one
        Submit one command at a time and check the engine after each.
    state_every
        Chunks between comparisons of hash and depth.
    watch
        Called with the events of every chunk, e.g. a checker's `apply`.

    Raises
    ------
    Disagreement
        Where the engines differ.
    """
    world = World(profile, seed, live_target)
    pair = Lockstep(make_engine, world.capacities, one_by_one=one_by_one)
    events = pair.submit(world.setup())
    if watch is not None:
        watch(events)
    done = 0
    for number in range(-(-count // chunk)):
        size = min(chunk, count - done)
        events = pair.submit(world.chunk(size, pair.reference))
        if watch is not None:
            watch(events)
        if number % state_every == 0 or done + size == count:
            pair.compare_state()
        done += size
    return Result(pair.commands, pair.events, pair.reference.state_hash())


def shrink(make_engine: MakeEngine, capacities: dict[str, int], commands: list[bytes]) -> list[bytes]:
    """A short list of commands on which the engines still disagree (delta debugging)."""

    def disagree(candidate: list[bytes]) -> bool:
        pair = Lockstep(make_engine, capacities)
        try:
            for command in candidate:
                pair.submit(np.frombuffer(_without_seq(command), dtype=np.uint8))
            pair.compare_state()
        except AssertionError:
            return True
        return False

    if not disagree(commands):
        return commands
    step = max(len(commands) // 2, 1)
    while True:
        at = len(commands) - step
        while at > -step:
            candidate = commands[: max(at, 0)] + commands[max(at, 0) + step :]
            if candidate != commands and disagree(candidate):
                commands = candidate
            at -= step
        if step == 1:
            return commands
        step = max(step // 2, 1)


def describe_difference(expected: bytes, found: bytes, commands: bytes, reference: ReferenceEngine) -> str:
    """The first event that differs, and the command that caused it."""
    at = next(
        (
            n
            for n in range(0, max(len(expected), len(found)), EVENT_BYTES)
            if expected[n : n + 128] != found[n : n + 128]
        ),
        0,
    )
    lines = [f"event {at // EVENT_BYTES} of this chunk differs"]
    for name, data in (("reference", expected), ("engine   ", found)):
        part = data[at : at + EVENT_BYTES]
        lines.append(f"  {name}: {readable(part) if part else 'no event'}")
    part = expected[at : at + EVENT_BYTES] or found[at : at + EVENT_BYTES]
    cause = int.from_bytes(part[24:32], "little")
    records = list(split(commands, COMMANDS))
    index = cause - (reference.last_seq - len(records)) - 1
    if 0 <= index < len(records):
        start, layout = records[index]
        lines.append(f"  command : {readable(commands[start : start + layout.size])}")
    return "\n".join(lines)


def readable(record: bytes) -> str:
    """A record as its template's name and its fields that are not 0."""
    layout = (COMMANDS | EVENTS).get(int.from_bytes(record[2:4], "little"))
    if layout is None or len(record) != layout.size:
        return record.hex()
    fields = {
        name: value
        for name, value in layout.read(record, 0)._asdict().items()
        if value and value not in (bytes(8), bytes(16))
    }
    return f"{Template(layout.template).name} {fields}" + (
        " padding set" if layout.has_padding_set(record, 0) else ""
    )


def transcript(commands: list[bytes], capacities: dict[str, int]) -> Iterator[str]:
    """Commands as lines of text, with what the reference answers to each."""
    engine = ReferenceEngine(**capacities)
    for command in commands:
        yield readable(command)
        for at in range(0, len(events := engine.submit(_without_seq(command)).tobytes()), EVENT_BYTES):
            yield f"    > {readable(events[at : at + EVENT_BYTES])}"


def _without_seq(command: bytes) -> bytes:
    """The command without the number the sequencer gave it."""
    return command[:8] + bytes(8) + command[16:]
