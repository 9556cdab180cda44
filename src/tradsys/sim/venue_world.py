"""The venue in a box: one seed is one world of commands, crashes, failing disks and restarts.

A `VenueWorld` runs a real `Sequencer` on real files beside a reference engine. Its actions are drawn from the seed:
commit commands, take a snapshot, close and open again, be killed, lose power, find the disk full, step the clock
back. What must hold is checked all along: released events are the reference's, byte for byte; what was released is
there after every restart, and nothing is there twice; the recovered state hashes to the reference's.
"""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tradsys.clock import ManualClock
from tradsys.engine.log_writer import OPERATIONS
from tradsys.engine.sequencer import Sequencer
from tradsys.errors import EngineStoppedError
from tradsys.sim import compare, faults
from tradsys.sim.checkers import CheckFailed, EventChecker
from tradsys.sim.draw import Draw
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.reference_records import COMMANDS, as_bytes, split

EVENT_BYTES = 128
START_NS = 1_700_000_000_000_000_000
# Small files and rings, so that a few thousand commands cross many of them.
SMALL_FILES = {
    "batch_bytes": 8192,
    "segment_bytes": 65_536,
    "event_ring_events": 1024,
    "events_per_file": 700,
    "snapshots_kept": 2,
}
FAILURES = {name: number for number, name in OPERATIONS.items()}


@dataclass
class Tally:
    """How often each thing happened in a world."""

    commands: int = 0
    kills: int = 0
    power_failures: int = 0
    clean_restarts: int = 0
    full_disks: int = 0
    snapshots: int = 0
    clock_steps_back: int = 0
    commands_lost: int = 0  # not released, and gone after a crash
    commands_found: int = 0  # not released, and there after a crash
    cuts: int = 0
    notes: list[str] = field(default_factory=list)


class VenueWorld:
    """One seeded world.

    Parameters
    ----------
    seed
        Decides everything.
    folder
        Empty folder for the venue's data directories; a crash leaves one behind and begins another.
    profile
        Commands, see `tradsys.sim.compare.World`.
    durability
        `none`, `batch` or `fsync`. Power failures happen with `fsync` only, kills with `batch` and `fsync`: the
        others survive less, and say so.
    live_target
        Live orders of the workload profiles.
    power_failures
        Whether the power fails.
    events_unsynced
        A power failure may take any part of the event log behind the newest snapshot with it.
    """

    def __init__(
        self,
        seed: int,
        folder: Path,
        profile: str = compare.ADVERSARIAL,
        durability: str = "fsync",
        live_target: int = 100,
        power_failures: bool = True,
        events_unsynced: bool = True,
    ) -> None:
        self.power_failures = power_failures and durability == "fsync"
        self.events_unsynced = events_unsynced
        self.draw = Draw(seed ^ 0x5DEECE66D)
        self.commands = compare.World(profile, seed, live_target)
        self.folder = folder
        self.durability = durability
        self.clock = ManualClock(START_NS)
        self.tally = Tally()
        self.checker = EventChecker()
        self.decided: list[bytes] = []  # commands as sequenced, all runs
        self.expected = bytearray()  # the reference's events
        self.event_counts: list[int] = []  # events of each command
        self.checked_events = 0  # released events that have been compared
        self.last_ts_ns = 0
        self.reference = ReferenceEngine(**self.commands.capacities)
        self.runs = 0
        self.sequencer = self._open(folder / "run-0")
        self.commit(self.commands.setup())

    # ---------------------------------------------------------------- what happens

    def step(self) -> None:
        """One thing happens."""
        self.clock.advance(self.draw.below(5_000_000))
        try:
            self._happen(self.draw.below(100))
            self.check_released()
        except EngineStoppedError:  # a full disk, now or some steps ago
            self.tally.full_disks += 1
            self._restart_after_failure()

    def _happen(self, dice: int) -> None:
        if dice < 78:
            self.commit(self.commands.chunk(self.draw.between(1, 60), self.reference))
        elif dice < 84:
            self.clock.set_wall(self.clock.now_ns() - self.draw.below(60_000_000_000))
            self.tally.clock_steps_back += 1
        elif dice < 90:
            self.sequencer.snapshot(wait=self.draw.chance(2))
            self.tally.snapshots += 1
        elif dice < 93:
            self.restart_cleanly()
        elif dice < 96:
            self.kill()
        elif dice < 98:
            self.lose_power()
        else:
            self.fill_disk()

    def commit(self, commands: np.ndarray) -> None:
        """Commit commands in pieces, as a duty cycle would; the reference decides them too."""
        data = as_bytes(commands)
        records = [data[at : at + layout.size] for at, layout in split(data, COMMANDS)]
        while records:
            size = self.draw.between(1, 40)
            self._run(records[:size])
            records = records[size:]

    def restart_cleanly(self) -> None:
        """Close and open the same directory."""
        self.sequencer.close()
        if self.sequencer.failure is not None:  # the disk was full before: closing has nothing to add to that
            raise EngineStoppedError(self.sequencer.failure)
        self.tally.clean_restarts += 1
        released = len(self.decided)
        self._recover(Path(self.sequencer.settings.data_dir), at_least=released)

    def kill(self) -> None:
        """The process ends without a word; what was written stays."""
        if self.durability == "none":
            return
        released = self.released_commands()
        target = self._next_folder()
        faults.copy_as_killed(self.sequencer.settings.data_dir, target)
        self._leave()
        self.tally.kills += 1
        self._recover(target, at_least=released)

    def lose_power(self) -> None:
        """The machine goes off while one write is under way."""
        if not self.power_failures:
            return
        self.sequencer.wait_released()
        synced = self._synced_event_seq()  # the image may bring back the snapshot that says so
        image = faults.DiskImage(self.sequencer.settings.data_dir)
        released = len(self.decided)
        self._run(self._records(self.commands.chunk(self.draw.between(1, 40), self.reference)))
        self.sequencer.wait_released()
        target = self._next_folder()
        image.after_power_failure(target, self.draw, lambda name: self._synced(name, synced))
        self._leave()
        self.tally.power_failures += 1
        self._recover(target, at_least=released)

    def fill_disk(self) -> None:
        """From now on one write will fail."""
        operation = self.draw.pick(
            ("writing the journal", "making a journal segment", "writing the event log")
        )
        self.sequencer.inject_fault(FAILURES[operation], self.draw.between(1, 3), errno.ENOSPC)

    # ---------------------------------------------------------------- what must hold

    def released_commands(self) -> int:
        """Commands all of whose events are released."""
        released, count = self.sequencer.released_event_seq(), 0
        total = 0
        for events in self.event_counts:
            total += events
            if total > released:
                break
            count += 1
        return count

    def check_released(self) -> None:
        """Released events are the reference's, and hold together."""
        released = self.sequencer.released_event_seq()
        while self.checked_events < released:
            events = self.sequencer.read_events(
                self.checked_events + 1, released - self.checked_events
            ).tobytes()
            begin = self.checked_events * EVENT_BYTES
            if events != self.expected[begin : begin + len(events)]:
                raise CheckFailed(
                    f"released events from {self.checked_events + 1} on are not the reference's"
                )
            self.checker.apply(events)
            self.checked_events += len(events) // EVENT_BYTES

    def settle(self) -> None:
        """Wait until everything decided is stored and released."""
        try:
            self.sequencer.wait_stored()
            self.sequencer.wait_released()
        except EngineStoppedError:
            self._restart_after_failure()

    def finish(self) -> Tally:
        """Everything released, everything compared; closes the venue."""
        self.settle()
        self.check_released()
        self.checker.check_totals()
        self.checker.check_engine(self.sequencer.engine, self.reference.instruments)
        self.sequencer.engine.check()
        if self.sequencer.engine.state_hash() != self.reference.state_hash():
            raise CheckFailed("the state hash is not the reference's")
        self.tally.commands = len(self.decided)
        self.sequencer.close()
        return self.tally

    # ---------------------------------------------------------------- how it is done

    def _open(self, data_dir: Path) -> Sequencer:
        return Sequencer.open(
            data_dir,
            self.durability,
            **SMALL_FILES,
            **self.commands.capacities,
            snapshot_at_close=self.draw.chance(2),
        )

    def _records(self, commands: np.ndarray) -> list[bytes]:
        data = as_bytes(commands)
        return [data[at : at + layout.size] for at, layout in split(data, COMMANDS)]

    def _run(self, records: list[bytes]) -> None:
        """One commit: on the sequencer with the clock's time, on the reference with the time that must be kept."""
        self.last_ts_ns = max(self.last_ts_ns, self.clock.now_ns())
        stamp = self.last_ts_ns.to_bytes(8, "little", signed=True)
        stamped = [record[:8] + bytes(8) + stamp + record[24:] for record in records]
        for record in stamped:
            events = self.reference.submit(record).tobytes()
            self.expected += events
            self.event_counts.append(len(events) // EVENT_BYTES)
            self.decided.append(record)
        unnumbered = [record[:8] + bytes(8) + record[16:] for record in records]
        self.sequencer.run(b"".join(unnumbered), self.clock.now_ns())

    def _synced_event_seq(self) -> int:
        """Last event that is on disk for sure: that of a snapshot (journal.md, 5.2)."""
        newest = 0
        for path in Path(self.sequencer.settings.data_dir, "snapshots").glob("*.snap"):
            with suppress(FileNotFoundError):  # pruned meanwhile
                newest = max(newest, int.from_bytes(path.read_bytes()[24:32], "little"))
        return newest

    def _synced(self, name: Path, before: int) -> int | None:
        """Bytes of a file that are on disk for sure; of the event log as far as a snapshot goes, or event `before`."""
        if name.parts[0] != "events" or name.suffix != ".log":
            return None
        if not self.events_unsynced:
            return 1 << 62
        event_seq = max(before, self._synced_event_seq())
        first = int(name.stem.rpartition("-")[2])
        return EVENT_BYTES * (event_seq - first + 2) if event_seq >= first else 0

    def _next_folder(self) -> Path:
        self.runs += 1
        return self.folder / f"run-{self.runs}"

    def _leave(self) -> None:
        """Get rid of a sequencer that is dead in the story; its threads are not."""
        try:
            self.sequencer.close()
        except (EngineStoppedError, OSError) as error:
            self.tally.notes.append(str(error))

    def _restart_after_failure(self) -> None:
        """The engine has stopped. What was released is there again, unless it was released before it was written."""
        released = self.released_commands() if self.durability != "none" else 0
        self._leave()
        self._recover(Path(self.sequencer.settings.data_dir), at_least=released)

    def _recover(self, data_dir: Path, at_least: int) -> None:
        """Open a directory and compare what is there with what was released."""
        before = Path(self.sequencer.settings.data_dir)
        self.sequencer = self._open(data_dir)
        self.tally.cuts += len(self.sequencer.recovery.cuts)
        if before != data_dir:
            shutil.rmtree(before)
        last_seq = self.sequencer.last_seq
        if not at_least <= last_seq <= len(self.decided):
            raise CheckFailed(
                f"{last_seq} commands after the restart, {at_least} were released and {len(self.decided)} sent "
                f"({self.sequencer.recovery.sentence()})"
            )
        self.tally.commands_found += last_seq - at_least
        self.tally.commands_lost += len(self.decided) - last_seq
        self._forget_after(last_seq)
        if self.sequencer.last_event_seq != sum(self.event_counts):
            raise CheckFailed(
                f"{self.sequencer.last_event_seq} events of {last_seq} commands after the restart"
            )
        if self.sequencer.engine.state_hash() != self.reference.state_hash():
            raise CheckFailed("the recovered state is not the reference's")
        self.sequencer.engine.check()
        self._compare_log()

    def _forget_after(self, last_seq: int) -> None:
        """Take the reference back to where the venue is."""
        if last_seq < len(self.decided):
            del self.decided[last_seq:]
            del self.event_counts[last_seq:]
            self.reference = ReferenceEngine(**self.commands.capacities)
            self.expected = bytearray(self.reference.submit(b"".join(self.decided)).tobytes())
        self.last_ts_ns = (
            int.from_bytes(self.decided[-1][16:24], "little", signed=True) if self.decided else 0
        )
        if self.checked_events > sum(self.event_counts):
            if self.durability != "none":
                raise CheckFailed("events that were released are gone")
            self.checker = EventChecker()
            self.checker.apply(self.expected)
            self.checked_events = sum(self.event_counts)

    def _compare_log(self) -> None:
        """The whole event log, from the first event on."""
        self.sequencer.wait_stored()
        first, log = 1, bytearray()
        while len(part := self.sequencer.read_events(first, 4096)):
            log += part.tobytes()
            first += len(part)
        if log != self.expected:
            raise CheckFailed("the event log after the restart is not the reference's")


def run(seed: int, folder: Path, steps: int, **options: Any) -> Tally:
    """Let a world live for so many steps."""
    world = VenueWorld(seed, folder, **options)
    try:
        for _ in range(steps):
            world.step()
        return world.finish()
    finally:
        world.sequencer.close()
