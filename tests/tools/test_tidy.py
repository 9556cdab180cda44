"""Goal: tidy finds what breaks the house rules and nothing else. Method: small trees with one broken rule each."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import tidy  # noqa: E402


def findings(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__slash__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [str(finding) for finding in tidy.tidy(tmp_path)]


def at(name):
    return name.replace("/", "__slash__")


LONG = "def long():\n" + "    x = 1\n" * 71
BROKEN = [
    ("src/tradsys/core/book.py", "from tradsys.engine import sequencer\n", "floor 2.*must not import engine"),
    ("src/tradsys/core/book.py", "from tradsys.fix import parser\n", "same floor"),
    ("src/tradsys/wire/x.py", "import tradsys.core.engine\n", "floor 1.*must not import core"),
    ("src/tradsys/portfolio/x.py", "from tradsys.engine import x\n", "through tradsys.client only"),
    ("src/tradsys/engine/x.py", "from tradsys.app import cli\n", "app is imported by nobody"),
    ("src/tradsys/engine/x.py", "from tradsys import sim\n", "sim stands aside"),
    ("src/tradsys/engine/x.py", "from . import y\n", "name modules in full"),
    ("src/tradsys/attic/x.py", "from tradsys import wire\n", "room attic has no floor"),
    ("src/tradsys/core/x.py", "import time\n", "reads no clock"),
    ("src/tradsys/core/x.py", "from numpy.random import default_rng\n", "reads no clock"),
    ("cython/tradsys/core/x.pxd", "from tradsys.engine.y cimport Z\n", "must not import engine"),
    (
        "cython/tradsys/core/x.pxd",
        "from tradsys.engine.y cimport (\n    Z,\n    W,\n)\n",
        "must not import engine",
    ),
    ("cython/tradsys/engine/x.pxd", "from libc.time cimport time\n", "reads no clock"),
    ("src/tradsys/api/x.py", "import decimal\n", "Decimal lives in"),
    ("src/tradsys/core/utils.py", "x = 1\n", "named for what it holds"),
    ("src/tradsys/core/x.py", LONG, "function long has 72 lines"),
    ("cython/tradsys/core/x.pxd", "x\n" * 801, "file has 802 lines"),
    ("cython/tradsys/core/x.pxi", "", "no .pxi"),
    ("cython/tradsys/core/x.pxd", "# cython: boundscheck=False\n", "live in setup.py"),
    (
        "cython/tradsys/core/x.pxd",
        "cdef enum:\n    A_BITS = 3\n    A_MAX = 1 << A_BITS\n",
        "write the number",
    ),
    ("docs/x.md", "see [it](../src/none.py#L3)\n", "leads nowhere"),
    ("docs/x.md", "see /" + "home/me/x\n", "a path of one machine"),
    ("docs/x.md", "TODO write\n", "unfinished"),
    ("tests/test_x.py", "time." + "sleep(1)\n", "does not sleep"),
]


@pytest.mark.parametrize(("name", "text", "message"), BROKEN)
def test_what_breaks_a_rule_is_found_once(tmp_path, name, text, message):
    found = findings(tmp_path, **{at(name): text})
    assert found
    assert all(re.search(message, finding) for finding in found), found


def test_a_compiled_module_needs_a_pyi_and_a_name_of_its_own(tmp_path):
    found = findings(tmp_path, **{at("cython/tradsys/core/x.pyx"): "", at("src/tradsys/core/x.py"): ""})
    assert len(found) == 2
    assert "shares its name" in found[1]
    assert "has no src/tradsys/core/x.pyi" in found[0]


def test_long_cython_functions_are_found(tmp_path):
    body = (
        "cdef int f(self,\n           int x) except -1 nogil:\n"
        + "    x = 1\n" * 70
        + "\ndef g():\n    pass\n"
    )
    files = {at("cython/tradsys/core/x.pyx"): body, at("src/tradsys/core/x.pyi"): ""}
    assert findings(tmp_path, **files) == [
        "cython/tradsys/core/x.pyx:1: function f has 72 lines, at most 70",
    ]


def test_import_cycles_are_found(tmp_path):
    found = findings(
        tmp_path,
        **{
            at("src/tradsys/wire/a.py"): "from tradsys.wire import b\n",
            at("src/tradsys/wire/b.py"): "from tradsys.wire.c import x\n",
            at("src/tradsys/wire/c.py"): "import tradsys.wire.a\n",
        },
    )
    assert found == [
        "src/tradsys/wire/a.py:1: import cycle: tradsys.wire.a -> tradsys.wire.b -> tradsys.wire.c -> tradsys.wire.a"
    ]


GOOD = [
    ("src/tradsys/engine/x.py", "from tradsys.core import Engine\nfrom tradsys import limits\n"),
    ("src/tradsys/recorder/x.py", "from tradsys.client import FeedClient\n"),
    ("src/tradsys/portfolio/x.py", "from tradsys.client import OrderClient\n"),
    ("src/tradsys/app/x.py", "from tradsys.sim import workload\nimport time\n"),
    ("src/tradsys/sim/x.py", "from tradsys.engine import Sequencer\n"),
    ("src/tradsys/units.py", "from decimal import Decimal\n"),
    (
        "src/tradsys/wire/a.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tradsys.wire import a\n",
    ),
    ("tests/process/test_x.py", "time." + "sleep(1)\n"),
    ("src/tradsys/core/x.py", 'def long():\n    """' + "x\n" * 90 + '    """\n'),
    ("docs/x.md", "see [it](x.md#top), [that](#top) and [those](https://example.org/x)\n"),
    ("docs/x.md", "the data lie in /var/lib/tradsys; TODO(#12) write\n"),
]


@pytest.mark.parametrize(("name", "text"), GOOD)
def test_what_keeps_the_rules_is_left_alone(tmp_path, name, text):
    assert findings(tmp_path, **{at(name): text}) == []
