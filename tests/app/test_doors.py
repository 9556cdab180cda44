"""Addresses and settings as users give them."""

from pathlib import Path

import pytest

from tradsys.app.doors import address_of, find_settings, full_address
from tradsys.app.up import ready_addresses, tree_bytes
from tradsys.config import Config, Venue


@pytest.mark.parametrize(
    ("given", "full"),
    [("5555", "tcp://127.0.0.1:5555"), ("venue:5555", "tcp://venue:5555"), ("ipc:///tmp/x", "ipc:///tmp/x")],
)
def test_an_address_may_be_short(given, full):
    # Goal: a port, host:port or whole address are understood. Method: one of each.
    assert full_address(given) == address_of(Config(), given) == full


def test_without_an_address_the_settings_say_it():
    # Goal: nothing to type on one machine. Method: default settings.
    assert address_of(Config()) == "tcp://127.0.0.1:5555"


def test_settings_are_found_where_up_left_them(tmp_path, monkeypatch):
    # Goal: the file given, then ./tradsys.yaml, then the one in the default data folder. Method: make them one by one.
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADSYS_CONFIG", raising=False)
    assert find_settings(None) is None
    (tmp_path / "tradsys-data").mkdir()
    left = Path("tradsys-data") / "tradsys.yaml"
    left.write_text("{}")
    assert find_settings(None) == left
    monkeypatch.setenv("TRADSYS_CONFIG", "other.yaml")
    assert find_settings(None) is None  # the loader reads what the environment names
    monkeypatch.delenv("TRADSYS_CONFIG")
    Path("tradsys.yaml").write_text("{}")
    assert find_settings(None) is None  # the loader reads it by itself
    assert find_settings(Path("mine.yaml")) == Path("mine.yaml")


def test_the_venue_says_where_its_doors_are():
    # Goal: ports taken freely are learned, what is not said is as set. Method: a READY line that names two doors.
    line = "READY orders=tcp://127.0.0.1:41001 feed_a=tcp://127.0.0.1:41002 pid=7"
    doors = ready_addresses(line, Venue(orders_port=0))
    assert doors["orders"] == "tcp://127.0.0.1:41001"
    assert doors["feed_a"] == "tcp://127.0.0.1:41002"
    assert doors["snapshots"] == "tcp://127.0.0.1:5558"


def test_a_folder_is_measured_as_far_as_it_is_there(tmp_path):
    # Goal: the journal's size, 0 before there is one. Method: nested files, a missing folder.
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"123")
    (tmp_path / "y").write_bytes(b"4567")
    assert tree_bytes(tmp_path) == 7
    assert tree_bytes(tmp_path / "none") == 0
