"""The ``tradsys`` command: finds the module of the command given, imports only that, and runs it.

A command is a line in ``COMMANDS``. Its target is a function, whose parameters become arguments, or a cyclopts ``App``
with commands of its own. It returns the exit status: 0 holds, 1 does not hold; 2 (bad usage) is made here. Operating
errors (``tradsys.errors.TradSysError``) become one sentence on standard error.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import tradsys

if TYPE_CHECKING:
    from cyclopts import App

HOLDS, DOES_NOT_HOLD, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130


class Command(NamedTuple):
    """Where a command lives and what it does."""

    target: str  # "module:function" or "module:app"
    help: str  # one line


COMMANDS: dict[str, Command] = {
    "up": Command("tradsys.app.up:up", "start a venue, a recorder and a demo market; show them live"),
    "demo": Command("tradsys.app.demo:demo", "let simulated participants trade in a running venue"),
    "replay": Command("tradsys.app.replay:app", "drive a running venue with a real day, or publish a recording again"),
    "journal": Command("tradsys.app.journal:app", "print a venue's journal, walk its checksums, decide it again"),
    "venue": Command("tradsys.app.venue:venue", "run the venue: doors, engine, public feed"),
    "fix": Command("tradsys.app.fix:app", "talk to the FIX door: a console; print the log of a session"),
    "fix-acceptor": Command("tradsys.app.fix_acceptor:fix_acceptor", "run a FIX acceptor without a venue, to prove sessions"),
    "bench": Command("tradsys.app.bench:bench", "run the benchmarks of a source checkout and print their tables"),
    "top": Command("tradsys.app.top:top", "watch a running venue live, from its public feed"),
    "record": Command("tradsys.app.record:record", "listen to the feed and keep it on disk"),
    "query": Command("tradsys.app.query:query", "run SQL over a recording"),
    "export": Command("tradsys.app.export:app", "write a recording as Parquet, CSV or LOBSTER files"),
    "verify": Command("tradsys.app.verify:app", "hold a real day against the book we make of it"),
}

USAGE = """\
Usage: tradsys COMMAND [ARGUMENTS]     (tradsys COMMAND --help says more)

{commands}

Options:
  --help     show this
  --version  show the version

Example: tradsys up
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command given by the arguments and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("--help", "-h", "help"):
        print(usage())
        return HOLDS if words else BAD_USAGE
    if words[0] == "--version":
        print(f"tradsys {tradsys.__version__}")
        return HOLDS
    if words[0] not in COMMANDS:
        print(f"tradsys: no command {words[0]!r}; there are: {', '.join(COMMANDS)}", file=sys.stderr)
        return BAD_USAGE
    return run(words[0], words[1:])


def usage() -> str:
    """List the commands without importing any of them."""
    width = max((len(name) for name in COMMANDS), default=0)
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return USAGE.format(commands="\n".join(["Commands:", *lines]))


def run(name: str, arguments: Sequence[str]) -> int:
    """Import one command, run it, and turn its outcome into an exit status."""
    from cyclopts import CycloptsError  # imported here so that tradsys --help stays quick

    from tradsys.app.parent import stop_with_parent
    from tradsys.errors import ConfigError, TradSysError

    stop_with_parent()
    app = load(name)
    try:
        status = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:  # printed by cyclopts
        return BAD_USAGE
    except TradSysError as error:
        sentence = str(error)
        code = "" if sentence.startswith(error.code) else f"{error.code}: "
        print(f"tradsys {name}: {code}{sentence}", file=sys.stderr)
        return BAD_USAGE if isinstance(error, ConfigError) else DOES_NOT_HOLD
    except SystemExit as stop:  # cyclopts leaves so after Ctrl-C
        return stop.code if isinstance(stop.code, int) else DOES_NOT_HOLD
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as in: tradsys journal dump | head
        sys.stdout = None  # type: ignore[assignment]  # nothing is left to flush at exit
        return DOES_NOT_HOLD
    return HOLDS if status is None else int(status)


def load(name: str) -> "App":
    """Import the target of a command as a cyclopts App."""
    from cyclopts import App

    module_name, _, attribute = COMMANDS[name].target.partition(":")
    target = getattr(importlib.import_module(module_name), attribute)
    if isinstance(target, App):
        return target
    app = App(name=f"tradsys {name}", version=tradsys.__version__)
    app.default(target)
    return app
