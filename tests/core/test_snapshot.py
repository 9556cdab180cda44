"""A restored engine is the engine that was saved: same hash, same answers ever after, also with more room.

Method: save at several points of a workload, restore, run the rest on both; damage every kind of byte.
"""

import pytest
from market import market

from tradsys.core import Engine
from tradsys.sim import adversary as adversary_module
from tradsys.sim import workload
from tradsys.sim.adversary import Adversary


def engine_at(load, count):
    engine = Engine(**load.capacities)
    engine.submit(load.setup)
    engine.submit(load.prefill)
    engine.submit(load.commands[:count])
    return engine


@pytest.mark.parametrize("name", ["normal", "wide_swings", "many_symbols"])
@pytest.mark.parametrize("room", [1, 3], ids=["same room", "more room"])
def test_a_restored_engine_goes_on_alike(name, room):
    load = workload.make(name, 3000, seed=5, live_target=800)
    more = {what: min(n * room, 1 << 16) for what, n in load.capacities.items()}
    for count in (0, 1, 1500):
        saved = engine_at(load, count)
        restored = Engine.restore(saved.snapshot(), **more)
        restored.check()
        assert restored.state_hash() == saved.state_hash()
        assert (restored.last_seq, restored.last_event_seq) == (saved.last_seq, saved.last_event_seq)
        assert restored.snapshot() == saved.snapshot()
        rest = load.commands[count:]
        assert restored.submit(rest).tobytes() == saved.submit(rest).tobytes()
        assert restored.state_hash() == saved.state_hash()
        restored.check()


@pytest.mark.parametrize("seed", range(20))
def test_a_restored_engine_answers_hostile_commands_alike(seed):
    """Method: every rule is reached by the adversary, so that whatever a snapshot forgets shows in an answer or a hash."""
    adversary = Adversary(seed)
    saved = Engine(**adversary_module.CAPACITIES)
    saved.submit(adversary.setup())
    saved.submit(adversary.chunk(1500))
    restored = Engine.restore(saved.snapshot(), **adversary_module.CAPACITIES)
    restored.check()
    assert restored.state_hash() == saved.state_hash()
    assert restored.snapshot() == saved.snapshot()
    rest = adversary.chunk(1500)
    assert restored.submit(rest).tobytes() == saved.submit(rest).tobytes()
    assert restored.state_hash() == saved.state_hash()


def test_a_fresh_engine_can_be_saved():
    engine = market()
    assert Engine.restore(engine.snapshot(), **engine.capacities).state_hash() == engine.state_hash()


def test_a_snapshot_needs_the_room_it_was_made_in():
    load = workload.make("normal", 100, live_target=800)
    small = load.capacities | {"orders_max": 100}
    with pytest.raises(ValueError, match=r"room for .* orders, the engine has 100"):
        Engine.restore(engine_at(load, 100).snapshot(), **small)


def test_what_is_no_snapshot_is_refused():
    engine = market()
    image = engine.snapshot()
    for wrong in (b"", b"x", image[:-1], image + b"x", b"T" + image[:-1], bytes(len(image))):
        with pytest.raises(ValueError, match="snapshot"):
            Engine.restore(wrong, **engine.capacities)


def test_a_flipped_bit_is_noticed():
    load = workload.make("normal", 500, live_target=100)
    engine = engine_at(load, 500)
    image = engine.snapshot()
    for offset in [*range(64), *range(64, len(image), max(1, len(image) // 200))]:
        wrong = bytearray(image)
        wrong[offset] ^= 4
        with pytest.raises(ValueError, match="snapshot"):
            Engine.restore(bytes(wrong), **load.capacities)
