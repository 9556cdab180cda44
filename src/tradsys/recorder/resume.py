"""Where an earlier run of the recorder stopped: a new one asks for what it missed and repeats nothing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tradsys.recorder.reader import read, streams
from tradsys.recorder.tables import CHANNEL_TABLES


@dataclass(frozen=True)
class Resume:
    """The newest stream of a recording.

    Attributes
    ----------
    stream_id : int
    channels : dict
        Channel to the last sequence number of which everything up to it is on disk.
    tables : dict
        Table name to the last sequence number it has a row of; may be ahead of its channel, as the packets'
        rows of a flush are written last.
    """

    stream_id: int
    channels: dict[int, int]
    tables: dict[str, int]


def last_recorded(directory: Path) -> Resume | None:
    """Find where the newest stream of a recording ends; None if there is no stream."""
    found = streams(directory)
    if not found:
        return None
    stream_id = found[-1]
    channels: dict[int, int] = {}
    for batch in read(
        directory, "packets", stream_id=stream_id, columns=["channel", "first_seq", "message_count"]
    ):
        channel = batch.column("channel").to_numpy()
        last = batch.column("first_seq").to_numpy() + batch.column("message_count").to_numpy() - 1
        for number in np.unique(channel).tolist():
            channels[number] = max(channels.get(number, 0), int(last[channel == number].max()))
    for batch in read(directory, "gaps", stream_id=stream_id, columns=["channel", "last_seq", "outcome"]):
        for row in batch.to_pylist():
            # a range given up is not asked for again
            if row["outcome"] == 2:
                channels[row["channel"]] = max(channels.get(row["channel"], 0), row["last_seq"])
    tables: dict[str, int] = {}
    for table in (table for tables_of in CHANNEL_TABLES.values() for table in tables_of):
        for batch in read(directory, table.name, stream_id=stream_id, columns=["channel_seq"]):
            tables[table.name] = max(tables.get(table.name, 0), int(batch.column(0).to_numpy().max()))
    return Resume(stream_id, channels, tables)
