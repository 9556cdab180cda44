"""Every capacity of the venue in one place. Full means refuse, not grow.

``*_MAX`` is as far as it can go; where a setting says how much there is, ``*_DEFAULT`` is its default. The relations
between them are asserted at the end, when this module is imported.
"""

INT64_MIN = -(2**63)
"""As a bid price: there is none."""
INT64_MAX = 2**63 - 1
"""As an ask price: there is none."""

# --- prices and quantities: what makes their sums and products fit int64 ---
PRICE_TICKS_MAX = 1 << 60
"""Largest magnitude of a price limit, ticks (rule 7.1); far enough from INT64_MIN and INT64_MAX."""
QTY_LOTS_MAX = (1 << 39) - 1
"""Largest quantity of one order, lots (rule 7.1): a level of ORDERS_MAX such orders adds up within int64."""

# --- engine ---
ORDER_SLOT_BITS = 24
"""Bits of an order_id that name the slot in the order pool (fixed); the serial has the other 40."""
ORDERS_MAX = 1 << ORDER_SLOT_BITS
ORDERS_DEFAULT = 1 << 20
"""Live orders of the whole venue."""
INSTRUMENTS_DEFAULT = 4096
"""Instrument ids are 1 .. INSTRUMENTS_DEFAULT - 1."""
INSTRUMENTS_MAX = 1 << 16
PARTICIPANTS_DEFAULT = 1024
PARTICIPANTS_MAX = 1 << 16
SESSIONS_DEFAULT = 4096
SESSIONS_MAX = 1 << 16
ACCOUNTS_DEFAULT = 1 << 16
ACCOUNTS_MAX = 1 << 20
POSITIONS_DEFAULT = 1 << 16
"""Records of positions: one for each account, participant and group that is watched, and instrument."""
POSITIONS_MAX = 1 << 22

# --- journal and event log ---
COMMAND_BYTES_MAX = 168
"""Largest command record (NEW_COMPLEX_ORDER), bytes (fixed)."""
EVENT_BYTES = 128
"""Every event record, bytes (fixed)."""
BATCH_BYTES = 1 << 20
"""Commands taken in one turn, bytes; full means that the sockets wait."""
EVENT_RING_EVENTS = 1 << 20
"""Events kept in memory for readers; older ones are read from disk. A power of two."""
JOURNAL_SEGMENT_BYTES = 64 << 20
"""One journal file, preallocated."""
EVENT_SEGMENT_BYTES = 256 << 20
"""One event file."""
SNAPSHOTS_KEPT = 3
"""Snapshots left in place; older ones are removed."""

# --- order door ---
FRAME_MESSAGES_MAX = 1024
"""Records in one frame."""
FRAME_BYTES_MAX = 128 << 10
"""One frame, bytes; a larger message drops the connection."""
HEARTBEAT_MS_MIN = 100
HEARTBEAT_MS_MAX = 60_000
SEND_QUEUE_FRAMES = 256
"""Frames waiting for one client before live reports stay in the event log."""
SLOW_REPORTS_MAX = 1_000_000
"""A client further behind is disconnected; its reports stay in the event log."""

# --- feed ---
PACKET_BYTES_MAX = 64 << 10
"""One market data packet."""
FEED_RETAIN_BYTES = 64 << 20
"""Messages of the L3 channel kept for gap fills, bytes; the other channels keep less."""
GAP_FILL_MESSAGES_MAX = 1_000_000
"""Messages of one gap-fill request."""
FEED_SEND_FRAMES = 2_000
"""Frames kept for a slow subscriber; it loses what comes after them and heals the gap."""

# --- relations ---
assert 2 * PRICE_TICKS_MAX <= INT64_MAX, "differences of prices fit int64"
assert QTY_LOTS_MAX * ORDERS_MAX <= INT64_MAX, "the quantity of a level fits int64"
for _setting, _bound in (
    (ORDERS_DEFAULT, ORDERS_MAX),
    (INSTRUMENTS_DEFAULT, INSTRUMENTS_MAX),
    (PARTICIPANTS_DEFAULT, PARTICIPANTS_MAX),
    (SESSIONS_DEFAULT, SESSIONS_MAX),
    (ACCOUNTS_DEFAULT, ACCOUNTS_MAX),
    (POSITIONS_DEFAULT, POSITIONS_MAX),
):
    assert 1 < _setting <= _bound
assert PARTICIPANTS_DEFAULT <= SESSIONS_DEFAULT, "every participant can have a session"
assert EVENT_RING_EVENTS & (EVENT_RING_EVENTS - 1) == 0, "positions in the ring are masked"
assert PACKET_BYTES_MAX < FEED_RETAIN_BYTES
assert FRAME_BYTES_MAX >= 24 + FRAME_MESSAGES_MAX * 80, "a frame of order commands fits"
assert FRAME_BYTES_MAX <= BATCH_BYTES, "a whole frame fits one batch"
assert BATCH_BYTES < JOURNAL_SEGMENT_BYTES
assert EVENT_RING_EVENTS >= ORDERS_DEFAULT, "cancelling every order in one command fits the ring"
assert COMMAND_BYTES_MAX % 8 == 0
assert EVENT_BYTES % 8 == 0
assert 0 < HEARTBEAT_MS_MIN < HEARTBEAT_MS_MAX


def notional_fits(price_ticks: int, qty_lots: int) -> bool:
    """Tell whether |price| x quantity stays below 2^63: the rule (7.1) that lets sums and products be plain int64."""
    return abs(price_ticks) * qty_lots <= INT64_MAX
