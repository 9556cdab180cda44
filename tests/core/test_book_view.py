"""BookView: right books stay right, wrong input is noticed, never a wrong book silently."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.core.book_view import BookSet, BookView, StaleBookError
from tradsys.wire.enums import Side, Template
from tradsys.wire.records import MD_ORDER_ADD, empty

BUY, SELL = int(Side.BUY), int(Side.SELL)
ADD, REDUCE, DELETE, EXECUTE = (
    Template.MD_ORDER_ADD,
    Template.MD_ORDER_REDUCE,
    Template.MD_ORDER_DELETE,
    Template.MD_ORDER_EXECUTE,
)


def order_id(serial: int, slot: int) -> int:
    return serial << 24 | slot


A, B, C = order_id(1, 0), order_id(2, 1), order_id(3, 2)


def messages(*rows, instrument_id=1) -> np.ndarray:
    """Rows are (template, order_id, side, price, qty)."""
    records = np.zeros(len(rows), dtype=MD_ORDER_ADD)
    for record, (template, order, side, price, qty) in zip(records, rows, strict=True):
        record["block_length"], record["template_id"], record["schema_id"], record["version"] = (
            40,
            template,
            844,
            1,
        )
        record["order_id"], record["side"], record["price_ticks"], record["qty_lots"] = (
            order,
            side,
            price,
            qty,
        )
        record["instrument_id"] = instrument_id
    return records


def view() -> BookView:
    return BookView(1, orders_max=64)


def test_the_four_messages_and_the_queries():
    """Goal: add, reduce, execute, delete and every query. Method: a small book by hand."""
    book = view()
    book.apply(messages((ADD, A, BUY, 10, 5), (ADD, B, BUY, 10, 7), (ADD, C, SELL, 12, 3)))
    assert book.best() == (10, 12, 2, 12, 3, 1)
    assert book.qty_at(BUY, 10) == 12
    assert book.qty_at(BUY, 9) == 0
    assert book.orders(BUY).tolist() == [(A, 10, 5), (B, 10, 7)]
    book.apply(messages((REDUCE, A, BUY, 10, 2), (EXECUTE, A, BUY, 10, 3), (EXECUTE, B, BUY, 10, 1)))
    assert [tuple(row)[:3] for row in book.depth(BUY, 5)] == [(10, 6, 1)]
    book.apply(messages((DELETE, B, BUY, 10, 6)))
    assert book.best() == (None, 0, 0, 12, 3, 1)
    assert book.order_count == 1
    assert not book.crossed
    book.apply(messages((ADD, A, BUY, 12, 1)))
    assert book.crossed
    book.check()


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ((REDUCE, C, BUY, 10, 1), "is not on the book"),
        ((DELETE, A, SELL, 10, 5), "is on side 1"),
        ((DELETE, A, BUY, 11, 5), "rests at 10 ticks, the message says 11"),
        ((DELETE, A, BUY, 10, 4), "has 5 lots left, the message says 4"),
        ((EXECUTE, A, BUY, 10, 6), "has 5 lots left, the message says 6"),
        ((REDUCE, A, BUY, 10, 5), "has 5 lots left, the message says 5"),
        ((ADD, A, BUY, 10, 5), "still on the book"),
        ((ADD, order_id(9, 0), BUY, 10, 5), "still on the book"),
        ((DELETE, order_id(9, 0), BUY, 10, 5), "is not on the book"),
        ((ADD, order_id(9, 64), BUY, 10, 5), "cannot be"),
        ((ADD, order_id(9, 9), BUY, 10, 0), "cannot be"),
        ((ADD, order_id(9, 9), 3, 10, 1), "cannot be"),
        ((ADD, order_id(9, 9), BUY, -(2**63), 1), "cannot be"),
        ((ADD, order_id(9, 9), SELL, 2**63 - 1, 1), "cannot be"),
        ((Template.MD_LEVEL, A, BUY, 10, 5), "template 134"),
    ],
)
def test_a_message_that_does_not_fit_breaks_the_book_and_says_why(bad, sentence):
    """Goal: no wrong book silently. Method: one bad message of each kind on a good book; queries refuse to
    answer.
    """
    book = view()
    book.apply(messages((ADD, A, BUY, 10, 5), (ADD, B, SELL, 12, 5)), first_seq=1)
    book.apply(messages(bad), first_seq=3)
    assert book.stale
    assert sentence in book.stale_reason
    assert "message 3" in book.stale_reason
    for question in (
        book.best,
        lambda: book.depth(BUY),
        lambda: book.orders(SELL),
        lambda: book.qty_at(BUY, 10),
    ):
        with pytest.raises(StaleBookError, match="instrument 1"):
            question()
    book.books.check()
    assert book.apply(messages((ADD, C, BUY, 10, 5)), first_seq=4) == 0
    assert book.apply_snapshot(messages((ADD, C, BUY, 10, 5)), l3_seq=4)
    assert not book.stale
    assert book.best()[:3] == (10, 5, 1)


def test_a_broken_book_does_not_hurt_the_others():
    """Goal: books of one set are independent. Method: break one of two, go on with the other."""
    books = BookSet(orders_max=64, instruments_max=4)
    books.mark_live(1)
    books.mark_live(2)
    books.apply(messages((ADD, A, BUY, 10, 5)), 1)
    books.apply(messages((ADD, B, BUY, 10, 5), instrument_id=2), 2)
    books.apply(messages((DELETE, B, BUY, 10, 5)), 3)
    assert "of instrument 2" in books.stale_reason(1)
    assert books.stale_reason(2) is None
    books.apply(messages((ADD, A, SELL, 12, 1), instrument_id=2), 4)
    assert books.view(2).best() == (10, 5, 1, 12, 1, 1)
    books.check()


def test_messages_a_snapshot_includes_are_passed_over():
    """Goal: replaying kept messages over a snapshot is safe. Method: snapshot at 5, messages 4 to 6."""
    book = view()
    book.apply_snapshot(messages((ADD, A, BUY, 10, 5)), l3_seq=5)
    book.apply(messages((ADD, A, BUY, 10, 9), (REDUCE, A, BUY, 10, 4), (REDUCE, A, BUY, 10, 1)), first_seq=4)
    assert book.orders(BUY).tolist() == [(A, 10, 4)]
    assert book.l3_seq == 6
    assert book.books.passed_over == 2


def test_books_at_different_points_of_the_feed_may_claim_one_slot():
    """Goal: snapshots of two books from different moments. Method: the later one's order has the slot of an
    order the earlier
    book still holds; both then go on, and the slot is free again.
    """
    books = BookSet(orders_max=8, instruments_max=4)
    old, new = order_id(1, 3), order_id(2, 3)
    books.load(1, messages((ADD, old, BUY, 10, 5)), 10)
    books.load(2, messages((ADD, new, SELL, 12, 7), instrument_id=2), 20)
    books.check()
    books.apply(messages((DELETE, old, BUY, 10, 5)), 11)
    books.apply(messages((EXECUTE, new, SELL, 12, 2), instrument_id=2), 21)
    assert books.view(2).orders(SELL).tolist() == [(new, 12, 5)]
    books.apply(messages((DELETE, new, SELL, 12, 5), instrument_id=2), 22)
    books.apply(messages((ADD, order_id(3, 3), BUY, 1, 1)), 23)
    assert books.order_count == 1
    assert [books.stale_reason(i) for i in (1, 2)] == [None, None]
    books.check()


def test_an_unknown_book_and_a_lagging_set_are_stale():
    """Goal: the two other reasons. Method: ask before a snapshot; mark the set behind and not behind."""
    books = BookSet(orders_max=64, instruments_max=4)
    assert "no snapshot" in books.stale_reason(1)
    books.mark_live(1)
    books.mark_behind("line down")
    assert books.view(1).stale_reason == "line down"
    assert books.view(1).best(stale_ok=True).bid_price_ticks is None
    books.mark_behind(None)
    assert books.view(1).best().bid_price_ticks is None


def test_bad_calls_are_refused():
    """Goal: the face checks its arguments. Method: each out of range."""
    books = BookSet(orders_max=8, instruments_max=4)
    books.mark_live(1)
    with pytest.raises(ValueError, match="instrument_id"):
        books.view(4)
    with pytest.raises(ValueError, match="side"):
        books.view(1).depth(3)
    with pytest.raises(ValueError, match="48 bytes"):
        books.apply(bytes(47))
    with pytest.raises(ValueError, match="orders_max"):
        BookSet(orders_max=0)
    with pytest.raises(ValueError, match="instruments_max"):
        BookSet(orders_max=1, instruments_max=1)


class Plain:
    """The obvious book: order_id -> (side, price, leaves) in priority order; None once something did not fit."""

    def __init__(self) -> None:
        self.orders: dict[int, list] | None = {}

    def apply(self, template, order, side, price, qty) -> None:
        if self.orders is None:
            return
        if template == ADD:
            if any(each & 0xFFFFFF == order & 0xFFFFFF for each in self.orders):
                self.orders = None
            else:
                self.orders[order] = [side, price, qty]
            return
        known = self.orders.get(order)
        whole = known is not None and qty == known[2]
        wrong = known is None or known[:2] != [side, price] or qty > known[2]
        if wrong or whole < (template == DELETE) or whole > (template != REDUCE):
            self.orders = None
        elif qty == known[2]:
            del self.orders[order]
        else:
            known[2] -= qty


STEP = st.tuples(
    st.sampled_from([ADD, ADD, ADD, REDUCE, DELETE, EXECUTE]),
    st.builds(order_id, st.integers(1, 3), st.integers(0, 7)),
    st.sampled_from([BUY, SELL]),
    st.sampled_from([-(2**62), -17, 0, 1, 15, 16, 10**9]),
    st.integers(1, 4),
)


@settings(max_examples=300)
@given(st.lists(STEP, max_size=40))
def test_any_messages_give_the_obvious_book_or_a_broken_one(steps):
    """Goal: apply decides right on any input. Method: random messages, mostly fitting by luck, against a dict;
    walk after each.
    """
    book, plain = view(), Plain()
    for step in steps:
        known = plain.orders.get(step[1]) if plain.orders else None
        if step[0] != ADD and known and step[4] > 1:  # give deletes and reduces a chance to fit
            step = (
                step[0],
                step[1],
                known[0],
                known[1],
                known[2] if step[0] == DELETE else min(step[4], known[2]),
            )
        book.apply(messages(step))
        plain.apply(*step)
        assert book.stale == (plain.orders is None)
        book.books.check()
    if plain.orders is not None:
        for side, sign in ((BUY, -1), (SELL, 1)):
            rows = [(o, p, q) for o, (s, p, q) in plain.orders.items() if s == side]
            assert book.orders(side).tolist() == sorted(rows, key=lambda row, s=sign: s * row[1])


def test_a_message_of_an_instrument_out_of_range_is_passed_over():
    """Goal: bounds. Method: instrument ids at and past the limit."""
    books = BookSet(orders_max=8, instruments_max=4)
    for instrument_id in (4, 2**32 - 1):
        record = empty(ADD)
        record["instrument_id"], record["order_id"], record["side"], record["qty_lots"] = (
            instrument_id,
            A,
            BUY,
            1,
        )
        assert books.apply(record) == 0
    assert books.passed_over == 2
