"""Finds the FIX dictionary of the product: beside the package where it is installed, else in the source checkout."""

from __future__ import annotations

from pathlib import Path

from tradsys.errors import InputError
from tradsys.fix.dictionary import Dictionary, load

PACKAGE = Path(__file__).resolve().parents[1]
# setup.py ships the files of the second in the first
PLACES = (PACKAGE / "fix", PACKAGE.parents[1] / "fix_specs")
PUBLISHED = "TRADSYS-FIX44.xml"
CONFORMANCE = "CONFORMANCE-FIX44.xml"  # what the stand-alone acceptor knows beside it


def load_dictionary(path: Path | None = None, *supplements: str) -> Dictionary:
    """Read the dictionary given, else ours with supplements of ours.

    Raises
    ------
    InputError
        It cannot be read, or ours is not here.
    """
    return load(path) if path is not None else load(place_of(PUBLISHED), *map(place_of, supplements))


def place_of(name: str) -> Path:
    """Find a file of ours."""
    for place in PLACES:
        if (place / name).is_file():
            return place / name
    raise InputError(f"{name} is neither in {PLACES[0]} nor in {PLACES[1]}")
