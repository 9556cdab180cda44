"""Bounds of the order door; the defaults are those of protocols/order_entry.md."""

from dataclasses import dataclass

from tradsys import limits


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What the order door takes from anybody.

    Parameters
    ----------
    frame_messages_max, frame_bytes_max : int
        Of a client's frame.
    report_frame_messages : int
        Reports in one frame to a client, at most.
    frames_per_turn : int
        Frames taken in one turn of the venue.
    protocol_errors_max : int
        Malformed frames of one session until it is closed.
    logons_pending_max : int
        Logons that may wait for the sequencer.
    flood_multiple : int
        A session's useless messages in a throttle window, as a multiple of its throttle.
    refusals_per_second : int
        Answers to peers that are not logged on, all together.
    resend_reports_per_turn : int
        Reports resent to one session in one turn.
    send_queue_frames : int
        Frames waiting for one client.
    slow_reports_max : int
        Reports a client with a full queue may be behind.
    """

    frame_messages_max: int = limits.FRAME_MESSAGES_MAX
    frame_bytes_max: int = limits.FRAME_BYTES_MAX
    report_frame_messages: int = 256
    frames_per_turn: int = 256
    protocol_errors_max: int = 10
    logons_pending_max: int = 64
    flood_multiple: int = 10
    refusals_per_second: int = 1_000
    resend_reports_per_turn: int = 2_048
    send_queue_frames: int = limits.SEND_QUEUE_FRAMES
    slow_reports_max: int = limits.SLOW_REPORTS_MAX

    def __post_init__(self) -> None:
        """Refuse bounds that do not hold together."""
        for name, low, high in (
            ("frame_messages_max", 1, 65_535),
            ("frame_bytes_max", 24 + limits.COMMAND_BYTES_MAX, 1 << 24),
            ("report_frame_messages", 1, 8_192),
            ("frames_per_turn", 1, 1 << 20),
            ("protocol_errors_max", 1, 1 << 20),
            ("logons_pending_max", 1, 1 << 16),
            ("flood_multiple", 1, 1 << 20),
            ("refusals_per_second", 1, 1 << 30),
            ("resend_reports_per_turn", 1, 1 << 20),
            ("send_queue_frames", 1, 1 << 20),
            ("slow_reports_max", 1, 1 << 31),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be in [{low}, {high}], was {value}")
