"""The ``tradsys`` command: finds the module of the command given, imports only that, and runs it.

A command is a line in ``COMMANDS``. Its target is a function, whose parameters become arguments, or a cyclopts ``App``
with commands of its own. It returns the exit status: 0 holds or is done, 1 does not hold or failed while running. Made
here are 2, the arguments or settings ask for what cannot be; 130, ended by Ctrl-C; 141, whoever read what it prints has
gone, as the shell has it. A refusal is one line on standard error (``tradsys.app.refusals``).
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import tradsys

if TYPE_CHECKING:
    from cyclopts import App

HOLDS, DOES_NOT_HOLD, BAD_USAGE, INTERRUPTED, READER_GONE = 0, 1, 2, 130, 141


class Command(NamedTuple):
    """Where a command lives and what it does."""

    target: str  # "module:function" or "module:app"
    help: str  # one line


COMMANDS: dict[str, Command] = {
    "up": Command("tradsys.app.up:up", "start a venue, a recorder and a demo market; show them live"),
    "demo": Command("tradsys.app.demo:demo", "let simulated participants trade in a running venue"),
    "replay": Command(
        "tradsys.app.replay:app", "drive a running venue with a real day, or publish a recording again"
    ),
    "journal": Command(
        "tradsys.app.journal:app", "print a venue's journal, walk its checksums, decide it again"
    ),
    "venue": Command("tradsys.app.venue:venue", "run the venue: doors, engine, public feed"),
    "fix": Command("tradsys.app.fix:app", "talk to the FIX door: a console; print the log of a session"),
    "admin": Command(
        "tradsys.app.admin:app", "operate a running venue: its FIX sessions, their numbers, who may log on"
    ),
    "fix-market-data": Command(
        "tradsys.app.fix_market_data:fix_market_data", "serve the public feed as FIX market data"
    ),
    "fix-acceptor": Command(
        "tradsys.app.fix_acceptor:fix_acceptor", "run a FIX acceptor without a venue, to prove sessions"
    ),
    "bench": Command(
        "tradsys.app.bench:bench", "run the benchmarks of a source checkout and print their tables"
    ),
    "top": Command("tradsys.app.top:top", "watch a running venue live, from its public feed"),
    "record": Command("tradsys.app.record:record", "listen to the feed and keep it on disk"),
    "query": Command("tradsys.app.query:query", "run SQL over a recording"),
    "export": Command("tradsys.app.export:app", "write a recording as Parquet, CSV or LOBSTER files"),
    "risk": Command("tradsys.app.risk:app", "VaR, ES, stress, margin of a portfolio; bonds; live risk of a venue"),
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
    try:
        status = dispatch(words)
        flush_output()
    except BrokenPipeError:
        return leave_output(READER_GONE)
    except OSError as error:  # of the last bytes printed, to a full disk for example
        complain(f"tradsys: standard output: {error.strerror}")
        return leave_output(DOES_NOT_HOLD)
    return status


def dispatch(words: list[str]) -> int:
    """Do what the first word says."""
    if not words or words[0] in ("--help", "-h", "help"):
        print(usage())
        return HOLDS if words else BAD_USAGE
    if words[0] == "--version":
        print(f"tradsys {tradsys.__version__}")
        return HOLDS
    if words[0] not in COMMANDS:
        complain(f"tradsys: no command {words[0]!r}; there are: {', '.join(COMMANDS)}")
        return BAD_USAGE
    for word in words:
        if not is_text(word):
            complain(f"tradsys {words[0]}: arguments must be UTF-8, was {word!r}")
            return BAD_USAGE
    return run(words[0], words[1:])


def usage() -> str:
    """List the commands without importing any of them."""
    width = max((len(name) for name in COMMANDS), default=0)
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return USAGE.format(commands="\n".join(["Commands:", *lines]))


def run(name: str, arguments: Sequence[str]) -> int:
    """Import one command, run it, and turn its outcome into an exit status."""
    from tradsys.app.parent import stop_with_parent  # imported here so that tradsys --help stays quick
    from tradsys.app.refusals import reader_is_gone, refusal_of

    stop_with_parent()
    app = load(name)
    title = f"tradsys {name}"
    if app.default_command is None and arguments and arguments[0] in app:
        title += f" {arguments[0]}"
    try:
        status = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        flush_output()
    except SystemExit as stop:  # cyclopts leaves so after Ctrl-C, rich when the reader of our output went away
        if isinstance(stop.__context__, BrokenPipeError):
            return leave_output(READER_GONE)
        return stop.code if isinstance(stop.code, int) else DOES_NOT_HOLD
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            return leave_output(READER_GONE)
        refusal = refusal_of(error)
        if refusal is None:
            raise
        complain(f"{title}: {refusal.sentence}")
        status = BAD_USAGE if refusal.is_usage else DOES_NOT_HOLD
        return status if can_be_flushed() else leave_output(status)
    if not arguments and app.default_command is None:  # its help was printed, as tradsys alone prints its own
        return BAD_USAGE
    return HOLDS if status is None else int(status)


def is_text(word: str) -> bool:
    """Whether an argument is text, not bytes of another encoding."""
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def complain(sentence: str) -> None:
    """Print one line on standard error, if there still is one."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


def flush_output() -> None:
    """Hand on what was printed while errors can still be told; a process may be started without an output."""
    if sys.stdout is not None:
        sys.stdout.flush()


def can_be_flushed() -> bool:
    """Whether what was printed goes out; where it does not, that has been told."""
    try:
        flush_output()
    except OSError:
        return False
    return True


def leave_output(status: int) -> int:
    """Let what is still to be printed go nowhere, so that the end of the process is quiet; returns the status."""
    with contextlib.suppress(OSError, ValueError):
        output = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, output)
        os.close(nowhere)
    return status


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
