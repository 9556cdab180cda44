"""Goal: what README shows works as shown. Method: load its settings, run its Python blocks.

The one that needs a venue is run in tests/process.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tradsys import config

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_settings_shown_are_settings(tmp_path, text):
    path = tmp_path / "tradsys.yaml"
    path.write_text(text)
    assert config.load(path, {}) != config.Config()


@pytest.mark.parametrize("code", [code for code in blocks("python") if "OrderClient" not in code])
def test_python_shown_runs(code):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_readme_shows_settings():
    assert blocks("yaml")
