"""Subscriptions of one session: what each still has to be told, and the bodies of W and X that tell it.

While the session's connection takes what it is sent, each turn's changes go out as they are. When it does not, changes
collapse: only which entries changed is kept, and what they are at the moment they go out is told. Trades never collapse.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tradsys.fix_market_data.instruments import NEW, Instrument, nothing_of
from tradsys.fix_market_data.requests import LEVEL_KINDS, SNAPSHOT, TRADE, MarketDataRequest
from tradsys.fix_market_data.streams import KIND_ORDER, BookStream, Change, FigureStream, level_kinds

BODY_BYTES = 16 << 10  # of one X, at most
ENTRY_BYTES_MAX = 256
RPT_SEQ = b"83=%d\x01"


class Pace:
    """How well a session's connection takes what it is sent; shared by its subscriptions."""

    __slots__ = ("is_slow", "trades")

    def __init__(self) -> None:
        self.is_slow = False  # changes collapse
        self.trades = 0  # that wait to be sent


class Leg:
    """One instrument of a subscription.

    Invariant: the entries the client has, changed by `ready` or by `changed`, are those the streams tell now; unless
    `needs_snapshot`, then a W will say what they are.
    """

    __slots__ = (
        "_wants_all_levels",
        "book", "changed", "figures", "instrument", "kinds", "last_trade", "needs_snapshot", "ready", "rpt_seq",
        "subscription", "trades", "unknown",
    )  # fmt: skip

    def __init__(
        self,
        subscription: Subscription,
        instrument: Instrument,
        book: BookStream | None,
        figures: FigureStream | None,
    ) -> None:
        self.subscription, self.instrument = subscription, instrument
        self.book, self.figures = book, figures
        self.kinds = subscription.request.entry_kinds
        self._wants_all_levels = self.kinds >= LEVEL_KINDS
        self.needs_snapshot = True
        self.unknown = ""  # why the book is not known, when the client is to be told so
        self.ready: list[bytes] = []  # entries of X of this turn
        self.changed: dict[tuple[bytes, int], bool] = {}  # collapsed: entry, and whether the client has it
        self.trades: list[bytes] = []  # entries of X, or of W when books are sent whole
        self.last_trade = b""  # entry of W
        self.rpt_seq = 0

    def take(self, changes: list[Change], texts: list[bytes]) -> None:
        """Take what has changed; `texts` are those of the changes."""
        subscription = self.subscription
        if self.needs_snapshot or subscription.is_once:
            return
        if not subscription.request.is_incremental:
            self.needs_snapshot = any(change.kind in self.kinds for change in changes)
        elif subscription.pace.is_slow or self.changed:
            for change in changes:
                if change.kind in self.kinds:
                    self.changed.setdefault((change.kind, change.key), change.action != NEW)
        elif self._wants_all_levels and changes[0].kind in LEVEL_KINDS:
            self.ready += texts
        else:
            self.ready += [change.text for change in changes if change.kind in self.kinds]
        if self.ready or self.changed or self.needs_snapshot:
            subscription.waiting[self] = None

    def take_trade(self, change: bytes, entry: bytes) -> None:
        """Take a trade: none is left out."""
        self.last_trade = entry
        subscription = self.subscription
        if subscription.is_once:
            return
        self.trades.append(change if subscription.request.is_incremental else entry)
        subscription.pace.trades += 1
        if not subscription.request.is_incremental:
            self.needs_snapshot = True
        subscription.waiting[self] = None

    def restart(self) -> None:
        """Forget what the client has: it will be told all anew."""
        if self.subscription.is_once and not self.needs_snapshot:
            return
        self.needs_snapshot = True
        self.ready, self.changed = [], {}
        self.subscription.waiting[self] = None

    def can_tell(self) -> bool:
        """Tell whether a W can say what the book is, or that it is not known."""
        return self.book is None or self.book.is_good or bool(self.unknown)

    def changes(self) -> list[bytes]:
        """Take the entries of X to be sent: trades, then levels and figures."""
        texts = self._take_trades()
        if not self.needs_snapshot:
            texts = texts + self.ready + self._collapsed()
            self.ready, self.changed = [], {}
        return texts

    def _take_trades(self) -> list[bytes]:
        texts = self.trades
        self.trades = []
        self.subscription.pace.trades -= len(texts)
        return texts

    def _collapsed(self) -> list[bytes]:
        texts = []
        for (kind, key), was_there in self.changed.items():
            stream = self.book if self.book is not None and kind in self.book.sides else self.figures
            assert stream is not None, f"no stream tells entries of kind {kind!r}"
            texts.append(stream.change_of(kind, key, was_there))
        return [text for text in texts if text]

    def snapshot(self) -> list[bytes]:
        """Take the entries of a W as things stand."""
        self.needs_snapshot = False
        self.ready, self.changed = [], {}
        texts: list[bytes] = []
        if self.unknown:
            texts += [
                nothing_of(kind, self.unknown) for kind in KIND_ORDER if kind in level_kinds(self.kinds)
            ]
        elif self.book is not None:
            texts += self.book.entries(self.kinds)
        if TRADE in self.kinds:
            is_whole = not self.subscription.request.is_incremental
            texts += (self._take_trades() if is_whole else []) or [self.last_trade or nothing_of(TRADE)]
        if self.figures is not None:
            texts += self.figures.entries(self.kinds)
        return texts


class Subscription:
    """One MDReqID.

    Parameters
    ----------
    request : MarketDataRequest
    pace : Pace
        Of its session.
    body_bytes : int
        Longest body of an X.
    has_rpt_seq : bool
        Whether entries are numbered with 83.
    """

    def __init__(
        self,
        request: MarketDataRequest,
        pace: Pace,
        *,
        body_bytes: int = BODY_BYTES,
        has_rpt_seq: bool = False,
    ) -> None:
        self.request, self.pace = request, pace
        self.is_once = request.kind == SNAPSHOT
        self.legs: list[Leg] = []
        self.waiting: dict[Leg, None] = {}  # with something to be told, in the order it came
        self._entries_max = max(body_bytes // ENTRY_BYTES_MAX, 1)
        self._has_rpt_seq = has_rpt_seq

    def restart(self) -> None:
        """Tell everything anew."""
        for leg in self.legs:
            leg.restart()

    def close(self) -> None:
        """Forget what waits."""
        self.pace.trades -= sum(len(leg.trades) for leg in self.legs)
        self.waiting.clear()

    def bodies(self) -> Iterator[tuple[bytes, bytes]]:
        """Take what is to be sent as MsgType and body: X with what has changed, then W of the books told anew.

        A caller may stop at any W: what was not taken waits, as does what waits for a book that is not known.
        """
        if self.request.is_incremental:
            yield from self._change_bodies(
                list(chain.from_iterable(map(self._numbered_changes, self.waiting)))
            )
        for leg in list(self.waiting):
            if leg.needs_snapshot and not leg.can_tell():
                continue
            del self.waiting[leg]
            if leg.needs_snapshot:
                yield b"W", self._snapshot_body(leg)

    def _snapshot_body(self, leg: Leg) -> bytes:
        entries = leg.snapshot()
        head = b"262=%b\x0155=%b\x01" % (self.request.request_id, leg.instrument.symbol)
        if self._has_rpt_seq:
            head += RPT_SEQ % leg.rpt_seq
        return b"%b268=%d\x01%b" % (head, len(entries), b"".join(entries))

    def _numbered_changes(self, leg: Leg) -> list[bytes]:
        texts = leg.changes()
        if not self._has_rpt_seq:
            return texts
        first = leg.rpt_seq + 1
        leg.rpt_seq += len(texts)
        return [text + RPT_SEQ % number for number, text in enumerate(texts, first)]

    def _change_bodies(self, texts: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        for begin in range(0, len(texts), self._entries_max):
            yield b"X", self._change_body(texts[begin : begin + self._entries_max])

    def _change_body(self, part: list[bytes]) -> bytes:
        return b"262=%b\x01268=%d\x01%b" % (self.request.request_id, len(part), b"".join(part))
