"""What special orders are: checks of kinds, flags and terms, prices and quantities found on entry (section 9)."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from tradsys.limits import PRICE_TICKS_MAX
from tradsys.sim.reference_book import BUY, BookSide, Order
from tradsys.sim.reference_definitions import Instrument, Participant
from tradsys.sim.reference_hash import FACTOR, MASK, START
from tradsys.sim.reference_records import COMMANDS
from tradsys.sim.reference_triggers import is_triggered, kind_behind
from tradsys.wire.enums import (
    InstrumentState,
    OrderFlags,
    OrderType,
    PostOnlyMode,
    StpMode,
    StpScope,
    Template,
    TimeInForce,
)

LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
MARKET_TO_LIMIT = int(OrderType.MARKET_TO_LIMIT)
IOC, FOK, GTD = int(TimeInForce.IOC), int(TimeInForce.FOK), int(TimeInForce.GTD)
POST_ONLY, HIDDEN = int(OrderFlags.POST_ONLY), int(OrderFlags.HIDDEN)
REDUCE_ONLY = int(OrderFlags.REDUCE_ONLY)
ALL_OR_NONE, KEEP_ON_DISCONNECT = int(OrderFlags.ALL_OR_NONE), int(OrderFlags.KEEP_ON_DISCONNECT)
TRANSFER = int(StpMode.TRANSFER)
PARTS_MAX = 1000  # parts an iceberg can have

_NEW_ORDER_NAMES = set(COMMANDS[int(Template.NEW_ORDER)].names)
TERM_NAMES = tuple(n for n in COMMANDS[int(Template.NEW_COMPLEX_ORDER)].names if n not in _NEW_ORDER_NAMES)
Terms = namedtuple("Terms", TERM_NAMES)  # type: ignore[misc]
NO_TERMS = Terms(*(0 for _ in TERM_NAMES))


def terms_of(command: Any) -> Any:
    """The terms of a new order; all 0 of one without."""
    return Terms(*(getattr(command, name, 0) for name in TERM_NAMES))


def has_amount(command: Any) -> bool:
    """Whether a market order is by notional (9.11)."""
    return command.order_type == MARKET and getattr(command, "amount_ticks_lots", 0) != 0


def flags_are_bad(command: Any) -> bool:
    """Rule 3.3, without padding."""
    flags = command.order_flags
    passing = command.time_in_force in (IOC, FOK)
    if flags & ~(POST_ONLY | KEEP_ON_DISCONNECT | HIDDEN | ALL_OR_NONE | REDUCE_ONLY):
        return True
    if flags & REDUCE_ONLY and not passing:
        return True
    if flags & (POST_ONLY | ALL_OR_NONE | REDUCE_ONLY) and is_triggered(command.order_type):
        return True
    if flags & POST_ONLY and (command.order_type in (MARKET, MARKET_TO_LIMIT) or passing):
        return True
    if flags & HIDDEN and (kind_behind(command.order_type) != LIMIT or passing):
        return True
    if flags & ALL_OR_NONE and command.time_in_force != IOC:
        return True
    return command.expire_ts_ns != 0 and command.time_in_force != GTD


def terms_are_bad(command: Any, terms: Any, instrument: Instrument) -> bool:
    """Rule 9.2."""
    kind = kind_behind(command.order_type)
    rests = kind == LIMIT and command.time_in_force not in (IOC, FOK)
    trigger = (terms.trigger_price_ticks, terms.trail_offset, terms.trigger_source, terms.trail_unit)
    if not is_triggered(command.order_type) and any(trigger):
        return True
    if terms.group_id or terms.group_role or terms.peg_type or terms.peg_offset_ticks:
        return True
    if _display_is_bad(command, terms, instrument, rests):
        return True
    if terms.min_qty_lots and (
        not 0 < terms.min_qty_lots <= command.qty_lots
        or command.time_in_force == FOK
        or command.order_flags & (POST_ONLY | ALL_OR_NONE)
    ):
        return True
    if terms.protection_ticks and (
        kind != MARKET
        or not _is_distance(terms.protection_ticks, instrument)
        or terms.amount_ticks_lots
    ):
        return True
    if terms.amount_ticks_lots and (command.order_type != MARKET or terms.amount_ticks_lots < 0):
        return True
    return _post_only_is_bad(command, terms, instrument)


def _display_is_bad(command: Any, terms: Any, instrument: Instrument, rests: bool) -> bool:
    lots, spread = terms.display_lots, terms.display_spread_lots
    if lots == 0:
        return spread != 0
    if not rests or command.order_flags & HIDDEN:
        return True
    if not 0 < lots <= instrument.qty_max_lots or not 0 <= spread < lots:
        return True
    if lots % instrument.qty_increment_lots or spread % instrument.qty_increment_lots:
        return True
    return bool(command.qty_lots > (lots - spread) * PARTS_MAX)


def _post_only_is_bad(command: Any, terms: Any, instrument: Instrument) -> bool:
    mode, ticks = terms.post_only_mode, terms.post_only_ticks
    if mode != PostOnlyMode.REJECT and not command.order_flags & POST_ONLY:
        return True
    if mode == PostOnlyMode.PASSIVE_TICKS:
        return not _is_distance(ticks, instrument)
    return mode > PostOnlyMode.PASSIVE_TICKS or ticks != 0


def _is_distance(ticks: int, instrument: Instrument) -> bool:
    return 0 < ticks <= PRICE_TICKS_MAX and ticks % instrument.price_increment_ticks == 0


# ---------------------------------------------------------------- prices found on entry


def entry_limit(order: Order, other: BookSide, instrument: Instrument, collar: int) -> int | None:
    """Price an order may go to and rest at (9.9, 9.10), None of a market order without protection."""
    best = other.best()
    if order.order_type == LIMIT:
        return order.price
    if best is None or (order.order_type == MARKET and not order.terms.protection_ticks):
        return None
    if order.order_type == MARKET_TO_LIMIT:
        return best
    step = instrument.price_increment_ticks
    ticks = order.terms.protection_ticks
    if 0 < collar < ticks:
        ticks = collar // step * step
    if order.side == BUY:
        return min(best + ticks, instrument.price_max_ticks // step * step)
    return max(best - ticks, -(-instrument.price_min_ticks // step) * step)


def post_only_price(order: Order, price: int, other: BookSide, instrument: Instrument) -> int | None:
    """Price of a limit order that may not match (4.6, 9.12): the one given unless it would; None: refused."""
    if not other.is_reached_by(price):
        return price
    best = other.best()
    assert best is not None
    if order.terms.post_only_mode == PostOnlyMode.REJECT or instrument.state != InstrumentState.OPEN:
        return None
    ticks = instrument.price_increment_ticks
    if order.terms.post_only_mode == PostOnlyMode.PASSIVE_TICKS:
        ticks = order.terms.post_only_ticks
    moved: int = best - ticks if order.side == BUY else best + ticks
    return None if instrument.price_refusal(moved) else moved


def next_part(order: Order, increment: int) -> int:
    """Lots an iceberg shows next (9.6); counts the parts."""
    lots, spread = order.terms.display_lots, order.terms.display_spread_lots
    order.parts += 1
    if spread:
        h = START
        for word in (order.order_id, order.client_ref, order.parts):
            h = ((h ^ word) * FACTOR) & MASK
            h ^= h >> 29
        lots += h % (2 * (spread // increment) + 1) * increment - spread
    return int(min(lots, order.leaves))


# ---------------------------------------------------------------- own orders


def is_own(order: Order, resting: Order, groups: dict[int, int]) -> bool:
    """Whether self-trade prevention looks at the pair: one participant, or one trade group (4.8, 9.21)."""
    return is_own_of(order.session.participant, resting.session.participant, groups)


def is_own_of(mine: Participant, theirs: Participant, groups: dict[int, int]) -> bool:
    """The same of two participants; `groups` is the trade group of each that has one."""
    if mine is theirs:
        return True
    group_id = groups.get(mine.participant_id, 0)
    return bool(
        mine.stp_scope == StpScope.TRADE_GROUP
        and group_id
        and group_id == groups.get(theirs.participant_id, 0)
    )


def prevents_specially(participant: Participant) -> bool:
    """Whether the participant's own settings do more than cancel its own orders (9.15 to 9.17, 9.21)."""
    return bool(participant.stp_mode > StpMode.CANCEL_BOTH or participant.stp_scope != StpScope.PARTICIPANT)


def is_transfer(order: Order, resting: Order) -> bool:
    """Whether an own order is met by a transfer instead of a decrement (9.17)."""
    return order.stp_mode == TRANSFER and order.session.participant is not resting.session.participant
