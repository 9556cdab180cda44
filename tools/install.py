"""Install what building, running and testing need into the environment of this Python, without the package itself.

python tools/install.py [EXTRA ...]     extras of pyproject.toml; default: test

The package stays where it is (PYTHONPATH=src), so that a build is one compiler run and not an installation.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def requirements(extras: list[str]) -> list[str]:
    """List the requirements of the build, of the package and of its extras."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    wanted = [*settings["build-system"]["requires"], *project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    return list(dict.fromkeys(wanted))


if __name__ == "__main__":
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    sys.exit(subprocess.call([*command, *requirements(sys.argv[1:] or ["test"])]))
