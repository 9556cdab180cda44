"""Every script of fix_specs/sessions holds: one situation a file, message by message, against a session without sockets."""

from pathlib import Path

import pytest
from session_script import ScriptError, ScriptRun, run_script

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "fix_specs" / "sessions").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 7, 1])
def test_script(path: Path, piece_bytes: int) -> None:
    run_script(path, piece_bytes)


def test_there_are_scripts_and_each_says_what_it_is_about() -> None:
    assert len(SCRIPTS) >= 100
    for path in SCRIPTS:
        assert path.read_text().startswith("# "), path.name


@pytest.mark.parametrize(
    "line",
    [
        "E 35=A|34=2|98=0|108=30|383=16384",
        "E 35=A|34=1|98=0|108=30",
        "E 35=A|34=1|98=0|108=30|383=16384\nE 35=0|34=2",
        "E 35=A|34=1|98=0|108=30|383=16384\nT 31s",
        "E 35=A|34=1|98=0|108=30|383=16384\nX",
        "E 35=A|34=1|98=0|108=30|383=16384\nI 35=D|34=2|11=a",
        "E 35=A|34=1|98=0|108=30|383=16384\nV next_in=3",
        "",
    ],
)
def test_a_script_that_expects_something_else_fails(line: str) -> None:
    with pytest.raises(ScriptError):
        ScriptRun(f"C\nI 35=A|34=1|98=0|108=30\n{line}\nT 1s").run()
