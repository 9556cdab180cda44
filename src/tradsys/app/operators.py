"""Who operates a venue from the command line, and the options all of its commands take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tradsys.config import Config, Session, sessions_of
from tradsys.errors import ConfigError


@Parameter(name="*")
@dataclass
class Common:
    """What every command takes."""

    settings: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None
    "Settings file of the venue; else $TRADSYS_CONFIG, ./tradsys.yaml, ./tradsys-data/tradsys.yaml."
    operator: str = ""
    "Session to sign with, by name or API key; else the first whose participant has OPERATE."
    at: str = ""
    "HOST:PORT of a door: of fix the operator door, else as left in the data directory; of others the order door, else as set."
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
    "The answer as one JSON object."


def operator_of(settings: Config, named: str) -> Session:
    """The session to sign with."""
    found = [
        session
        for participant, session in sessions_of(settings)
        if session.api_key
        and (named in (session.name, session.api_key) if named else "OPERATE" in participant.permissions)
    ]
    if not found:
        what = (
            f"no session {named!r} with an api_key" if named else "no participant with OPERATE and an api_key"
        )
        raise ConfigError(f"the settings have {what}; --config names another file")
    return found[0]
