"""Recovery: what was acknowledged comes back, damage is named, nothing is skipped.

A journal of several segments is written once, copied for each test, damaged, and opened.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from journal_files import records, segment
from venue_flow import CAPACITIES, LOAD, START_NS, all_events, derive, drive, journalled, open_small, prepare

from tradsys.engine.data_dir import DataDir
from tradsys.engine.segment_reader import SegmentReader
from tradsys.engine.snapshots import encode_head, read_snapshot
from tradsys.errors import ConfigError, CorruptionError, InUseError, JournalError


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A venue's directory: journal, events, snapshots after 2000 and 4000 commands; closed."""
    path = tmp_path_factory.mktemp("venue") / "data"
    with open_small(path) as sequencer:
        prepare(sequencer)
        drive(sequencer, LOAD.commands[:2000])
        sequencer.snapshot(wait=True)
        drive(sequencer, LOAD.commands[2000:4000])
        sequencer.snapshot(wait=True)
        drive(sequencer, LOAD.commands[4000:])
        sequencer.wait_stored()
    return path


@pytest.fixture(scope="module")
def truth(written):
    """Events and engine derived from the written journal."""
    return derive(journalled(written))


@pytest.fixture
def venue(written, tmp_path):
    """A copy of it to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "data"))


def without_snapshots(venue):
    for _, path in DataDir(venue).snapshot_files():
        path.unlink()


def flip(path, at, bit=1):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ bit]))


def last_frame_end(path):
    reader = SegmentReader(path)
    reader.skip()
    return reader.at


def assert_whole(venue, truth, **settings):
    """Open it; everything must be there."""
    events, engine = truth
    with open_small(venue, **settings) as sequencer:
        report = sequencer.recovery
        assert sequencer.last_seq == engine.last_seq
        assert sequencer.engine.state_hash() == engine.state_hash() == report.state_hash
        assert all_events(sequencer).tobytes() == events.tobytes()
        sequencer.index.check()
    return report


def assert_goes_on(venue):
    """Open it, add to it, open it again."""
    with open_small(venue) as sequencer:
        drive(sequencer, LOAD.commands[:200])
        last = sequencer.last_seq, sequencer.engine.state_hash()
    with open_small(venue) as sequencer:
        assert (sequencer.last_seq, sequencer.engine.state_hash()) == last
        assert sequencer.recovery.clean
    events, engine = derive(journalled(venue))
    assert (engine.last_seq, engine.state_hash()) == last
    return events


def test_an_empty_directory_is_an_empty_venue(tmp_path):
    with open_small(tmp_path / "new") as sequencer:
        assert (sequencer.last_seq, sequencer.last_event_seq) == (0, 0)
        assert sequencer.recovery.clean
    with open_small(tmp_path / "new") as sequencer:
        assert sequencer.last_seq == 0


def test_from_the_newest_snapshot(venue, truth):
    report = assert_whole(venue, truth)
    assert report.clean
    assert 4000 < report.snapshot_seq < 4000 + 400
    assert report.commands_replayed == truth[1].last_seq - report.snapshot_seq
    assert report.events_compared == len(truth[0]) - int(
        np.searchsorted(truth[0]["cause_seq"], report.snapshot_seq, side="right")
    )
    assert "no snapshot" not in report.sentence()
    with open_small(venue) as sequencer:
        assert sequencer.engine.capacities == CAPACITIES, "a snapshot does not change what is full"
    assert_goes_on(venue)


def test_without_snapshots_everything_is_decided_again(venue, truth):
    without_snapshots(venue)
    report = assert_whole(venue, truth)
    assert (report.snapshot_seq, report.commands_replayed) == (0, truth[1].last_seq)
    assert report.events_compared == len(truth[0])
    assert report.clean


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "wrong name"])
def test_a_damaged_snapshot_is_passed_over(venue, truth, damage):
    (_, older), (_, newer) = DataDir(venue).snapshot_files()
    if damage == "flip":
        flip(newer, newer.stat().st_size // 2)
    elif damage == "truncate":
        newer.write_bytes(newer.read_bytes()[:-10])
    elif damage == "empty":
        newer.write_bytes(b"")
    else:
        newer.unlink()
        shutil.copy(older, newer)
    report = assert_whole(venue, truth)
    assert 2000 < report.snapshot_seq < 2400
    assert len(report.snapshots_passed_over) == 1
    assert newer.name in report.snapshots_passed_over[0]


def test_all_snapshots_damaged(venue, truth):
    for _, path in DataDir(venue).snapshot_files():
        flip(path, 20)
    report = assert_whole(venue, truth)
    assert report.snapshot_seq == 0
    assert len(report.snapshots_passed_over) == 2


def make_unreadable(path, venue_id):
    """A whole snapshot, with every checksum right, whose state is of another layout."""
    snapshot = read_snapshot(path, venue_id)
    state = bytearray(snapshot.state)
    state[12] ^= 1  # sizes of its records
    changed = snapshot._replace(state=memoryview(bytes(state)), report_index=memoryview(bytes(snapshot.report_index)))
    path.write_bytes(encode_head(changed, venue_id) + changed.state + changed.report_index)


@pytest.mark.parametrize("count", [1, 2])
def test_a_snapshot_that_cannot_be_read_is_passed_over(venue, truth, count):
    # a version before or behind this one wrote it: the one before it, or the whole journal, leads to the same
    data_dir = DataDir(venue)
    for _, path in data_dir.snapshot_files()[-count:]:
        make_unreadable(path, data_dir.identify().venue_id)
    report = assert_whole(venue, truth)
    assert (report.snapshot_seq == 0) == (count == 2)
    assert not report.clean
    assert len(report.snapshots_passed_over) == count
    assert report.sentence().count("; snapshot passed over: ") == count
    assert "record sizes" in report.sentence()
    assert "\n" not in report.sentence()
    assert_goes_on_from(venue, truth)


def assert_goes_on_from(venue, truth):
    """What is written on top outlives the next start too."""
    with open_small(venue) as sequencer:
        assert sequencer.last_seq == truth[1].last_seq
        drive(sequencer, LOAD.commands[:50])
        sequencer.snapshot(wait=True)
        last = sequencer.last_seq, sequencer.engine.state_hash()
    with open_small(venue) as sequencer:
        assert (sequencer.last_seq, sequencer.engine.state_hash()) == last
        assert sequencer.recovery.snapshot_seq == last[0]


def test_an_index_that_does_not_fit_passes_its_snapshot_over(venue, truth):
    data_dir = DataDir(venue)
    (_, path), venue_id = data_dir.snapshot_files()[-1], data_dir.identify().venue_id
    snapshot = read_snapshot(path, venue_id)
    index = bytearray(snapshot.report_index)
    index[24] ^= 1  # how many entries it has
    state = bytes(snapshot.state)
    head = encode_head(snapshot._replace(report_index=memoryview(bytes(index))), venue_id)
    path.write_bytes(head + state + index)
    report = assert_whole(venue, truth)
    assert 2000 < report.snapshot_seq < 2400
    assert "entries" in report.snapshots_passed_over[0]


def test_without_the_beginning_of_the_journal_and_a_snapshot_nothing_is_left(venue):
    data_dir = DataDir(venue)
    data_dir.segments()[0][1].unlink()
    for _, path in data_dir.snapshot_files():
        make_unreadable(path, data_dir.identify().venue_id)
    with pytest.raises(CorruptionError) as told:
        open_small(venue)
    sentence = str(told.value)
    assert "command 1 is needed" in sentence
    assert sentence.count("; snapshot passed over: ") == 2
    assert "record sizes" in sentence
    assert "\n" not in sentence


def test_a_snapshot_of_another_venue_is_passed_over(venue, truth, tmp_path):
    with open_small(tmp_path / "other") as sequencer:
        prepare(sequencer)
        drive(sequencer, LOAD.commands[:3900])
        sequencer.snapshot(wait=True)
    (_, stranger) = DataDir(tmp_path / "other").snapshot_files()[-1]
    (_, newest) = DataDir(venue).snapshot_files()[-1]
    newest.unlink()
    shutil.copy(stranger, newest.parent / stranger.name)
    report = assert_whole(venue, truth)
    assert "venue" in report.snapshots_passed_over[0]


@pytest.mark.parametrize("cut", [17, 40, 60, 87])
def test_a_torn_tail_is_cut_and_saved(venue, truth, cut):
    without_snapshots(venue)
    _, last = DataDir(venue).segments()[-1]
    end = last_frame_end(last)
    tail = last.read_bytes()[end - 88 : end - cut]
    with open(last, "r+b") as file:
        file.seek(end - cut)
        file.write(bytes(cut))
    with open_small(venue) as sequencer:
        report = sequencer.recovery
        assert sequencer.last_seq == truth[1].last_seq - 1
        journal_cut = report.cuts[0]
        assert journal_cut.path == str(last)
        assert journal_cut.offset == end - 88
        assert Path(journal_cut.saved_as).read_bytes().rstrip(b"\0") == tail.rstrip(b"\0")
        # the log held the events of the command that was cut
        assert any("events-" in c.path and "last in the journal" in c.reason for c in report.cuts)
        assert sequencer.last_event_seq == len(derive(journalled(venue))[0])
        drive(sequencer, LOAD.commands[:100])  # goes on at once, where the log was cut
    events = assert_goes_on(venue)
    assert events[: len(truth[0]) - 20].tobytes() == truth[0][: len(truth[0]) - 20].tobytes()


@pytest.mark.parametrize("where", ["first segment", "last segment"])
def test_a_flip_in_the_middle_is_refused(venue, where):
    without_snapshots(venue)
    segments = DataDir(venue).segments()
    path = segments[0][1] if where == "first segment" else segments[-1][1]
    at = 64 + 88 * 20 + 50
    flip(path, at)
    before = {p: p.read_bytes() for p in venue.rglob("*.log")}
    with pytest.raises(CorruptionError, match="does not hold and a whole one follows") as refused:
        open_small(venue)
    assert refused.value.code == "CORRUPT"
    assert path.name in str(refused.value)
    assert {p: p.read_bytes() for p in venue.rglob("*.log")} == before, "a refusal changes nothing"


def test_a_flip_in_the_middle_can_be_cut_on_demand(venue, truth):
    segments = DataDir(venue).segments()
    flip(segments[1][1], 64 + 88 * 20 + 50)
    without_snapshots(venue)
    with open_small(venue, on_corruption="cut") as sequencer:
        report = sequencer.recovery
        assert segments[1][0] <= sequencer.last_seq < segments[2][0] - 1
        cut = [c.path for c in report.cuts]
        assert all(str(path) in cut for _, path in segments[1:])
        events = all_events(sequencer)
        assert events.tobytes() == truth[0][: len(events)].tobytes()
    assert_goes_on(venue)


def test_damage_behind_which_a_snapshot_lies_is_not_hidden_by_it(venue):
    # the snapshot is of a later command: the segment it goes on in is whole, so the venue starts; verify finds the rest
    segments = DataDir(venue).segments()
    newest = DataDir(venue).snapshot_files()[-1][0]
    used = max(number for number, (first, _) in enumerate(segments) if first <= newest + 1)
    flip(segments[used][1], 64 + 100)
    with pytest.raises(CorruptionError):
        open_small(venue)


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_missing_segment_is_refused(venue, which):
    without_snapshots(venue)
    segments = DataDir(venue).segments()
    segments[which][1].unlink()
    if which == -1:  # then the events are ahead, which only a power failure may cause: they are cut, reported
        with open_small(venue) as sequencer:
            assert sequencer.last_seq == segments[-1][0] - 1
            assert not sequencer.recovery.clean
    else:
        with pytest.raises(CorruptionError, match="missing"):
            open_small(venue)


def test_a_missing_journal_is_refused(venue):
    for _, path in DataDir(venue).segments():
        path.unlink()
    with pytest.raises(CorruptionError, match="the journal is missing"):
        open_small(venue)


def test_a_damaged_segment_header_is_refused(venue):
    without_snapshots(venue)
    _, path = DataDir(venue).segments()[-1]
    flip(path, 17)
    with pytest.raises(CorruptionError, match="header"):
        open_small(venue)


def test_a_segment_that_was_being_begun_is_taken_out_of_use(venue, truth):
    segments = DataDir(venue).segments()
    begun = segments[-1][1].with_name(f"journal-{truth[1].last_seq + 1:020d}.log")
    begun.write_bytes(bytes(65536))
    report = assert_whole(venue, truth)
    assert [cut.path for cut in report.cuts] == [str(begun)]
    assert_goes_on(venue)


def begun_without_its_head(venue, truth, writes):
    """Add a segment whose later sectors reached the disk and whose first did not; its path."""
    last_seq = truth[1].last_seq
    begun = DataDir(venue).segments()[-1][1].with_name(f"journal-{last_seq + 1:020d}.log")
    parts = records(40, first_seq=last_seq + 1)
    begun.write_bytes(bytes(512) + segment(parts, write_every=len(parts) // writes)[512:])
    return begun


def test_a_first_write_whose_first_sector_is_missing_is_taken_out_of_use(venue, truth):
    """Goal: power fails before a new segment's first sync. Method: zeros in place of header and first frames."""
    begun = begun_without_its_head(venue, truth, writes=1)
    report = assert_whole(venue, truth)
    assert [cut.path for cut in report.cuts] == [str(begun)]
    assert_goes_on(venue)


def test_a_missing_first_sector_before_a_later_write_is_refused(venue, truth):
    """Goal: the second write says that the first was synced. Method: as above, two writes."""
    begun_without_its_head(venue, truth, writes=2)
    with pytest.raises(CorruptionError, match="header"):
        open_small(venue)


@pytest.mark.parametrize("size", [44, 100, 200])
def test_an_events_file_without_a_whole_head_is_begun_again(venue, truth, size):
    """Goal: power fails before an events file's head is on disk. Method: a part of it or zeros; later files are there."""
    without_snapshots(venue)
    first = DataDir(venue).event_files()[0][1]
    head = first.read_bytes()[:128]
    first.write_bytes(head[:size] if size < len(head) else bytes(size))
    assert_whole(venue, truth, durability="fsync")
    assert_goes_on(venue)


def test_a_last_events_file_of_zeros_is_begun_again(venue, truth):
    """Goal: the same where no file follows. Method: zeros, more than a header and less than an event behind it."""
    without_snapshots(venue)
    files = DataDir(venue).event_files()
    for _, path in files[1:]:
        path.unlink()
    files[0][1].write_bytes(bytes(200))
    assert_whole(venue, truth, durability="fsync")
    assert_goes_on(venue)


@pytest.mark.parametrize("keep", [0, 1, 100, 128 * 700 + 5, 128 * 1200])
def test_a_short_event_log_is_completed(venue, truth, keep):
    without_snapshots(venue)
    files = DataDir(venue).event_files()
    for _, path in files[2:]:
        path.unlink()
    with open(files[1][1], "r+b") as file:
        file.truncate(keep)
    report = assert_whole(venue, truth)
    assert report.events_regenerated == len(truth[0]) - report.events_compared
    assert report.events_regenerated > 1000
    assert report.clean
    with open_small(venue) as sequencer:
        assert sequencer.recovery.events_regenerated == 0


def test_zeros_at_the_end_of_the_event_log_are_derived_again(venue, truth):
    _, path = DataDir(venue).event_files()[-1]
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(size - 128 * 30)
        file.write(bytes(128 * 30))
    report = assert_whole(venue, truth)
    assert report.events_regenerated == 30


def test_an_event_log_shorter_than_the_snapshot_needs_an_older_one(venue, truth):
    files = DataDir(venue).event_files()
    for _, path in files[1:]:
        path.unlink()
    report = assert_whole(venue, truth)
    assert report.snapshot_seq == 0
    assert "event log only up to" in report.snapshots_passed_over[0]


def test_an_event_that_differs_is_refused(venue):
    without_snapshots(venue)
    _, path = DataDir(venue).event_files()[1]
    flip(path, 128 + 128 * 10 + 60)
    with pytest.raises(CorruptionError, match="event 1511 of the log is not what command"):
        open_small(venue)
    with pytest.raises(CorruptionError, match="event 1511"):
        open_small(venue, on_corruption="cut")


def test_a_missing_events_file_in_the_middle_is_refused(venue):
    DataDir(venue).event_files()[1][1].unlink()
    with pytest.raises(CorruptionError, match="is missing"):
        open_small(venue)


def test_other_capacities_are_refused(venue):
    with pytest.raises(ConfigError, match="fixed for the life of a journal"):
        open_small(venue, orders_max=601)


def test_lost_identity_is_refused(venue):
    (venue / "venue.json").unlink()
    with pytest.raises(JournalError, match="missing"):
        open_small(venue)
    (venue / "venue.json").write_text("{")
    with pytest.raises(JournalError, match="cannot be read"):
        open_small(venue)


def test_a_second_venue_is_refused_by_process_id(venue):
    code = (
        "import sys; from tradsys.engine.data_dir import DataDir; from tradsys.errors import InUseError\n"
        "try:\n    DataDir(sys.argv[1]).lock()\nexcept InUseError as error:\n    print(error.code, error)"
    )
    with open_small(venue):
        with pytest.raises(InUseError, match="process id"):
            open_small(venue)
        run = subprocess.run([sys.executable, "-c", code, str(venue)], capture_output=True, text=True, check=True)
        import os

        assert run.stdout.startswith("IN_USE")
        assert f"process id {os.getpid()}" in run.stdout
    with open_small(venue):
        pass


def test_unfinished_files_are_removed(venue, truth):
    for name in ("journal/journal-3.tmp", "snapshots/snapshot-x.snap.tmp", "venue.json.tmp"):
        (venue / name).write_bytes(b"x")
    assert_whole(venue, truth)
    assert not list(venue.rglob("*x.snap.tmp"))
    assert not list(venue.glob("*.tmp"))


def test_snapshots_are_kept_and_segments_pruned(tmp_path):
    with open_small(tmp_path, snapshots_kept=2, prune_journal=True) as sequencer:
        prepare(sequencer)
        for begin in range(0, 6000, 1000):
            drive(sequencer, LOAD.commands[begin : begin + 1000])
            sequencer.snapshot(wait=True)
        state_hash = sequencer.engine.state_hash()
    data_dir = DataDir(tmp_path)
    kept = [seq for seq, _ in data_dir.snapshot_files()]
    assert len(kept) == 2
    firsts = [first for first, _ in data_dir.segments()]
    assert firsts[0] > 1
    assert firsts[0] <= kept[0] + 1
    for _, path in data_dir.snapshot_files()[1:]:
        flip(path, 300)
    with open_small(tmp_path) as sequencer:
        assert sequencer.engine.state_hash() == state_hash
        assert sequencer.recovery.snapshot_seq == kept[0]
        assert len(sequencer.read_events(1, 10)) == 10, "events are never pruned"
    for _, path in data_dir.snapshot_files():
        path.unlink()
    with pytest.raises(CorruptionError, match="a segment, or the snapshot before it, is missing"):
        open_small(tmp_path)


def test_snapshot_at_close_and_by_count(tmp_path):
    with open_small(tmp_path, snapshot_commands=1000, snapshot_at_close=True) as sequencer:
        prepare(sequencer)
        drive(sequencer, LOAD.commands[:1500])
        sequencer.housekeeping()
        first = sequencer.figures["snapshots"]
        last = sequencer.last_seq
        drive(sequencer, LOAD.commands[1500:1600])
        sequencer.housekeeping()
        assert sequencer.figures["snapshots"] == first == 1
    seqs = [seq for seq, _ in DataDir(tmp_path).snapshot_files()]
    assert seqs == [last, last + 100]
    with open_small(tmp_path) as sequencer:
        assert sequencer.recovery.commands_replayed == 0


def test_segments_may_change_size_between_runs(venue, truth):
    with open_small(venue, segment_bytes=1 << 20, events_per_file=300) as sequencer:
        drive(sequencer, LOAD.commands[:3000])
        events = all_events(sequencer)
        assert events[: len(truth[0])].tobytes() == truth[0].tobytes()
    without_snapshots(venue)
    with open_small(venue) as sequencer:
        assert all_events(sequencer).tobytes() == events.tobytes()
        assert sequencer.last_ts_ns >= START_NS
