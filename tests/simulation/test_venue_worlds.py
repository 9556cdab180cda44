"""One seed is one world: a real sequencer on real files beside the reference, killed, unplugged, filled up, restarted.

Method: `VenueWorld` draws what happens from its seed; released events must be the reference's byte for byte, survive
every restart and never come twice. A new seed each run (TRADSYS_SEED fixes it), printed when a world fails.
"""

import os
import secrets

import pytest

from tradsys.errors import TradSysError
from tradsys.sim import compare, faults, venue_world
from tradsys.sim.venue_world import VenueWorld


def live(seed, folder, steps, **options):
    try:
        return venue_world.run(seed, folder, steps, **options)
    except (AssertionError, TradSysError, OSError) as error:
        raise AssertionError(f"world {seed} {options} fails: {type(error).__name__}: {error}") from error


def fresh_seed():
    return int(os.environ.get("TRADSYS_SEED", secrets.randbelow(1 << 40)))


@pytest.mark.parametrize("durability", ["fsync", "batch", "none"])
@pytest.mark.parametrize("profile", [compare.ADVERSARIAL, "normal"])
def test_worlds_of_crashes_and_restarts(tmp_path, profile, durability):
    seed = fresh_seed()
    print(f"world {seed} of {profile}, {durability}")
    tally = live(seed, tmp_path, 60, profile=profile, durability=durability)
    assert tally.commands > 100


@pytest.mark.heavy
@pytest.mark.parametrize("durability", ["fsync", "batch", "none"])
@pytest.mark.parametrize("profile", [compare.ADVERSARIAL, "normal", "flash_crash", "many_symbols"])
def test_many_worlds(tmp_path, profile, durability):
    first = fresh_seed()
    for n in range(12):
        live(first + n, tmp_path / str(n), 80, profile=profile, durability=durability)


def test_a_world_sees_every_kind_of_trouble(tmp_path):
    """The seeds below together meet everything a world has; otherwise the tests above would test little."""
    names = ("kills", "power_failures", "clean_restarts", "full_disks", "snapshots", "clock_steps_back")
    seen = dict.fromkeys((*names, "commands_lost", "commands_found"), 0)
    for seed in range(16):
        tally = live(seed, tmp_path / str(seed), 60, durability="fsync")
        for name in seen:
            seen[name] += getattr(tally, name)
        if all(seen.values()):
            return
    raise AssertionError(f"never happened: {seen}")


def test_same_seed_same_world(tmp_path):
    first = live(4, tmp_path / "a", 40, durability="batch")
    assert first == live(4, tmp_path / "b", 40, durability="batch")


def test_a_lost_event_is_noticed(tmp_path):
    world = VenueWorld(1, tmp_path, durability="batch")
    world.step()
    world.expected[200] ^= 1
    world.checked_events = 0
    world.checker = type(world.checker)()
    with pytest.raises(AssertionError, match="not the reference's"):
        world.check_released()
    world.sequencer.close()


def test_a_hole_in_the_event_log_is_derived_again(tmp_path):
    """Goal: journal.md 4.10. Method: with fsync, zero some events, a header, or lose a file behind no snapshot."""
    for number, damage in enumerate(("events", "header", "file")):
        world = VenueWorld(5, tmp_path / str(number), durability="fsync", power_failures=False)
        for _ in range(20):
            world.commit(world.commands.chunk(60, world.reference))
        world.sequencer.wait_stored()
        target = world._next_folder()
        faults.copy_as_killed(world.sequencer.settings.data_dir, target)
        world._leave()
        for snapshot in (target / "snapshots").glob("*.snap"):
            snapshot.unlink()
        first = min((target / "events").glob("*.log"))
        if damage == "events":
            data = bytearray(first.read_bytes())
            data[128 * 40 : 128 * 44] = bytes(512)
            first.write_bytes(bytes(data))
        elif damage == "header":
            first.write_bytes(bytes(128) + first.read_bytes()[128:])
        else:
            first.unlink()
        world._recover(target, at_least=len(world.decided))
        assert any("was not written" in cut.reason for cut in world.sequencer.recovery.cuts)
        assert world.finish().commands > 1000
