"""Named, seeded workloads: set-up commands and arrays of order commands, the same for a seed on every machine.

>>> load = workload.make("single", count=2_000_000, seed=1)
>>> engine = Engine(**load.capacities)
>>> engine.submit(load.setup); engine.submit(load.prefill)
>>> engine.submit(load.commands)        # this is what a benchmark times

Every command of these profiles is valid and none is refused: cancels and replaces name orders that live. Commands that
break every rule come from `tradsys.sim.adversary`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tradsys.limits import ORDERS_MAX
from tradsys.sim import commands
from tradsys.sim.flow import Flow
from tradsys.wire.enums import StpMode
from tradsys.wire.records import ORDER_COMMAND

PARTICIPANTS = 8
SESSIONS = 16
COMMAND_BYTES = ORDER_COMMAND.itemsize


@dataclass(frozen=True)
class Profile:
    """What a market looks like.

    Parameters
    ----------
    live_target
        Orders the flow keeps alive, over all instruments.
    mix
        Adds, marketable orders, cancels and reduces of 1000 commands; the rest are replaces.
    level_count, lowest_price
        Prices in use: `level_count` ticks (a multiple of 64) from `lowest_price` on.
    depth_levels
        How far from the touch passive orders lie [ticks]; nearer ones are more frequent.
    move_one_in, move_levels, jump_one_in
        Once in so many commands of an instrument its fair price moves, by up to so many ticks; once in so many moves
        (0: never) it jumps anywhere in half of the ladder.
    qty_max, sweep_qty_max
        Largest quantity of a passive and of a marketable order [lots].
    crashes
        A cycle of `cycle` commands is calm for six tenths, falls through the book in one and recovers in three.
    drains
        The book is filled to `live_target`, then drained by the mix, then filled again.
    skewed
        Instruments of low id trade more.
    """

    name: str
    what: str
    instruments: int
    live_target: int
    mix: tuple[int, int, int, int]
    level_count: int = 8192
    lowest_price: int = 100_000
    depth_levels: int = 120
    move_one_in: int = 64
    move_levels: int = 2
    jump_one_in: int = 0
    qty_max: int = 100
    sweep_qty_max: int = 400
    cycle: int = 0
    crashes: bool = False
    drains: bool = False
    skewed: bool = False


# 52 % adds, 5 % marketable, 40 % cancels, 3 % reduces and replaces
_BENCHMARK_MIX = (520, 50, 400, 15)

PROFILES = {
    profile.name: profile
    for profile in (
        Profile("single", "one instrument, 23 k live orders", 1, 23_000, _BENCHMARK_MIX, sweep_qty_max=250),
        Profile(
            "multi100",
            "100 instruments, 44 k live orders",
            100,
            44_000,
            _BENCHMARK_MIX,
            level_count=4096,
            sweep_qty_max=250,
            skewed=True,
        ),
        Profile(
            "deep",
            "one instrument, 440 k live orders",
            1,
            440_000,
            _BENCHMARK_MIX,
            level_count=65_536,
            depth_levels=4000,
            sweep_qty_max=250,
        ),
        Profile("normal", "eight instruments, 10 k live orders", 8, 10_000, (480, 60, 400, 30), skewed=True),
        Profile(
            "deep_static",
            "100 k live orders over 20 k prices, hardly a match",
            1,
            100_000,
            (495, 5, 490, 5),
            level_count=65_536,
            depth_levels=20_000,
            move_one_in=10_000,
        ),
        Profile(
            "wide_swings",
            "a sparse book over a million prices, negative ones too; the fair price jumps",
            2,
            4_000,
            (470, 120, 360, 20),
            level_count=1_048_576,
            lowest_price=-524_288,
            depth_levels=60_000,
            move_one_in=8,
            move_levels=2_000,
            jump_one_in=500,
        ),
        Profile(
            "flash_crash",
            "the price falls through the book and comes back, again and again",
            1,
            20_000,
            (480, 60, 420, 20),
            level_count=65_536,
            depth_levels=600,
            move_one_in=4,
            move_levels=4,
            cycle=50_000,
            crashes=True,
        ),
        Profile(
            "cancel_heavy",
            "95 % cancels from a full book",
            1,
            400_000,
            (40, 10, 950, 0),
            depth_levels=2000,
            drains=True,
        ),
        Profile(
            "many_symbols",
            "100 instruments, few busy, most quiet",
            100,
            30_000,
            (500, 60, 400, 20),
            level_count=4096,
            skewed=True,
        ),
    )
}


@dataclass(frozen=True)
class Workload:
    """Commands of one profile and seed.

    `setup` is uint8 (records of several sizes), `prefill` and `commands` are ORDER_COMMAND arrays (80 bytes each).
    The three are to be decided in this order.
    """

    profile: Profile
    seed: int
    capacities: dict[str, int]
    setup: np.ndarray
    prefill: np.ndarray
    commands: np.ndarray


class Stream:
    """An endless workload: the same commands as `make`, as many at a time as asked for.

    Parameters
    ----------
    name
        Profile, a key of `PROFILES`.
    seed
        Equal seeds give equal commands, however they are cut into chunks.
    ids_of_four
        How many of four cancels, reduces and replaces name their order by `order_id`; the others by `orig_client_ref`.
        Order ids are predicted by rule 1.5: the engine must be fresh and get these commands only.
    scrambled_refs
        Client references all over the 64-bit range instead of 1, 2, 3 ...
    live_target
        Live orders, where the profile's number is not wanted.
    """

    def __init__(
        self,
        name: str,
        seed: int = 1,
        *,
        ids_of_four: int = 0,
        scrambled_refs: bool = False,
        live_target: int | None = None,
    ) -> None:
        if name not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}, was {name!r}")
        self.profile = PROFILES[name]
        target = self.profile.live_target if live_target is None else live_target
        self.capacities = capacities(self.profile, target)
        self._flow = Flow(
            seed=seed,
            instruments=self.profile.instruments,
            sessions=SESSIONS,
            live_target=target,
            orders_max=self.capacities["orders_max"],
            level_count=self.profile.level_count,
            lowest_price=self.profile.lowest_price,
            depth_levels=self.profile.depth_levels,
            mix=self.profile.mix,
            move_one_in=self.profile.move_one_in,
            move_levels=self.profile.move_levels,
            jump_one_in=self.profile.jump_one_in,
            qty_max=self.profile.qty_max,
            sweep_qty_max=self.profile.sweep_qty_max,
            cycle=self.profile.cycle,
            crashes=self.profile.crashes,
            drains=self.profile.drains,
            skewed=self.profile.skewed,
            ids_of_four=ids_of_four,
            scrambled_refs=scrambled_refs,
        )

    @property
    def live_count(self) -> int:
        """Orders live once all commands made so far have been decided."""
        return self._flow.live_count

    def setup(self) -> np.ndarray:
        """Commands that define participants, sessions and instruments, as uint8."""
        records = [commands.define_participant(n, stp_mode=StpMode.NONE) for n in range(1, PARTICIPANTS + 1)]
        records += [commands.define_session(n, (n - 1) % PARTICIPANTS + 1) for n in range(1, SESSIONS + 1)]
        low = self.profile.lowest_price
        high = low + self.profile.level_count - 1
        for instrument_id in range(1, self.profile.instruments + 1):
            limits = {"price_min_ticks": low, "price_max_ticks": high}
            records.append(commands.define_instrument(instrument_id, **limits))
            records.append(commands.set_state(instrument_id))
        return np.frombuffer(b"".join(records), dtype=np.uint8)

    def prefill(self) -> np.ndarray:
        """Orders that fill the book to the live target."""
        out = np.empty(self._flow.live_target * COMMAND_BYTES, dtype=np.uint8)
        self._flow.add(out)
        return out.view(ORDER_COMMAND)

    def take(self, count: int) -> np.ndarray:
        """The next `count` commands."""
        out = np.empty(count * COMMAND_BYTES, dtype=np.uint8)
        self._flow.fill(out)
        return out.view(ORDER_COMMAND)


def capacities(profile: Profile, live_target: int) -> dict[str, int]:
    """Engine capacities that the profile fits in."""
    return {
        "orders_max": min(1 << (live_target * 5 // 4 + 2048).bit_length(), ORDERS_MAX),
        "instruments_max": profile.instruments + 1,
        "participants_max": PARTICIPANTS + 1,
        "sessions_max": SESSIONS + 1,
        "accounts_max": 2,
        "positions_max": 1 << 12,
    }


def make(
    name: str,
    count: int,
    seed: int = 1,
    *,
    ids_of_four: int = 0,
    scrambled_refs: bool = False,
    live_target: int | None = None,
) -> Workload:
    """`count` commands of a profile after its set-up and prefill; see `Stream` for the parameters."""
    stream = Stream(
        name, seed, ids_of_four=ids_of_four, scrambled_refs=scrambled_refs, live_target=live_target
    )
    return Workload(
        profile=stream.profile,
        seed=seed,
        capacities=stream.capacities,
        setup=stream.setup(),
        prefill=stream.prefill(),
        commands=stream.take(count),
    )
