"""Goal: a fresh environment has what the package imports. Method: hold the imports of src against pyproject.toml."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import install  # noqa: E402

PROJECT_OF = {"zmq": "pyzmq", "yaml": "pyyaml", "hdrh": "hdrhistogram", "Cython": "cython"}


def imported(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in names:
                yield path.relative_to(ROOT), name.split(".")[0]


def projects(extras):
    return {re.match(r"[\w-]+", requirement)[0].lower() for requirement in install.requirements(extras)}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("src", ["dataframes", "ed25519", "dask"]), ("tests", ["test", "interop"]), ("tools", ["test", "fuzz"])],
)
def test_what_is_imported_is_required(folder, extras):
    own = {"tradsys"} | {path.stem for path in (ROOT / "tools").glob("*.py")}
    own |= {part.stem for part in (ROOT / "benchmarks").iterdir()}
    own |= {part.stem for part in (ROOT / folder).rglob("*") if part.is_dir() or part.suffix == ".py"}
    known = set(sys.stdlib_module_names) | own | projects(extras)
    missing = {
        (str(path), name) for path, name in imported(folder) if PROJECT_OF.get(name, name) not in known
    }
    assert missing == set()


def test_every_requirement_of_the_package_has_a_range():
    for requirement in install.requirements(["test"]):
        assert re.search(r">=[\d.]+", requirement), requirement
