"""Many worlds on several processes: the loop behind `tools/simulate.py`.

World `n` of a campaign has the seed `first_seed + n` and a profile that depends on `n` alone, so a campaign can be
cut, resumed at any world and spread over any number of processes without changing what is tried.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from tradsys.core import Engine
from tradsys.sim import compare
from tradsys.sim.checkers import EventChecker

WORLD_COMMANDS = 20_000
LIVE_TARGETS = {"wide_swings": 1500}  # many far-apart prices is what this profile is about
LIVE_TARGET = 500


@dataclass(frozen=True)
class WorldTask:
    """One world to try."""

    number: int
    profile: str
    seed: int
    commands: int
    one_by_one: bool


@dataclass(frozen=True)
class WorldResult:
    """What came of it; `failure` is empty when the engines agree and the checkers hold."""

    task: WorldTask
    commands: int
    events: int
    failure: str


def tasks(
    first_seed: int, commands: int, profiles: tuple[str, ...], first_world: int = 0, one_by_one: bool = False
) -> Iterator[WorldTask]:
    """The worlds of a campaign from `first_world` on; every other one is adversarial when several profiles run."""
    others = [profile for profile in profiles if profile != compare.ADVERSARIAL]
    for number in range(first_world, -(-commands // WORLD_COMMANDS)):
        if compare.ADVERSARIAL in profiles and (number % 2 == 0 or not others):
            profile = compare.ADVERSARIAL
        else:
            profile = others[number // (1 + (compare.ADVERSARIAL in profiles)) % len(others)]
        size = min(WORLD_COMMANDS, commands - number * WORLD_COMMANDS)
        yield WorldTask(number, profile, first_seed + number, size, one_by_one)


def try_world(task: WorldTask) -> WorldResult:
    """Drive one world through both engines; its events go through the checkers."""
    checker = EventChecker()
    try:
        done = compare.run(
            Engine,
            task.profile,
            task.seed,
            task.commands,
            one_by_one=task.one_by_one,
            live_target=LIVE_TARGETS.get(task.profile, LIVE_TARGET),
            state_every=16,
            watch=checker.apply
            if task.number % 8 == 0
            else None,  # they are slower than both engines together
        )
        if task.number % 8 == 0:
            checker.check_totals()
    except AssertionError as error:
        return WorldResult(task, 0, 0, str(error) or type(error).__name__)
    return WorldResult(task, done.commands, done.events, "")


def run(worlds: Iterator[WorldTask], jobs: int) -> Iterator[WorldResult]:
    """Try worlds on `jobs` processes; results come as they are done."""
    if jobs == 1:
        yield from map(try_world, worlds)
        return
    # Ctrl-C is for the process that counts; it ends the others
    with multiprocessing.get_context("spawn").Pool(
        jobs, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        yield from pool.imap_unordered(try_world, worlds)
