"""The recorder: the public feed on disk as Arrow and Parquet, and everything that reads it again.

`read` opens a table, `rebuild_book` a book, `Recorder` writes. See protocols/recording.md.
"""

from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder.checkpoint import rebuild_book
from tradsys.recorder.errors import RecordingError
from tradsys.recorder.reader import RowStream, read, streams
from tradsys.recorder.recorder import Recorder

__all__ = ["Recorder", "RecorderSettings", "RecordingError", "RowStream", "read", "rebuild_book", "streams"]
