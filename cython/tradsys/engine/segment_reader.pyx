"""Reading a journal segment: what is good, where it ends, and what lies behind."""
import errno as system_errors
import os
import struct

import numpy as np

cimport cython
from libc.errno cimport EINTR, errno
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp

from tradsys.engine.frames cimport (
    FRAME_HEAD_BYTES,
    SCAN_AT_END,
    SCAN_FULL,
    SCAN_OUT_OF_ORDER,
    crc32c,
    find_frame,
    find_not_zero,
    read_frames,
)
from tradsys.wire.records cimport NewOrder

from tradsys.errors import CorruptionError, JournalError
from tradsys.wire.records import SCHEMA_ID, SCHEMA_VERSION

cdef extern from "<unistd.h>" nogil:
    Py_ssize_t pread(int fd, void* data, size_t size, int64_t offset)

HEAD = struct.Struct("<8sIHHQQQ20sI")
HEAD_BYTES = HEAD.size
SEGMENT_BYTES_MAX = 4 << 30
SECTOR_BYTES = 512
WRITE_START = 0x80000000
assert HEAD_BYTES == 64


def read_head(bytes head, bytes magic, path):
    """Check the 64-byte header of a journal segment or events file.

    Returns
    -------
    (first_seq, first_event_seq, venue_id)

    Raises
    ------
    CorruptionError
        Not such a file, or its header is damaged.
    JournalError
        Of another format or schema version.
    """
    if len(head) < HEAD_BYTES:
        raise CorruptionError(f"{path}: header must be {HEAD_BYTES} bytes, was {len(head)}")
    found, version, schema, schema_version, first, first_event, venue_id, _, stored = HEAD.unpack(head[:HEAD_BYTES])
    cdef const uint8_t[::1] view = head
    crc = crc32c(&view[0], HEAD_BYTES - 4, 0)
    if found != magic or crc != stored:
        raise CorruptionError(
            f"{path}: header must begin with {magic!r} and have checksum {crc:#010x}, was {found!r} with {stored:#010x}"
        )
    if version != 1 or schema != SCHEMA_ID or schema_version != SCHEMA_VERSION:
        raise JournalError(
            f"{path}: must be format 1 of schema {SCHEMA_ID} version {SCHEMA_VERSION}, "
            f"was format {version} of schema {schema} version {schema_version}"
        )
    return first, first_event, venue_id


@cython.final
cdef class SegmentReader:
    """A journal segment in memory, and a walk over its frames.

    Invariant: every record given out has a good checksum, follows the one before it in ``seq`` and is not before it in
    ``ts_ns``; the walk never goes past a frame that is not so.

    Parameters
    ----------
    path : path-like
        The segment; opened, read whole and closed again.
    head : bool
        Whether its header is read; without it only `never_synced` is of use.

    Raises
    ------
    CorruptionError, JournalError
        The header does not hold.
    OSError
        The file cannot be read.
    """

    def __cinit__(self, path, *, bint head=True):
        self.path = path
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.load(fd)
        finally:
            os.close(fd)
        if head:
            start = <bytes>self.memory[:min(self.scan.size, HEAD_BYTES)]
            self.first_seq, self.first_event_seq, self.venue_id = read_head(start, b"TSJRNL01", path)
            self.start(HEAD_BYTES, self.first_seq, -(1 << 63))

    def __dealloc__(self):
        free(self.memory)

    cdef int load(self, int fd) except -1:
        """Read the file up to its last data; the hole behind it is zeros and not read."""
        cdef int64_t at = 0, size
        cdef Py_ssize_t done
        self.file_size = os.fstat(fd).st_size
        if self.file_size > SEGMENT_BYTES_MAX:
            raise JournalError(f"{self.path}: a segment must be at most {SEGMENT_BYTES_MAX} bytes, was {self.file_size}")
        size = data_end(fd, self.file_size)
        self.memory_size = max(size, 1)
        self.memory = <uint8_t*>malloc(self.memory_size)
        if self.memory is NULL:
            raise MemoryError(f"{size} bytes for {self.path}")
        with nogil:
            while at < size:
                done = pread(fd, self.memory + at, <size_t>(size - at), at)
                if done < 0 and errno == EINTR:
                    continue
                if done <= 0:
                    break
                at += done
        if at < size:
            raise OSError(errno, f"{self.path}: {size} bytes must be readable, were {at}")
        self.scan.base = self.memory
        self.scan.size = size
        return 0

    def start(self, int64_t offset, next_seq, int64_t last_ts_ns):
        """Put the walk at the frame at `offset`, which must have `next_seq` and a ts_ns of at least `last_ts_ns`."""
        if not HEAD_BYTES <= offset <= self.file_size:
            raise CorruptionError(f"{self.path}: offset must be in [{HEAD_BYTES}, {self.file_size}], was {offset}")
        self.scan.at = min(offset, self.scan.size)
        self.scan.next_seq = next_seq
        self.scan.last_ts_ns = last_ts_ns
        self.scan.stop = SCAN_FULL

    def read(self, uint8_t[::1] records not None):
        """Copy the next good records back to back; returns the bytes copied, 0 when the good part has ended.

        `records` should hold 64 KiB or more, and must hold three records.
        """
        cdef int64_t copied
        if records.shape[0] < 3 * 160:
            raise ValueError(f"room for records must be at least {3 * 160} bytes, was {records.shape[0]}")
        with nogil:
            copied = read_frames(&self.scan, &records[0], records.shape[0])
        return copied

    def skip(self):
        """Walk to the end of the good part."""
        scratch = np.empty(1 << 18, np.uint8)
        while self.read(scratch):
            pass

    @property
    def at(self):
        """Offset of the next frame, bytes."""
        return self.scan.at

    @property
    def next_seq(self):
        """Seq of the next frame."""
        return self.scan.next_seq

    @property
    def last_ts_ns(self):
        """Time of the last good record."""
        return self.scan.last_ts_ns

    @property
    def data_size(self):
        """Bytes of the file that are not the hole at its end."""
        return self.scan.size

    def has_frames(self):
        """Tell whether any whole frame is in the segment."""
        return find_frame(self.scan.base, self.scan.size, HEAD_BYTES, 0) >= 0

    def verdict(self):
        """Say what lies behind the good part (protocols/journal.md, 4.4), later segments left aside.

        Returns
        -------
        (str, str)
            "end": zeros. "torn": a write that was not finished. "damaged": bytes that were acknowledged do not hold. And
            a sentence.
        """
        cdef int64_t at = self.scan.at, found
        if self.scan.stop == SCAN_AT_END or find_not_zero(self.scan.base, at, self.scan.size) < 0:
            return "end", f"zeros from byte {at}"
        if self.scan.stop == SCAN_OUT_OF_ORDER:
            return "damaged", f"the frame at byte {at} has a good checksum but does not follow seq {self.next_seq - 1}"
        found = find_frame(self.scan.base, self.scan.size, at + FRAME_HEAD_BYTES, self.scan.next_seq)
        if found < 0:
            return "torn", f"no whole frame from byte {at} on"
        if not self.marked_from(found) and self.sector_missing(at, found):
            return "torn", f"a sector of the last write is missing behind byte {at}"
        return "damaged", f"the frame at byte {at} does not hold and a whole one follows at byte {found}"

    def never_synced(self):
        """Tell whether the segment's first write is not whole: its first sector is zeros, and no later write begins in it."""
        if find_not_zero(self.scan.base, 0, min(SECTOR_BYTES, self.scan.size)) >= 0:
            return False
        return not self.marked_from(find_frame(self.scan.base, self.scan.size, HEAD_BYTES, 0))

    def marked_from(self, int64_t at):
        """Tell whether a whole frame at `at` or behind begins a write: what lies before it was acknowledged."""
        while at >= 0:
            if (<uint32_t*>(self.scan.base + at + 4))[0] & WRITE_START:
                return True
            at = find_frame(self.scan.base, self.scan.size, at + FRAME_HEAD_BYTES, self.scan.next_seq)
        return False

    def sector_missing(self, int64_t begin, int64_t end):
        """Tell whether a 512-byte sector that touches [begin, end) is all zeros as far as it lies behind `begin`."""
        cdef int64_t sector = begin // SECTOR_BYTES * SECTOR_BYTES, low
        while sector < end:
            low = begin if begin > sector else sector
            if find_not_zero(self.scan.base, low, min(sector + SECTOR_BYTES, self.scan.size)) < 0:
                return True
            sector += SECTOR_BYTES
        return False


def first_difference(const uint8_t[::1] a not None, const uint8_t[::1] b not None):
    """Give the first byte at which two byte strings differ, -1 when they are equal; the end of the shorter one counts."""
    cdef int64_t size = min(a.shape[0], b.shape[0]), at = 0
    with nogil:
        if size > 0 and memcmp(&a[0], &b[0], <size_t>size) != 0:
            while a[at] == b[at]:
                at += 1
        else:
            at = size
    return -1 if at == a.shape[0] == b.shape[0] else at


def records_before(const uint8_t[::1] records not None, uint64_t seq):
    """Count the bytes of the records, back to back, whose seq is below `seq`."""
    cdef int64_t at = 0
    while at < records.shape[0] and (<const NewOrder*>&records[at]).seq < seq:
        at += <int64_t>(<const NewOrder*>&records[at]).block_length + 8
    return at


cdef int64_t data_end(int fd, int64_t size) except -1:
    """Give the end of the last data; the file system may know that the rest is a hole. Else the file's size."""
    cdef int64_t at = 0, end = 0
    while True:
        try:
            at = os.lseek(fd, end, os.SEEK_DATA)
            end = os.lseek(fd, at, os.SEEK_HOLE)
        except OSError as error:
            # ENXIO: no data behind `end`. Anything else: holes are not known here
            return end if error.errno == system_errors.ENXIO else size
        if end >= size:
            return size
