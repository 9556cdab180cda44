"""What waits behind a gap: kept within bounds, taken by number, forgotten when passed. Method: against a plain dict."""

from hypothesis import given
from hypothesis import strategies as st

from tradsys.fix.gap import SERVED_MAX, Early, Gap
from tradsys.fix.message import Message


def early(seq: int, is_served: bool = False) -> Early:
    return Early(Message([(34, b"%d" % seq)]), is_served=is_served)


@given(steps=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 9)), max_size=30))
def test_what_is_passed_is_forgotten_and_nothing_else(steps: list[tuple[int, int]]) -> None:
    gap, model, next_in, highest = Gap(100), set(), 1, 0
    for ahead, jump in steps:
        gap.keep(early(next_in + ahead))
        model.add(next_in + ahead)
        highest = next_in + ahead if next_in + ahead > highest else highest
        next_in += jump
        gap.pass_over(next_in)
        model = {seq for seq in model if seq >= next_in}
        assert set(gap.early) == model
        assert gap.is_open == (highest >= next_in)
        assert all(message.message.seq == seq for seq, message in gap.early.items())


def test_the_first_copy_is_kept_and_the_bound_holds() -> None:
    gap = Gap(2)
    first = early(5)
    for kept in (first, early(5), early(7), early(9)):
        gap.keep(kept)
    assert (gap.take(5), gap.take(9), gap.highest) == (first, None, 9)
    assert gap.last_missing == 9
    for seq in range(100, 100 + 2 * SERVED_MAX):
        gap.keep(early(seq, is_served=True))
    assert len(gap.early) == 2 + SERVED_MAX
