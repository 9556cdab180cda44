"""Client references: any 64-bit values, found while live, free again afterwards (rules 3.7 and 5.5).

Method: patterns that crowd a weak hash; `check` counts every place of the table.
"""

import random

import pytest
from market import BUY, kinds, market, one

from tradsys.wire.enums import RejectReason, Template
from tradsys.wire.records import ORDER_REJECTED

COUNT = 3000
PATTERNS = {
    "sequential": [n + 1 for n in range(COUNT)],
    **{f"multiples of 2^{k}": [(n << k) % 2**64 for n in range(COUNT)] for k in (3, 16, 32, 48, 52)},
    "equal low halves": [n << 32 | 0xDEADBEEF for n in range(COUNT)],
    "top of the range": [2**64 - 1 - n for n in range(COUNT)],
    "random": random.Random(1).sample(range(2**62), COUNT),
    "multiples of a hash constant": [n * 0x9E3779B97F4A7C15 % 2**64 for n in range(COUNT)],
}


@pytest.mark.parametrize("refs", PATTERNS.values(), ids=PATTERNS.keys())
def test_every_live_reference_is_found_and_no_other(refs):
    engine = market(orders_max=COUNT)
    for ref in refs:
        assert engine.new_order(1, ref, 1, BUY, 5, 1) == 1
        assert kinds(engine.read_events()) == [Template.ORDER_ACCEPTED]
    engine.check()
    for ref in refs[::100]:
        engine.new_order(1, ref, 1, BUY, 5, 1)
        assert one(engine.read_events())["reject_reason"] == RejectReason.DUPLICATE_CLIENT_REF
        # another session may use the same reference: only the room is missing
        engine.new_order(2, ref, 1, BUY, 5, 1)
        assert one(engine.read_events())["reject_reason"] == RejectReason.BOOK_FULL
    for ref in refs:
        assert engine.cancel_order(1, 0, 1, orig_client_ref=ref) == 1
        assert kinds(engine.read_events()) == [Template.ORDER_CANCELED]
    engine.check()
    engine.cancel_order(1, 0, 1, orig_client_ref=refs[0])
    assert one(engine.read_events())["reject_reason"] == RejectReason.UNKNOWN_ORDER


@pytest.mark.parametrize("orders_max", [1, 2, 3, 7, 8, 9, 64])
def test_a_full_table_in_random_order(orders_max):
    rnd = random.Random(orders_max)
    engine = market(orders_max=orders_max)
    live: list[int] = []
    for _ in range(600):
        if live and (len(live) == orders_max or rnd.random() < 0.45):
            assert engine.cancel_order(1, 0, 1, orig_client_ref=live.pop(rnd.randrange(len(live)))) == 1
        else:
            live.append(rnd.getrandbits(64))
            engine.new_order(1, live[-1], 1, BUY, rnd.randint(-9, 9), 1)
        assert not (engine.read_events()["template_id"] == Template.ORDER_REJECTED).any()
        engine.check()
    assert engine.live_order_count() == len(live)


def test_the_hash_key_decides_no_answer():
    commands = [(n * 2**32, 5 + n % 3) for n in range(200)]
    answers = []
    for key in (0, 1, 2**64 - 1, None):
        engine = market(index_key=key)
        answer = b""
        for ref, price in commands:
            engine.new_order(1, ref, 1, BUY, price, 1)
            answer += engine.read_events().tobytes()
        answers.append((answer, engine.state_hash()))
    assert len(set(answers)) == 1


def test_a_refusal_names_what_was_given():
    engine = market()
    engine.cancel_order(1, 77, 1, orig_client_ref=2**64 - 1)
    refusal = engine.read_events().view(ORDER_REJECTED)[0]
    assert (refusal["client_ref"], refusal["orig_client_ref"]) == (77, 2**64 - 1)
