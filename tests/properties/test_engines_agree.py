"""The compiled engine and the reference say the same of random commands: events byte for byte, state hash, depth.

Method: seeded worlds of every profile, 10^5 commands together, a new seed each run (TRADSYS_SEED fixes it). Seeds that
failed are kept in failing_seeds.txt and replayed first. The debug build walks all of the engine after every command.
"""

import os
import secrets
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradsys.core import Engine
from tradsys.core import engine as engine_module
from tradsys.sim import commands, compare
from tradsys.sim.checkers import EventChecker
from tradsys.sim.compare import ADVERSARIAL, PROFILES, Disagreement
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire.enums import InstrumentState, Template

DEBUG = "debug" in Path(engine_module.__file__).parts[-5:]
KEPT = Path(__file__).with_name("failing_seeds.txt")
COUNTS = {profile: 40_000 if profile == ADVERSARIAL else 6_700 for profile in PROFILES}
# Commands of one world; a new one starts with an empty venue. In hostile ones limits and switches let ever less through.
WORLD_COMMANDS = {profile: 800 if profile == ADVERSARIAL else 3_350 for profile in PROFILES}


def kept_seeds():
    lines = (line.split("#")[0].split() for line in KEPT.read_text().splitlines())
    return [(profile, int(seed), int(count)) for profile, seed, count in filter(None, lines)]


def live_target(profile):
    """Live orders: the walk after every command of the debug build is what takes the time there."""
    if profile == "wide_swings":
        return 600
    return 100 if DEBUG else 500


def drive(profile, seed, count):
    """One world through both engines and a checker; the message of a failure says how to come back."""
    checker = EventChecker()
    try:
        result = compare.run(
            Engine,
            profile,
            seed,
            count,
            one_by_one=DEBUG,
            live_target=live_target(profile),
            state_every=4,
            watch=checker.apply,
        )
        checker.check_totals()
    except Exception as error:  # whatever an engine raises is a failure of this seed
        with KEPT.open("a") as kept:
            kept.write(f"{profile} {seed} {count}\n")
        again = f"tools/simulate.py --profile {profile} --seed {seed} --commands {count} --shrink"
        raise AssertionError(
            f"seed {seed} of {profile} fails (kept in {KEPT.name}); again: {again}\n{type(error).__name__}: {error}"
        ) from error
    return result


@pytest.mark.parametrize(("profile", "seed", "count"), kept_seeds())
def test_seeds_that_failed_once(profile, seed, count):
    drive(profile, seed, count)


@pytest.mark.parametrize("profile", PROFILES)
def test_random_commands(profile):
    first_seed = int(os.environ.get("TRADSYS_SEED", secrets.randbelow(1 << 40)))
    print(f"{profile}: first seed {first_seed}")
    worlds = -(-COUNTS[profile] // WORLD_COMMANDS[profile])
    done = sum(drive(profile, first_seed + n, WORLD_COMMANDS[profile]).commands for n in range(worlds))
    assert done >= COUNTS[profile]


def test_all_profiles_together_are_a_hundred_thousand_commands():
    assert sum(COUNTS.values()) >= 100_000


# ---------------------------------------------------------------- small cases that shrink

SMALL_SETUP = [
    *(commands.define_participant(n, stp_mode=n + 1) for n in (1, 2)),
    *(commands.define_session(n, 1 + n // 3) for n in (1, 2, 3)),
    commands.define_instrument(1, price_min_ticks=-3, price_max_ticks=3, qty_max_lots=9),
    commands.set_state(1),
]
sessions, refs = st.integers(1, 3), st.integers(0, 3)
prices, lots = st.integers(-3, 3), st.integers(1, 5)

new_orders = st.builds(
    lambda session, ref, side, qty, price, tif, stp, flags, market: commands.new_order(
        session,
        ref,
        side,
        qty,
        0 if market else price,
        time_in_force=tif,
        stp_mode=stp,
        order_flags=flags if tif < 3 and not market else flags & 2,
        order_type=2 if market else 1,
    ),
    *(sessions, refs, st.integers(1, 2), lots, prices, st.sampled_from([1, 1, 1, 2, 3, 4])),
    *(st.integers(0, 4), st.sampled_from([0, 0, 1, 2]), st.sampled_from([False, False, False, True])),
)
cancels = st.builds(
    lambda session, ref: commands.record(
        Template.CANCEL_ORDER, session_id=session, orig_client_ref=ref, instrument_id=1
    ),
    *(sessions, refs),
)
reduces = st.builds(
    lambda session, ref, qty: commands.record(
        Template.REDUCE_ORDER, session_id=session, orig_client_ref=ref, instrument_id=1, qty_lots=qty
    ),
    *(sessions, refs, lots),
)
replaces = st.builds(
    lambda session, ref, new_ref, qty, price, flags, order_id: commands.record(
        Template.REPLACE_ORDER,
        session_id=session,
        orig_client_ref=ref,
        client_ref=new_ref,
        instrument_id=1,
        qty_lots=qty,
        price_ticks=price,
        order_flags=flags,
        order_id=order_id,
    ),
    *(sessions, refs, refs, lots, prices, st.sampled_from([0, 0, 1])),
    st.sampled_from([0, 0, 1 << 24, 2 << 24 | 1, 3 << 24 | 2, 2 << 24]),
)
others = st.one_of(
    st.builds(lambda s: commands.record(Template.MASS_CANCEL, session_id=s), sessions),
    st.builds(
        lambda s: commands.record(Template.OPEN_SESSION, session_id=s, cancel_on_disconnect=1), sessions
    ),
    st.builds(lambda s: commands.record(Template.CLOSE_SESSION, session_id=s, close_reason=1), sessions),
    st.sampled_from([InstrumentState.HALTED, InstrumentState.OPEN]).map(
        lambda state: commands.set_state(1, state)
    ),
    st.just(commands.record(Template.EXPIRE_DAY_ORDERS)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(
    st.lists(st.one_of(new_orders, new_orders, new_orders, cancels, reduces, replaces, others), max_size=25)
)
def test_small_cases(records):
    pair = compare.Lockstep(
        Engine, {"orders_max": 6, "instruments_max": 2, "participants_max": 3, "sessions_max": 4}
    )
    checker = EventChecker()
    for record in [*SMALL_SETUP, *records]:
        checker.apply(pair.submit(np.frombuffer(record, dtype=np.uint8)))
        pair.compare_state()
    checker.check_engine(pair.engine, [1])
    checker.check_totals()


# ---------------------------------------------------------------- the harness sees what it is for


class MatchesAtTheWrongPrice(ReferenceEngine):
    """A broken engine: a match of two lots is stamped a nanosecond late."""

    def _execute(self, order, resting, qty):
        if qty == 2:
            self._ts_ns += 1
        super()._execute(order, resting, qty)


class ForgetsAClientSeq(ReferenceEngine):
    """A broken engine whose events are right and whose state is not."""

    def _begin(self, template, command, padding_set):
        super()._begin(template, command, padding_set)
        if self._sender is not None and command.client_seq == 7:
            self._sender.last_client_seq = 6


@pytest.mark.parametrize("broken", [MatchesAtTheWrongPrice, ForgetsAClientSeq])
def test_a_broken_engine_is_found_and_shrunk(broken):
    with pytest.raises(Disagreement) as caught:
        compare.run(broken, ADVERSARIAL, 11, 5_000, chunk=16)
    few = compare.shrink(broken, caught.value.capacities, caught.value.commands)
    assert len(few) < 40
    assert len(list(compare.transcript(few, caught.value.capacities))) >= 2 * len(few)
