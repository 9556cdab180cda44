"""What each row of a LOBSTER day becomes, and that the window keeps our levels equal to the file's."""

import random

from tradsys.connectors.lobster import NO_PRICE
from tradsys.connectors.lobster_plan import AGGRESSOR_BASE, LobsterPlan, Seeding
from tradsys.connectors.order_flow import Command, CommandKind, Party
from tradsys.connectors.resting_orders import ASK, BID, SEED_BASE, RestingOrders

NEW, REDUCE, DELETE, EXECUTE, HIDDEN = 1, 2, 3, 4, 5
ROW = (100, 10, 90, 20)


def plan(seeding: Seeding = Seeding.FIRST) -> LobsterPlan:
    """A plan after row 0: seeded with one level a side."""
    made = LobsterPlan(seeding, 1)
    made.step((0, HIDDEN, 0, 1, 95, 1), ROW)
    return made


def test_row_0_is_the_book_before_everything_else():
    # Goal: the seed is orders of the maker, its own message is not applied again. Method: row 0 alone.
    made = LobsterPlan(Seeding.FIRST, 1)
    step = made.step((0, NEW, 7, 20, 90, 1), ROW)
    assert step.commands == [
        Command(Party.MAKER, CommandKind.NEW, 0, SEED_BASE, 0, BID, 90, 20),
        Command(Party.MAKER, CommandKind.NEW, 0, SEED_BASE + 1, 0, ASK, 100, 10),
    ]
    assert made.seeded == 2


def test_each_message_type_becomes_its_command():
    # Goal: new, partial cancel, delete, execution, hidden execution. Method: one order's life.
    made = plan()
    new = made.step((1, NEW, 7, 5, 91, 1), ROW).commands
    reduce = made.step((2, REDUCE, 7, 2, 91, 1), ROW).commands
    execute = made.step((3, EXECUTE, 7, 1, 91, 1), ROW)
    delete = made.step((4, DELETE, 7, 2, 91, 1), ROW).commands
    hidden = made.step((5, HIDDEN, 0, 9, 95, 1), ROW).commands
    assert new == [Command(Party.MAKER, CommandKind.NEW, 0, 7, 0, BID, 91, 5)]
    assert reduce == [Command(Party.MAKER, CommandKind.REDUCE, 0, 0, 7, BID, 91, 2)]
    assert execute.commands == [
        Command(Party.TAKER, CommandKind.AGGRESS, 0, AGGRESSOR_BASE + 3, 0, ASK, 91, 1)
    ]
    assert (execute.expected_ref, execute.expected_known) == (7, True)
    assert delete == [Command(Party.MAKER, CommandKind.CANCEL, 0, 0, 7, BID, 91, 2)]
    assert hidden == []
    assert made.counts["EXECUTE_HIDDEN"] == 2


def test_a_cancel_of_an_order_from_before_the_file_hits_the_seed():
    # Goal: an unknown order is part of what was seeded at its price. Method: a partial cancel, then the rest.
    made = plan()
    assert made.step((1, REDUCE, 5, 4, 90, 1), ROW).commands[0][:5] == (
        Party.MAKER,
        CommandKind.REDUCE,
        0,
        0,
        SEED_BASE,
    )
    assert made.step((2, DELETE, 6, 16, 90, 1), ROW).commands[0][:5] == (
        Party.MAKER,
        CommandKind.CANCEL,
        0,
        0,
        SEED_BASE,
    )
    assert made.counts["unknown_order"] == 2


def test_without_an_orderbook_unknown_orders_send_nothing():
    # Goal: messages alone drift and say so. Method: delete an order nobody told of.
    made = LobsterPlan(Seeding.NONE, 1)
    assert made.step((0, DELETE, 5, 4, 90, 1), None).commands == []
    assert made.counts["unknown_order"] == 1


def test_a_level_that_enters_the_window_is_brought_to_the_file():
    # Goal: a missing level is seeded, a stale one withdrawn, a too large one shrunk. Method: window of one
    # level.
    made = plan(Seeding.WINDOW)
    made.step((1, NEW, 7, 5, 92, 1), (100, 10, 92, 5))  # 90 leaves the window, its seed stays
    made.step((2, NEW, 8, 1, 93, 1), (100, 10, 93, 1))  # 92 leaves it too
    step = made.step((3, DELETE, 8, 1, 93, 1), (100, 10, 90, 12))  # 92 is gone, 90 has shrunk
    assert [(c.kind, c.orig_ref, c.price_ticks, c.qty_lots) for c in step.commands] == [
        (CommandKind.CANCEL, 8, 93, 1),
        (CommandKind.REDUCE, SEED_BASE, 90, 8),
        (CommandKind.CANCEL, 7, 92, 5),
    ]
    step = made.step((4, DELETE, 9, 12, 90, 1), (100, 10, 80, 3))
    assert step.commands[-1] == Command(Party.MAKER, CommandKind.NEW, 0, SEED_BASE + 2, 0, BID, 80, 3)
    assert made.orders.best(BID) == (80, 3)


def test_resting_orders_match_by_price_then_arrival():
    # Goal: what the plan foretells is price-time priority. Method: three orders, one sweep.
    orders = RestingOrders()
    orders.add(1, ASK, 101, 5)
    orders.add(2, ASK, 100, 5)
    orders.add(3, ASK, 100, 5)
    assert orders.match(BID, 100, 7) == [(2, 5), (3, 2)]
    assert orders.match(BID, 101, 9) == [(3, 3), (1, 5)]
    assert orders.best(ASK) is None
    orders.check()


def test_a_window_plan_follows_a_random_market_at_every_row():
    # Goal: with WINDOW our best levels equal the file's on every row although the file hides what is deeper.
    # Method: a full random book, of which the plan sees only messages within two levels and the two-level
    # orderbook rows.
    rng = random.Random(844)
    truth, live, made = RestingOrders(), {}, LobsterPlan(Seeding.WINDOW, 2)
    rows = 0
    for row in range(3000):
        message = random_message(rng, truth, live, row)
        depth = [[(p, truth.qty_at(side, p)) for p in truth.prices(side)[:2]] for side in (BID, ASK)]
        if not message[6]:
            continue
        made.step(message[:6], book_row(depth))
        rows += 1
        ours = [
            [(p, made.orders.qty_at(side, p)) for p in made.orders.prices(side)[:2]] for side in (BID, ASK)
        ]
        assert ours == depth, f"row {row}"
        made.orders.check()
    assert rows > 1000


def random_message(rng, truth, live, row):
    """One change of the full book as a LOBSTER message, and whether a two-level file has it."""
    seen = [set(truth.prices(side)[:2]) for side in (BID, ASK)]
    ref = rng.choice(list(live)) if live and rng.random() < 0.55 else 0
    if not ref:
        side = rng.choice((BID, ASK))
        ref, qty, price = (
            row + 1,
            rng.randint(1, 9),
            100 + (rng.randint(1, 8) if side == ASK else -rng.randint(1, 8)),
        )
        truth.add(ref, side, price, qty)
        live[ref] = True
        kind = NEW
    else:
        side, price = truth.where(ref)
        qty, kind = truth.leaves(ref), DELETE
        if truth.best(side)[0] == price and rng.random() < 0.5:
            (ref, qty), kind = truth.match(ASK if side == BID else BID, price, 1)[0], EXECUTE
        else:
            truth.reduce(ref, qty)
        if ref not in truth:
            del live[ref]
    within = price in seen[side] or price in truth.prices(side)[:2]
    return row, kind, ref, qty, price, 1 if side == BID else -1, within


def book_row(depth):
    row = []
    for level in range(2):
        row += depth[ASK][level] if level < len(depth[ASK]) else (NO_PRICE, 0)
        row += depth[BID][level] if level < len(depth[BID]) else (-NO_PRICE, 0)
    return row
