"""``tradsys bench``: run the benchmarks of a source checkout and say on what they ran.

A benchmark is a file in ``benchmarks/`` that has ``main(argv)`` and runs alone. Each runs in a process of its own; what
it prints is passed on. ``--quick`` and ``--json`` are handed to it; its JSON is the last line it prints.
"""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import tradsys
from tradsys.app.arguments import InputDirectory
from tradsys.errors import ConfigError, InputError

Flag = Parameter(negative="")


def bench(
    *names: str,
    quick: Annotated[bool, Flag] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    show: Annotated[bool, Parameter(name="--list", negative="")] = False,
    folder: InputDirectory | None = None,
) -> int:
    """Run benchmarks, all of them or those named, and print their tables.

    Example: tradsys bench core_throughput gateway_round_trip --quick

    Parameters
    ----------
    names
        File names in benchmarks/ without .py; none: all.
    quick
        A short run of each: to see that it works, not to quote.
    as_json
        One JSON object on the last line, tables to standard error.
    show
        List the benchmarks with their questions and stop.
    folder
        Where the benchmarks are.
    """
    home = folder or find_benchmarks()
    found = {path.stem: path for path in sorted(home.glob("*.py")) if has_main(path)}
    unknown = [name for name in names if name not in found]
    if not found:
        raise ConfigError(f"{home} must have benchmarks, Python files with a function main, has none")
    if unknown:
        raise ConfigError(f"no benchmark {', '.join(unknown)} in {home}; there are: {', '.join(found)}")
    chosen = {name: path for name, path in found.items() if not names or name in names}
    if show:
        print("\n".join(f"{name:<28} {question(path)}" for name, path in found.items()))
        return 0
    about = machine(home)
    out = sys.stderr if as_json else sys.stdout
    print("\n".join(f"{key:<8} {value}" for key, value in about.items()), file=out, flush=True)
    results = {name: run_benchmark(path, quick=quick, as_json=as_json) for name, path in chosen.items()}
    failed = [name for name, result in results.items() if result["status"]]
    if as_json:
        print(json.dumps({"command": "bench", "holds": not failed, "machine": about, "benchmarks": results}))
    elif failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or not results else 0


def find_benchmarks() -> Path:
    """The benchmarks folder of the checkout this package is run from, or of the current folder.

    Raises
    ------
    ConfigError
        There is none: an installed package does not bring them.
    """
    for home in (
        Path(tradsys.__file__).resolve().parents[2],
        Path(tradsys.__file__).resolve().parents[3],
        Path.cwd(),
    ):
        if (home / "benchmarks").is_dir():
            return home / "benchmarks"
    raise ConfigError(
        "there is no benchmarks/ folder here: benchmarks run from a source checkout, not from a package"
    )


def has_main(path: Path) -> bool:
    """Whether the file has a function main; read, not imported."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path} must be Python, is not: {error}") from None
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)


def question(path: Path) -> str:
    """The first line of the file's docstring: the question it answers."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def run_benchmark(path: Path, *, quick: bool, as_json: bool) -> dict[str, Any]:
    """Run one benchmark; returns its exit status, seconds and, with ``as_json``, what it found."""
    words = [sys.executable, str(path), *(["--quick"] if quick else []), *(["--json"] if as_json else [])]
    search = os.pathsep.join([str(path.parent), *(place for place in sys.path if place)])
    title = f"\n== {path.stem}: {question(path)}"
    print(title, file=sys.stderr if as_json else sys.stdout, flush=True)
    started = time.perf_counter()
    done = subprocess.run(
        words,
        env={**os.environ, "PYTHONPATH": search},
        stdout=subprocess.PIPE if as_json else None,
        text=True,
        check=False,
    )
    result: dict[str, Any] = {"status": done.returncode, "seconds": round(time.perf_counter() - started, 2)}
    if as_json:
        lines = done.stdout.rstrip().splitlines()
        print("\n".join(lines[:-1]), file=sys.stderr)
        try:
            result["result"] = json.loads(lines[-1]) if lines else None
        except json.JSONDecodeError:
            result["output"] = lines[-200:]
    return result


def machine(home: Path) -> dict[str, str]:
    """On what the figures were made: machine, software, build and commit."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        "",
    )
    memory = next(
        (int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0
    )
    debug = "debug" in Path(tradsys.__file__).resolve().parts
    return {
        "machine": f"{cpu or platform.machine()}, {os.cpu_count()} CPUs, {memory / 2**20:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "build": f"{'debug' if debug else 'release'}, tradsys {tradsys.__version__}",
        "commit": commit(home),
    }


def commit(home: Path) -> str:
    """Short hash of the checkout, with a plus sign when files differ from it; "unknown" without git."""
    try:
        words = ["git", "-C", str(home), "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
