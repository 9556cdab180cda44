"""A file's order flow through the matching engine in this process: no sockets, no reports, one call a command."""

from __future__ import annotations

from collections.abc import Sequence

from tradsys.connectors.lobster import NO_PRICE
from tradsys.connectors.order_flow import Command, CommandKind, Party, Step
from tradsys.connectors.resting_orders import BID
from tradsys.core import Engine
from tradsys.wire.commands import define_instrument, define_participant, define_session, set_instrument_state
from tradsys.wire.enums import InstrumentState, OrderType, Side, StpMode, TimeInForce

INSTRUMENT = 1
SESSIONS = {Party.MAKER: 1, Party.TAKER: 2}
TICK = "0.0001"  # prices are the file's own: USD x 10,000


class EngineReplay:
    """An engine with one open instrument and the replay's two participants.

    Parameters
    ----------
    orders_max : int
        Live orders it has room for.
    """

    def __init__(self, orders_max: int = 1 << 17) -> None:
        self.engine = Engine(
            orders_max=orders_max, instruments_max=2, participants_max=3, sessions_max=3, accounts_max=2
        )
        for number in SESSIONS.values():
            self.engine.submit(define_participant(number, stp_mode=StpMode.CANCEL_NEWEST))
            self.engine.submit(define_session(number, number))
        self.engine.submit(
            define_instrument(INSTRUMENT, "FILE", tick=TICK, price_min=TICK, price_max="1000000")
        )
        self.engine.submit(set_instrument_state(INSTRUMENT, InstrumentState.OPEN))

    def apply(self, step: Step) -> None:
        """Decide the commands of one row."""
        for command in step.commands:
            self._decide(command)

    def _decide(self, command: Command) -> None:
        session, engine = SESSIONS[command.party], self.engine
        if command.kind in (CommandKind.NEW, CommandKind.AGGRESS):
            engine.new_order(
                session,
                command.ref,
                INSTRUMENT,
                Side.BUY if command.side == BID else Side.SELL,
                command.price_ticks,
                command.qty_lots,
                OrderType.LIMIT,
                TimeInForce.GTC if command.kind == CommandKind.NEW else TimeInForce.IOC,
                StpMode.NONE,
            )
        elif command.kind == CommandKind.REDUCE:
            engine.reduce_order(session, 0, INSTRUMENT, command.qty_lots, command.orig_ref)
        else:
            assert command.kind == CommandKind.CANCEL, "LOBSTER days have no other commands"
            engine.cancel_order(session, 0, INSTRUMENT, command.orig_ref)

    def equals(self, row: Sequence[int], levels: int) -> bool:
        """Whether the engine's best levels are those of an orderbook row: every price and quantity.

        Levels of the engine beyond those of the row do not count: the file cannot tell of them.
        """
        for offset, side, empty in ((0, Side.SELL, NO_PRICE), (2, Side.BUY, -NO_PRICE)):
            depth = self.engine.depth(INSTRUMENT, side, levels).tolist()
            for level in range(levels):
                column = 4 * level + offset
                price, qty = depth[level][:2] if level < len(depth) else (empty, 0)
                if row[column] != price or row[column + 1] != qty:
                    return False
        return True
