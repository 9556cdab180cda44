"""Goal: the example files of fix_specs run as they say, against a real venue.

Method: run each as a user would, quickfix with the published configuration and only its port and names changed.
"""

import importlib.util
import shutil
import subprocess
import sys

import pytest
from trading_floor import PASSWORD, ROOT, environment

pytestmark = pytest.mark.heavy
EXAMPLES = ROOT / "fix_specs" / "examples"


def run(folder, *words):
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, env=environment(), capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A copy, since stores and logs are written beside the configuration."""
    return shutil.copytree(
        ROOT / "fix_specs", tmp_path / "fix_specs", ignore=shutil.ignore_patterns("sessions")
    )


def test_quickfix_client(has_quickfix, folder, venue):
    config = folder / "quickfix.cfg"
    text = config.read_text()
    for old, new in (("9878", str(venue.port)), ("SenderCompID=DEMO", "SenderCompID=DESK")):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    for _ in range(2):  # the second run goes on with the numbers of the first
        done = run(
            folder,
            "examples/quickfix_client.py",
            "--username",
            "desk",
            "--password",
            PASSWORD,
            "--symbol",
            "AMZN",
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert "-> NewOrderSingle" in done.stdout
        assert "OrdStatus=CANCELED" in done.stdout
        assert PASSWORD not in done.stdout
    wrong = run(
        folder, "examples/quickfix_client.py", "--username", "desk", "--password", "wrong", "--wait-s", "10"
    )
    assert wrong.returncode == 1
    assert "<- Logout" in wrong.stdout


@pytest.mark.skipif(
    importlib.util.find_spec("simplefix") is None, reason="simplefix is not installed (extra interop)"
)
def test_simplefix_client(folder, venue):
    options = ["--port", venue.port, "--sender", "DESK", "--username", "desk", "--symbol", "AMZN"]
    for _ in range(2):
        done = run(folder, "examples/simplefix_client.py", *options, "--password", PASSWORD)
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert "<- ExecutionReport" in done.stdout
        assert "OrdStatus=CANCELED" in done.stdout
        assert PASSWORD not in done.stdout
    wrong = run(folder, "examples/simplefix_client.py", *options, "--password", "wrong")
    assert wrong.returncode == 1
    assert "<- Logout" in wrong.stdout
