"""Drive random worlds through the compiled engine and the reference and compare them event for event.

    python tools/simulate.py                                     10^8 commands from seed 1 on two processes
    python tools/simulate.py --commands 1e6 --seed 7 --profile adversarial,wide_swings
    python tools/simulate.py --profile wide_swings --seed 3 --commands 3350 --shrink
    python tools/simulate.py --seed 1 --from-world 1200          go on where an interrupted run was

One seed is one world: world n of a run has seed + n, a profile that depends on n, and 20,000 commands. Half the worlds
are adversarial. The pace is the reference's and the generator's, some 60,000 commands a second and process: 10^8
commands take a quarter of an hour on two idle processors. A failing seed is printed and appended to
tests/properties/failing_seeds.txt, where the tests replay it; --shrink prints a small list of commands that shows the
failure. Exit status: 0 the engines agree, 1 they do not, 2 bad usage.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tradsys.core import Engine
from tradsys.sim import campaign, compare

KEPT = Path(__file__).resolve().parent.parent / "tests" / "properties" / "failing_seeds.txt"
PROGRESS_SECONDS = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign the arguments ask for."""
    options = parse(argv)
    profiles = compare.PROFILES if options.profile == "all" else tuple(options.profile.split(","))
    unknown = set(profiles) - set(compare.PROFILES)
    if unknown:
        print(
            f"profile must be all or some of {', '.join(compare.PROFILES)}, was {options.profile}",
            file=sys.stderr,
        )
        return 2
    commands = int(float(options.commands))
    if options.shrink:
        return shrink(profiles[0], options.seed, commands)
    summary = run(profiles, options.seed, commands, options.jobs, options.from_world, options.one_by_one)
    if options.json:
        print(json.dumps(summary))
    return 0 if not summary["failing"] else 1


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commands", default="1e8", help="commands over all worlds, e.g. 1e6")
    parser.add_argument("--seed", type=int, default=1, help="seed of world 0")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--profile", default="all", help=f"all, or some of {','.join(compare.PROFILES)}")
    parser.add_argument("--from-world", type=int, default=0, help="first world to try, to go on with a run")
    parser.add_argument(
        "--one-by-one", action="store_true", help="check the whole engine after every command"
    )
    parser.add_argument(
        "--shrink", action="store_true", help="replay one world, print the fewest commands that fail"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    return parser.parse_args(argv)


def run(
    profiles: tuple[str, ...], seed: int, commands: int, jobs: int, first_world: int, one_by_one: bool
) -> dict[str, object]:
    """Try all worlds, with a line of progress now and then; a summary."""
    started = shown = time.monotonic()
    done = events = worlds = 0
    failing: list[str] = []
    todo = commands - first_world * campaign.WORLD_COMMANDS
    tasks = campaign.tasks(seed, commands, profiles, first_world, one_by_one)
    finished: set[int] = set()
    next_world = first_world
    try:
        for result in campaign.run(tasks, jobs):
            worlds += 1
            done += result.task.commands
            events += result.events
            finished.add(result.task.number)
            while next_world in finished:
                finished.discard(next_world)
                next_world += 1
            if result.failure:
                failing.append(keep(result))
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown = time.monotonic()
                rate = done / (shown - started)
                print(
                    f"{done:,} of {todo:,} commands, {rate:,.0f}/s, {(todo - done) / rate / 60:.1f} min to go, "
                    f"{len(failing)} failing, next world {next_world}",
                    flush=True,
                )
    except KeyboardInterrupt:
        chosen = "" if profiles == compare.PROFILES else f" --profile {','.join(profiles)}"
        print(
            f"interrupted; go on with --seed {seed} --commands {commands} --from-world {next_world}{chosen}"
        )
    seconds = time.monotonic() - started
    verdict = "the engines agree" if not failing else f"{len(failing)} worlds fail: {', '.join(failing)}"
    print(
        f"{worlds} worlds from seed {seed + first_world} on, {done:,} commands, {events:,} events in {seconds:.1f} s "
        f"({done / seconds:,.0f}/s): {verdict}"
    )
    return {
        "worlds": worlds,
        "commands": done,
        "events": events,
        "seconds": round(seconds, 1),
        "seed": seed,
        "next_world": next_world,
        "failing": failing,
    }


def keep(result: campaign.WorldResult) -> str:
    """Print a failing world and add it to the kept seeds."""
    task = result.task
    name = f"{task.profile} {task.seed} {task.commands}"
    print(
        f"\nFAILS: --profile {task.profile} --seed {task.seed} --commands {task.commands}\n{result.failure}\n",
        flush=True,
    )
    if name not in KEPT.read_text().splitlines():
        with KEPT.open("a") as kept:
            kept.write(name + "\n")
    return name


def shrink(profile: str, seed: int, commands: int) -> int:
    """Replay one world; where it fails, print the fewest commands that do."""
    live_target = campaign.LIVE_TARGETS.get(profile, campaign.LIVE_TARGET)
    try:
        done = compare.run(Engine, profile, seed, commands, live_target=live_target)
    except compare.Disagreement as disagreement:
        print(disagreement)
        few = compare.shrink(Engine, disagreement.capacities, disagreement.commands)
        print(
            f"\n{len(few)} of {len(disagreement.commands)} commands are enough, capacities {disagreement.capacities}:\n"
        )
        for line in compare.transcript(few, disagreement.capacities):
            print(line)
        return 1
    print(f"seed {seed} of {profile}: {done.commands:,} commands, {done.events:,} events, the engines agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
