"""What the generators share: write the files made from one source, or compare them with what is there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

Source = TypeVar("Source")


def run(
    arguments: list[str] | None,
    description: str,
    root: Path,
    read: Callable[[], Source],
    outputs: Mapping[str, Callable[[Source], str]],
) -> int:
    """Write every output below `root`; with ``--check`` write nothing.

    Returns
    -------
    int
        Exit status: 1 when ``--check`` finds a file that differs, else 0.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a file differs")
    options = parser.parse_args(arguments)
    source = read()
    stale = []
    for name, write in outputs.items():
        path, text = root / name, write(source)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not options.check:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if options.check and stale:
        print(f"not what {Path(sys.argv[0]).name} writes: {', '.join(stale)}", file=sys.stderr)
    return 1 if options.check and stale else 0
