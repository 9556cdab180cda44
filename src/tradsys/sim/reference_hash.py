"""State hash of the reference engine: section 8 of the rule book, word for word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tradsys.sim.reference_book import BUY, SELL, Order
from tradsys.wire.enums import OrderFlags

if TYPE_CHECKING:
    from tradsys.sim.reference_definitions import Instrument
    from tradsys.sim.reference_engine import ReferenceEngine

START = 0x9E3779B97F4A7C15
FACTOR = 0xBF58476D1CE4E5B9
MASK = (1 << 64) - 1
COMPLEX = int(OrderFlags.COMPLEX)


def state_hash(engine: ReferenceEngine) -> int:
    """Hash of the words below, as an unsigned 64-bit number."""
    return hash_words(_words(engine))


def hash_words(words: Iterable[int]) -> int:
    """Hash of words, as an unsigned 64-bit number."""
    h = START
    for word in words:
        h = ((h ^ (word & MASK)) * FACTOR) & MASK
        h ^= h >> 29
    return h


def _words(engine: ReferenceEngine) -> Iterator[int]:
    yield from (engine.last_seq, engine.last_event_seq, engine.order_serial, engine.slots_used)  # 8.1
    yield from reversed(engine.slots_freed)
    for participant_id, participant in sorted(engine.participants.items()):  # 8.2
        yield from (participant_id, participant.permissions, participant.stp_mode, participant.enabled)
    for session_id, session in sorted(engine.sessions.items()):
        yield from (session_id, session.participant.participant_id, session.enabled, session.open)
        yield from (session.cancel_on_disconnect, session.last_client_seq, session.last_report_seq)
    for account_id, account in sorted(engine.accounts.items()):
        yield from (account_id, account.participant.participant_id, account.enabled)
    for _, instrument in sorted(engine.instruments.items()):  # 8.3
        yield from _instrument_words(instrument)
        yield from instrument.auction.words()  # 8.6
        book = engine.books[instrument.instrument_id]
        for side in (BUY, SELL):
            for order in book.sides[side].orders():
                yield from order_words(order)
    yield from _words_of_special_orders(engine)  # 8.4
    yield from engine.triggers.words()  # 8.5
    yield from engine.lists.words()
    yield from engine.allocations.words()  # 8.7
    yield from engine.risk.words()  # 8.8
    yield from engine.fees.words()  # 8.9
    yield from engine.trades.words()  # 8.10
    yield from engine.breakers.words()  # 8.11
    yield from engine.conduct.words()  # 8.12


def _words_of_special_orders(engine: ReferenceEngine) -> Iterator[int]:
    """Scopes of self-trade prevention, expiry times and terms (8.4)."""
    for participant_id, participant in sorted(engine.participants.items()):
        if participant.stp_scope:
            yield from (participant_id, participant.stp_scope)
    for order in sorted(engine.orders.values(), key=lambda order: order.slot):
        if order.expire_ts_ns:
            yield from (order.order_id, order.expire_ts_ns)
        if order.flags & COMPLEX:
            yield order.order_id
            yield from order.terms[:10]
            yield int.from_bytes(bytes(order.terms[10:]), "little")
            yield from (order.shown, order.parts)


def _instrument_words(instrument: Instrument) -> Iterator[int]:
    yield from (instrument.instrument_id, instrument.state, instrument.asset_class)
    yield from (instrument.tick_exponent, instrument.lot_exponent)
    yield from _text_words(instrument.symbol)
    yield from _text_words(instrument.currency)
    yield from (instrument.tick_mantissa, instrument.lot_mantissa)
    yield from (instrument.price_increment_ticks, instrument.price_min_ticks, instrument.price_max_ticks)
    yield from (instrument.qty_increment_lots, instrument.qty_min_lots, instrument.qty_max_lots)
    for participant_id, allowed in sorted(instrument.entitlements.items()):
        yield from (participant_id, allowed)


def order_words(order: Order) -> Iterator[int]:
    """The nine words of an order (8.3)."""
    yield from (order.order_id, order.client_ref, order.price, order.total, order.leaves)
    yield from (order.session.session_id, order.account_id)
    yield (order.order_type | (64 if order.held else 0)) << 24 | order.time_in_force << 16 | order.stp_mode << 8 | order.side
    yield order.flags


def _text_words(text: bytes) -> Iterator[int]:
    for at in range(0, len(text), 8):
        yield int.from_bytes(text[at : at + 8], "little")
