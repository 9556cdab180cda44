"""The state hash is what section 8 says: rules 8.1, 8.2, 8.3 and 8.6, word by word.

Method: write out the words of a small state by hand and hash them here.
"""

import numpy as np
import pytest

from tradsys.core import Engine
from tradsys.sim import commands
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire.enums import Permission, Side, StpMode, StpScope, Template

MASK = (1 << 64) - 1


def hash_of(words: list[int]) -> int:
    h = 0x9E3779B97F4A7C15
    for word in words:
        h = ((h ^ (word & MASK)) * 0xBF58476D1CE4E5B9) & MASK
        h ^= h >> 29
    return h


def text_words(text: bytes, width: int) -> list[int]:
    padded = text.ljust(width, b"\0")
    return [int.from_bytes(padded[at : at + 8], "little") for at in range(0, width, 8)]


SETUP = [
    commands.define_participant(7, permissions=Permission.TRADE | Permission.OPERATE, stp_mode=StpMode.NONE),
    commands.define_session(3, 7),
    commands.define_account(5, 7),
    commands.define_instrument(2, symbol=b"ABCDEFGHIJ", currency=b"EUR", tick_exponent=-3, lot_exponent=-1),
    commands.set_state(2),
    commands.record(Template.SET_ENTITLEMENT, participant_id=7, instrument_id=2, allowed=1),
    commands.record(Template.OPEN_SESSION, session_id=3, cancel_on_disconnect=1),
    commands.new_order(3, 50, Side.BUY, 4, -6, instrument_id=2, client_seq=1),
    commands.new_order(3, 51, Side.BUY, 4, -5, instrument_id=2, client_seq=2, account_id=5),
    commands.new_order(3, 52, Side.SELL, 9, 8, instrument_id=2, client_seq=3),
    commands.new_order(3, 53, Side.SELL, 1, -5, instrument_id=2, client_seq=4, stp_mode=StpMode.NONE),
    commands.record(Template.CANCEL_ORDER, session_id=3, orig_client_ref=52, instrument_id=2, client_seq=5),
]

# 12 commands; events: 7 for the set-up, 3 accepted, accepted + executed, canceled.
WORDS = [
    *[12, 13, 4, 4],  # last command, last event, order serial, slots used
    *[2, 3],  # freed slots: 3 by the match first, then 2 by the cancel, which is taken again first
    *[7, 3, StpMode.NONE, 1],  # participant
    *[3, 7, 1, 1, 1, 5, 7],  # session: enabled, open, cancel on disconnect, client_seq 5, 7 reports
    *[5, 7, 1],  # account
    *[2, 2, 1, -3, -1],  # instrument 2, OPEN, STOCK, exponents
    *text_words(b"ABCDEFGHIJ", 16),
    *text_words(b"EUR", 8),
    *[1, 1, 1, -(10**9), 10**9, 1, 1, 10**9],
    *[7, 1],  # entitlement
    *[2 << 24 | 1, 51, -5, 4, 3, 3, 5, 1 << 24 | 1 << 16 | 1 << 8 | 1, 0],
    *[1 << 24 | 0, 50, -6, 4, 4, 3, 0, 1 << 24 | 1 << 16 | 1 << 8 | 1, 0],
]


def small_state(engine):
    engine.submit(np.frombuffer(b"".join(SETUP), dtype=np.uint8))
    return engine


@pytest.mark.parametrize("make_engine", [ReferenceEngine, Engine])
def test_hash_of_a_small_state(make_engine):
    assert small_state(make_engine()).state_hash() == hash_of(WORDS)


@pytest.mark.parametrize("make_engine", [ReferenceEngine, Engine])
def test_hash_of_nothing(make_engine):
    assert make_engine().state_hash() == hash_of([0, 0, 0, 0])


# A call with a planned end, on an instrument with rules of its own: rule 8.6.
PHASES = [
    commands.record(
        *(Template.SET_AUCTION_RULES,),
        instrument_id=2,
        dynamic_range_bp=1,
        static_range_bp=2,
        extension_range_bp=3,
        reference_price_ticks=-4,
        volatility_call_ns=5,
        random_ns=0,
        extension_ns=7,
        extensions_max=8,
    ),
    commands.record(Template.START_CALL, instrument_id=2, state=6, state_after=2, end_ts_ns=90),
    commands.new_order(3, 54, Side.SELL, 2, 0, instrument_id=2, order_type=2, client_seq=6),
]
NO_PRICE = -(1 << 63)
IN_A_CALL = [
    *[15, 16, 5, 4],
    *[3],  # slot 2 is taken again
    *[7, 3, StpMode.NONE, 1],
    *[3, 7, 1, 1, 1, 6, 8],
    *[5, 7, 1],
    *[2, 6, 1, -3, -1],
    *text_words(b"ABCDEFGHIJ", 16),
    *text_words(b"EUR", 8),
    *[1, 1, 1, -(10**9), 10**9, 1, 1, 10**9],
    *[7, 1],
    *[0x11, 1, 1, -4, -4, NO_PRICE, 90, 0, 2, 0, 8, 1, 2, 3, 5, 0, 7],
    *WORDS[-18:],
    *[5 << 24 | 2, 54, 0, 2, 2, 3, 0, 2 << 24 | 1 << 16 | 1 << 8 | 2, 0],
]
SPECIAL = [
    commands.define_participant(7, stp_mode=StpMode.NONE, stp_scope=StpScope.TRADE_GROUP),
    commands.define_session(3, 7),
    commands.define_instrument(2, symbol=b"ABCDEFGHIJ", currency=b"EUR"),
    commands.set_state(2),
    commands.new_order(3, 50, Side.BUY, 4, 5, instrument_id=2, time_in_force=5, expire_ts_ns=77),
    commands.record(
        Template.NEW_COMPLEX_ORDER,
        session_id=3,
        client_ref=51,
        side=Side.BUY,
        qty_lots=9,
        price_ticks=6,
        instrument_id=2,
        order_type=1,
        time_in_force=5,
        expire_ts_ns=78,
        order_flags=1,
        display_lots=4,
        post_only_mode=2,
        post_only_ticks=3,
    ),
]

# 6 commands; events: 4 for the set-up, accepted, accepted + terms + rested.
SPECIAL_WORDS = [
    *[6, 8, 2, 2],
    *[7, 1, StpMode.NONE, 1],
    *[3, 7, 1, 0, 0, 0, 2],
    *[2, 2, 1, -2, 0],
    *text_words(b"ABCDEFGHIJ", 16),
    *text_words(b"EUR", 8),
    *[1, 1, 1, -(10**9), 10**9, 1, 1, 10**9],
    *[2 << 24 | 1, 51, 6, 9, 9, 3, 0, 1 << 24 | 5 << 16 | 1 << 8 | 1, 1 | 1 << 7],
    *[1 << 24 | 0, 50, 5, 4, 4, 3, 0, 1 << 24 | 5 << 16 | 1 << 8 | 1, 0],
    *[7, 1],  # scope of self-trade prevention
    *[1 << 24 | 0, 77],  # expiry times and terms by slot
    *[2 << 24 | 1, 78],
    *[2 << 24 | 1, 0, 0, 4, 0, 0, 0, 0, 0, 0, 3, 2 << 24, 4, 1],
]


@pytest.mark.parametrize("make_engine", [ReferenceEngine, Engine])
def test_words_of_an_instrument_in_a_call_rule_8_6(make_engine):
    engine = make_engine(orders_max=8, instruments_max=4, participants_max=8, sessions_max=4, accounts_max=8)
    engine.submit(np.frombuffer(b"".join([*SETUP, *PHASES]), dtype=np.uint8))
    assert engine.state_hash() == hash_of(IN_A_CALL)


@pytest.mark.parametrize("make_engine", [ReferenceEngine, Engine])
def test_hash_of_orders_with_terms(make_engine):
    """Rule 8.4."""
    engine = make_engine()
    engine.submit(np.frombuffer(b"".join(SPECIAL), dtype=np.uint8))
    assert engine.state_hash() == hash_of(SPECIAL_WORDS)


def dormant(ref: int, side: int, qty: int, price: int, trigger: int, kind: int, source: int, **terms: int) -> bytes:
    return commands.record(
        Template.NEW_COMPLEX_ORDER,
        session_id=3,
        client_ref=ref,
        side=side,
        qty_lots=qty,
        price_ticks=price,
        instrument_id=2,
        order_type=kind,
        time_in_force=1,
        trigger_price_ticks=trigger,
        trigger_source=source,
        **terms,
    )


def mark(price: int) -> bytes:
    return commands.record(Template.SET_MARK_PRICE, instrument_id=2, mark_price_ticks=price)


# A stop; a trailing order whose trigger the mark price has moved from 90 to 95; one that has become due.
DORMANT = [
    *SPECIAL[:4],
    mark(100),
    dormant(60, Side.BUY, 4, 0, 120, 4, 1),
    dormant(61, Side.SELL, 3, 80, 90, 7, 3, trail_offset=5, trail_unit=1),
    dormant(62, Side.SELL, 2, 0, 97, 6, 3, trail_offset=5, trail_unit=1),
    commands.set_state(2, 3),
    mark(96),
]
DORMANT_WORDS = [
    *[10, 15, 3, 3],
    *[7, 1, StpMode.NONE, 1],
    *[3, 7, 1, 0, 0, 0, 3],
    *[2, 3, 1, -2, 0],
    *text_words(b"ABCDEFGHIJ", 16),
    *text_words(b"EUR", 8),
    *[1, 1, 1, -(10**9), 10**9, 1, 1, 10**9],
    *[7, 1],  # scope of self-trade prevention
    *[1 << 24 | 0, 120, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0],  # terms by slot
    *[2 << 24 | 1, 90, 5, 0, 0, 0, 0, 0, 0, 0, 0, 1 << 8 | 3, 0, 0],
    *[3 << 24 | 2, 97, 5, 0, 0, 0, 0, 0, 0, 0, 0, 1 << 8 | 3, 0, 0],
    *[2, 96],
    *[3 << 24 | 2, 62, 0, 2, 2, 3, 0, 6 << 24 | 1 << 16 | 1 << 8 | 2, 1 << 7, 97, 3],
    *[1 << 24 | 0, 60, 0, 4, 4, 3, 0, 4 << 24 | 1 << 16 | 1 << 8 | 1, 1 << 7, 120, 1],
    *[2 << 24 | 1, 61, 80, 3, 3, 3, 0, 7 << 24 | 1 << 16 | 1 << 8 | 2, 1 << 7, 95, 2],
]


@pytest.mark.parametrize("make_engine", [ReferenceEngine, Engine])
def test_hash_of_dormant_orders(make_engine):
    """Rule 8.5."""
    engine = make_engine()
    engine.submit(np.frombuffer(b"".join(DORMANT), dtype=np.uint8))
    assert engine.state_hash() == hash_of(DORMANT_WORDS)


# A parent on the book whose child, a stop, waits for it.
LISTED = [
    *SPECIAL[:4],
    commands.record(
        Template.NEW_ORDER_LIST,
        session_id=3,
        list_type=2,
        instrument_id=2,
        qty_lots=4,
        trigger_source=1,
        client_ref=60,
        side=Side.BUY,
        price_ticks=-6,
        order_type=1,
        time_in_force=1,
        client_ref_2=61,
        side_2=Side.SELL,
        trigger_price_ticks_2=-9,
        order_type_2=4,
        time_in_force_2=1,
    ),
]
LISTED_WORDS = [
    *[5, 10, 2, 2],
    *[7, 1, StpMode.NONE, 1],
    *[3, 7, 1, 0, 0, 0, 3],
    *[2, 2, 1, -2, 0],
    *text_words(b"ABCDEFGHIJ", 16),
    *text_words(b"EUR", 8),
    *[1, 1, 1, -(10**9), 10**9, 1, 1, 10**9],
    *[1 << 24 | 0, 60, -6, 4, 4, 3, 0, 1 << 24 | 1 << 16 | 1 << 8 | 1, 1 << 7],
    *[7, 1],
    *[1 << 24 | 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2 << 32, 0, 0],  # group 1: a parent
    *[2 << 24 | 1, -9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3 << 32 | 1, 0, 0],  # and a child
    *[2, -(1 << 63)],  # dormant orders, no mark price
    *[1, 1],  # lists accepted, lists
    hash_of(
        [
            *[1, 2, 1 << 24 | 0, 2 << 24 | 1],
            *[2 << 24 | 1, 61, 0, 4, 4, 3, 0, (4 + 64) << 24 | 1 << 16 | 1 << 8 | 2, 1 << 7, 0],
        ]
    ),
]


@pytest.mark.parametrize("make_engine", [ReferenceEngine, Engine])
def test_hash_of_order_lists(make_engine):
    """Rule 8.5."""
    engine = make_engine()
    engine.submit(np.frombuffer(b"".join(LISTED), dtype=np.uint8))
    assert engine.state_hash() == hash_of(LISTED_WORDS)
