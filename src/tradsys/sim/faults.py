"""Faulty wire and faulty disk, by seed: what a network and a power failure may do to what was sent and written.

`FaultyWire` carries packets and loses, repeats, delays and reorders some. `DiskImage` remembers what a directory held
when it was last known to be on disk; `DiskImage.after_power_failure` makes the directory a machine might find
afterwards. `flip_bit` and `cut_short` damage single files. None of them reads a clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tradsys.sim.draw import Draw

SECTOR_BYTES = 512


@dataclass(frozen=True)
class WireFaults:
    """How often things go wrong, once in so many packets each; 0: never."""

    drop_one_in: int = 0
    duplicate_one_in: int = 0
    delay_one_in: int = 0
    delay_ns_max: int = 1_000_000
    burst_packets_max: int = 1  # a loss takes up to so many packets in a row


PERFECT = WireFaults()
BAD = WireFaults(drop_one_in=20, duplicate_one_in=30, delay_one_in=10, burst_packets_max=8)


class FaultyWire:
    """One direction of a network path that keeps no promises but to deliver a packet whole or not at all.

    Parameters
    ----------
    draw
        Source of the faults.
    faults
        How often they happen.
    latency_ns
        Time from sending to arrival of a packet that meets no delay.
    """

    def __init__(self, draw: Draw, faults: WireFaults = PERFECT, latency_ns: int = 1000) -> None:
        self.draw = draw
        self.faults = faults
        self.latency_ns = latency_ns
        self.sent = self.dropped = self.duplicated = self.delayed = self.delivered = 0
        self._losing = 0  # packets left of a burst
        self._underway: list[tuple[int, int, bytes]] = []  # (arrival [ns], order of sending, packet)

    def send(self, packet: bytes, now_ns: int) -> None:
        """Send a packet at `now_ns`."""
        faults, draw = self.faults, self.draw
        self.sent += 1
        if not self._losing and faults.drop_one_in and draw.chance(faults.drop_one_in):
            self._losing = draw.between(1, faults.burst_packets_max)
        if self._losing:
            self._losing -= 1
            self.dropped += 1
            return
        copies = 1
        if faults.duplicate_one_in and draw.chance(faults.duplicate_one_in):
            copies, self.duplicated = 2, self.duplicated + 1
        for _ in range(copies):
            arrival = now_ns + self.latency_ns
            if faults.delay_one_in and draw.chance(faults.delay_one_in):
                arrival += draw.below(faults.delay_ns_max)
                self.delayed += 1
            heapq.heappush(self._underway, (arrival, self.sent, packet))

    def receive(self, now_ns: int) -> list[bytes]:
        """Packets that have arrived by `now_ns`, in order of arrival."""
        arrived = []
        while self._underway and self._underway[0][0] <= now_ns:
            arrived.append(heapq.heappop(self._underway)[2])
        self.delivered += len(arrived)
        return arrived

    def lose_all(self) -> None:
        """The line breaks: what is under way is gone."""
        self.dropped += len(self._underway)
        self._underway.clear()

    @property
    def underway(self) -> int:
        """Packets not yet arrived."""
        return len(self._underway)


def _all_of_it(name: Path) -> int | None:
    """Every file was synced as a whole."""
    return None


class DiskImage:
    """What a directory held when all of it was known to be on disk.

    Parameters
    ----------
    directory
        Regular files below it are taken; links are not followed.

    Notes
    -----
    A disk writes sectors of 512 bytes whole. A power failure leaves of everything written since the image was taken
    any selection of sectors: each one old or new. A file's growth may have reached the disk without its contents, which
    then read as zeros; a file created since may be missing.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = read_settled(directory)

    def after_power_failure(
        self, target: Path, draw: Draw, synced: Callable[[Path], int | None] = _all_of_it
    ) -> None:
        """Write to `target` what a machine might find of the directory as it is now.

        Parameters
        ----------
        target
            Directory to make.
        draw
            Decides sector by sector.
        synced
            For files nobody has synced as a whole: how many bytes of the file (by its path in the directory) are known
            to be on disk, None for all of it. Behind them even sectors the image holds may read as zeros.
        """
        now = read_settled(self.directory)
        target.mkdir(parents=True)
        for folder in sorted(path for path in self.directory.rglob("*") if path.is_dir()):
            (target / folder.relative_to(self.directory)).mkdir(parents=True, exist_ok=True)
        for name in sorted(now.keys() | self.files.keys()):
            held, written = self.files.get(name), now.get(name)
            if held is None and draw.chance(2):  # created since, and its directory entry did not make it
                continue
            content = self._mixed(
                held or b"", written if written is not None else held or b"", draw, synced(name)
            )
            (target / name).write_bytes(content)

    @staticmethod
    def _mixed(held: bytes, written: bytes, draw: Draw, synced: int | None) -> bytes:
        """Each sector as it was, as it is, or (where nothing was known to be on disk) zeros."""
        size = len(written)
        if synced is not None and synced >= size:
            return written
        if synced is not None:  # perhaps synced since the image was taken
            held = written[:synced] + held[synced:]
        safe = len(held) if synced is None else synced
        if size > safe and draw.chance(3):  # the new length did not reach the disk
            size = len(held) if synced is None else draw.between(safe, size)
        out = bytearray()
        style = draw.below(3)  # all old, all new, or a mixture
        for at in range(0, size, SECTOR_BYTES):
            old, new = held[at : at + SECTOR_BYTES], written[at : at + SECTOR_BYTES]
            if style == 1 or (style == 2 and draw.chance(2)) or (old == new and at + len(old) <= safe):
                out += new
            elif synced is None or draw.chance(2):
                out += old.ljust(len(new), b"\0")
            else:  # only what was synced is sure
                out += old[: max(safe - at, 0)].ljust(len(new), b"\0")
        return bytes(out[:size])


def copy_as_killed(directory: Path, target: Path) -> None:
    """What kill -9 leaves: all that was written, since the kernel has it. The lock is not taken along."""
    for name, content in read_settled(directory).items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)


def read_settled(directory: Path) -> dict[Path, bytes]:
    """Contents of all files below a directory at one moment, though threads may be writing and renaming there."""
    while True:
        before = _listing(directory)
        try:
            contents = {path.relative_to(directory): path.read_bytes() for path in _files(directory)}
        except FileNotFoundError:
            continue
        if before == _listing(directory):
            return contents


def flip_bit(path: Path, draw: Draw, first: int = 0, last: int | None = None) -> int:
    """Flip one bit of a file in [first, last) [bytes]; where it was."""
    data = bytearray(path.read_bytes())
    at = draw.between(first, (len(data) if last is None else last) - 1)
    data[at] ^= 1 << draw.below(8)
    path.write_bytes(bytes(data))
    return at


def cut_short(path: Path, draw: Draw, first: int = 0) -> int:
    """Cut a file at a random length of at least `first` bytes; its length now."""
    size = draw.between(first, path.stat().st_size)
    with path.open("r+b") as file:
        file.truncate(size)
    return size


def _listing(directory: Path) -> list[tuple[Path, int, int]]:
    """Names, sizes and times of change; without files that go away meanwhile."""
    found = []
    for path in _files(directory):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append((path, status.st_size, status.st_mtime_ns))
    return found


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file() and path.name != "lock")
