"""Reading a data directory without touching it: walk, verify, replay (protocols/journal.md, 7). All of it streams."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from msgspec import Struct

from tradsys.clock import SystemClock
from tradsys.core.engine import Engine
from tradsys.engine.data_dir import DataDir, Identity
from tradsys.engine.event_files import EVENT_BYTES, EventFiles
from tradsys.engine.segment_reader import HEAD_BYTES, SegmentReader, first_difference, records_before
from tradsys.engine.snapshots import read_snapshot
from tradsys.errors import CorruptionError, JournalError
from tradsys.wire.enums import Template
from tradsys.wire.records import CHECKPOINT_TAKEN, EVENT_COMMON

CHUNK_BYTES = 1 << 18
TS_MIN = -(2**63)
Progress = Callable[[int, int], None]
"""Called now and then with commands decided and events compared."""


class Finding(Struct, frozen=True):
    """Something that does not hold."""

    where: str
    what: str


class JournalWalk:
    """The good part of a journal, in order.

    Invariant: what ``chunks`` gives are records that follow each other from ``first_seq`` on; it ends at the first place
    that does not hold and says so in ``findings``.

    Parameters
    ----------
    data_dir : DataDir
    identity : Identity
    """

    def __init__(self, data_dir: DataDir, identity: Identity) -> None:
        self.data_dir = data_dir
        self.identity = identity
        self.findings: list[Finding] = []
        self.segments = data_dir.segments()
        self.first_seq = self.segments[0][0] if self.segments else 1
        self.next_seq = self.first_seq
        self.last_ts_ns = TS_MIN
        self.bytes_read = 0
        self.segments_read = 0

    def chunks(self) -> Iterator[np.ndarray]:
        """Give the records back to back, uint8; each chunk is valid until the next."""
        scratch = np.empty(CHUNK_BYTES, np.uint8)
        for number, (first, path) in enumerate(self.segments):
            reader = self._open(first, path)
            if reader is None:
                return
            reader.start(HEAD_BYTES, self.next_seq, self.last_ts_ns)
            while size := reader.read(scratch):
                yield scratch[:size]
            self.next_seq, self.last_ts_ns = reader.next_seq, max(self.last_ts_ns, reader.last_ts_ns)
            self.bytes_read += reader.at
            self.segments_read += 1
            verdict, sentence = reader.verdict()
            if verdict != "end":
                self.findings.append(Finding(str(path), f"{verdict} behind command {self.next_seq - 1}: {sentence}"))
                if number + 1 < len(self.segments):
                    self.findings.append(Finding(str(path), "later segments were not read"))
                return

    def _open(self, first: int, path: Path) -> SegmentReader | None:
        """Open a segment that must follow; None, and a finding, when it does not."""
        if first != self.next_seq:
            self.findings.append(Finding(str(path), f"must begin with command {self.next_seq}, begins with {first}"))
            return None
        try:
            reader = SegmentReader(path)
            if (reader.venue_id, reader.first_seq) != (self.identity.venue_id, first):
                raise CorruptionError(
                    f"must be of venue {self.identity.venue_id} from command {first}, "
                    f"was of {reader.venue_id} from {reader.first_seq}"
                )
        except JournalError as error:
            self.findings.append(Finding(str(path), str(error)))
            return None
        return reader


class Audit(Struct, frozen=True):
    """What a verification or replay found."""

    data_dir: str
    venue_id: int
    start_seq: int  # command decided first; higher than 1: the journal was pruned, a snapshot stood in
    last_seq: int
    commands: int
    journal_bytes: int
    segments: int
    events_derived: int
    events_compared: int
    events_not_stored: int  # at the end of the log: a venue that runs has not written them yet, one that was killed will
    checkpoints: int  # CheckpointTaken whose state_hash equals that of the engine at that place
    snapshots: int  # snapshots read whole
    state_hash: int
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """Nothing was found that does not hold."""
        return not self.findings


def verify(path: Path | str, progress: Progress | None = None) -> Audit:
    """Walk every checksum of journal and snapshots, decide every command again and compare every event.

    A pruned journal is decided from its oldest usable snapshot on.

    Raises
    ------
    JournalError
        `path` is not a venue's directory.
    """
    return _Auditor(path, progress, snapshots=True).run()


def replay(path: Path | str, progress: Progress | None = None) -> Audit:
    """Decide everything again from command 1, no snapshot; compare events, and the state hash at every checkpoint.

    Raises
    ------
    JournalError
        `path` is not a venue's directory, or its journal was pruned.
    """
    return _Auditor(path, progress, snapshots=False).run()


class _Auditor:
    """One audit under way."""

    def __init__(self, path: Path | str, progress: Progress | None, snapshots: bool) -> None:
        self.begun = SystemClock.monotonic_ns()
        self.data_dir = DataDir(path)
        self.identity = self.data_dir.identify()
        self.walk = JournalWalk(self.data_dir, self.identity)
        self.events = EventFiles(self.data_dir, self.identity.venue_id)
        self.progress = progress or (lambda commands, events: None)
        self.findings: list[Finding] = []
        self.with_snapshots = snapshots
        self.snapshots_read = self.derived = self.compared = self.checkpoints = 0
        self.scratch = np.empty(0, EVENT_COMMON)
        self.stored = 0
        self.engine = Engine(**self.identity.capacities)
        self.start_seq = 1

    def run(self) -> Audit:
        """Do it."""
        try:
            self.stored = self.events.last()
        except CorruptionError as error:
            self.findings.append(Finding(str(self.data_dir.events), str(error)))
        self._start()
        for records in self.walk.chunks():
            begin = records_before(records, self.engine.last_seq + 1)
            if begin < len(records) and not self._decide(records[begin:]):
                break
        self.findings += self.walk.findings
        if self.stored > self.engine.last_event_seq and not self.findings:
            text = f"has events up to {self.stored}, the journal leads to {self.engine.last_event_seq}"
            self.findings.append(Finding(str(self.data_dir.events), text))
        self.events.close()
        return Audit(
            data_dir=str(self.data_dir.path),
            venue_id=self.identity.venue_id,
            start_seq=self.start_seq,
            last_seq=self.engine.last_seq,
            commands=self.engine.last_seq + 1 - self.start_seq,
            journal_bytes=self.walk.bytes_read,
            segments=self.walk.segments_read,
            events_derived=self.derived,
            events_compared=self.compared,
            events_not_stored=self.derived - self.compared,
            checkpoints=self.checkpoints,
            snapshots=self.snapshots_read,
            state_hash=self.engine.state_hash(),
            findings=tuple(self.findings),
            seconds=(SystemClock.monotonic_ns() - self.begun) / 1e9,
        )

    def _start(self) -> None:
        """Read the snapshots; where the journal does not begin with command 1, take the oldest that it goes on from."""
        first = self.walk.first_seq
        if first != 1 and not self.with_snapshots:
            raise JournalError(
                f"{self.data_dir.path}: the journal begins with command {first}; replay needs command 1, "
                "verify starts from a snapshot"
            )
        for seq, path in self.data_dir.snapshot_files() if self.with_snapshots else []:
            try:
                snapshot = read_snapshot(path, self.identity.venue_id)
            except JournalError as error:
                self.findings.append(Finding(str(path), str(error)))
                continue
            self.snapshots_read += 1
            if first != 1 and self.start_seq == 1 and seq + 1 >= first:
                try:
                    self.engine = Engine.restore(snapshot.state, **self.identity.capacities)
                except ValueError as error:
                    self.findings.append(Finding(str(path), str(error)))
                    continue
                self.start_seq = seq + 1
        if first != 1 and self.start_seq == 1:
            why = "".join(f"; {finding.where}: {finding.what}" for finding in self.findings)
            raise JournalError(
                f"{self.data_dir.path}: the journal begins with command {first}, and no snapshot leads there{why}"
            )

    def _decide(self, records: np.ndarray) -> bool:
        """Decide records and compare what comes out; False: an event differs, nothing behind it is worth a look."""
        at = 0
        while at < len(records):
            end = self._checkpoint_end(records, at)
            events = self.engine.submit(records[at:end])
            if not self._compare(events):
                return False
            at = end
        self.progress(self.engine.last_seq, self.compared)
        return True

    def _checkpoint_end(self, records: np.ndarray, begin: int) -> int:
        """Give the byte behind the first CHECKPOINT from `begin` on, or the end."""
        at = begin
        if not (records.view(np.uint16)[begin // 2 + 1 :: 4] == Template.CHECKPOINT).any():
            return len(records)
        words = records.view(np.uint16)
        while at < len(records):
            template = int(words[at // 2 + 1])
            at += int(words[at // 2]) + 8
            if template == Template.CHECKPOINT:
                return at
        return at

    def _compare(self, events: np.ndarray) -> bool:
        """Compare derived events with the stored ones."""
        if len(events) == 0:
            return True
        first = int(events["seq"][0])
        self.derived += len(events)
        self._check_checkpoint(events[-1:])
        count = min(self.stored - first + 1, len(events))
        if count <= 0:
            return True
        if len(self.scratch) < count:
            self.scratch = np.empty(count, EVENT_COMMON)
        try:
            read = self.events.read_into(first, self.scratch[:count])
        except JournalError as error:
            self.findings.append(Finding(str(self.data_dir.events), str(error)))
            return False
        different = first_difference(events[:count].view(np.uint8), self.scratch[:read].view(np.uint8))
        self.compared += count
        if different < 0:
            return True
        event = events[different // EVENT_BYTES]
        place = self.events.place(int(event["seq"]))
        self.findings.append(
            Finding(
                str(place[0] if place else self.data_dir.events),
                f"event {event['seq']} is not what command {event['cause_seq']} leads to "
                f"(first difference at byte {different % EVENT_BYTES})",
            )
        )
        return False

    def _check_checkpoint(self, last: np.ndarray) -> None:
        """Hold the hash a CheckpointTaken tells against the engine's own; it is the last event of what was decided."""
        if last["template_id"][0] != Template.CHECKPOINT_TAKEN:
            return
        told = int(last.view(CHECKPOINT_TAKEN)["state_hash"][0])
        if told == self.engine.state_hash():
            self.checkpoints += 1
        else:
            self.findings.append(
                Finding(
                    f"event {last['seq'][0]}",
                    f"state_hash must be {self.engine.state_hash():#018x}, was {told:#018x}",
                )
            )
