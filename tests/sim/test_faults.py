"""The fakes do what they say: a wire loses what it counts, a disk keeps what was known to be on it.

Method: many packets over wires of several kinds; directories with known old and new contents, sector by sector.
"""

from itertools import pairwise

import pytest

from tradsys.sim.draw import Draw
from tradsys.sim.faults import (
    BAD,
    SECTOR_BYTES,
    DiskImage,
    FaultyWire,
    WireFaults,
    copy_as_killed,
    cut_short,
    flip_bit,
)


def packets(count):
    return [n.to_bytes(4, "little") for n in range(count)]


def test_perfect_wire_delivers_everything_in_order_after_its_latency():
    wire = FaultyWire(Draw(1), latency_ns=50)
    for n, packet in enumerate(packets(100)):
        wire.send(packet, n)
    assert wire.receive(49) == []
    assert wire.receive(60) == packets(11)
    assert wire.receive(10_000) == packets(100)[11:]
    assert wire.underway == 0


def test_bad_wire_loses_repeats_and_reorders_what_it_counts():
    wire = FaultyWire(Draw(2), BAD)
    for n, packet in enumerate(packets(5000)):
        wire.send(packet, n * 1000)
    arrived = wire.receive(1 << 60)
    assert wire.dropped > 100
    assert wire.duplicated > 50
    assert wire.delayed > 200
    assert len(arrived) == 5000 - wire.dropped + wire.duplicated == wire.delivered
    assert arrived != sorted(arrived)
    assert len(set(arrived)) == 5000 - wire.dropped


def test_same_seed_same_faults():
    def run(seed):
        wire = FaultyWire(Draw(seed), BAD)
        for n, packet in enumerate(packets(500)):
            wire.send(packet, n)
        return wire.receive(1 << 60)

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_bursts_lose_neighbours():
    wire = FaultyWire(Draw(5), WireFaults(drop_one_in=50, burst_packets_max=10))
    for n, packet in enumerate(packets(3000)):
        wire.send(packet, n)
    got = {int.from_bytes(p, "little") for p in wire.receive(1 << 60)}
    lost = [n for n in range(3000) if n not in got]
    assert any(b == a + 1 for a, b in pairwise(lost))


def test_a_broken_line_loses_what_is_under_way():
    wire = FaultyWire(Draw(1))
    wire.send(b"x", 0)
    wire.lose_all()
    assert wire.receive(1 << 60) == []
    assert wire.dropped == 1


@pytest.fixture
def venue(tmp_path):
    folder = tmp_path / "venue"
    (folder / "journal").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "journal" / "a.log").write_bytes(b"O" * 8 * SECTOR_BYTES)
    (folder / "events" / "e.log").write_bytes(b"E" * 8 * SECTOR_BYTES)
    return folder


def sectors(path):
    data = path.read_bytes()
    return [data[at : at + SECTOR_BYTES] for at in range(0, len(data), SECTOR_BYTES)]


def test_power_failure_keeps_what_was_on_disk_and_any_of_the_rest(venue, tmp_path):
    image = DiskImage(venue)
    journal = venue / "journal" / "a.log"
    journal.write_bytes(b"O" * 4 * SECTOR_BYTES + b"N" * 8 * SECTOR_BYTES)
    seen = set()
    for seed in range(60):
        target = tmp_path / f"after-{seed}"
        image.after_power_failure(target, Draw(seed))
        found = sectors(target / "journal" / "a.log")
        assert found[:4] == [b"O" * SECTOR_BYTES] * 4
        assert all(len(set(sector)) == 1 for sector in found), "sectors are whole"
        seen.add(tuple(chr(sector[0]) for sector in found))
    letters = {letter for variant in seen for letter in variant}
    assert letters == {"O", "N", "\0"}
    assert any("O" in variant[4:8] and "N" in variant[4:8] for variant in seen), "old and new mixed"
    assert {len(variant) for variant in seen} == {8, 12}
    assert (tmp_path / "after-0" / "events" / "e.log").read_bytes() == b"E" * 8 * SECTOR_BYTES


def test_a_new_file_may_be_missing_and_what_nobody_synced_may_be_zeros(venue, tmp_path):
    image = DiskImage(venue)
    (venue / "journal" / "b.log").write_bytes(b"B" * SECTOR_BYTES)
    missing, zeros = 0, 0
    for seed in range(40):
        target = tmp_path / f"after-{seed}"
        image.after_power_failure(target, Draw(seed), lambda name: 700 if name.parts[0] == "events" else None)
        missing += not (target / "journal" / "b.log").exists()
        zeros += bytes(SECTOR_BYTES) in sectors(target / "events" / "e.log")
        assert (target / "events" / "e.log").read_bytes()[:700] == b"E" * 700
        assert sectors(target / "journal" / "a.log") == [b"O" * SECTOR_BYTES] * 8
    assert 5 < missing < 35
    assert zeros > 5


def test_what_was_synced_after_the_image_was_taken_is_on_disk(venue, tmp_path):
    image = DiskImage(venue)
    events = venue / "events" / "e.log"
    events.write_bytes(events.read_bytes() + b"F" * 4 * SECTOR_BYTES)
    lengths = set()
    for seed in range(40):
        target = tmp_path / f"after-{seed}"
        image.after_power_failure(target, Draw(seed), lambda name: 5000 if name.parts[0] == "events" else None)
        data = (target / "events" / "e.log").read_bytes()
        assert data[:5000] == b"E" * 4096 + b"F" * 904
        lengths.add(len(data))
    assert len(lengths) > 2


def test_a_kill_keeps_everything_but_the_lock(venue, tmp_path):
    (venue / "lock").write_text("123")
    copy_as_killed(venue, tmp_path / "after")
    assert (tmp_path / "after" / "journal" / "a.log").read_bytes() == b"O" * 8 * SECTOR_BYTES
    assert not (tmp_path / "after" / "lock").exists()


def test_one_bit_and_no_other(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    at = flip_bit(path, Draw(9), first=100, last=200)
    data = path.read_bytes()
    assert 100 <= at < 200
    assert sum(byte.bit_count() for byte in data) == 1
    assert data[at]


def test_cut_short(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    assert 300 <= cut_short(path, Draw(9), first=300) == path.stat().st_size <= 1000
