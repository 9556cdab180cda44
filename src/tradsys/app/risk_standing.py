"""What a risk process leaves to the one that takes over: where every limit stands, and what was done about it.

A file of JSON in the stream's folder, replaced whole at each alert. Without it, or with one that is damaged, the next process
finds the breaches again by itself and acts on them once more, which is the safe side.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from tradsys.risk.account_limits import Action, Judged, Standing

FILE: Final = "standing.json"

Key = tuple[str, str]  # whom, limit


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One limit."""

    whom: str
    limit: str
    value: float
    bound: float
    state: str
    action: Action
    since_us: int
    outcome: str = ""  # of the action; empty: not carried out yet


class StandingFile:
    """Reads what was left and keeps it up to date.

    Parameters
    ----------
    folder : Path
        Of the stream; its owner holds the lock.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.problem = ""  # why what was left could not be read
        self.standings: dict[Key, Standing] = {}
        self.outcomes: dict[Key, str] = {}
        try:
            entries = msgspec.json.decode(self._path.read_bytes(), type=tuple[Entry, ...])
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.problem = f"{self._path} is damaged, limits are judged anew: {error}"
            return
        for entry in entries:
            judged = Judged(entry.limit, entry.value, entry.bound)
            key = entry.whom, entry.limit
            self.standings[key] = Standing(entry.whom, judged, entry.state, entry.action, entry.since_us)
            if entry.outcome:
                self.outcomes[key] = entry.outcome

    def keep(self, standings: dict[Key, Standing], outcomes: dict[Key, str]) -> None:
        """Replace the file by what stands now.

        Raises
        ------
        OSError
            The disk is full, or the folder is gone.
        """
        entries = [
            Entry(whom, limit, s.judged.value, s.judged.bound, s.state, s.action, s.since_us, outcomes.get((whom, limit), ""))
            for (whom, limit), s in standings.items()
        ]
        temporary = self._path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(entries))
        temporary.replace(self._path)
