"""Finds the FIX dictionary of the product."""

from __future__ import annotations

from pathlib import Path

from tradsys.fix.dictionary import Dictionary, load

PLACES = (
    Path("fix_specs", "TRADSYS-FIX44.xml"),
    Path(__file__).resolve().parents[3] / "fix_specs" / "TRADSYS-FIX44.xml",  # of a source checkout
)


def load_dictionary(path: Path | None = None) -> Dictionary | None:
    """Read the dictionary given, else ours; None: ours is not here."""
    if path is not None:
        return load(path)
    found = next((place for place in PLACES if place.is_file()), None)
    return None if found is None else load(found)
