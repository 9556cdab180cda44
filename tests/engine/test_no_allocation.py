"""The commit path allocates nothing: the C library's malloc is counted while commands are decided and journaled.

A small library that counts calls of malloc, calloc and realloc is compiled and loaded in front of the C library in a child
process. Twenty times the commands must not cost one call more.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COUNTER = """
#define _GNU_SOURCE
#include <stddef.h>
extern void* __libc_malloc(size_t); extern void* __libc_calloc(size_t, size_t); extern void* __libc_realloc(void*, size_t);
long allocations;
void* malloc(size_t n) { __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED); return __libc_malloc(n); }
void* calloc(size_t k, size_t n) { __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED); return __libc_calloc(k, n); }
void* realloc(void* p, size_t n) { __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED); return __libc_realloc(p, n); }
"""
CHILD = """
import ctypes, gc, sys
sys.path.insert(0, sys.argv[3])
from venue_flow import LOAD, START_NS, open_small, prepare
allocations = ctypes.c_long.in_dll(ctypes.CDLL(None), "allocations")
with open_small(sys.argv[1], sys.argv[2], segment_bytes=1 << 20) as sequencer:
    prepare(sequencer)
    few, many = LOAD.commands[:200], LOAD.commands[200:4200]
    warm = LOAD.commands[4200:]
    counts = []
    for part in (warm, few, many):
        gc.collect()
        sequencer.wait_stored()
        before = allocations.value
        sequencer.run(part, START_NS)
        sequencer.wait_stored()
        counts.append(allocations.value - before)
    print(before > 1000, counts[1], counts[2], sequencer.figures["segments"])
"""


@pytest.mark.parametrize("durability", ["none", "batch", "fsync"])
def test_commit_allocates_nothing(tmp_path, durability):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make the counter with")
    (tmp_path / "count.c").write_text(COUNTER)
    library = tmp_path / "count.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, tmp_path / "count.c"], check=True)
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "data"), durability, str(Path(__file__).parent)],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )
    counting, few, many, _ = run.stdout.split()
    assert counting == "True", "the counter is in place"
    assert int(many) == int(few), f"4000 commands cost {many} allocations, 200 cost {few}"
