"""The path of a command takes no memory from the heap, and a resting order costs at most 96 bytes all told.

Method: a shim, compiled here and preloaded, counts malloc, calloc, realloc and free; resident memory is read from
/proc. Both run in a process of their own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
static unsigned long calls;
unsigned long heap_calls(void) { return calls; }
#define NEXT(name) static __typeof__(name) *next; if (!next) next = (__typeof__(name) *) dlsym(RTLD_NEXT, #name); calls++
void *malloc(size_t n) { NEXT(malloc); return next(n); }
void *realloc(void *p, size_t n) { NEXT(realloc); return next(p, n); }
void free(void *p) { NEXT(free); next(p); }
"""

COUNTED = """
import ctypes, gc, json
import numpy as np
from tradsys.core import Engine
from tradsys.sim import workload
heap_calls = ctypes.CDLL(None).heap_calls
heap_calls.restype = ctypes.c_ulong
load = workload.make("normal", 1_000_000, live_target=2_000)
engine = Engine(**load.capacities, events_max=2_000_000)
engine.submit(load.setup); engine.submit(load.prefill); engine.submit(load.commands[:1000])
gc.disable()
idle = -heap_calls(); idle += heap_calls()
few = -heap_calls(); engine.submit(load.commands[1000:1010]); few += heap_calls()
many = -heap_calls(); engine.submit(load.commands[1010:]); many += heap_calls()
seen = -heap_calls(); blocks = [bytes(1000 + n) for n in range(100)]; seen += heap_calls()
engine.check()
print(json.dumps({"idle": idle, "few": few, "many": many, "seen": seen, "seq": engine.last_seq}))
"""

RESIDENT = """
import json
from tradsys.core import Engine
from tradsys.sim import workload

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

orders = 500_000
load = workload.make("deep", 1, live_target=orders)
engine = Engine(**(load.capacities | {"orders_max": orders}), events_max=8192)
engine.submit(load.setup)
before = resident()
for i in range(0, orders, 4096):
    engine.submit(load.prefill[i:i + 4096])
after = resident()
print(json.dumps({"bytes": after - before, "orders": engine.live_order_count()}))
"""


def run(script: str, **environment: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def shim(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", "-fno-builtin", "shim.c", "-o", "shim.so", "-ldl"],
        cwd=folder,
        check=True,
    )
    return folder / "shim.so"


def test_a_million_commands_take_nothing_from_the_heap(shim):
    found = run(COUNTED, LD_PRELOAD=str(shim), PYTHONMALLOC="malloc")
    assert found["seq"] > 1_000_000
    assert found["idle"] < 10
    assert found["seen"] >= 100, "the shim does not count"
    # the call itself makes a few Python objects: as many, but for larger numbers, for ten commands as for a million
    assert found["few"] <= found["many"] <= found["few"] + 8 < 60


def test_bytes_of_a_resting_order():
    found = run(RESIDENT)
    assert found["orders"] > 490_000
    assert found["bytes"] / found["orders"] <= 96
