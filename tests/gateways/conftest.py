"""Doors for the tests of this room."""

import pytest
from door_maker import Door
from fix_maker import FixDoors


@pytest.fixture
def make_door(tmp_path):
    doors = []

    def make(path=tmp_path / "venue", **options):
        doors.append(Door(path, **options))
        return doors[-1]

    yield make
    for door in doors:
        door.close()


@pytest.fixture
def fix_doors(tmp_path):
    doors = FixDoors(tmp_path / "venue")
    yield doors
    doors.close()


@pytest.fixture
def door(make_door):
    made = make_door()
    made.define()
    return made
