from collections.abc import Buffer

class Flow:
    orders_max: int
    instrument_count: int
    session_count: int
    level_count: int
    lowest_price: int
    live_count: int
    live_target: int
    sent: int
    def __init__(
        self,
        *,
        seed: int,
        instruments: int,
        sessions: int,
        live_target: int,
        orders_max: int,
        level_count: int,
        lowest_price: int,
        depth_levels: int,
        mix: tuple[int, int, int, int],
        move_one_in: int,
        move_levels: int,
        jump_one_in: int,
        qty_max: int,
        sweep_qty_max: int,
        cycle: int,
        crashes: bool,
        drains: bool,
        skewed: bool,
        ids_of_four: int,
        scrambled_refs: bool,
    ) -> None: ...
    def fill(self, out: Buffer) -> None: ...
    def add(self, out: Buffer) -> None: ...
