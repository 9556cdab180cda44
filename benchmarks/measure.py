"""What the benchmarks share: arguments, the machine they ran on, medians, a table for people and JSON for programs."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path


def arguments(
    doc: str | None, argv: Sequence[str] | None, rounds: int, flow: Sequence[str] = ()
) -> argparse.Namespace:
    """The options every benchmark has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, three rounds")
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="how often each is measured; medians are shown"
    )
    if flow:
        parser.add_argument("--flow", nargs="*", choices=flow, help="only these")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds = min(options.rounds, 3)
    return options


def machine() -> dict[str, str]:
    """Where the figures come from."""
    import numpy as np

    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"cpu": model, "python": platform.python_version(), "numpy": np.__version__}


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """Median with the range, three figures each."""
    return f"{median(values):.3g} ({min(values):.3g}-{max(values):.3g})"


def show(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: str, as_json: bool, data: object
) -> None:
    """Print a table, then the JSON line when asked for."""
    print(title)
    widths = [max(len(str(row[i])) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = [
            str(c).ljust(w) if i == 0 else str(c).rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells))
    print(notes)
    if as_json:
        print(json.dumps({"benchmark": title, "machine": machine(), "results": data}))
