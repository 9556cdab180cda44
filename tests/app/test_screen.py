"""The live view drawn for several terminals: everything is on it, nothing is cut, it never raises."""

import time

import pytest

from tradsys.app.market_state import InstrumentState, Latency, Level, MarketState, Trade, clock, short, size
from tradsys.app.screen import as_text, sparkline, status_line
from tradsys.units import InstrumentUnits

TABLE = [
    ("AAPL", "STOCK", "0.01", "1", 22840),
    ("BTC-USD", "CRYPTO", "0.01", "0.00001", 9731255),
    ("VFIAX", "MUTUAL_FUND", "0.01", "0.001", 54321),
    ("EUR/USD", "FOREX", "0.00001", "1000", 108233),
]


def market() -> MarketState:
    state = MarketState(where="orders tcp://127.0.0.1:5555", started_s=time.monotonic() - 83, selected=2)
    for number, (symbol, asset_class, tick, lot, price) in enumerate(TABLE, start=1):
        made = InstrumentState(number, symbol, asset_class, "USD", InstrumentUnits.parse(tick, lot))
        made.last_ticks, made.open_ticks = price, price - 100
        made.bid, made.ask = Level(price - 1, 120, 3), Level(price + 1, 80, 2)
        made.volume_lots, made.trade_count = 1_234_567, 4321
        state.instruments[number] = made
    state.bids = [Level(9731254 - 7 * i, 1000 * (i + 1), i + 1) for i in range(20)]
    state.asks = [Level(9731256 + 7 * i, 2000 * (i + 1), i + 1) for i in range(20)]
    state.tape.extend(
        Trade(1_700_000_000_123_000_000 + i, 1 + i % 4, TABLE[i % 4][4], 10, 1) for i in range(300)
    )
    state.rates.orders, state.rates.feed_messages = 1834.0, 10_233.0
    state.rates.history.extend([1000.0, 2000.0, 1500.0])
    state.latency = Latency(1000, 233.1, 812.4, 1803.0, 12_000.0)
    state.recorded_rows, state.recorded_bytes, state.journal_bytes = 1_234_567, 55 << 20, 123 << 20
    state.sessions, state.orders_sent = 7, 183_400
    return state


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (200, 60), (100, 30)])
def test_every_part_is_on_the_screen(width, height):
    # Goal: books, trades, figures at every size, in exactly the terminal's lines. Method: look for a word of each.
    lines = as_text(market(), width, height).splitlines()
    assert len(lines) == height
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    for word in ("AAPL", "BTC-USD", "97,312.56", "97,312.54", "▲", "p50 233µs", "1.23M", "123 MiB", "q"):
        assert word in text, word
    assert "…" not in text


def test_an_empty_state_and_a_tiny_terminal_are_drawn():
    # Goal: before the first packet, and on a terminal smaller than promised, nothing breaks. Method: draw both.
    assert "waiting for the feed" in as_text(MarketState(), 120, 40)
    assert as_text(market(), 40, 10)
    assert as_text(market(), 20, 4)


def test_the_best_prices_stand_next_to_each_other():
    # Goal: the ladder reads downwards from the worst ask to the worst bid. Method: order of the prices shown.
    text = "\n".join(line[-43:] for line in as_text(market(), 120, 40).splitlines())
    assert (
        text.index("97,312.63") < text.index("97,312.56") < text.index("97,312.54") < text.index("97,312.47")
    )


def test_a_view_from_outside_shows_no_figures_it_cannot_know():
    # Goal: tradsys top sees the feed only. Method: a state without sessions, recorder and journal.
    state = market()
    state.sessions = state.recorded_rows = state.journal_bytes = None
    text = as_text(state, 120, 40)
    assert "10,233/s" in text
    for word in ("latency", "record", "journal", "sent"):
        assert word not in text


def test_a_stale_book_and_gaps_say_so():
    # Goal: a wrong book is never shown silently. Method: a stale state with healed gaps.
    state = market()
    state.book_stale, state.feed_gaps, state.feed_healed = True, 2, 17
    text = as_text(state, 120, 40)
    assert "stale" in text
    assert "2, 17 healed, 0 lost" in text


def test_selection_goes_round():
    # Goal: arrow keys reach every instrument and come back. Method: step down through all, then up from the first.
    state = market()
    state.selected = 1
    seen = []
    for _ in range(4):
        state.select_next(1)
        seen.append(state.selected)
    assert seen == [2, 3, 4, 1]
    state.select_next(-1)
    assert state.selected == 4
    assert state.bids == []


def test_the_status_line_has_the_figures():
    # Goal: without a terminal one line says the same. Method: its words.
    line = status_line(market())
    for word in (
        "00:01:23",
        "orders 183,400",
        "p99 812µs",
        "gaps none",
        "recorded 1,234,567",
        "journal 123 MiB",
    ):
        assert word in line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (987, "987"),
        (9999, "9999"),
        (12_345, "12.3k"),
        (999_999, "1000k"),
        (4_560_000, "4.56M"),
        (7.89e9, "7.89G"),
    ],
)
def test_numbers_are_short(value, text):
    # Goal: a number fits its column. Method: one of each magnitude.
    assert short(value) == text


def test_sizes_clocks_and_sparklines():
    # Goal: the small formats are right at their edges. Method: examples.
    assert (size(512), size(1536), size(123 << 20), size(3 << 30)) == (
        "512 B",
        "1.5 KiB",
        "123 MiB",
        "3.0 GiB",
    )
    assert (clock(0), clock(3661.9)) == ("00:00:00", "01:01:01")
    assert sparkline([0, 1, 2, 4], 3) == "▃▅█"
    assert sparkline([], 5) == sparkline([0.0], 5) == ""
