"""Messages that came before their turn, and the request for those missing in front of them."""

from msgspec import Struct

from tradsys.fix.actions import Fault
from tradsys.fix.message import Message

SERVED_MAX = (
    1_000  # answered already and kept beyond the bound: two sides that ask each other would never end else
)


class Early(Struct, frozen=True):
    """A message whose number is too high yet."""

    message: Message
    fault: Fault | None = None  # found by a rule; rejected when its turn comes
    is_served: bool = False  # answered already: only its number counts


class Gap:
    """What is missing between the number expected and the highest seen.

    A request is outstanding while ``asked_end`` is not 0. The queue holds numbers above the one expected only.

    Parameters
    ----------
    early_max : int
        Messages kept; more are forgotten and asked for again.
    """

    def __init__(self, early_max: int) -> None:
        self.early_max = early_max
        self.early: dict[int, Early] = {}
        self.highest = 0  # highest number seen too early; 0: nothing is missing
        self.passed = 0  # nothing below is kept
        self.asked_end = 0  # last number asked for; 0: nothing was asked
        self.asked_ns = 0  # when it was asked, or something last came of it
        self.tries = 0  # requests since something last came

    @property
    def is_open(self) -> bool:
        """Tell whether something is missing."""
        return self.highest > 0

    @property
    def last_missing(self) -> int:
        """Tell the last number to ask for: the one before the highest seen, or that one when it was not kept."""
        return self.highest - (self.highest in self.early)

    def keep(self, early: Early) -> None:
        """Keep a message until its turn."""
        seq = early.message.seq
        self.highest = max(self.highest, seq)
        room = self.early_max + (SERVED_MAX if early.is_served else 0)
        if len(self.early) < room:
            self.early.setdefault(seq, early)

    def take(self, seq: int) -> Early | None:
        """Take out the message of a number."""
        return self.early.pop(seq, None)

    def pass_over(self, next_in: int) -> None:
        """Forget what lies below the number expected; all of it when nothing is missing any more."""
        steps = next_in - self.passed
        below = (
            range(self.passed, next_in) if steps <= len(self.early) else [*filter(next_in.__gt__, self.early)]
        )
        for seq in below:
            self.early.pop(seq, None)
        self.passed = next_in
        if self.highest < next_in:
            self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.early.clear()
        self.highest = self.passed = self.asked_end = self.asked_ns = self.tries = 0
