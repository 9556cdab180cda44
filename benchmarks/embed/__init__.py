"""Two programs that drive the engine without Python objects on the path, built on the fly: one in C, one in Cython."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from tradsys.core import Engine
from tradsys.sim import commands

HERE = Path(__file__).parent
HEADERS = HERE.parents[1] / "cython"
FLAGS = ["-O3", "-march=native", "-shared", "-fPIC"]


def includes() -> list[str]:
    """Where Python's headers and ours are."""
    return [f"-I{sysconfig.get_path('include')}", f"-I{HEADERS}"]


def from_c(folder: Path) -> Callable[[Engine, int], int]:
    """embed.c as a function of an engine and a count that returns nanoseconds."""
    target = folder / "embed.so"
    subprocess.run(["cc", *FLAGS, *includes(), str(HERE / "embed.c"), "-o", str(target)], check=True)
    run = ctypes.PyDLL(str(target)).embed_run
    run.argtypes = [ctypes.py_object, ctypes.c_int64]
    run.restype = ctypes.c_int64
    return run


def from_cython(folder: Path) -> Callable[[Engine, int], int]:
    """embed_cython.pyx as the same."""
    source, target = folder / "embed_cython.c", folder / "embed_cython.so"
    directives = ["-X", "cdivision=True", "-I", str(HEADERS)]
    pyx = str(HERE / "embed_cython.pyx")
    cython = [sys.executable, "-m", "cython", "-3", *directives, pyx, "-o", str(source)]
    subprocess.run(cython, check=True, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    subprocess.run(["cc", *FLAGS, *includes(), str(source), "-o", str(target)], check=True)
    spec = importlib.util.spec_from_file_location("embed_cython", target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.embed_run


def opened_engine() -> Engine:
    """An engine with two participants, their sessions and one open instrument."""
    engine = Engine(orders_max=1 << 16, instruments_max=4, participants_max=4, sessions_max=4, accounts_max=4)
    for n in (1, 2):
        engine.submit(commands.define_participant(n))
        engine.submit(commands.define_session(n, n))
    engine.submit(commands.define_instrument(1))
    engine.submit(commands.set_state(1))
    return engine


def by_python(engine: Engine, count: int) -> None:
    """The same commands through the methods of Python."""
    for i in range(count):
        ref, side = i + 1, 2 if i & 1 else 1
        price = 10000 - i * 7 % 50 if side == 1 else 10001 + i * 7 % 50
        engine.new_order(1, ref, 1, side, price, 10, ts_ns=i)
        if i >= 1024:
            engine.cancel_order(1, 0, 1, ref - 1024, ts_ns=i)
        if i % 64 == 63:
            engine.new_order(2, ref, 1, 1, engine.best_ask(1), 1, ts_ns=i)
