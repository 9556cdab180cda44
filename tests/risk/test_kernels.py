"""Goal: compiled kernels and the same lines as plain Python answer alike. Method: one script, run both ways."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kernel_answers.py")


def answers(**environment):
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_compiled_is_plain_python():
    compiled, plain = answers(), answers(NUMBA_DISABLE_JIT="1")
    assert compiled.keys() == plain.keys()
    for name, values in compiled.items():
        assert values, name
        # libm of the compiler and of Python may differ in the last digit
        assert values == pytest.approx(plain[name], rel=1e-12, abs=1e-15), name


def test_every_kernel_is_cached_on_disk_for_the_next_start():
    code = (
        "import sys, tradsys.risk.monte_carlo as m, tradsys.risk.random_numbers as r\n"
        "kernels = [f for module in (m, r) for f in vars(module).values() if hasattr(f, 'stats')]\n"
        "assert len(kernels) > 10\n"
        "print(sum(sum(f.stats.cache_misses.values()) for f in kernels))\n"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0"
