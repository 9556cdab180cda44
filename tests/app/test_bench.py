"""``tradsys bench``: finds benchmarks without importing them, runs each alone, says on what it ran."""

import json
import os
import subprocess
import sys

import pytest

from tradsys.app import bench
from tradsys.app.cli import main

GOOD = '''"""How fast is nothing?"""
import json, sys


def main(argv):
    print("a table")
    print(json.dumps({"argv": argv}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nothing.py").write_text(GOOD)
    (tmp_path / "broken.py").write_text(
        '"""Does it fail?"""\ndef main(argv):\n    pass\nraise SystemExit(3)\n'
    )
    (tmp_path / "shared.py").write_text("raise AssertionError('never imported: it has no main')\n")
    return tmp_path


def test_results_come_as_one_json_object(folder, capfd):
    # Goal: programs get machine, build, commit and each benchmark's own result. Method: one that echoes its arguments.
    assert main(["bench", "nothing", "--quick", "--json", f"--folder={folder}"]) == 0
    found = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert found["holds"] is True
    assert set(found["machine"]) == {"machine", "system", "build", "commit"}
    assert found["benchmarks"]["nothing"]["result"] == {"argv": ["--quick", "--json"]}


def test_a_failing_benchmark_fails_the_command_and_the_others_still_run(folder, capfd):
    # Goal: one broken file hides nothing. Method: all of the folder, one of them exits with 3.
    assert main(["bench", "--json", f"--folder={folder}"]) == 1
    found = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert {name: result["status"] for name, result in found["benchmarks"].items()} == {
        "broken": 3,
        "nothing": 0,
    }


def test_tables_are_for_people(folder, capfd):
    # Goal: the header and the benchmark's own table, and a list on request. Method: both.
    assert main(["bench", "nothing", f"--folder={folder}"]) == 0
    printed = capfd.readouterr().out
    assert "a table" in printed
    assert "== nothing: How fast is nothing?" in printed
    assert printed.index("machine") < printed.index("a table")
    assert main(["bench", "--list", f"--folder={folder}"]) == 0
    assert capfd.readouterr().out.splitlines()[0].split() == ["broken", "Does", "it", "fail?"]


def test_unknown_names_and_a_missing_folder_are_bad_usage(folder, capsys, monkeypatch, tmp_path):
    # Goal: the message says what there is, or that there is nothing here. Method: a wrong name; no checkout.
    assert main(["bench", "nonsense", f"--folder={folder}"]) == 2
    assert "there are: broken, nothing" in capsys.readouterr().err
    empty = tmp_path / "a" / "b" / "c" / "d"
    empty.mkdir(parents=True)
    monkeypatch.setattr(bench.tradsys, "__file__", str(empty / "__init__.py"))
    monkeypatch.chdir(empty)
    assert main(["bench"]) == 2
    assert "no benchmarks/ folder here" in capsys.readouterr().err


def test_kernels_give_the_answers_they_are_timed_for():
    # Goal: what pytest-benchmark times is right on this build too. Method: each once, untimed; a word nobody knows.
    kernels = bench.find_benchmarks() / "kernels.py"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(kernels.parent), *filter(None, sys.path)])}
    words = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "--benchmark-disable", str(kernels)]
    done = subprocess.run([sys.executable, "-m", "pytest", *words], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "9 passed" in done.stdout
    words = [str(kernels), "--fast"]
    done = subprocess.run([sys.executable, *words], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--fast" in done.stderr


def test_engines_that_are_not_installed_are_a_line_and_no_error(capfd):
    # Goal: the comparison with peers runs anywhere. Method: run it here; ours must be measured, of each peer is said what
    # came of it.
    assert main(["bench", "core_peers", "--quick", "--json"]) == 0
    found = json.loads(capfd.readouterr().out.splitlines()[-1])["benchmarks"]["core_peers"]["result"][
        "results"
    ]
    ours, peers = found[:2], found[2:]
    assert [engine["compared"] for engine in ours] == ["matches, lots, prices, orders, every level"] * 2
    assert {peer["engine"] for peer in peers} >= {"liquibook", "pyorderbook", "nautilus_trader"}
    for peer in peers:
        assert peer.get("rates") or peer["why"].startswith(("not installed (pip install", "not comparable: "))
