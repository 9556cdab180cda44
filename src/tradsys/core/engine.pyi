"""The compiled matching engine; see ``cython/tradsys/core/engine.pyx``."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

LEVEL_DTYPE: np.dtype[Any]
ORDER_DTYPE: np.dtype[Any]

class PositionRow(NamedTuple):
    scope: int
    scope_id: int
    instrument_id: int
    position_lots: int
    open_buy_lots: int
    open_sell_lots: int
    cost_value: int
    realised_value: int
    traded_value: int
    worst_value: int
    fees: int

class Engine:
    event_capacity: int
    event_count: int
    last_seq: int
    last_event_seq: int

    def __init__(
        self,
        *,
        orders_max: int = ...,
        instruments_max: int = ...,
        participants_max: int = ...,
        sessions_max: int = ...,
        accounts_max: int = ...,
        positions_max: int = ...,
        events_max: int = ...,
        index_key: int | None = None,
    ) -> None: ...
    @property
    def capacities(self) -> dict[str, int]: ...
    def positions(self) -> list[PositionRow]: ...
    def submit(self, commands: Any, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]: ...
    def read_events(self) -> npt.NDArray[Any]: ...
    def new_order(
        self,
        session_id: int,
        client_ref: int,
        instrument_id: int,
        side: int,
        price_ticks: int,
        qty_lots: int,
        order_type: int = 1,
        time_in_force: int = 1,
        stp_mode: int = 0,
        order_flags: int = 0,
        account_id: int = 0,
        ts_ns: int = 0,
    ) -> int: ...
    def cancel_order(
        self,
        session_id: int,
        client_ref: int,
        instrument_id: int,
        orig_client_ref: int = 0,
        order_id: int = 0,
        ts_ns: int = 0,
    ) -> int: ...
    def reduce_order(
        self,
        session_id: int,
        client_ref: int,
        instrument_id: int,
        qty_lots: int,
        orig_client_ref: int = 0,
        order_id: int = 0,
        ts_ns: int = 0,
    ) -> int: ...
    def replace_order(
        self,
        session_id: int,
        client_ref: int,
        instrument_id: int,
        price_ticks: int,
        qty_lots: int,
        orig_client_ref: int = 0,
        order_id: int = 0,
        order_flags: int = 0,
        ts_ns: int = 0,
    ) -> int: ...
    def best_bid(self, instrument_id: int) -> int: ...
    def best_ask(self, instrument_id: int) -> int: ...
    def qty_at(self, instrument_id: int, side: int, price_ticks: int) -> int: ...
    def live_order_count(self) -> int: ...
    def next_expiry_ns(self) -> int: ...
    def instrument_state(self, instrument_id: int) -> int: ...
    def defined_instruments(self) -> list[int]: ...
    def planned_end(self, instrument_id: int) -> int: ...
    def depth(self, instrument_id: int, side: int, levels: int = 10) -> npt.NDArray[Any]: ...
    def resting_orders(self, instrument_id: int, side: int) -> npt.NDArray[Any]: ...
    def is_unfinished(self) -> bool: ...
    def state_hash(self) -> int: ...
    def snapshot_size(self) -> int: ...
    def snapshot(self) -> bytes: ...
    @staticmethod
    def restore(snapshot: bytes | bytearray | memoryview, **capacities: Any) -> Engine: ...
    def check(self) -> None: ...
