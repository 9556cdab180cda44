"""What the live view shows: plain figures, filled by whoever follows the venue, drawn by ``screen``."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tradsys.units import InstrumentUnits

TAPE_TRADES_MAX = 200
HISTORY_POINTS = 120


@dataclass(slots=True)
class Level:
    """One price level."""

    price_ticks: int
    qty_lots: int
    order_count: int


@dataclass(slots=True)
class InstrumentState:
    """One instrument's figures; None where nothing is known yet."""

    instrument_id: int
    symbol: str
    asset_class: str
    currency: str
    units: InstrumentUnits
    state: str = "OPEN"
    bid: Level | None = None
    ask: Level | None = None
    open_ticks: int | None = None
    high_ticks: int | None = None
    low_ticks: int | None = None
    last_ticks: int | None = None
    last_side: int = 0  # +1 the last trade's aggressor bought, -1 it sold
    volume_lots: int = 0
    trade_count: int = 0

    @property
    def change_percent(self) -> float | None:
        """Last price against the day's first, percent."""
        if self.last_ticks is None or not self.open_ticks:
            return None
        return 100.0 * (self.last_ticks - self.open_ticks) / self.open_ticks

    def price(self, ticks: int | None) -> str:
        """A price for people."""
        return "-" if ticks is None else f"{self.units.price(ticks):,f}"

    def volume(self) -> str:
        """The day's volume in units, short."""
        value = float(self.units.quantity(self.volume_lots))
        return short(value) if value >= 100 or value == int(value) else f"{value:.3g}"

    def quantity(self, lots: int) -> str:
        """A quantity for people: short, exact below 10,000 units."""
        value = self.units.quantity(lots)
        return f"{value.normalize():,f}" if value < 10_000 else short(float(value))


@dataclass(slots=True)
class Trade:
    """One match on the tape."""

    ts_ns: int
    instrument_id: int
    price_ticks: int
    qty_lots: int
    side: int  # +1 the aggressor bought, -1 it sold


@dataclass(slots=True)
class Rates:
    """Events a second, with a short history for the sparklines."""

    orders: float = 0.0
    reports: float = 0.0
    feed_messages: float = 0.0
    trades: float = 0.0
    history: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY_POINTS))  # orders a second


@dataclass(slots=True)
class Latency:
    """Order to report at the demo's clients, microseconds; None without a demo."""

    count: int = 0
    p50_us: float | None = None
    p99_us: float | None = None
    p999_us: float | None = None
    max_us: float | None = None


@dataclass(slots=True)
class MarketState:
    """Everything on the screen."""

    title: str = "TradSys"
    where: str = ""  # addresses, for people
    doors: dict[str, str] = field(default_factory=dict)  # addresses by name, for programs
    processes: dict[str, int] = field(default_factory=dict)  # process ids by name, for programs
    started_s: float = 0.0  # time.monotonic() of the start
    instruments: dict[int, InstrumentState] = field(default_factory=dict)
    selected: int = 0  # instrument_id
    bids: list[Level] = field(default_factory=list)  # of the selected instrument, best first
    asks: list[Level] = field(default_factory=list)
    book_stale: bool = False
    tape: deque[Trade] = field(default_factory=lambda: deque(maxlen=TAPE_TRADES_MAX))
    rates: Rates = field(default_factory=Rates)
    latency: Latency = field(default_factory=Latency)
    feed_gaps: int = 0
    feed_healed: int = 0  # messages that came by gap fill
    feed_lost: int = 0
    is_heard: bool = False  # a packet or a beat has come from one of the lines
    silent: str = ""  # says that the feed is not heard, for people
    recorded_rows: int | None = None
    recorded_bytes: int | None = None
    journal_bytes: int | None = None  # its segments are preallocated
    events_bytes: int | None = None
    sessions: int | None = None
    orders_sent: int = 0
    rejected: int = 0
    memory_bytes: int | None = None  # of all processes
    memory_by_process: dict[str, int] = field(default_factory=dict)  # resident bytes
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=3))  # newest last

    def select_next(self, step: int) -> None:
        """Select the instrument ``step`` places further down."""
        ids = list(self.instruments)
        if ids:
            index = ids.index(self.selected) if self.selected in ids else 0
            self.selected = ids[(index + step) % len(ids)]
            self.bids, self.asks = [], []


def short(value: float) -> str:
    """A number in at most six characters: 987, 12.3k, 4.56M, 7.89G."""
    for limit, divisor, unit in ((1e4, 1.0, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M"), (1e12, 1e9, "G")):
        if abs(value) < limit:
            scaled = value / divisor
            digits = 0 if unit == "" else 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0
            return f"{scaled:.{digits}f}{unit}"
    return f"{value / 1e12:.1f}T"


def size(count: int) -> str:
    """Bytes for people, in powers of 1024."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.1f} {unit}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
