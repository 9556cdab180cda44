"""The whole venue in a box: crashes, restarts, and readers behind wires that lose, repeat and reorder packets.

Method: `FeedWorld` draws everything from its seed. At each point a reader has come to, every book it believes in must be
the venue's of that moment, order by order; when the wires behave again, all books must come right.
"""

import os
import secrets

import pytest

from tradsys.errors import TradSysError
from tradsys.sim import compare, feed_world
from tradsys.sim.checkers import CheckFailed
from tradsys.sim.feed_world import FeedWorld


def live(seed, folder, steps, **options):
    try:
        return feed_world.run(seed, folder, steps, **options)
    except (AssertionError, TradSysError, OSError) as error:
        raise AssertionError(f"world {seed} {options} fails: {type(error).__name__}: {error}") from error


def fresh_seed():
    return int(os.environ.get("TRADSYS_SEED", secrets.randbelow(1 << 40)))


WORLDS = [(compare.ADVERSARIAL, "fsync"), ("normal", "batch")]


@pytest.mark.parametrize(("profile", "durability"), WORLDS)
def test_readers_are_right_or_say_that_they_are_not(tmp_path, profile, durability):
    seed = fresh_seed()
    print(f"world {seed} of {profile}, {durability}")
    live(seed, tmp_path, 25, profile=profile, durability=durability)


@pytest.mark.parametrize(("profile", "durability"), WORLDS)
def test_books_are_compared_while_packets_are_lost(tmp_path, profile, durability):
    """Goal: the test above tests something. Method: fixed seeds, as a fresh one may lose nearly all of a small book."""
    checked = [0, 0, 0]
    for seed in range(5):
        _, readers = live(seed, tmp_path / str(seed), 25, profile=profile, durability=durability)
        lossy, without_recovery, perfect = readers
        assert lossy.lines[0].dropped > 0
        assert lossy.lines[1].dropped > 0
        assert without_recovery.requests.sent == 0
        assert perfect.books.breaks == 0
        checked = [before + reader.checked for before, reader in zip(checked, readers, strict=True)]
    assert all(count > 100 for count in checked), f"books compared: {checked}"


@pytest.mark.heavy
@pytest.mark.parametrize("profile", [compare.ADVERSARIAL, "normal", "flash_crash", "many_symbols"])
@pytest.mark.parametrize("durability", ["fsync", "batch"])
def test_many_worlds(tmp_path, profile, durability):
    first = fresh_seed()
    for n in range(8):
        live(first + n, tmp_path / str(n), 40, profile=profile, durability=durability)


def test_levels_lost_before_their_instrument_is_known_heal_from_the_snapshot_channel(tmp_path):
    """Goal: who cannot ask for definitions heals too. Method: a world in which L3 is right and L2 was lost, of an
    instrument whose definition never arrived.
    """
    live(486410884989, tmp_path, 40, profile="many_symbols", durability="batch")


def test_losses_were_healed_by_every_means(tmp_path):
    """Goal: the worlds above test something. Method: fixed seeds; gap fills, snapshots, restarts all happened."""
    healed = {"filled": 0, "snapshots": 0, "restarts": 0}
    for seed in range(8):
        _, readers = live(seed, tmp_path / str(seed), 15, profile="normal", durability="batch")
        for reader in readers:
            healed["filled"] += sum(figures["filled"] for figures in reader.core.statistics().values())
            healed["snapshots"] += reader.core.snapshots
            healed["restarts"] += reader.core.restarts
        if all(healed.values()):
            return
    raise AssertionError(f"never happened: {healed}")


def test_a_wrong_book_is_noticed(tmp_path):
    world = FeedWorld(2, tmp_path, profile="normal", durability="batch")
    for _ in range(3):
        world.step()
    for books in world.points.values():
        for instrument_id, book in books.items():
            books[instrument_id] = book[1:]
    with pytest.raises(CheckFailed, match="book of instrument"):
        for _ in range(20):
            world.check_reader(world.readers[2])
            world.readers[2].turn(world.dealers[2], world.clock.monotonic_ns())
    world.sequencer.close()
    world.hang_up()
