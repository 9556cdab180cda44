"""What the arguments of commands may be: each kind once, with its unit; a wrong value is refused in one sentence.

A kind is an annotated type. Its check raises ValueError with what was expected and what was found; the command line
puts the argument's name before it and ends with the status of bad usage, before the command has begun.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from tradsys.app.doors import full_address
from tradsys.errors import UsageError

if TYPE_CHECKING:
    from cyclopts import Token

INT64_MAX: Final = 2**63 - 1
SECONDS_MAX: Final = 1e9
RATE_MAX: Final = 1e6
LEVELS_MAX: Final = 200  # of a LOBSTER file
IPC_BYTES_MAX: Final = 107  # longest path of a Unix socket
TCP_ADDRESS: Final = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")
WHOLE: Final = re.compile(r"[-+]?[0-9]{1,40}")
COMP_ID: Final = re.compile(r"[!-~]{1,64}")


def checked(check: Callable[[Any], None]) -> Parameter:
    """Make the annotation that checks a value, or every value of an argument that may be repeated."""

    def each(kind: object, value: Any) -> None:
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None:  # not given
                check(one)

    return Parameter(validator=each)


def number(unit: str, low: float = 0, high: float = INT64_MAX, *, above: bool = False) -> Parameter:
    """Make the annotation of a number from ``low`` (or above it) to ``high`` units; nan is outside."""
    least = f"{'above' if above else 'at least'} {low:,.12g}"
    wanted = f"{least} and at most {high:,.12g} {unit}" if high < INT64_MAX else f"{least} {unit}"

    def check(value: float) -> None:
        inside = low < value <= high if above else low <= value <= high
        if not inside:
            raise ValueError(f"must be {wanted}, was {value}")

    return checked(check)


def whole(unit: str, low: int = 0, high: int = INT64_MAX) -> Parameter:
    """Make the annotation of a whole number; the parser's own rounds 1.5 to 2."""

    def convert(kind: object, tokens: Sequence[Token]) -> int:
        (token,) = tokens
        if WHOLE.fullmatch(token.value) is None:
            raise ValueError(f"must be a whole number, {low} or more {unit}, was {token.value!r}")
        return int(token.value)

    return Parameter.combine(number(unit, low, high), Parameter(converter=convert))


def _file(path: Path) -> None:
    _look(path, "a file that can be read", stat.S_ISREG, os.R_OK)


def _directory(path: Path) -> None:
    _look(path, "a folder that can be read", stat.S_ISDIR, os.R_OK | os.X_OK)


def _look(path: Path, wanted: str, is_kind: Callable[[int], bool], access: int) -> None:
    """Refuse a path that is not there, of another kind or not accessible."""
    try:
        found = "something else" if not is_kind(os.stat(path).st_mode) else ""
    except OSError as error:
        found = error.strerror or str(error)
    if not found and not os.access(path, access):
        found = os.strerror(errno.EACCES)
    if found:
        raise ValueError(f"must be {wanted}, was {path}: {found}")


def _out_directory(path: Path) -> None:
    """Refuse a folder that cannot become one: its path, or a part of it, is something else."""
    for place in (path, *path.parents):
        try:
            mode = os.stat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ValueError(f"must be a folder, made if missing, was {path}: {error.strerror}") from None
        if not stat.S_ISDIR(mode):
            raise ValueError(f"must be a folder, made if missing, was {path}: {place} is something else")
        return


def _venue_directory(path: Path) -> None:
    _directory(path)
    if not (path / "journal").is_dir():
        raise ValueError(f"must be a venue's data directory, was {path}: it has no journal/")


def _recording(path: Path) -> None:
    from tradsys.recorder.catalog import require_recording

    require_recording(path)


def _address(text: str) -> None:
    """Refuse what is no address of a ZeroMQ socket, in full or short."""
    whole = full_address(text)
    found = TCP_ADDRESS.fullmatch(whole)
    if found is not None and 0 < int(found["port"]) <= 65535:
        return
    path = whole.removeprefix("ipc://")
    if path != whole and 0 < len(os.fsencode(path)) <= IPC_BYTES_MAX:
        return
    raise ValueError(
        f"must be a port in [1, 65535], host:port or an address like tcp://127.0.0.1:5555 or ipc:///run/door, was {text!r}"
    )


def _address_or_none(text: str) -> None:
    if text != "none":
        _address(text)


def _own_address(text: str) -> None:
    """Refuse what this machine cannot listen at."""
    try:
        socket.inet_pton(socket.AF_INET, text)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((text, 0))
    except OSError as error:
        why = f": {error.strerror}" if error.strerror else ""
        raise ValueError(f"must be an IPv4 address of this machine like 127.0.0.1, was {text!r}{why}") from None


def _host(text: str) -> None:
    try:
        named = text.encode("idna")
    except UnicodeError:
        named = b""
    if not named or any(character.isspace() or ord(character) < 32 for character in text):
        raise ValueError(f"must be the name or address of a host, was {text!r}")


def _comp_id(text: str) -> None:
    if COMP_ID.fullmatch(text) is None:
        raise ValueError(f"must be 1 to 64 printable ASCII characters without blanks, was {text!r}")


def _printable(text: str) -> None:
    if any(ord(character) < 32 for character in text):
        raise ValueError(f"must have no control characters, was {text!r}")


def _time_zone(text: str) -> None:
    try:
        ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"must be a time zone like UTC or America/New_York, was {text!r}") from None


def _table(name: str) -> None:
    from tradsys.recorder.tables import TABLES

    if name not in TABLES:
        raise ValueError(f"must be one of {', '.join(TABLES)}, was {name!r}")


def _template(name: str) -> None:
    from tradsys.app.record_text import COMMAND_TEMPLATES

    if name.upper() not in COMMAND_TEMPLATES:
        raise ValueError(f"must be one of {', '.join(COMMAND_TEMPLATES)}, was {name!r}")


Rows = Annotated[int, whole("rows")]
RowCount = Annotated[int, whole("rows", 1)]
CommandCount = Annotated[int, whole("commands")]
CommandSeq = Annotated[int, whole("as number of a command", 1)]
Levels = Annotated[int, whole("levels", 1, LEVELS_MAX)]
EntityId = Annotated[int, whole("as an id", 1, 2**32 - 1)]
StreamId = Annotated[int, whole("as id of a stream", 1, 2**64 - 1)]
Seconds = Annotated[float, number("seconds", 0, SECONDS_MAX)]
Interval = Annotated[float, number("seconds", 0, SECONDS_MAX, above=True)]
Rate = Annotated[float, number("orders a second", 0, RATE_MAX, above=True)]
ListenPort = Annotated[int, whole("as a TCP port; 0 takes any free one", 0, 65535)]
Port = Annotated[int, whole("as a TCP port", 1, 65535)]
InputFile = Annotated[Path, checked(_file)]
InputDirectory = Annotated[Path, checked(_directory)]
OutputDirectory = Annotated[Path, checked(_out_directory)]
RecordingDirectory = Annotated[Path, checked(_recording)]
VenueDirectory = Annotated[Path, checked(_venue_directory)]
Address = Annotated[str, checked(_address)]
AddressOrNone = Annotated[str, checked(_address_or_none)]
OwnAddress = Annotated[str, checked(_own_address)]
Host = Annotated[str, checked(_host)]
CompId = Annotated[str, checked(_comp_id)]
Printable = Annotated[str, checked(_printable)]
TimeZone = Annotated[str, checked(_time_zone)]


def speed_of(text: str) -> float | None:
    """Read a speed: a factor, or None for max.

    Raises
    ------
    UsageError
        It is neither.
    """
    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise UsageError(f"--speed must be max or a number above 0, times the speed it was, was {text!r}")
    return factor


Speed = Annotated[str, checked(speed_of)]
Tables = Annotated[tuple[str, ...], checked(_table)]
Templates = Annotated[tuple[str, ...], checked(_template)]
Seed = Annotated[int, whole("as seed", -INT64_MAX)]
