"""dump, verify and replay of a data directory: what holds holds, what does not is named.

The same directories as in test_recovery, read without being opened.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from venue_flow import LOAD, START_NS, derive, drive, journalled, open_small, prepare

from tradsys.app import cli
from tradsys.engine.audit import replay, verify
from tradsys.engine.data_dir import DataDir
from tradsys.engine.snapshots import encode_head, read_snapshot
from tradsys.errors import JournalError
from tradsys.sim import commands
from tradsys.wire.enums import Template


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("venue") / "data"
    with open_small(path) as sequencer:
        prepare(sequencer)
        for begin in range(0, 3000, 1000):
            drive(sequencer, LOAD.commands[begin : begin + 1000])
            sequencer.run(commands.record(Template.CHECKPOINT), START_NS)
        sequencer.snapshot(wait=True)
        drive(sequencer, LOAD.commands[3000:4000])
        sequencer.wait_stored()
    return path


@pytest.fixture
def venue(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "data"))


def content(path):
    return {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_good_directory_holds(venue):
    events, engine = derive(journalled(venue))
    before = content(venue)
    for audit in (verify(venue), replay(venue)):
        assert audit.holds
        assert audit.commands == audit.last_seq == engine.last_seq
        assert audit.events_compared == audit.events_derived == len(events)
        assert audit.checkpoints == 3
        assert audit.state_hash == engine.state_hash()
        assert audit.events_not_stored == 0
    assert verify(venue).snapshots == 1
    assert content(venue) == before, "nothing is changed"


def test_it_may_be_read_beside_a_live_venue(venue):
    with open_small(venue) as sequencer:
        drive(sequencer, LOAD.commands[4000:])
        audit = replay(venue)
        assert audit.holds
        assert audit.last_seq == sequencer.last_seq


def test_every_kind_of_damage_is_named(venue):
    (_, events) = DataDir(venue).event_files()[1]
    (_, snapshot) = DataDir(venue).snapshot_files()[0]
    (_, segment) = DataDir(venue).segments()[1]
    for path, at, words in (
        (events, 128 + 128 * 7 + 90, "event 1508 is not what command"),
        (snapshot, 500, "checksum"),
        (segment, 64 + 88 * 5 + 30, "damaged behind command"),
    ):
        data = bytearray(path.read_bytes())
        data[at] ^= 8
        good = path.read_bytes()
        path.write_bytes(data)
        audit = verify(venue)
        assert not audit.holds
        assert audit.findings[0].where == str(path)
        assert words in audit.findings[0].what
        path.write_bytes(good)
    assert verify(venue).holds
    segment.unlink()
    assert "must begin with command" in verify(venue).findings[0].what


def test_events_of_no_command_are_named(venue):
    (first, path) = DataDir(venue).event_files()[-1]
    data = path.read_bytes()
    last = bytearray(data[-128:])
    last[8:16] = (int.from_bytes(last[8:16], "little") + 1).to_bytes(8, "little")
    path.write_bytes(data + last)
    assert "the journal leads to" in verify(venue).findings[0].what
    assert first > 1


def test_a_pruned_journal_is_verified_from_its_snapshot(tmp_path):
    with open_small(tmp_path, snapshots_kept=1, prune_journal=True) as sequencer:
        prepare(sequencer)
        drive(sequencer, LOAD.commands[:3000])
        sequencer.snapshot(wait=True)
        drive(sequencer, LOAD.commands[3000:])
        sequencer.wait_stored()
        state_hash = sequencer.engine.state_hash()
    audit = verify(tmp_path)
    assert audit.holds
    assert audit.start_seq > 3000
    assert audit.state_hash == state_hash
    with pytest.raises(JournalError, match="replay needs command 1"):
        replay(tmp_path)
    (_, path), venue_id = DataDir(tmp_path).snapshot_files()[0], DataDir(tmp_path).identify().venue_id
    snapshot = read_snapshot(path, venue_id)
    state, index = bytearray(snapshot.state), bytes(snapshot.report_index)
    state[12] ^= 1  # sizes of its records: another layout
    path.write_bytes(encode_head(snapshot._replace(state=memoryview(bytes(state))), venue_id) + state + index)
    with pytest.raises(JournalError, match=r"no snapshot leads there; .*record sizes"):
        verify(tmp_path)


def run(capsys, *words):
    status = cli.main(["journal", *map(str, words)])
    return status, capsys.readouterr()


def test_commands_print_json_and_status(venue, capsys):
    status, out = run(capsys, "verify", venue, "--json")
    told = json.loads(out.out.splitlines()[-1])
    assert (status, told["holds"]) == (0, True)
    status, out = run(capsys, "replay", venue)
    assert status == 0
    assert told["state_hash"] in out.out
    data = bytearray(DataDir(venue).segments()[0][1].read_bytes())
    data[100] ^= 1
    DataDir(venue).segments()[0][1].write_bytes(data)
    status, out = run(capsys, "verify", venue, "--json")
    assert status == 1
    assert json.loads(out.out.splitlines()[-1])["findings"]
    status, out = run(capsys, "verify", venue)
    assert status == 1
    assert "DOES NOT HOLD" in out.out
    status, out = run(capsys, "verify", venue / "journal")
    assert status == 2
    assert "must be a venue's data directory" in out.err


def test_dump_shows_every_command_with_its_events(venue, capsys):
    events, engine = derive(journalled(venue))
    status, out = run(capsys, "dump", venue, "--json")
    rows = [json.loads(line) for line in out.out.splitlines()]
    assert status == 0
    assert rows.pop() == {"record": "summary", "commands": engine.last_seq, "findings": []}
    assert [row["seq"] for row in rows if row["record"] == "command"] == list(range(1, engine.last_seq + 1))
    told = [(row["seq"], row["cause_seq"]) for row in rows if row["record"] == "event"]
    assert told == list(zip(events["seq"].tolist(), events["cause_seq"].tolist(), strict=True))
    cause = 0
    for row in rows:
        if row["record"] == "command":
            cause = row["seq"]
        else:
            assert row["cause_seq"] == cause


def test_dump_filters(venue, capsys):
    filters = ["--first", 900, "--last", 1200, "--template", "new_order", "--session", 3]
    status, out = run(capsys, "dump", venue, "--json", *filters)
    rows = [json.loads(line) for line in out.out.splitlines()][:-1]
    commands_shown = [row for row in rows if row["record"] == "command"]
    assert status == 0
    assert commands_shown
    assert {row["template"] for row in commands_shown} == {"NEW_ORDER"}
    assert {row["session_id"] for row in commands_shown} == {3}
    assert all(900 <= row["seq"] <= 1200 for row in commands_shown)
    events, _ = derive(journalled(venue))
    wanted = [row["seq"] for row in commands_shown]
    assert [row["seq"] for row in rows if row["record"] == "event"] == events["seq"][
        np.isin(events["cause_seq"], wanted)
    ].tolist()
    status, out = run(capsys, "dump", venue, "--limit", 2, "--no-events")
    lines = out.out.splitlines()
    assert len(lines) == 2
    assert "DEFINE_PARTICIPANT" in lines[0]
    assert "stp_mode=NONE" in lines[0]
    status, out = run(capsys, "dump", venue, "--template", "FISH")
    assert status == 2
    assert "template must be one of" in out.err
