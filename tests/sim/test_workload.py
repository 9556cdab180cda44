"""Workloads are what they say: the same for a seed everywhere, valid to the last command, of the stated mix.

Method: digests kept in this file; the reference engine decides a piece of each profile and must refuse nothing.
"""

import hashlib

import numpy as np
import pytest

from tradsys.sim import workload
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire.enums import Template
from tradsys.wire.records import ORDER_COMMAND

LIVE = 2_000  # smaller than the profiles' own, to be quick
DIGESTS = {
    "single": "ee95aa7d00b0b615",
    "multi100": "51dfcf02929e7a0e",
    "deep": "586cb3e81549cb9c",
    "normal": "9a978933cff71576",
    "deep_static": "67200bf073e6720a",
    "wide_swings": "9365889de4107729",
    "flash_crash": "d14b9aa49d28fdc4",
    "cancel_heavy": "ae8e919a6da183fd",
    "many_symbols": "315ab7d2e108e8dd",
}


def small(name, count=6_000, **options):
    return workload.make(name, count, seed=7, live_target=LIVE, **options)


def templates(records):
    values, counts = np.unique(records["template_id"], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("name", workload.PROFILES)
def test_same_seed_same_bytes_on_every_machine(name):
    load = small(name, scrambled_refs=True, ids_of_four=1)
    digest = hashlib.sha256(load.setup.tobytes() + load.prefill.tobytes() + load.commands.tobytes())
    assert digest.hexdigest()[:16] == DIGESTS[name]


@pytest.mark.parametrize("name", workload.PROFILES)
@pytest.mark.parametrize("options", [{}, {"ids_of_four": 4}, {"ids_of_four": 1, "scrambled_refs": True}])
def test_nothing_is_refused_and_ids_are_predicted(name, options):
    stream = workload.Stream(name, seed=3, live_target=LIVE, **options)
    engine = ReferenceEngine(**stream.capacities)
    engine.submit(stream.setup())
    for commands in (stream.prefill(), stream.take(3_000)):
        assert Template.ORDER_REJECTED not in templates(engine.submit(commands))
    engine.check()
    assert len(engine.orders) == stream.live_count


def test_another_seed_gives_another_flow():
    assert (workload.make("normal", 100, 1).commands != workload.make("normal", 100, 2).commands).any()


def test_chunks_do_not_matter():
    whole = workload.Stream("normal", seed=5, live_target=LIVE)
    parts = workload.Stream("normal", seed=5, live_target=LIVE)
    whole.prefill()
    parts.prefill()
    assert whole.take(1000).tobytes() == b"".join(parts.take(n).tobytes() for n in (1, 0, 400, 599))


def test_benchmark_mix_is_the_stated_one():
    load = workload.make("single", 200_000)
    share = {template: count / len(load.commands) for template, count in templates(load.commands).items()}
    assert share[Template.NEW_ORDER] == pytest.approx(0.57, abs=0.01)
    assert share[Template.CANCEL_ORDER] == pytest.approx(0.40, abs=0.01)
    assert share[Template.REDUCE_ORDER] + share[Template.REPLACE_ORDER] == pytest.approx(0.03, abs=0.005)


@pytest.mark.parametrize(("name", "live"), [("single", 23_000), ("multi100", 44_000), ("deep", 440_000)])
def test_live_orders_stay_near_the_target(name, live):
    stream = workload.Stream(name)
    stream.prefill()
    for _ in range(5):
        stream.take(100_000)
        assert stream.live_count == pytest.approx(live, rel=0.03)


def test_cancel_heavy_is_95_percent_cancels():
    load = workload.make("cancel_heavy", 100_000)
    assert templates(load.commands)[Template.CANCEL_ORDER] / len(load.commands) > 0.945


def test_cancel_heavy_fills_again_when_drained():
    stream = workload.Stream("cancel_heavy", live_target=LIVE)
    stream.prefill()
    counts = []
    for _ in range(60):
        stream.take(100)
        counts.append(stream.live_count)
    assert min(counts) < LIVE // 10
    assert max(counts[counts.index(min(counts)) :]) > LIVE // 2


def test_wide_swings_reach_negative_prices():
    load = workload.make("wide_swings", 20_000)
    prices = load.commands["price_ticks"][load.commands["template_id"] == Template.NEW_ORDER]
    assert prices.min() < -100_000
    assert prices.max() > 100_000


def test_flash_crash_falls_and_recovers():
    load = workload.make("flash_crash", 150_000)
    new = load.commands[load.commands["template_id"] == Template.NEW_ORDER]
    prices = new["price_ticks"][new["price_ticks"] > 0]
    means = [piece.mean() for piece in np.array_split(prices, 60)]
    assert max(means) - min(means) > 2_000


def test_every_profile_has_instruments_of_its_own_range():
    for name in workload.PROFILES:
        load = small(name)
        assert load.commands.dtype == ORDER_COMMAND
        new = load.commands[load.commands["template_id"] == Template.NEW_ORDER]
        assert new["instrument_id"].max() <= load.profile.instruments


def test_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="profile must be one of"):
        workload.make("nonsense", 1)


def test_too_few_slots_are_refused():
    from tradsys.sim.flow import Flow

    profile = workload.PROFILES["single"]
    with pytest.raises(ValueError, match="orders_max"):
        Flow(
            seed=1,
            instruments=1,
            sessions=1,
            live_target=10_000,
            orders_max=10_000,
            level_count=64,
            lowest_price=0,
            depth_levels=1,
            mix=profile.mix,
            move_one_in=0,
            move_levels=0,
            jump_one_in=0,
            qty_max=1,
            sweep_qty_max=1,
            cycle=0,
            crashes=False,
            drains=False,
            skewed=False,
            ids_of_four=0,
            scrambled_refs=False,
        )
