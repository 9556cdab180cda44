"""How exceptions are told: which ones are refusals, in what sentence, and whether the user or the world is at fault.

What is not listed here is a fault of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
import select
import sys
from typing import NamedTuple

from tradsys.errors import ConfigError, TradSysError

USAGE_CODES = frozenset(("NO_RECORDING", "NO_TABLE", "NO_COLUMN", "BAD_QUERY"))  # of a recording that is asked wrongly


class Refusal(NamedTuple):
    """What is said of an exception."""

    sentence: str  # one line
    is_usage: bool  # the arguments or settings ask for what cannot be; else it failed while running


def refusal_of(error: BaseException) -> Refusal | None:
    """Say what an exception means to the user; None: it is a fault of ours."""
    if isinstance(error, TradSysError):
        sentence = str(error)
        code = "" if sentence.startswith(error.code) else f"{error.code}: "
        is_usage = isinstance(error, ConfigError) or error.code in USAGE_CODES
        return Refusal(one_line(code + sentence), is_usage)
    if isinstance(error, OSError):
        return Refusal(one_line(of_system(error)), False)
    if isinstance(error, MemoryError):
        return Refusal("MEMORY: there is not enough memory for this", False)
    zmq = sys.modules.get("zmq")
    if zmq is not None and isinstance(error, zmq.ZMQError):
        return Refusal(one_line(f"{errno.errorcode.get(error.errno, 'ZMQ')}: {error.strerror}"), False)
    return _of_arguments(error)


def of_system(error: OSError) -> str:
    """Say what the operating system refused: the name of its error, the file, its words."""
    code = errno.errorcode.get(error.errno or 0, "SYSTEM")
    where = "".join(f"{name}: " for name in (error.filename, error.filename2) if name is not None)
    return f"{code}: {where}{error.strerror or error}"


def one_line(text: str) -> str:
    """Put a text of several lines on one."""
    return " ".join(text.split())


def reader_is_gone() -> bool:
    """Whether whoever read our standard output has gone, as in ``tradsys journal dump DIR | head``."""
    look = select.poll()
    try:
        look.register(1, 0)
    except (OSError, ValueError):
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in look.poll(0))


def _of_arguments(error: BaseException) -> Refusal | None:
    """Words of the argument parser: the argument's name before what its check has said."""
    from cyclopts import CycloptsError, ValidationError

    if not isinstance(error, CycloptsError):
        return None
    said = error.exception_message if isinstance(error, ValidationError) else ""
    if said and isinstance(error, ValidationError) and error.argument is not None:
        keyword = error.argument.tokens[0].keyword if error.argument.tokens else None
        name = keyword or error.argument.name.lstrip("-").upper()
        return Refusal(one_line(f"{name} {said}"), True)
    return Refusal(one_line(str(error)), True)
