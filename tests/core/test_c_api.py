"""The engine driven from C and from Cython, one command at a time, decides what it decides for Python.

Method: build the two programs of benchmarks/embed, run the same commands three ways, compare the state hashes.
"""

import ctypes
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import embed

from tradsys.core import engine as module

COUNT = 5000


@pytest.mark.parametrize("build", [embed.from_c, embed.from_cython])
def test_an_embedded_engine_decides_alike(build, tmp_path):
    run = build(tmp_path)
    engine, expected = embed.opened_engine(), embed.opened_engine()
    assert run(engine, COUNT) > 0
    embed.by_python(expected, COUNT)
    assert engine.last_seq > 2 * COUNT - 1100
    assert engine.state_hash() == expected.state_hash()
    engine.check()


def test_every_function_of_the_header_is_exported():
    header = (embed.HEADERS / "tradsys" / "core" / "engine_api.h").read_text()
    names = [word.strip('",}; \n') for word in header.split("names[] = {")[1].split("};")[0].split(",")]
    assert len(names) == 12
    for name in names:
        capsule = module.__pyx_capi__[name]
        ctypes.pythonapi.PyCapsule_GetName.restype = ctypes.c_char_p
        ctypes.pythonapi.PyCapsule_GetName.argtypes = [ctypes.py_object]
        assert b"Engine *" in ctypes.pythonapi.PyCapsule_GetName(capsule)


def test_an_exception_reaches_the_caller_of_c(tmp_path):
    run = embed.from_c(tmp_path)
    full = module.Engine(orders_max=1 << 16, events_max=4)
    for n in (1, 2):
        full.submit(embed.commands.define_participant(n))
        full.submit(embed.commands.define_session(n, n))
    full.submit(embed.commands.define_instrument(1))
    full.submit(embed.commands.set_state(1))
    for n in range(10):
        full.new_order(2, n + 1, 1, 2, 9_000 + n, 1)
    with pytest.raises(BufferError, match="no room for another command"):
        run(full, 1)
