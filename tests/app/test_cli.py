"""Goal: one command line finds every command, imports only what it runs, and tells by its exit status.

Method: call main with a registry of our own, and the real registry command by command.
"""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import tradsys
from tradsys.app import cli
from tradsys.errors import ConfigError, JournalError


@pytest.fixture
def command(monkeypatch):
    """Register one function as the command ``probe``."""

    def register(function):
        monkeypatch.setitem(sys.modules, "probe_module", SimpleNamespace(function=function))
        monkeypatch.setitem(cli.COMMANDS, "probe", cli.Command("probe_module:function", "probe"))

    return register


def test_help_lists_every_command(capsys):
    assert cli.main(["--help"]) == cli.HOLDS
    shown = capsys.readouterr().out
    for name, entry in cli.COMMANDS.items():
        assert f"  {name} " in shown
        assert entry.help in shown


def test_version(capsys):
    assert cli.main(["--version"]) == cli.HOLDS
    assert capsys.readouterr().out == f"tradsys {tradsys.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["--no-such-option"]])
def test_bad_usage_is_2(arguments):
    assert cli.main(arguments) == cli.BAD_USAGE


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1), (True, 1)])
def test_what_a_command_returns_is_the_status(command, returned, status):
    def probe() -> object:
        return returned

    command(probe)
    assert cli.main(["probe"]) == status


def test_parameters_become_arguments(command):
    seen = []

    def probe(path: str, *, count: int = 1) -> None:
        seen.append((path, count))

    command(probe)
    assert cli.main(["probe", "x", "--count", "3"]) == cli.HOLDS
    assert seen == [("x", 3)]
    assert cli.main(["probe", "x", "--count", "many"]) == cli.BAD_USAGE
    assert cli.main(["probe"]) == cli.BAD_USAGE
    assert cli.main(["probe", "--help"]) == cli.HOLDS


@pytest.mark.parametrize(
    ("error", "status"),
    [(JournalError("disk is full"), 1), (ConfigError("no such port"), 2), (KeyboardInterrupt(), 130)],
)
def test_operating_errors_are_one_sentence(command, capsys, error, status):
    def probe() -> None:
        raise error

    command(probe)
    assert cli.main(["probe"]) == status
    assert str(error) in capsys.readouterr().err


def test_programmer_errors_are_not_hidden(command):
    def probe() -> None:
        raise AssertionError("broken invariant")

    command(probe)
    with pytest.raises(AssertionError, match="broken invariant"):
        cli.main(["probe"])


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_can_be_loaded_and_has_help(name, capsys):
    assert cli.main([name, "--help"]) == cli.HOLDS
    assert capsys.readouterr().out


def test_help_imports_nothing_heavy():
    code = "import sys; from tradsys.app.cli import main; main(['--help']); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(shown.split("\n")[-2].split())
    assert not loaded & {"numpy", "pyarrow", "duckdb", "zmq", "rich", "cyclopts"}
