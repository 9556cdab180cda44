"""``tradsys fix log``: what FIX sessions have sent and received, out of their stores."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from tradsys.app.arguments import EntityId, InputDirectory, InputFile
from tradsys.app.fix_rules import load_dictionary
from tradsys.app.fix_text import FixText
from tradsys.errors import InputError, UsageError
from tradsys.fix.message import SECRET_TAGS, SOH, parse
from tradsys.gateways.fix_answers import logged
from tradsys.gateways.fix_sessions import store_files
from tradsys.gateways.fix_store import read_records

RECORD_IN, RECORD_OUT = 2, 3
CREDENTIAL = re.compile(rb"\x01(?:%b)=" % b"|".join(b"%d" % tag for tag in sorted(SECRET_TAGS)))


def log(
    data_dir: InputDirectory,
    session_id: EntityId,
    *,
    raw: Annotated[bool, Parameter(negative="")] = False,
    names: Annotated[bool, Parameter(negative="")] = False,
    dictionary: InputFile | None = None,
    all_files: Annotated[bool, Parameter(name="--all", negative="")] = False,
) -> int:
    """Print the messages of one FIX session; a running venue is not disturbed. Credentials are masked.

    Exit status 0: printed. 1: there is no such session.

    Example: tradsys fix log tradsys-data 7 --names

    Parameters
    ----------
    data_dir
        The venue's directory.
    session_id
        Number of the session.
    raw
        Messages as bytes, SOH as |, nothing before them.
    names
        Messages, fields and values by name, as the console shows them.
    dictionary
        Names in QuickFIX's form; ours if not given.
    all_files
        Also those from before the numbers were last reset.
    """
    if raw and names:
        raise UsageError("--raw and --names exclude each other")
    text = FixText(load_dictionary(dictionary)) if names else None
    files = store_files(data_dir / "fix" / f"{session_id:06d}")
    if not files:
        raise InputError(f"{data_dir} has no FIX session {session_id}")
    for file in files if all_files else files[-1:]:
        for kind, ts_ns, message in read_records(file.read_bytes()):
            if kind in (RECORD_IN, RECORD_OUT):
                direction = "in" if kind == RECORD_IN else "out"
                line = text.line(direction, parse(message)) if text else masked_text(message)
                print(line if raw else f"{moment(ts_ns)} {'' if text else direction.ljust(4)}{line}")
    return 0


def masked_text(message: bytes) -> str:
    """Write a message with SOH as |. Stores are masked as they are written; those of earlier releases not in every message."""
    shown = logged(parse(message), message) if CREDENTIAL.search(message) else message
    return shown.replace(SOH, b"|").decode("latin-1")


def moment(ts_ns: int) -> str:
    """Write ns since the epoch as UTC with microseconds."""
    return datetime.fromtimestamp(ts_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
