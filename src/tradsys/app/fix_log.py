"""``tradsys fix log``: what FIX sessions have sent and received, out of their stores."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from tradsys.app.arguments import EntityId, InputDirectory
from tradsys.errors import InputError
from tradsys.fix.message import SOH
from tradsys.gateways.fix_sessions import store_files
from tradsys.gateways.fix_store import read_records

RECORD_IN, RECORD_OUT = 2, 3


def log(
    data_dir: InputDirectory,
    session_id: EntityId,
    *,
    raw: Annotated[bool, Parameter(negative="")] = False,
    all_files: Annotated[bool, Parameter(name="--all", negative="")] = False,
) -> int:
    """Print the messages of one FIX session; a running venue is not disturbed. Credentials were masked when stored.

    Exit status 0: printed. 1: there is no such session.

    Example: tradsys fix log tradsys-data 7

    Parameters
    ----------
    data_dir
        The venue's directory.
    session_id
        Number of the session.
    raw
        Messages as bytes, SOH as |, nothing before them.
    all_files
        Also those from before the numbers were last reset.
    """
    files = store_files(data_dir / "fix" / f"{session_id:06d}")
    if not files:
        raise InputError(f"{data_dir} has no FIX session {session_id}")
    for file in files if all_files else files[-1:]:
        for kind, ts_ns, message in read_records(file.read_bytes()):
            if kind in (RECORD_IN, RECORD_OUT):
                text = message.replace(SOH, b"|").decode("latin-1")
                print(text if raw else f"{moment(ts_ns)} {'in ' if kind == RECORD_IN else 'out'} {text}")
    return 0


def moment(ts_ns: int) -> str:
    """Write ns since the epoch as UTC with microseconds."""
    return datetime.fromtimestamp(ts_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
