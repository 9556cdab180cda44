"""Live files: Arrow IPC streams of which every complete batch survives a crash.

Each batch carries its checksum, its row count and the number of rows before it, so a torn, zeroed or stale
tail is never taken for data (protocols/recording.md, section 3).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from tradsys.recorder.checksum import checksum, schema_checksum
from tradsys.recorder.errors import from_os_error

OpenSink = Callable[[Path], pa.NativeFile]


def open_sink(path: Path) -> pa.NativeFile:
    """Create the file of a segment; an existing one is refused."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    return pa.OSFile(str(path), "wb")


def fsync_path(path: Path) -> None:
    """Put a file or a directory on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class SegmentWriter:
    """One live file. All its bytes up to `good_bytes` are complete batches.

    Parameters
    ----------
    path : Path
        Must not exist.
    schema : pa.Schema
    compression : str or None
        ``"lz4"``, ``"zstd"`` or None.
    opened_ns : int
        Time of opening [ns]; the caller decides by it when to rotate.
    sink : callable
        Opens the file; tests give one that fails.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        compression: str | None,
        opened_ns: int,
        sink: OpenSink = open_sink,
    ):
        self.path = path
        self.opened_ns = opened_ns
        self.rows = 0
        self.good_bytes = 0
        self._schema_crc = schema_checksum(schema)
        self._broken = False
        file = None
        try:
            self._file = file = sink(path)
            options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
            self._writer = pa.ipc.new_stream(file, schema, options=options)
            self.good_bytes = file.tell()
        except OSError as error:
            if file is not None:
                _close_quietly(file)
                path.unlink()
            raise from_os_error(error, f"creating {path.name}") from error

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; on an error the file ends with the last complete one.

        Raises
        ------
        RecordingError
            DISK_FULL or WRITE_FAILED.
        """
        metadata = {
            "crc32c": str(checksum(batch)),
            "rows": str(batch.num_rows),
            "file_rows": str(self.rows),
            "schema_crc32c": str(self._schema_crc),
        }
        try:
            self._writer.write_batch(batch, custom_metadata=metadata)
            self._file.flush()
            self.good_bytes = self._file.tell()
        except OSError as error:
            self._broken = True
            raise from_os_error(error, f"writing {self.path.name}") from error
        self.rows += batch.num_rows

    def sync(self) -> None:
        """Wait until what was written is on disk."""
        try:
            fsync_path(self.path)
        except OSError as error:
            raise from_os_error(error, f"syncing {self.path.name}") from error

    def close(self) -> None:
        """End the stream and put it on disk; a broken one is cut after its last complete batch."""
        if not self._broken:
            # the end marker is a courtesy: readers take a stream without one
            self._broken = not _close_quietly(self._writer)
        self._broken |= not _close_quietly(self._file)
        if self._broken and self.path.exists():
            os.truncate(self.path, self.good_bytes)
        if self.path.exists():
            self.sync()


def _close_quietly(closable: pa.NativeFile | pa.ipc.RecordBatchStreamWriter) -> bool:
    """Close something; return whether it went well. What was written before counts, not the closing."""
    try:
        closable.close()
    except OSError:
        return False
    return True


class SegmentReader:
    """Reads the complete batches of a live, closed or torn file.

    Attributes
    ----------
    torn : bool
        After iteration: whether something was left that is not a complete batch.
    good_bytes : int
        Size of the file up to the end of the last complete batch given.
    """

    def __init__(self, path: Path):
        self.path = path
        self.torn = False
        self.rows = 0
        self.good_bytes = 0
        self._schema_crc = 0
        try:
            self._source = pa.memory_map(str(path))
            # one core: the other one is the receiver's and the writer's
            options = pa.ipc.IpcReadOptions(use_threads=False)
            self._stream = pa.ipc.open_stream(self._source, options=options)
            self.schema: pa.Schema | None = self._stream.schema
            self._schema_crc = schema_checksum(self._stream.schema)
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError, ValueError):
            self.schema = None
            self.torn = True

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self.schema is None:
            return
        while (batch := self._next()) is not None:
            self.rows += batch.num_rows
            self.good_bytes = self._source.tell()
            yield batch

    def _next(self) -> pa.RecordBatch | None:
        """Return the next batch, or None at the end and before what cannot be trusted."""
        try:
            batch, metadata = self._stream.read_next_batch_with_custom_metadata()
        except StopIteration:
            return None
        except (pa.ArrowException, OSError, ValueError):
            self.torn = True
            return None
        if metadata is None or not self._trusted(batch, metadata):
            self.torn = True
            return None
        return batch

    def _trusted(self, batch: pa.RecordBatch, metadata: pa.KeyValueMetadata) -> bool:
        try:
            batch.validate()
            return (
                int(metadata["rows"]) == batch.num_rows
                and int(metadata["file_rows"]) == self.rows
                and int(metadata["schema_crc32c"]) == self._schema_crc
                and int(metadata["crc32c"]) == checksum(batch)
            )
        except (KeyError, ValueError, UnicodeDecodeError, pa.ArrowException):
            return False
