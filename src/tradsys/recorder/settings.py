"""Settings of the recorder; see protocols/recording.md."""

import msgspec


class RecorderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the recorder writes.

    Attributes
    ----------
    batch_rows : int
        Messages that a buffer takes before it is written as one batch. 1024 .. 2**22.
    queue_batches : int
        Buffers between the receiving and the writing thread, at least 8. Their memory is
        ``queue_batches * max(48 * batch_rows, 1 MiB)``.
    flush_seconds : float
        A buffer is written after this time even if it is not full.
    segment_rows, segment_bytes, segment_seconds : int
        A file is closed when it has reached one of these.
    compression : str
        Of live files: ``lz4``, ``zstd`` or ``none``.
    fsync : bool
        Put every batch on disk before going on, not only closed files.
    compact : bool
        Make Parquet of closed files while recording. If not, it happens at the next start.
    groups : dict
        Instrument group name to instrument ids. Instruments in none belong to ``main``.
    """

    batch_rows: int = 1 << 16
    queue_batches: int = 16
    flush_seconds: float = 1.0
    segment_rows: int = 4_000_000
    segment_bytes: int = 512 << 20
    segment_seconds: int = 900
    compression: str = "lz4"
    fsync: bool = False
    compact: bool = True
    groups: dict[str, list[int]] = {}

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if not 1024 <= self.batch_rows <= 1 << 22:
            raise ValueError(f"batch_rows must be in [1024, 2**22], was {self.batch_rows}")
        if self.queue_batches < 8:
            raise ValueError(
                f"queue_batches must be at least 8, one a channel and some to write, was {self.queue_batches}"
            )
        if self.compression not in ("lz4", "zstd", "none"):
            raise ValueError(f"compression must be lz4, zstd or none, was {self.compression!r}")
        if min(self.segment_rows, self.segment_bytes, self.segment_seconds) < 1 or self.flush_seconds <= 0:
            raise ValueError(
                "segment_rows, segment_bytes, segment_seconds must be at least 1, flush_seconds above 0"
            )
        reserved = {"feed", "main"} & set(self.groups)
        if reserved or not all(name.isidentifier() for name in self.groups):
            raise ValueError(
                f"a group's name must be an identifier and not feed or main, were {sorted(self.groups)}"
            )

    @property
    def buffer_bytes(self) -> int:
        """Size of one buffer [bytes]; the largest packet always fits."""
        return max(48 * self.batch_rows, 1 << 20)
