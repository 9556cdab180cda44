"""The window rule: what is dropped, what is taken from the file, and what never is."""

from tradsys.connectors.lobster import NO_PRICE
from tradsys.connectors.lobster_window import ASK, BID, WindowBook

NEW, REDUCE, DELETE, EXECUTE, HIDDEN = 1, 2, 3, 4, 5


def window(*row: int) -> WindowBook:
    book = WindowBook(len(row) // 4)
    book.seed(row)
    return book


def test_a_level_beyond_the_window_is_dropped():
    # Goal: a better level pushes the worst one out. Method: two levels, a bid between them and the top.
    book = window(100, 1, 90, 2, 101, 3, 88, 4)
    book.apply(NEW, 7, 89, 1)
    row = (100, 1, 90, 2, 101, 3, 89, 7)
    book.settle(row)
    assert book.left == [(BID, 88)]
    assert book.equals(row)
    assert book.levels_taken == 0


def test_a_missing_worst_level_is_taken_from_the_file():
    # Goal: the hole at the end of the window is filled, and counted. Method: the best ask is executed whole.
    book = window(100, 1, 90, 2, 101, 3, 88, 4)
    book.apply(EXECUTE, 1, 100, -1)
    row = (101, 3, 90, 2, 105, 9, 88, 4)
    book.settle(row)
    assert book.entered == [(ASK, 105, 9)]
    assert book.levels_taken == 1
    assert book.equals(row)


def test_a_level_better_than_the_worst_held_is_never_taken():
    # Goal: the file cannot paint over a wrong book. Method: the row shows a better level that no message
    # brought.
    book = window(100, 1, 90, 2, 101, 3, 88, 4)
    book.apply(EXECUTE, 1, 100, -1)
    row = (99, 5, 90, 2, 101, 3, 88, 4)
    book.settle(row)
    assert book.depth(ASK) == [(101, 3)]
    assert not book.equals(row)


def test_a_wrong_quantity_is_seen():
    # Goal: equality looks at every quantity. Method: one lot off on the second bid level.
    book = window(100, 1, 90, 2, 101, 3, 88, 4)
    assert book.equals((100, 1, 90, 2, 101, 3, 88, 4))
    assert not book.equals((100, 1, 90, 2, 101, 3, 88, 5))
    assert not book.equals((100, 1, 90, 2, 102, 3, 88, 4))


def test_empty_levels_are_the_dummy_price():
    # Goal: a side with fewer levels than the window matches the file's dummies only. Method: one bid, then
    # none.
    book = window(100, 1, 90, 2, NO_PRICE, 0, -NO_PRICE, 0)
    row = (100, 1, -NO_PRICE, 0, NO_PRICE, 0, -NO_PRICE, 0)
    assert not book.equals(row)
    book.apply(DELETE, 2, 90, 1)
    book.settle(row)
    assert book.equals(row)
    assert book.top() == (100, 1, -NO_PRICE, 0)


def test_hidden_executions_change_nothing_and_too_much_is_counted():
    # Goal: type 5 leaves the book alone; taking more than a level holds is no silent success. Method: both.
    book = window(100, 5, 90, 2)
    book.apply(HIDDEN, 3, 100, -1)
    assert book.top() == (100, 5, 90, 2)
    book.apply(REDUCE, 6, 100, -1)
    assert book.unmatched == 1
    book.check()
