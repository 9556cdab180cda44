"""The store of a FIX session: what was written is read again; a torn end is cut, damage before it is refused."""

import pytest

from tradsys.errors import CorruptionError
from tradsys.gateways.fix_store import FixStore

IN, OUT, NUMBERS = 2, 3, 4


def records_of(path):
    store = FixStore(path)
    found = []
    store.load(lambda *record: found.append(record))
    return store, found


def written(path, writes=3, records=4):
    store = FixStore(path)
    for turn in range(writes):
        for number in range(records):
            seq = turn * records + number + 1
            store.put(OUT, b"message %d" % seq, seq=seq, report_seq=seq, ts_ns=seq * 10)
        store.write()
    return store


def test_records_come_back_in_order(tmp_path):
    written(tmp_path / "s")
    store, found = records_of(tmp_path / "s")
    assert [record[3] for record in found] == list(range(1, 13))
    assert found[4][7] == b"message 5"
    assert found[4][5] == 50
    assert store.cut_bytes == 0


def test_a_torn_end_is_cut_at_every_byte_and_writing_goes_on(tmp_path):
    """Goal: no truncation loses a whole record or stops a start. Method: cut the file at each byte, read, append, read."""
    written(tmp_path / "s", writes=2, records=2)
    whole = (tmp_path / "s").read_bytes()
    ends = [0]
    while ends[-1] < len(whole):
        ends.append(ends[-1] + int.from_bytes(whole[ends[-1] : ends[-1] + 4], "little"))
    for size in range(len(whole) + 1):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        store, found = records_of(path)
        assert len(found) == sum(end <= size for end in ends[1:])
        assert store.cut_bytes == size - ends[len(found)]
        store.put(NUMBERS, next_in=77)
        store.write()
        again = records_of(path)[1]
        assert len(again) == len(found) + 1
        assert again[-1][6] == 77


def test_damage_before_a_later_write_is_refused(tmp_path):
    written(tmp_path / "s")
    data = bytearray((tmp_path / "s").read_bytes())
    data[50] ^= 1
    (tmp_path / "s").write_bytes(data)
    with pytest.raises(CorruptionError, match="byte 0"):
        records_of(tmp_path / "s")


def test_damage_in_the_last_write_is_cut(tmp_path):
    written(tmp_path / "s", writes=1)
    data = bytearray((tmp_path / "s").read_bytes())
    data[50] ^= 1
    (tmp_path / "s").write_bytes(data)
    assert records_of(tmp_path / "s")[1] == []


def test_the_index_is_sparse_and_finds_every_message(tmp_path):
    store = written(tmp_path / "s", writes=10, records=100)
    data = (tmp_path / "s").read_bytes()
    for seq in (1, 64, 65, 500, 1000, 2000):
        place = store.place_of(seq)
        first = int.from_bytes(data[place + 16 : place + 24], "little")
        assert first <= seq
        assert min(seq, 1000) - first < 64
    loaded = records_of(tmp_path / "s")[0]
    assert [loaded.place_of(seq) for seq in range(1, 1001)] == [store.place_of(seq) for seq in range(1, 1001)]


def test_nothing_is_on_disk_before_the_write(tmp_path):
    store = FixStore(tmp_path / "s")
    store.put(IN, b"x", seq=1)
    assert (tmp_path / "s").stat().st_size == 0
    store.write(sync=True)
    assert (tmp_path / "s").stat().st_size == 49
