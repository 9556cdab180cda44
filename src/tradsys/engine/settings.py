"""How a venue keeps its journal: settings of one ``Sequencer``."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from tradsys import limits
from tradsys.errors import ConfigError

Durability = Literal["none", "batch", "fsync"]
OnCorruption = Literal["refuse", "cut"]
PAGE_BYTES = 4096
RING_SPARE_EVENTS = 64
"""Events of one command besides a cancel of every order: its own answer and summaries."""


class Settings(Struct, frozen=True, kw_only=True):
    """Settings of a sequencer; capacities of the engine are fixed for the life of a data directory.

    Attributes
    ----------
    durability : {"none", "batch", "fsync"}
        When events are released (protocols/journal.md, 3).
    on_corruption : {"refuse", "cut"}
        What to do about damage in the middle of the journal; "cut" gives up everything behind it, saved aside.
    snapshot_commands : int
        Commands between two snapshots that ``housekeeping`` makes; 0: none but the one at close.
    snapshots_kept : int
        Snapshots left in place.
    prune_journal : bool
        Remove journal segments older than the oldest kept snapshot.
    batch_bytes, segment_bytes, event_ring_events, events_per_file, index_entries : int
        Capacities. The event ring grows beyond ``event_ring_events`` to hold a cancel of ``orders_max`` orders.
    """

    data_dir: Path
    durability: Durability = "batch"
    on_corruption: OnCorruption = "refuse"
    orders_max: int = limits.ORDERS_DEFAULT
    instruments_max: int = limits.INSTRUMENTS_DEFAULT
    participants_max: int = limits.PARTICIPANTS_DEFAULT
    sessions_max: int = limits.SESSIONS_DEFAULT
    accounts_max: int = limits.ACCOUNTS_DEFAULT
    positions_max: int = limits.POSITIONS_DEFAULT
    batch_bytes: int = limits.BATCH_BYTES
    segment_bytes: int = limits.JOURNAL_SEGMENT_BYTES
    event_ring_events: int = limits.EVENT_RING_EVENTS
    events_per_file: int = limits.EVENT_SEGMENT_BYTES // limits.EVENT_BYTES
    index_entries: int = 1 << 18
    snapshot_commands: int = 0
    snapshots_kept: int = limits.SNAPSHOTS_KEPT
    prune_journal: bool = False
    snapshot_at_close: bool = True

    def __post_init__(self) -> None:
        if self.durability not in ("none", "batch", "fsync"):
            raise ConfigError(f"durability must be none, batch or fsync, was {self.durability!r}")
        if self.on_corruption not in ("refuse", "cut"):
            raise ConfigError(f"on_corruption must be refuse or cut, was {self.on_corruption!r}")
        if self.batch_bytes < PAGE_BYTES or self.segment_bytes < 4 * self.batch_bytes:
            raise ConfigError(
                f"batch_bytes must be at least {PAGE_BYTES} and segment_bytes 4 times as much, "
                f"were {self.batch_bytes} and {self.segment_bytes}"
            )
        if self.snapshots_kept < 1 or self.snapshot_commands < 0 or self.events_per_file < 1:
            raise ConfigError("snapshots_kept and events_per_file must be at least 1, snapshot_commands at least 0")

    @property
    def capacities(self) -> dict[str, int]:
        """The engine's capacities, by the names of its parameters."""
        return {
            "orders_max": self.orders_max,
            "instruments_max": self.instruments_max,
            "participants_max": self.participants_max,
            "sessions_max": self.sessions_max,
            "accounts_max": self.accounts_max,
            "positions_max": self.positions_max,
        }

    @property
    def journal_ring_bytes(self) -> int:
        """Frames on their way to the disk: several batches, so that one is synced while others gather."""
        return max(PAGE_BYTES, power_of_two(8 * self.batch_bytes))

    @property
    def ring_events(self) -> int:
        """Events in memory: at least what one command, or one stop of a group of instruments, can cause."""
        least = max(self.orders_max, self.instruments_max) + RING_SPARE_EVENTS
        return power_of_two(max(self.event_ring_events, least, PAGE_BYTES // limits.EVENT_BYTES))


def power_of_two(least: int) -> int:
    """Give the smallest power of two that is not below `least`."""
    return 1 << (least - 1).bit_length()
