"""What a file of an outside venue becomes here: steps of order commands, one step a row of the file."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Party(IntEnum):
    """Which of the replay's sessions sends a command."""

    MAKER = 0  # owns every resting order of the file
    TAKER = 1  # sends the aggressing order of an execution
    OPERATOR = 2  # defines instruments and opens or halts them


class CommandKind(IntEnum):
    """What a command does."""

    NEW = 1  # limit order that rests
    AGGRESS = 2  # immediate-or-cancel limit order
    REDUCE = 3  # takes qty_lots off the order of orig_ref
    CANCEL = 4  # cancels the order of orig_ref
    REPLACE = 5  # gives the order of orig_ref a new reference, price and total quantity
    MASS_CANCEL = 6  # cancels the party's orders of the instrument
    DEFINE = 7  # defines the instrument
    OPEN = 8  # opens the instrument
    HALT = 9  # halts it


class Command(NamedTuple):
    """One order command."""

    party: Party
    kind: CommandKind
    instrument: int  # the file's number for it: 0 in LOBSTER, stock_locate in ITCH
    ref: int  # reference of the new order, 0 where there is none
    orig_ref: int  # reference of the order acted on, 0 where there is none
    side: int  # resting_orders.BID or ASK
    price_ticks: int
    qty_lots: int


class Step(NamedTuple):
    """All that one row of the file makes the replay do."""

    row: int  # row or message number, from 0
    ts_ns: int  # time in the file
    commands: list[Command]
    expected_ref: int  # of an execution: the resting order the outside venue hit; else -1
    expected_known: bool  # that order was told by a message and rests here now
    top: (
        tuple[int, int, int, int] | None
    )  # ask price, ask qty, bid price, bid qty after the row; None: not known
