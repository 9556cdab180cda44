"""What came, what was missing and what became of it, by stream and channel."""

from dataclasses import asdict, dataclass, field
from typing import Any

from tradsys.recorder.tables import HEALED, LOST
from tradsys.wire.enums import Channel


@dataclass
class ChannelTotals:
    """One channel of one stream.

    Every sequence number from `first_seq` to `last_seq` was recorded or is counted in `lost`.
    """

    first_seq: int = 0  # first message of this run; 0: none yet
    last_seq: int = 0
    packets: int = 0
    messages: int = 0
    duplicates: int = 0  # packets that had come already, as each does on two lines
    gaps: int = 0
    healed: int = 0  # messages
    lost: int = 0  # messages

    def check(self) -> None:
        """Raise AssertionError unless the numbers account for each other."""
        if self.first_seq:
            expected = self.last_seq - self.first_seq + 1
            assert self.messages + self.lost == expected, (
                f"{self.messages} + {self.lost} of {expected} messages"
            )


@dataclass
class Ledger:
    """Totals by stream and channel."""

    totals: dict[tuple[int, int], ChannelTotals] = field(default_factory=dict)  # by stream_id and channel

    def of(self, stream_id: int, channel: int) -> ChannelTotals:
        """Return the totals of a channel; new ones if it has none."""
        found = self.totals.get((stream_id, channel))
        if found is None:
            found = self.totals[stream_id, channel] = ChannelTotals()
        return found

    def note_gap(self, stream_id: int, channel: int, messages: int, outcome: int) -> None:
        """Count a hole and what became of it."""
        assert outcome in (HEALED, LOST), f"outcome {outcome}"
        totals = self.of(stream_id, channel)
        totals.gaps += 1
        if outcome == HEALED:
            totals.healed += messages
        else:
            totals.lost += messages

    @property
    def lost(self) -> int:
        """Messages lost on all channels of all streams."""
        return sum(totals.lost for totals in self.totals.values())

    def rows(self) -> list[dict[str, Any]]:
        """Return the gap report: one row a channel, for tables and JSON."""
        return [
            {"stream_id": stream_id, "channel": Channel(channel).name, **asdict(totals)}
            for (stream_id, channel), totals in sorted(self.totals.items())
        ]
