"""``tradsys journal dump|verify|replay``: a venue's journal for people and programs; nothing is changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from cyclopts import App, Parameter

import tradsys
from tradsys.app.arguments import CommandCount, CommandSeq, EntityId, Templates, VenueDirectory
from tradsys.app.cli import DOES_NOT_HOLD, HOLDS
from tradsys.app.record_text import COMMAND_TEMPLATES, fields_of, line_of
from tradsys.engine.audit import Audit, JournalWalk, replay, verify
from tradsys.engine.data_dir import DataDir
from tradsys.engine.event_files import EventFiles
from tradsys.engine.segment_reader import records_before
from tradsys.errors import UsageError
from tradsys.wire.records import DTYPES

app = App(name="tradsys journal", help="Look at a venue's journal, prove it.", version=tradsys.__version__)
Json = Annotated[bool, Parameter(name="--json", negative="")]
EVENTS_AT_ONCE = 8192


@app.command(name="dump")
def dump(
    directory: VenueDirectory,
    *,
    first: CommandSeq = 1,
    last: CommandSeq = 2**63 - 1,
    session: EntityId | None = None,
    instrument: EntityId | None = None,
    template: Templates = (),
    events: bool = True,
    limit: CommandCount = 0,
    as_json: Json = False,
) -> int:
    """Print commands, each with the events it led to.

    Example: tradsys journal dump tradsys-data --first 1000 --last 1010 --json

    Parameters
    ----------
    directory
        The venue's data directory.
    first, last
        Commands from seq to seq.
    session
        Only commands of this session.
    instrument
        Only commands of this instrument.
    template
        Only commands of this kind, e.g. NEW_ORDER; may be repeated.
    events
        Whether events are printed.
    limit
        At most so many commands; 0: all.
    as_json
        One JSON object a line, the last one a summary.
    """
    if first > last:
        raise UsageError(f"--first must be at most --last, were commands {first} and {last}")
    wanted = {COMMAND_TEMPLATES[name.upper()] for name in template}
    data_dir = DataDir(directory)
    identity = data_dir.identify()
    walk = JournalWalk(data_dir, identity)
    log = _EventCursor(EventFiles(data_dir, identity.venue_id)) if events else None
    write = _write_json if as_json else _write_line
    shown = 0
    for record in _commands(walk, first, last):
        if wanted and int(record["template_id"]) not in wanted:
            continue
        if not _fits(record, "session_id", session) or not _fits(record, "instrument_id", instrument):
            continue
        write("command", record)
        shown += 1
        for event in log.caused_by(int(record["seq"])) if log else ():
            write("event", event)
        if shown == limit:
            break
    for finding in walk.findings:
        print(f"{finding.where}: {finding.what}", file=sys.stderr)
    if as_json:
        findings = [msgspec.to_builtins(finding) for finding in walk.findings]
        print(json.dumps({"record": "summary", "commands": shown, "findings": findings}))
    return DOES_NOT_HOLD if walk.findings else HOLDS


@app.command(name="verify")
def verify_command(directory: VenueDirectory, *, as_json: Json = False) -> int:
    """Walk every checksum of journal and snapshots, decide every command again, compare every event.

    Example: tradsys journal verify tradsys-data

    Parameters
    ----------
    directory
        The venue's data directory.
    as_json
        One JSON object on the last line instead of a table.
    """
    return _show("verify", _with_progress(verify, directory, as_json), as_json)


@app.command(name="replay")
def replay_command(directory: VenueDirectory, *, as_json: Json = False) -> int:
    """Decide everything again from command 1, without snapshots; compare events and state hashes, print the hash.

    Example: tradsys journal replay tradsys-data --json

    Parameters
    ----------
    directory
        The venue's data directory.
    as_json
        One JSON object on the last line instead of a table.
    """
    return _show("replay", _with_progress(replay, directory, as_json), as_json)


def _commands(walk: JournalWalk, first: int, last: int) -> Iterator[np.void]:
    """Give the commands first .. last one by one, as records of their own type."""
    for chunk in walk.chunks():
        at = records_before(chunk, first)
        while at < len(chunk):
            template = int(chunk[at + 2 : at + 4].view(np.uint16)[0])
            dtype = DTYPES[template]
            record = chunk[at : at + dtype.itemsize].view(dtype)[0]
            if int(record["seq"]) > last:
                return
            yield record
            at += dtype.itemsize


def _fits(record: np.void, field: str, value: int | None) -> bool:
    """Tell whether a record passes a filter; one without the field does not."""
    return value is None or (field in (record.dtype.names or ()) and int(record[field]) == value)


class _EventCursor:
    """Reads the event log forward, in step with the commands."""

    def __init__(self, files: EventFiles) -> None:
        self._files = files
        self._block = files.read(files.first(), 0)
        self._next = files.first()
        self._last = files.last()
        self._at = 0

    def caused_by(self, seq: int) -> Iterator[np.void]:
        """Give the events of command `seq`; commands must be asked for in rising order."""
        self._seek(seq)
        while self._fill() and int(self._block["cause_seq"][self._at]) == seq:
            row = self._block[self._at : self._at + 1]
            yield row.view(DTYPES[int(row["template_id"][0])])[0]
            self._at += 1

    def _seek(self, seq: int) -> None:
        """Go to the first event of command `seq` or a later one: by halves through the log, then within the block."""
        if self._at >= len(self._block) or int(self._block["cause_seq"][-1]) < seq:
            low, high = self._next, self._last + 1
            while low < high:
                middle = (low + high) // 2
                if int(self._files.read(middle, 1)["cause_seq"][0]) < seq:
                    low = middle + 1
                else:
                    high = middle
            self._next, self._block, self._at = low, self._block[:0], 0
            if not self._fill():
                return
        self._at += int(np.searchsorted(self._block["cause_seq"][self._at :], seq))

    def _fill(self) -> bool:
        """Have an event at hand; False: the log has ended."""
        if self._at >= len(self._block):
            self._block = self._files.read(self._next, max(0, min(EVENTS_AT_ONCE, self._last + 1 - self._next)))
            self._next += len(self._block)
            self._at = 0
        return len(self._block) > 0


def _write_line(kind: str, record: np.void) -> None:
    print(line_of(record, indent=0 if kind == "command" else 4))


def _write_json(kind: str, record: np.void) -> None:
    print(json.dumps({"record": kind} | fields_of(record)))


def _with_progress(work: Callable[..., Audit], directory: Path, as_json: bool) -> Audit:
    """Run an audit, telling a terminal how far it is."""
    if as_json or not sys.stderr.isatty():
        return work(directory)
    from rich.console import Console

    with Console(stderr=True).status("reading") as status:
        return work(directory, lambda seq, events: status.update(f"command {seq:,}, {events:,} events compared"))


def _show(name: str, audit: Audit, as_json: bool) -> int:
    """Print the outcome; 0 when all holds."""
    if as_json:
        told: dict[str, Any] = msgspec.to_builtins(audit)
        told |= {"holds": audit.holds, "state_hash": f"{audit.state_hash:#018x}"}
        print(json.dumps(told))
        return HOLDS if audit.holds else DOES_NOT_HOLD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{name} {audit.data_dir}", show_header=False)
    rate = audit.commands / audit.seconds if audit.seconds else 0.0
    for label, value in (
        ("commands", f"{audit.start_seq:,} .. {audit.last_seq:,}"),
        ("journal", f"{audit.journal_bytes:,} bytes in {audit.segments} segments"),
        ("events derived", f"{audit.events_derived:,}"),
        ("events equal to the stored ones", f"{audit.events_compared:,}"),
        ("events not stored yet", f"{audit.events_not_stored:,}"),
        ("checkpoints whose hash holds", f"{audit.checkpoints:,}"),
        ("snapshots read", f"{audit.snapshots:,}"),
        ("state_hash", f"{audit.state_hash:#018x}"),
        ("time", f"{audit.seconds:.2f} s, {rate / 1e6:.2f} M commands/s"),
        ("outcome", "holds" if audit.holds else "DOES NOT HOLD"),
    ):
        table.add_row(label, value)
    console = Console()
    console.print(table)
    for finding in audit.findings:
        console.print(f"{finding.where}: {finding.what}", highlight=False, soft_wrap=True)
    return HOLDS if audit.holds else DOES_NOT_HOLD
