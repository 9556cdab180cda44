"""Keys of the live view, also when several arrive at once."""

import pytest

from tradsys.app.keys import next_key


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"\x1b[A\x1b[B\x1bOA\x1bOB", ["up", "down", "up", "down"]),
        (b"q", ["q"]),
        (b" jk", [" ", "j", "k"]),
        (b"\x1b[5~q", ["", "q"]),
        (b"\x1b[", [""]),
        (b"\xc3\xa4q", ["", "", "q"]),
        (b"\x1b", ["\x1b"]),
    ],
)
def test_what_was_typed_comes_apart_into_keys(typed, keys):
    # Goal: fast typing loses nothing, unknown keys are swallowed whole. Method: bytes as terminals send them.
    found = []
    while typed:
        key, typed = next_key(typed)
        found.append(key)
    assert found == keys
