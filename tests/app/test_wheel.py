"""Goal: what is installed works outside the checkout: the FIX tools find their dictionary in the wheel.

Method: build a wheel without compiling, unpack it elsewhere, add the compiled modules of this build, run the commands there.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tradsys

pytestmark = pytest.mark.heavy
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "setup.py", "--quiet", "build", f"--build-base={folder / 'build'}"]
    command += ["egg_info", f"--egg-base={folder}", "bdist_wheel", f"--dist-dir={folder}"]
    environment = {**os.environ, "TRADSYS_ONLY": "none", "PYTHONPATH": ""}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=280)
    (wheel,) = folder.glob("tradsys-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    package = Path(tradsys.__file__).parent
    for module in package.rglob("*.so"):
        shutil.copy(module, folder / "site" / "tradsys" / module.relative_to(package))
    return folder / "site"


def run(site, *words, **options):
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.Popen(
        [sys.executable, "-m", "tradsys", *words],
        cwd=site.parent, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def test_the_dictionaries_are_in_it(site):
    for name in ("TRADSYS-FIX44.xml", "CONFORMANCE-FIX44.xml"):
        assert (site / "tradsys" / "fix" / name).read_bytes() == (ROOT / "fix_specs" / name).read_bytes()


def test_acceptor_and_console_speak_by_name(site):
    with run(site, "fix-acceptor", "--port", "0", "--seconds", "240") as acceptor:
        port = re.search(r":(\d+) as TRADSYS", acceptor.stdout.readline())[1]
        with run(site, "fix", "console", "--port", port, "--wait", "60", stdin=subprocess.PIPE) as console:
            out, err = console.communicate("buy AMZN 100 @ 223.81\nquit\n", timeout=120)
        acceptor.terminate()
        assert (console.returncode, err) == (0, "")
        assert "< 2 NewOrderSingle" in out, out
        assert "Side=1(BUY) Symbol=AMZN" in out, out
        assert acceptor.wait(60) == 0
