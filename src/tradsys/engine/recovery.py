"""Recovery, the only start of a venue: newest snapshot, then the journal behind it, every event compared (journal.md, 4)."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tradsys.clock import SystemClock
from tradsys.core.engine import Engine
from tradsys.engine.data_dir import DataDir, Identity, sync_directory
from tradsys.engine.event_files import EVENT_BYTES, EventFiles
from tradsys.engine.event_files import HEAD_BYTES as HEAD_BYTES_EVENTS
from tradsys.engine.log_writer import LogWriter
from tradsys.engine.report_index import ReportIndex
from tradsys.engine.segment_reader import HEAD_BYTES, SegmentReader, first_difference, records_before
from tradsys.engine.settings import Settings
from tradsys.engine.snapshots import Snapshot, read_snapshot
from tradsys.engine.unwritten_events import find_unwritten
from tradsys.errors import CorruptionError, JournalError
from tradsys.wire.records import EVENT_COMMON

if TYPE_CHECKING:
    from tradsys.engine.sequencer import Sequencer

CHUNK_BYTES = 1 << 18
INDEX_CHUNK_EVENTS = 1 << 14
TS_MIN = -(2**63)
NO_SEGMENT = (-1, 0, 0)
OWN_EVENTS = 64  # the engine's own event buffer is not used: its events go into the ring


class Cut(Struct, frozen=True):
    """A part of a file that recovery took out of use."""

    path: str
    offset: int  # bytes that stay
    bytes_cut: int
    saved_as: str
    reason: str


class RecoveryReport(Struct, frozen=True):
    """What recovery found, read, cut and derived again."""

    data_dir: str
    venue_id: int
    snapshot_seq: int  # 0: none was used
    snapshots_passed_over: tuple[str, ...]
    last_seq: int
    last_event_seq: int
    commands_replayed: int
    events_compared: int
    events_regenerated: int
    cuts: tuple[Cut, ...]
    state_hash: int
    load_s: float  # snapshot and index
    replay_s: float  # journal
    total_s: float

    @property
    def clean(self) -> bool:
        """Nothing was cut or passed over."""
        return not self.cuts and not self.snapshots_passed_over

    def sentence(self) -> str:
        """Say it in one line."""
        start = f"snapshot {self.snapshot_seq}" if self.snapshot_seq else "no snapshot"
        cuts = "".join(f"; cut {cut.bytes_cut} bytes of {cut.path} ({cut.reason})" for cut in self.cuts)
        passed = "".join(f"; snapshot passed over: {reason}" for reason in self.snapshots_passed_over)
        return (
            f"recovered to command {self.last_seq}, event {self.last_event_seq}: {start}, {self.commands_replayed} commands "
            f"replayed, {self.events_compared} events compared, {self.events_regenerated} derived again, "
            f"{self.total_s:.3f} s{cuts}{passed}"
        )


def recover(settings: Settings, make_sequencer: "type[Sequencer]") -> "Sequencer":
    """Bring the venue of a data directory back; a new directory becomes an empty venue.

    ``Sequencer.open`` is the usual way in.

    Raises
    ------
    InUseError
        Another process has it.
    ConfigError
        The settings' capacities are not the journal's.
    CorruptionError
        Acknowledged data does not hold and `settings.on_corruption` is "refuse", or events differ from those derived.
    JournalError, OSError
        Something cannot be read or written.
    """
    data_dir = DataDir(settings.data_dir, create=True)
    data_dir.lock()
    try:
        data_dir.remove_unfinished()
        return _Recovery(settings, data_dir, data_dir.identify(settings.capacities)).run(make_sequencer)
    except BaseException:
        data_dir.unlock()
        raise


class _Recovery:
    """One recovery under way."""

    def __init__(self, settings: Settings, data_dir: DataDir, identity: Identity) -> None:
        self.settings = settings
        self.data_dir = data_dir
        self.venue_id = identity.venue_id
        self.cuts: list[Cut] = []
        self.passed_over: list[str] = []
        self.compared = 0
        self.begun = SystemClock.monotonic_ns()
        self._drop_empty_event_file()
        if settings.durability == "fsync":
            self._drop_unwritten_events()
        self.event_files = EventFiles(data_dir, self.venue_id)
        self.stored = self.event_files.last()  # last event of the log as found
        self.scratch = np.empty(CHUNK_BYTES, np.uint8)
        self.events = np.empty(0, EVENT_COMMON)

    def run(self, make_sequencer: "type[Sequencer]") -> "Sequencer":
        """Do it."""
        snapshot, engine, index = self._begin()
        sequencer, writer = self._build(engine, index, make_sequencer)
        load_s = seconds_since(self.begun)
        start = snapshot.seq if snapshot else 0
        resume, last_ts_ns = self._replay(sequencer, start, snapshot.ts_ns if snapshot else TS_MIN)
        while sequencer.unfinished:  # a snapshot may lie between a command and all it set off
            before = sequencer.last_event_seq
            sequencer.apply_again(self.scratch[:1], 1)
            self._compare(sequencer, before + 1)
        if self._cut_what_is_ahead(sequencer):
            self._resume_events(writer)
        regenerated = sequencer.last_event_seq - self.stored
        sequencer.store_events()
        writer.resume(*resume, sequencer.last_event_seq)
        total_s = seconds_since(self.begun)
        report = RecoveryReport(
            data_dir=str(self.data_dir.path),
            venue_id=self.venue_id,
            snapshot_seq=start,
            snapshots_passed_over=tuple(self.passed_over),
            last_seq=sequencer.last_seq,
            last_event_seq=sequencer.last_event_seq,
            commands_replayed=sequencer.last_seq - start,
            events_compared=self.compared,
            events_regenerated=regenerated,
            cuts=tuple(self.cuts),
            state_hash=sequencer.engine.state_hash(),
            load_s=load_s,
            replay_s=total_s - load_s,
            total_s=total_s,
        )
        self.event_files.close()
        sequencer.begin_at(last_ts_ns, report)
        return sequencer

    # ---- snapshot ----

    def _begin(self) -> tuple[Snapshot | None, Engine, ReportIndex]:
        """Give engine and index as the newest snapshot that can be used has them; without one, new ones."""
        for seq, path in reversed(self.data_dir.snapshot_files()):
            try:
                snapshot = read_snapshot(path, self.venue_id)
            except (CorruptionError, JournalError) as error:
                self.passed_over.append(str(error))
                continue
            reason = self._unusable(seq, snapshot)
            if reason is None:
                try:
                    return snapshot, *self._restore(snapshot)
                except ValueError as error:  # whole, and yet not what this version can read
                    reason = str(error)
            self.passed_over.append(f"{path}: {reason}")
        return None, Engine(**self.settings.capacities, events_max=OWN_EVENTS), self._new_index()

    def _restore(self, snapshot: Snapshot) -> tuple[Engine, ReportIndex]:
        """Make engine and index as they were; ValueError: they do not fit, or are of another layout."""
        engine = Engine.restore(snapshot.state, **self.settings.capacities, events_max=OWN_EVENTS)
        index = self._new_index()
        index.load(snapshot.report_index)
        self._complete_index(index, snapshot.event_seq)
        return engine, index

    def _new_index(self) -> ReportIndex:
        settings = self.settings
        return ReportIndex(settings.sessions_max, max(settings.index_entries, 2 * settings.sessions_max))

    def _unusable(self, seq: int, snapshot: Snapshot) -> str | None:
        """Say why a whole snapshot cannot be used, or None."""
        if snapshot.seq != seq:
            return f"its name says command {seq}, its header {snapshot.seq}"
        if snapshot.event_seq > self.stored:
            return f"it holds events up to {snapshot.event_seq}, the event log only up to {self.stored}"
        reached = self._journal_reaches(snapshot.seq)
        if reached < snapshot.seq:
            return f"it is of command {snapshot.seq}, the journal reaches only to {reached}"
        return None

    def _journal_reaches(self, seq: int) -> int:
        """Give the last good command of the segment that should hold command `seq`."""
        before = [entry for entry in self.data_dir.segments() if entry[0] <= seq]
        if not before:
            return 0
        try:
            reader = SegmentReader(before[-1][1])
        except (CorruptionError, JournalError):
            return before[-1][0] - 1
        reader.skip()
        return reader.next_seq - 1

    def _build(
        self, engine: Engine, index: ReportIndex, make_sequencer: "type[Sequencer]"
    ) -> "tuple[Sequencer, LogWriter]":
        """Make writer and sequencer; nothing is decided yet."""
        settings = self.settings
        writer = LogWriter(
            os.open(self.data_dir.journal, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC),
            os.open(self.data_dir.events, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC),
            self.venue_id,
            settings.durability,
            index,
            settings.segment_bytes,
            settings.journal_ring_bytes,
            settings.ring_events,
            settings.events_per_file,
        )
        sequencer = make_sequencer(engine, writer, index, self.data_dir, settings)
        self._resume_events(writer)
        return sequencer, writer

    def _complete_index(self, index: ReportIndex, event_seq: int) -> None:
        """Show the index the events between where it was saved and the snapshot."""
        while index.last_event_seq < event_seq:
            first = index.last_event_seq + 1
            events = self.event_files.read(first, min(INDEX_CHUNK_EVENTS, event_seq - first + 1))
            index.see(events.view(np.uint8))

    def _resume_events(self, writer: LogWriter) -> None:
        """Have the writer go on in the last events file, behind the last whole event."""
        place = self.event_files.place(self.stored + 1)
        if place is None or not self.data_dir.event_files():
            writer.resume_events(-1, 0, self.stored)
            return
        path, offset = place
        if path.stat().st_size > offset:  # a part of an event, or zeros: it is written again
            os.truncate(path, offset)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        writer.resume_events(fd, self.data_dir.event_files()[-1][0], self.stored)

    def _drop_empty_event_file(self) -> None:
        """Take an events file that was being begun out of use: its header is not whole, and no event is in it."""
        files = self.data_dir.event_files()
        if files and files[-1][1].stat().st_size <= HEAD_BYTES * 2:
            with suppress(FileNotFoundError):
                files[-1][1].unlink()

    def _drop_unwritten_events(self) -> None:
        """End the event log at its first hole: a power failure leaves any part of what was not synced (4.10)."""
        event_seq, files = find_unwritten(self.data_dir)
        for first, path in files:
            size = path.stat().st_size
            keep = HEAD_BYTES_EVENTS + (event_seq - first) * EVENT_BYTES if first < event_seq else 0
            saved_as = ""
            if keep:
                os.truncate(path, keep)
            else:
                saved_as = str(path.rename(path.with_name(path.name + ".cut")))
            self.cuts.append(Cut(str(path), keep, size - keep, saved_as, f"event {event_seq} was not written"))

    # ---- journal ----

    def _replay(self, sequencer: "Sequencer", last_seq: int, last_ts_ns: int) -> tuple[tuple[int, int, int], int]:
        """Decide everything behind command `last_seq`; where to go on writing, and the time of the last command."""
        segments = self.data_dir.segments()
        begin = max((number for number, (first, _) in enumerate(segments) if first <= last_seq + 1), default=0)
        self._check_begin(segments, begin, last_seq + 1)
        resume = NO_SEGMENT
        for number in range(begin, len(segments)):
            (first, path), later = segments[number], segments[number + 1 :]
            reader = self._open_segment(first, path, later)
            if reader is None:
                return NO_SEGMENT, last_ts_ns
            if number > begin:
                reader.start(HEAD_BYTES, first, last_ts_ns)
            self._replay_segment(sequencer, reader)
            last_ts_ns = max(last_ts_ns, reader.last_ts_ns)
            if self._is_last(reader, later):
                resume = self._resume_journal(path, reader.at)
                break
        return resume, last_ts_ns

    def _check_begin(self, segments: list[tuple[int, Path]], begin: int, next_seq: int) -> None:
        """Refuse a journal whose beginning is missing: what is there cannot be decided without it."""
        first = segments[begin][0] if segments else 0
        if segments and first <= next_seq:
            return
        if segments:
            raise CorruptionError(
                f"{segments[begin][1]} begins with command {first}, command {next_seq} is needed: a segment, or the "
                f"snapshot before it, is missing{self._passed()}"
            )
        if (self.stored or self.data_dir.snapshot_files()) and self.settings.on_corruption != "cut":
            raise CorruptionError(
                f"{self.data_dir.journal} holds no segment, but there are {self.stored} events and "
                f"{len(self.data_dir.snapshot_files())} snapshots: the journal is missing{self._passed()}"
            )

    def _passed(self) -> str:
        """Say which snapshots were of no use, behind another sentence."""
        return "".join(f"; snapshot passed over: {reason}" for reason in self.passed_over)

    def _open_segment(self, first: int, path: Path, later: list[tuple[int, Path]]) -> SegmentReader | None:
        """Open a segment; None: its header does not hold, nothing acknowledged was in it, it was taken out of use."""
        try:
            reader = SegmentReader(path)
            if (reader.venue_id, reader.first_seq) != (self.venue_id, first):
                raise CorruptionError(
                    f"{path}: must be of venue {self.venue_id} from command {first} on, "
                    f"was of {reader.venue_id} from {reader.first_seq} on"
                )
        except CorruptionError as error:
            if self.settings.on_corruption != "cut" and (later or not never_synced(path)):
                raise
            self._set_aside([path, *(other for _, other in later)], f"the header does not hold: {error}")
            return None
        return reader

    def _replay_segment(self, sequencer: "Sequencer", reader: SegmentReader) -> None:
        """Decide the good part of one segment, from the engine's next command on."""
        while size := reader.read(self.scratch):
            records = self.scratch[:size]
            at = records_before(records, sequencer.last_seq + 1)
            while at < size or sequencer.unfinished:
                before = sequencer.last_event_seq
                at = sequencer.apply_again(records, at)
                self._compare(sequencer, before + 1)

    def _compare(self, sequencer: "Sequencer", first: int) -> None:
        """Compare events just derived with those stored; what is not stored yet is stored when there is enough of it."""
        count = min(sequencer.last_event_seq, self.stored) - first + 1
        if count > 0:
            if len(self.events) < count:
                self.events = np.empty(count, EVENT_COMMON)
            read = self.event_files.read_into(first, self.events[:count])
            derived = sequencer.ring_view(first, count)
            different = first_difference(derived, self.events[:read].view(np.uint8))
            if different >= 0:
                event = np.frombuffer(derived, EVENT_COMMON)[different // EVENT_BYTES]
                raise CorruptionError(
                    f"event {event['seq']} of the log is not what command {event['cause_seq']} leads to "
                    f"(first difference at byte {different % EVENT_BYTES})"
                )
            sequencer.index.see(derived)
            self.compared += count
        if sequencer.last_event_seq - sequencer.stored_event_seq > self.settings.ring_events // 2:
            sequencer.store_events()

    def _is_last(self, reader: SegmentReader, later: list[tuple[int, Path]]) -> bool:
        """Judge what lies behind the good part (journal.md, 4.4); False: the journal goes on in the next segment."""
        verdict, sentence = reader.verdict()
        if verdict == "end" and not later:
            return True
        if verdict == "end" and later[0][0] == reader.next_seq:
            return False
        if verdict == "end":
            sentence = f"commands {reader.next_seq} .. {later[0][0] - 1} are missing before {later[0][1].name}"
        used = [path for _, path in later if not holds_nothing(path)]
        if self.settings.on_corruption != "cut" and (verdict != "torn" or used):
            raise CorruptionError(
                f"{reader.path}: behind command {reader.next_seq - 1}, {sentence}"
                + (f"; {len(used)} later segments hold commands" if used else "")
                + "; on_corruption=cut gives up everything behind it"
            )
        self._cut_segment(reader, sentence)
        self._set_aside([path for _, path in later], f"lies behind a cut in {Path(reader.path).name}")
        return True

    # ---- taking out of use ----

    def _cut_segment(self, reader: SegmentReader, reason: str) -> None:
        """End a segment behind its last good frame; what was there is saved beside it."""
        path, at = Path(reader.path), reader.at
        saved = path.with_name(f"{path.name}.{at}.cut")
        with open(path, "rb") as file:
            file.seek(at)
            rest = file.read(reader.data_size - at)
        write_aside(saved, rest)
        size = path.stat().st_size
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, at)
            os.posix_fallocate(fd, 0, size)
            os.fsync(fd)
        finally:
            os.close(fd)
        self.cuts.append(Cut(str(path), at, len(rest), str(saved), reason))

    def _set_aside(self, paths: list[Path], reason: str) -> None:
        """Rename files so that nobody reads them again."""
        for path in paths:
            saved = path.with_name(f"{path.name}.cut")
            self.cuts.append(Cut(str(path), 0, path.stat().st_size, str(saved), reason))
            path.rename(saved)
            sync_directory(path.parent)

    def _cut_what_is_ahead(self, sequencer: "Sequencer") -> bool:
        """Set snapshots aside and cut events of commands that are not in the journal; True: events were cut."""
        ahead = [path for seq, path in self.data_dir.snapshot_files() if seq > sequencer.last_seq]
        self._set_aside(ahead, f"the journal ends with command {sequencer.last_seq}")
        last = sequencer.last_event_seq
        if self.stored <= last:
            return False
        extra = self.event_files.read(last + 1, 1)
        if int(extra["cause_seq"][0]) <= sequencer.last_seq:
            raise CorruptionError(
                f"event {last + 1} of the log is of command {extra['cause_seq'][0]}, which leads to events up to {last} only"
            )
        reason = f"of commands behind {sequencer.last_seq}, the last in the journal"
        place = self.event_files.place(last + 1)
        assert place is not None
        path, offset = place
        later = [p for first, p in self.data_dir.event_files() if first > last + 1 and p != path]
        self._set_aside(later, reason)
        with open(path, "rb") as file:
            file.seek(offset)
            rest = file.read()
        saved = path.with_name(f"{path.name}.{offset}.cut")
        write_aside(saved, rest)
        os.truncate(path, offset)
        self.cuts.append(Cut(str(path), offset, len(rest), str(saved), reason))
        self.stored = last
        self.event_files.refresh()
        return True

    def _resume_journal(self, path: Path, offset: int) -> tuple[int, int, int]:
        """Give descriptor, offset and size of the segment to go on in."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        size = max(path.stat().st_size, self.settings.segment_bytes)
        os.posix_fallocate(fd, 0, size)
        return fd, offset, size


def seconds_since(begun_ns: int) -> float:
    """Give the time since a moment of the interval clock, for the report: nothing is decided by it."""
    return (SystemClock.monotonic_ns() - begun_ns) / 1e9


def holds_nothing(path: Path) -> bool:
    """Tell whether a segment holds no whole frame."""
    try:
        return not SegmentReader(path).has_frames()
    except CorruptionError:
        return never_synced(path)


def never_synced(path: Path) -> bool:
    """Tell whether a segment without a header is one whose first write a power failure interrupted (journal.md, 4.4)."""
    return SegmentReader(path, head=False).never_synced()


def write_aside(path: Path, data: bytes) -> None:
    """Save what is cut before it is cut."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)
